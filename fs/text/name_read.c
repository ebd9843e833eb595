#include "fs/text/name_read.h"

#include <strings.h>

/* 0x80 in every byte of `word` that is a dot. */
static uint64_t find_dots(uint64_t word)
{
	const uint64_t low = UINT64_C(0x7f7f7f7f7f7f7f7f);

	word ^= UINT64_C(0x2e2e2e2e2e2e2e2e);
	return ~(((word & low) + low) | word | low);
}

/* Eight bytes from `at` on; behind the end zeros. */
static uint64_t load_word(struct zn_view text, size_t at)
{
	size_t left = text.len - at;
	uint64_t word = 0;

	if (left >= 8) {
		memcpy(&word, text.data + at, 8);
	} else if (text.len >= 8) {
		memcpy(&word, text.data + text.len - 8, 8);
		word >>= 8 * (8 - left);
	} else {
		for (size_t i = text.len; i > 0; i--)
			word = word << 8 | text.data[i - 1];
	}
	return word;
}

/* The plain case, which is nearly all of them: no escapes, no "@". The text is copied as it is, behind a byte for the first
 * length, and every dot gives its place to a length. 0: look closer. */
static size_t read_plain(struct zn_view text, const struct zn_name *origin, uint8_t *out)
{
	size_t label = 0, end = text.len + 1, bytes;

	if (text.len > ZN_NAME_MAX - 2 || text.len == 0)
		return 0;
	memcpy(out + 1, text.data, text.len);
	for (size_t at = 0; at < text.len; at += 8) {
		for (uint64_t dots = find_dots(load_word(text, at)); dots; dots &= dots - 1) {
			size_t dot = at + 1 + (size_t)__builtin_ctzll(dots) / 8;
			bytes = dot - label - 1;
			if (bytes == 0 || bytes > ZN_LABEL_MAX)
				return 0;
			out[label] = (uint8_t)bytes;
			label = dot;
		}
	}
	bytes = end - label - 1;
	if (bytes == 0) {	/* a dot at the end */
		out[label] = 0;
		return end;
	}
	if (bytes > ZN_LABEL_MAX || end + origin->len > ZN_NAME_MAX)
		return 0;
	out[label] = (uint8_t)bytes;
	memcpy(out + end, origin->wire, origin->len);
	return end + origin->len;
}

size_t zn_name_read(const struct zn_token *token, const struct zn_name *origin, uint8_t out[static ZN_NAME_MAX],
	char fault[ZN_NAME_FAULT_MAX])
{
	struct zn_view text = zn_token_view(token);
	struct zn_name name;
	struct zn_err err;

	if (token->flags == 0 && !(text.len == 1 && (text.data[0] == '@' || text.data[0] == '.'))) {
		size_t len = read_plain(text, origin, out);
		if (len)
			return len;
	}
	if (token->flags & (ZN_TOKEN_QUOTED | ZN_TOKEN_MIXED)) {
		if (fault)
			snprintf(fault, ZN_NAME_FAULT_MAX, "names stand without quotes");
		return 0;
	}
	if (token->flags & (ZN_TOKEN_HIGH | ZN_TOKEN_CONTROL)) {
		if (fault)
			snprintf(fault, ZN_NAME_FAULT_MAX, token->flags & ZN_TOKEN_HIGH ?
				"not ASCII: write international names in their xn-- form, other bytes as \\DDD" :
				"a control character: write it as \\DDD if it is meant");
		return 0;
	}
	if (zn_name_from_text(text, origin, &name, &err) != ZN_OK) {
		if (fault)
			snprintf(fault, ZN_NAME_FAULT_MAX, "%s", err.text);
		return 0;
	}
	memcpy(out, name.wire, name.len);
	return name.len;
}

bool zn_name_lacks_dot(const struct zn_token *token, struct zn_view apex)
{
	struct zn_view text = zn_token_view(token);

	if (text.len < apex.len || (text.data[text.len - 1] ^ apex.data[apex.len - 1]) & ~0x20 || apex.data[apex.len - 1] == '.')
		return false;
	size_t before = text.len - apex.len;
	if (before > 0 && text.data[before - 1] != '.')
		return false;
	return strncasecmp((const char *)text.data + before, (const char *)apex.data, apex.len) == 0;
}
