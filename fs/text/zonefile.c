#include "fs/text/zonefile.h"

#define SUFFIX ZN_VIEW(".zone")

static bool is_plain(uint8_t byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
		byte == '-' || byte == '_' || byte == '.';
}

static uint8_t lower(uint8_t byte)
{
	return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte;
}

static int hex_digit(uint8_t byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	byte = lower(byte);
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* Undoes =XX. The result is the presentation form; false: a byte that must not stand there. */
static bool unescape(struct zn_view text, uint8_t bytes[static ZN_FILENAME_MAX], size_t *ret_len)
{
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		uint8_t byte = text.data[i];
		if (byte == '=') {
			if (text.len - i < 3)
				return false;
			int high = hex_digit(text.data[i + 1]), low = hex_digit(text.data[i + 2]);
			if (high < 0 || low < 0)
				return false;
			byte = (uint8_t)(high << 4 | low);
			i += 2;
		} else if (!is_plain(byte)) {
			return false;
		}
		bytes[len++] = byte;
	}
	*ret_len = len;
	return true;
}

/* One byte of a label at *at: plain, \c or \DDD. */
static bool read_byte(struct zn_view text, size_t *at, uint8_t *ret_byte, bool *ret_escaped)
{
	uint8_t byte = text.data[(*at)++];

	*ret_escaped = byte == '\\';
	if (*ret_escaped) {
		if (*at == text.len)
			return false;
		byte = text.data[(*at)++];
		if (byte >= '0' && byte <= '9') {
			unsigned value = byte - '0';
			for (int digits = 0; digits < 2; digits++) {
				if (*at == text.len || text.data[*at] < '0' || text.data[*at] > '9')
					return false;
				value = value * 10 + (unsigned)(text.data[(*at)++] - '0');
			}
			if (value > 255)
				return false;
			byte = (uint8_t)value;
		}
	}
	*ret_byte = lower(byte);
	return true;
}

/* Not zn_name_from_text(): here "@" is a label like any other, and a dot at the end is one too many. */
static bool read_name(struct zn_view text, struct zn_name *ret_name)
{
	struct zn_name name = {.len = 1};	/* the first length byte */
	size_t label = 0;

	if (zn_view_is(text, ".")) {
		*ret_name = (struct zn_name){.len = 1};
		return true;
	}
	for (size_t at = 0; at < text.len;) {
		uint8_t byte;
		bool escaped;
		if (!read_byte(text, &at, &byte, &escaped) || name.len >= ZN_NAME_MAX - 1 || byte == 0)
			return false;
		if (byte == '.' && !escaped) {
			if (name.len - label == 1)
				return false;
			name.wire[label] = (uint8_t)(name.len - label - 1);
			label = name.len++;
			continue;
		}
		if (name.len - label > ZN_LABEL_MAX)
			return false;
		name.wire[name.len++] = byte;
	}
	if (name.len - label == 1)
		return false;
	name.wire[label] = (uint8_t)(name.len - label - 1);
	name.wire[name.len++] = 0;
	*ret_name = name;
	return true;
}

static bool read_variant(struct zn_view text, char variant[static ZN_VARIANT_TEXT_MAX])
{
	if (text.len == 0 || text.len >= ZN_VARIANT_TEXT_MAX)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (!is_plain(text.data[i]) || text.data[i] == '.')
			return false;
		variant[i] = (char)lower(text.data[i]);
	}
	variant[text.len] = '\0';
	return true;
}

bool zn_zone_from_filename(struct zn_view filename, struct zn_name *ret_name, char variant[static ZN_VARIANT_TEXT_MAX])
{
	uint8_t bytes[ZN_FILENAME_MAX];
	char spelled[ZN_VARIANT_TEXT_MAX] = "";
	size_t len;

	if (filename.len <= SUFFIX.len || filename.len > ZN_FILENAME_MAX || filename.data[0] == '.' || filename.data[0] == '#')
		return false;
	struct zn_view name = zn_view_sub(filename, 0, filename.len - SUFFIX.len);
	if (!zn_view_equal(zn_view_sub(filename, name.len, SUFFIX.len), SUFFIX))
		return false;
	const uint8_t *dots = memmem(name.data, name.len, "..", 2);
	if (dots) {
		size_t before = (size_t)(dots - name.data);
		if (!read_variant(zn_view_sub(name, before + 2, SIZE_MAX), spelled))
			return false;
		name.len = before;
	}
	if (!unescape(name, bytes, &len) || !read_name(zn_view(bytes, len), ret_name))
		return false;
	memcpy(variant, spelled, sizeof(spelled));
	return true;
}

static void add_byte(struct zn_buf *out, uint8_t byte)
{
	if (is_plain(byte))
		zn_buf_add_byte(out, lower(byte));
	else
		zn_buf_addf(out, "=%02X", byte);
}

/* A byte of a label: in presentation form, then as a file name. */
static void add_label_byte(struct zn_buf *out, uint8_t byte)
{
	if (byte == '.' || byte == '\\')
		zn_buf_addf(out, "=5C=%02X", byte);
	else if (byte <= ' ' || byte >= 0x7f)
		zn_buf_addf(out, "=5C%03u", byte);
	else
		add_byte(out, byte);
}

enum zn_code zn_zone_to_filename(const struct zn_name *name, const char *variant, char filename[static ZN_FILENAME_MAX + 1])
{
	ZN_AUTO(zn_buf_release) struct zn_buf out = ZN_BUF_INIT(ZN_FILENAME_MAX);

	if (name->len <= 1)
		zn_buf_add_str(&out, "=2E");
	for (size_t at = 0; at + 1u < name->len;) {
		if (at > 0)
			zn_buf_add_byte(&out, '.');
		for (size_t left = name->wire[at++]; left > 0; left--)
			add_label_byte(&out, name->wire[at++]);
	}
	if (variant[0] != '\0')
		zn_buf_addf(&out, "..%s", variant);
	zn_buf_add(&out, SUFFIX);
	if (out.failed)
		return out.failed;
	memcpy(filename, zn_buf_str(&out), out.len + 1);
	return ZN_OK;
}

bool zn_zone_filename_is_canonical(struct zn_view filename)
{
	struct zn_name name;
	char variant[ZN_VARIANT_TEXT_MAX], canonical[ZN_FILENAME_MAX + 1];

	return zn_zone_from_filename(filename, &name, variant) && zn_zone_to_filename(&name, variant, canonical) == ZN_OK &&
		zn_view_is(filename, canonical);
}
