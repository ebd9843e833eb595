#include "fs/text/emit.h"

#define P EMIT_PLAIN
#define B EMIT_BACKSLASH
/* clang-format off */
const uint8_t emit_label_class[256] = {
	['!'] = B, ['"'] = B, ['#'] = B, ['$'] = B, ['%'] = B, ['&'] = B, ['\''] = B, ['('] = B,
	[')'] = B, ['*'] = P, ['+'] = B, [','] = B, ['-'] = P, ['.'] = B, ['/'] = P,
	['0' ... '9'] = P, [':'] = B, [';'] = B, ['<'] = B, ['='] = B, ['>'] = B, ['?'] = B,
	['@'] = B, ['A' ... 'Z'] = P, ['['] = B, ['\\'] = B, ['^'] = B, ['_'] = P, ['`'] = B,
	['a' ... 'z'] = P, ['{'] = B, ['|'] = B, ['}'] = B, ['~'] = B,
};
/* clang-format on */
#undef P
#undef B

void emit_name(struct zn_buf *out, struct zn_view wire, const struct zn_name *apex)
{
	size_t at = 0, tail = apex ? apex->len : 1;
	uint8_t *to = emit_room(out, 4 * wire.len + 1);

	if (!to)
		return;
	while (wire.data[at] != 0 &&
			(wire.len - at != tail || !apex ||
					memcmp(wire.data + at, apex->wire, tail) != 0)) {
		if (at)
			*to++ = '.';
		to = emit_label(to, wire.data + at + 1, wire.data[at]);
		at += 1u + wire.data[at];
	}
	if (wire.len == 1 || wire.len - at != tail || !apex || (tail == 1 && at))
		*to++ = '.'; /* absolute; below the root the two are one, and a dot says so */
	else if (at == 0)
		*to++ = '@';
	emit_end(out, to);
}

/* Labels of a key end with 00 and stand in reverse order. The start of the one that ends before
 * `end`. */
static size_t label_before(struct zn_view key, size_t end)
{
	size_t from = end - 1;

	while (from > 0 && key.data[from - 1] != 0)
		from--;
	return from;
}

void emit_key(struct zn_buf *out, struct zn_view key)
{
	uint8_t *to = emit_room(out, 4 * key.len + 1);

	if (!to)
		return;
	if (zn_key_is_apex(key)) {
		*to++ = '@';
	} else {
		for (size_t end = key.len, from; end > 0; end = from) {
			from = label_before(key, end);
			if (end < key.len)
				*to++ = '.';
			to = emit_label(to, key.data + from, end - 1 - from);
		}
	}
	emit_end(out, to);
}

size_t emit_key_width(struct zn_view key)
{
	size_t width = 0;

	if (zn_key_is_apex(key))
		return 1;
	for (size_t i = 0; i + 1 < key.len; i++) {
		uint8_t class = emit_label_class[key.data[i]];
		width += key.data[i] == 0 || class == EMIT_PLAIN ? 1
			 : class == EMIT_BACKSLASH               ? 2
								 : 4;
	}
	return width;
}
