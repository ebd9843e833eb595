#include "store/dns/name.h"

#include "store/base/wire.h"

#define LABELS_MAX 127

static uint8_t lower(uint8_t byte)
{
	return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte;
}

static bool equal_folded(const uint8_t *a, const uint8_t *b, size_t len)
{
	/* Lengths of labels are below 'A', so folding them changes nothing. */
	for (size_t i = 0; i < len; i++)
		if (a[i] != b[i] && lower(a[i]) != lower(b[i]))
			return false;
	return true;
}

/* Bytes of the name that begins at `wire`, root byte included; 0: none that is valid and uncompressed. */
static size_t name_length(struct zn_view wire)
{
	size_t at = 0;

	while (at < wire.len && at < ZN_NAME_MAX) {
		uint8_t label = wire.data[at++];
		if (label == 0)
			return at;
		if (label > ZN_LABEL_MAX)
			return 0;
		at += label;
	}
	return 0;
}

enum zn_code zn_name_from_wire(struct zn_view wire, struct zn_name *ret_name)
{
	if (wire.len == 0 || name_length(wire) != wire.len)
		return ZN_ECORRUPT;
	ret_name->len = (uint8_t)wire.len;
	memcpy(ret_name->wire, wire.data, wire.len);
	return ZN_OK;
}

void zn_read_name(struct zn_reader *r, struct zn_name *ret_name)
{
	struct zn_view left = zn_view_sub(r->in, r->at, r->failed ? 0 : SIZE_MAX);
	size_t len = name_length(left);

	ret_name->len = (uint8_t)len;
	if (len == 0)
		r->failed = true;
	else
		memcpy(ret_name->wire, zn_read_view(r, len).data, len);
}

/* One byte of presentation form at *at, escapes undone. false: a broken escape. */
static bool read_text_byte(struct zn_view text, size_t *at, uint8_t *ret_byte, bool *ret_escaped)
{
	uint8_t byte = text.data[(*at)++];

	*ret_escaped = byte == '\\';
	if (byte == '\\') {
		if (*at == text.len)
			return false;
		byte = text.data[(*at)++];
		if (byte >= '0' && byte <= '9') {
			unsigned value = byte - '0';
			for (int i = 0; i < 2; i++) {
				if (*at == text.len || text.data[*at] < '0' || text.data[*at] > '9')
					return false;
				value = value * 10 + (text.data[(*at)++] - '0');
			}
			if (value > 255)
				return false;
			byte = (uint8_t)value;
		}
	}
	*ret_byte = byte;
	return true;
}

enum zn_code zn_name_from_text(struct zn_view text, const struct zn_name *origin, struct zn_name *ret_name,
	struct zn_err *err)
{
	struct zn_name name = {0};
	size_t label = 0, len = 1; /* where its length byte stands, and the end */
	bool absolute = false;

	if (text.len == 0)
		return zn_fail(err, ZN_EINVAL, "the name is empty");
	if (zn_view_is(text, "@")) {
		if (!origin)
			return zn_fail(err, ZN_EINVAL, "\"@\" needs an origin");
		*ret_name = *origin;
		return ZN_OK;
	}
	if (zn_view_is(text, ".")) {
		*ret_name = zn_name_root();
		return ZN_OK;
	}
	for (size_t at = 0; at < text.len;) {
		uint8_t byte;
		bool escaped;

		if (!read_text_byte(text, &at, &byte, &escaped))
			return zn_fail(err, ZN_EINVAL, "a backslash needs a character or three digits up to 255 behind it");
		if (len == ZN_NAME_MAX)
			return zn_fail(err, ZN_EINVAL, "the name is longer than 255 bytes");
		if (byte == '.' && !escaped) {
			if (len - label == 1)
				return zn_fail(err, ZN_EINVAL, "a label is empty");
			name.wire[label] = (uint8_t)(len - label - 1);
			label = len++;
			absolute = at == text.len;
		} else {
			if (len - label > ZN_LABEL_MAX)
				return zn_fail(err, ZN_EINVAL, "a label is longer than 63 bytes");
			name.wire[len++] = byte;
		}
	}
	if (!absolute) {
		const struct zn_name root = zn_name_root(), *rest = origin ? origin : &root;

		name.wire[label] = (uint8_t)(len - label - 1);
		if (len + rest->len > ZN_NAME_MAX)
			return zn_fail(err, ZN_EINVAL, "the name is longer than 255 bytes");
		memcpy(name.wire + len, rest->wire, rest->len);
		name.len = (uint8_t)(len + rest->len);
	} else {
		name.wire[label] = 0;
		name.len = (uint8_t)len;
	}
	*ret_name = name;
	return ZN_OK;
}

