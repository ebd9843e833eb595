#include "store/dns/nsec3.h"

#include <ctype.h>
#include <nettle/sha1.h>

/* The next field of blanks-separated text; empty at the end. */
static struct zn_view next_field(struct zn_view *text)
{
	size_t from = 0, end;

	while (from < text->len && text->data[from] == ' ')
		from++;
	for (end = from; end < text->len && text->data[end] != ' ';)
		end++;
	struct zn_view field = zn_view_sub(*text, from, end - from);
	*text = zn_view_sub(*text, end, text->len);
	return field;
}

static bool parse_number(struct zn_view field, unsigned max, unsigned *ret_number)
{
	unsigned number = 0;

	for (size_t i = 0; i < field.len; i++) {
		if (!isdigit(field.data[i]))
			return false;
		number = number * 10 + (field.data[i] - '0');
		if (number > max)
			return false;
	}
	*ret_number = number;
	return field.len > 0;
}

static bool parse_salt(struct zn_view field, struct zn_nsec3param *param)
{
	static const char digits[] = "0123456789abcdef";

	if (zn_view_is(field, "-"))
		return true;
	if (field.len == 0 || field.len % 2 || field.len / 2 > sizeof(param->salt))
		return false;
	for (size_t i = 0; i < field.len; i++) {
		const char *digit = field.data[i] ? strchr(digits, tolower(field.data[i])) : NULL;
		if (!digit)
			return false;
		param->salt[i / 2] = (uint8_t)(param->salt[i / 2] << 4 | (digit - digits));
	}
	param->salt_len = (uint8_t)(field.len / 2);
	return true;
}

enum zn_code zn_nsec3param_parse(struct zn_view text, struct zn_nsec3param *ret_param, struct zn_err *err)
{
	struct zn_nsec3param param = {0};
	unsigned algorithm, flags, iterations;

	if (!parse_number(next_field(&text), 255, &algorithm) || algorithm != 1)
		return zn_fail(err, ZN_EINVAL, "NSEC3PARAM: the hash algorithm must be 1");
	if (!parse_number(next_field(&text), 255, &flags) ||
			!parse_number(next_field(&text), UINT16_MAX, &iterations) ||
			!parse_salt(next_field(&text), &param) || next_field(&text).len != 0)
		return zn_fail(err, ZN_EINVAL, "NSEC3PARAM: not \"1 <flags> <iterations> <salt hex or ->\"");
	param.flags = (uint8_t)flags;
	param.iterations = (uint16_t)iterations;
	*ret_param = param;
	return ZN_OK;
}

char *zn_nsec3param_text(const struct zn_nsec3param *param, char text[static ZN_NSEC3PARAM_TEXT_MAX])
{
	int len = snprintf(text, ZN_NSEC3PARAM_TEXT_MAX, "1 %u %u %s", param->flags, param->iterations, param->salt_len ? "" : "-");

	for (size_t i = 0; i < param->salt_len; i++)
		len += snprintf(text + len, ZN_NSEC3PARAM_TEXT_MAX - (size_t)len, "%02x", param->salt[i]);
	return text;
}

void zn_nsec3_digest(const struct zn_nsec3param *param, const struct zn_name *name, uint8_t digest[static ZN_NSEC3_DIGEST_LEN])
{
	struct zn_name folded = *name;
	struct sha1_ctx sha1;

	zn_name_lower(&folded);
	sha1_init(&sha1);
	sha1_update(&sha1, folded.len, folded.wire);
	sha1_update(&sha1, param->salt_len, param->salt);
	sha1_digest(&sha1, ZN_NSEC3_DIGEST_LEN, digest);
	for (unsigned i = 0; i < param->iterations; i++) {
		sha1_update(&sha1, ZN_NSEC3_DIGEST_LEN, digest);
		sha1_update(&sha1, param->salt_len, param->salt);
		sha1_digest(&sha1, ZN_NSEC3_DIGEST_LEN, digest);
	}
}

void zn_nsec3_digest_text(const uint8_t digest[static ZN_NSEC3_DIGEST_LEN], char hash[static ZN_NSEC3_HASH_LEN + 1])
{
	static const char alphabet[] = "0123456789abcdefghijklmnopqrstuv";
	uint64_t bits = 0;
	unsigned have = 0;

	for (size_t i = 0; i < ZN_NSEC3_DIGEST_LEN; i++) {
		bits = bits << 8 | digest[i];
		for (have += 8; have >= 5; have -= 5)
			*hash++ = alphabet[bits >> (have - 5) & 31];
	}
	*hash = '\0';
}

void zn_nsec3_hash(const struct zn_nsec3param *param, const struct zn_name *name, char hash[static ZN_NSEC3_HASH_LEN + 1])
{
	uint8_t digest[ZN_NSEC3_DIGEST_LEN];

	zn_nsec3_digest(param, name, digest);
	zn_nsec3_digest_text(digest, hash);
}