char *zn_name_text(const struct zn_name *name, char text[static ZN_NAME_TEXT_MAX])
{
	char *out = text;

	if (name->len <= 1) {
		*out++ = '.';
		*out = '\0';
		return text;
	}
	for (size_t at = 0; name->wire[at] != 0;) {
		uint8_t label = name->wire[at++];
		for (; label > 0; label--) {
			uint8_t byte = name->wire[at++];
			if (byte <= ' ' || byte >= 0x7f) {
				*out++ = '\\';
				*out++ = (char)('0' + byte / 100);
				*out++ = (char)('0' + byte / 10 % 10);
				*out++ = (char)('0' + byte % 10);
			} else {
				if (strchr(".\\\"();@$", byte))
					*out++ = '\\';
				*out++ = (char)byte;
			}
		}
		*out++ = '.';
	}
	*out = '\0';
	return text;
}

char *zn_name_plain(const struct zn_name *name, char text[static ZN_NAME_TEXT_MAX])
{
	size_t len = strlen(zn_name_text(name, text));

	if (len > 1)
		text[len - 1] = '\0';
	return text;
}

bool zn_name_equal(const struct zn_name *a, const struct zn_name *b)
{
	return a->len == b->len && equal_folded(a->wire, b->wire, a->len);
}

bool zn_name_within(const struct zn_name *name, const struct zn_name *apex)
{
	size_t at = 0;

	if (name->len < apex->len || apex->len == 0)
		return false;
	while (name->len - at > apex->len)
		at += 1u + name->wire[at];
	return name->len - at == apex->len && equal_folded(name->wire + at, apex->wire, apex->len);
}

void zn_name_lower(struct zn_name *name)
{
	for (size_t i = 0; i < name->len; i++)
		name->wire[i] = lower(name->wire[i]);
}

size_t zn_name_labels(const struct zn_name *name)
{
	size_t count = 0;

	for (size_t at = 0; at + 1u < name->len; at += 1u + name->wire[at])
		count++;
	return count;
}

struct zn_name zn_name_root(void)
{
	return (struct zn_name){.len = 1, .wire = {0}};
}

enum zn_code zn_key_from_name(const struct zn_name *name, const struct zn_name *apex, struct zn_key *ret_key)
{
	uint8_t labels[LABELS_MAX];
	size_t count = 0, end = name->len - (size_t)(apex ? apex->len : 1), at = 0;
	uint8_t *out = ret_key->bytes;

	if (name->len == 0 || (apex && !zn_name_within(name, apex)))
		return ZN_EINVAL;
	for (; at < end; at += 1u + name->wire[at])
		labels[count++] = (uint8_t)at;
	if (count == 0)
		*out++ = 0;
	while (count > 0) {
		const uint8_t *label = name->wire + labels[--count];
		for (size_t i = 1; i <= label[0]; i++) {
			if (label[i] == 0)
				return ZN_EINVAL;
			*out++ = lower(label[i]);
		}
		*out++ = 0;
	}
	ret_key->len = (uint8_t)(out - ret_key->bytes);
	return ZN_OK;
}

enum zn_code zn_key_to_name(struct zn_view key, const struct zn_name *apex, struct zn_name *ret_name)
{
	const struct zn_name root = zn_name_root();
	size_t end = key.len, len = 0;

	if (!apex)
		apex = &root;
	if (key.len == 0 || key.data[key.len - 1] != 0 || key.len + apex->len > ZN_NAME_MAX + (size_t)zn_key_is_apex(key))
		return ZN_ECORRUPT;
	if (zn_key_is_apex(key))
		end = 0;
	while (end > 0) {
		size_t from = end - 1;
		while (from > 0 && key.data[from - 1] != 0)
			from--;
		size_t label = end - 1 - from;
		if (label == 0 || label > ZN_LABEL_MAX)
			return ZN_ECORRUPT;
		ret_name->wire[len++] = (uint8_t)label;
		memcpy(ret_name->wire + len, key.data + from, label);
		len += label;
		end = from;
	}
	memcpy(ret_name->wire + len, apex->wire, apex->len);
	ret_name->len = (uint8_t)(len + apex->len);
	return ZN_OK;
}
