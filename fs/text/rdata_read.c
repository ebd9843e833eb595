#include "fs/text/rdata_read.h"

#include <stdarg.h>

#include "fs/text/encoding.h"
#include "fs/text/name_read.h"
#include "fs/text/record.h"
#include "store/base/wire.h"

struct in {
	const struct zn_rdata_words *words;
	const struct zn_token *token, *end;
	uint8_t *out, *out_end;
	struct zn_rdata_notes *notes;
	struct zn_rdata_fault *fault;
};

/* Says what is wrong with the current word (or that it is missing) and returns false. */
ZN_PRINTF(2, 3)
static bool wrong(struct in *in, const char *format, ...)
{
	va_list args;

	in->fault->token = in->token < in->end ? in->token : NULL;
	va_start(args, format);
	vsnprintf(in->fault->sentence, sizeof(in->fault->sentence), format, args);
	va_end(args);
	return false;
}

static bool have_room(struct in *in, size_t bytes)
{
	return (size_t)(in->out_end - in->out) >= bytes || wrong(in, "the record is longer than 65535 bytes");
}

/* The current word when it is a plain one: no quotes, no escapes. */
static bool plain_word(struct in *in, struct zn_view *ret_word)
{
	if (in->token == in->end || in->token->flags != 0)
		return false;
	*ret_word = zn_token_view(in->token);
	return true;
}

/* Decimal digits, at most `max`. */
static bool read_number(struct in *in, uint32_t max, uint32_t *ret_number)
{
	struct zn_view word;
	uint64_t number = 0;

	if (!plain_word(in, &word))
		return wrong(in, "a number is missing here");
	for (size_t i = 0; i < word.len; i++) {
		unsigned digit = (unsigned)word.data[i] - '0';
		if (digit > 9)
			return wrong(in, "this is not a number");
		number = number * 10 + digit;
		if (number > max)
			return wrong(in, "the number is above %u", max);
	}
	*ret_number = (uint32_t)number;
	in->token++;
	return true;
}

static bool put_number(struct in *in, unsigned width)
{
	uint32_t number;

	if (!have_room(in, 4) || !read_number(in, width == 4 ? UINT32_MAX : (1u << (8 * width)) - 1, &number))
		return false;
	for (unsigned i = width; i-- > 0;)
		*in->out++ = (uint8_t)(number >> (8 * i));
	return true;
}

static bool put_ipv4(struct in *in)
{
	struct zn_view word;

	if (!plain_word(in, &word) || !have_room(in, 4) || !zn_ipv4_read(word, in->out))
		return wrong(in, "invalid IPv4 address");
	in->out += 4;
	in->token++;
	return true;
}

static bool put_ipv6(struct in *in)
{
	struct zn_view word;

	if (!plain_word(in, &word) || !have_room(in, 16) || !zn_ipv6_read(word, in->out))
		return wrong(in, "invalid IPv6 address");
	in->out += 16;
	in->token++;
	return true;
}

static bool put_name(struct in *in)
{
	char fault[ZN_NAME_FAULT_MAX];

	if (in->token == in->end)
		return wrong(in, "a name is missing here");
	if (in->token->flags & ZN_TOKEN_ADJACENT)
		return wrong(in, "a blank is missing before this name");
	if (!have_room(in, ZN_NAME_MAX))
		return false;
	size_t len = zn_name_read(in->token, in->words->origin, in->out, fault);
	if (len == 0)
		return wrong(in, "%s", fault);
	if (in->words->other_apex.len && zn_name_lacks_dot(in->token, in->words->other_apex))
		in->notes->lacks_dot = in->token;
	in->out += len;
	in->token++;
	return true;
}

/* The bytes of a string with escapes undone, to `out`. */
static bool read_string(struct in *in, uint8_t *out, size_t room, size_t *ret_len)
{
	const struct zn_token *token = in->token;
	size_t len = 0;

	if (token->flags & (ZN_TOKEN_MIXED | ZN_TOKEN_CONTROL | ZN_TOKEN_ADJACENT))
		return wrong(in, token->flags & ZN_TOKEN_CONTROL ? "a control character: write it as \\DDD if it is meant" :
			token->flags & ZN_TOKEN_MIXED ? "a quote within a word: put all of it in quotes" :
			"a blank is missing before this string");
	if (!(token->flags & (ZN_TOKEN_ESCAPED | ZN_TOKEN_LINES))) {
		if (token->len > room)
			return wrong(in, "the record is longer than 65535 bytes");
		memcpy(out, token->data, token->len);
		*ret_len = token->len;
		return true;
	}
	for (size_t i = 0; i < token->len; i++) {
		uint8_t byte = token->data[i];
		if (byte == '\r' && i + 1 < token->len && token->data[i + 1] == '\n')
			continue;	/* line ends of the file are not those of the string */
		if (byte == '\\') {
			if (++i == token->len)
				return wrong(in, "a backslash with nothing behind it");
			byte = token->data[i];
			if (byte >= '0' && byte <= '9') {
				unsigned value = 0;
				for (size_t j = i; j < i + 3; j++) {
					if (j >= token->len || token->data[j] < '0' || token->data[j] > '9')
						return wrong(in, "a backslash and digits need three of them, up to 255");
					value = value * 10 + (unsigned)(token->data[j] - '0');
				}
				if (value > 255)
					return wrong(in, "a backslash and digits need three of them, up to 255");
				byte = (uint8_t)value;
				i += 2;
			}
		}
		if (len == room)
			return wrong(in, "the record is longer than 65535 bytes");
		out[len++] = byte;
	}
	*ret_len = len;
	return true;
}

/* One string with its length; longer ones become several where the type has a list of them. */
static bool put_string(struct in *in, bool list)
{
	size_t len;

	if (in->token == in->end)
		return wrong(in, "a string is missing here");
	if (!have_room(in, 1) || !read_string(in, in->out + 1, (size_t)(in->out_end - in->out) - 1, &len))
		return false;
	if (len > 255) {
		if (!list)
			return wrong(in, "the string is longer than 255 bytes");
		if (!in->notes->long_string)
			in->notes->long_string = in->token;
	}
	while (len > 255) {
		if (!have_room(in, len + 2))
			return false;
		memmove(in->out + 257, in->out + 256, len - 255);
		*in->out = 255;
		in->out += 256;
		len -= 255;
	}
	*in->out = (uint8_t)len;
	in->out += len + 1;
	in->token++;
	return true;
}

static bool put_strings(struct in *in)
{
	do {
		if (!put_string(in, true))
			return false;
	} while (in->token < in->end);
	return true;
}

/* A string that takes the rest of the RDATA, and so has no length. */
static bool put_value(struct in *in)
{
	size_t len;

	if (in->token == in->end || in->token->len == 0)
		return wrong(in, "a string is missing here");
	if (!read_string(in, in->out, (size_t)(in->out_end - in->out), &len))
		return false;
	in->out += len;
	in->token++;
	return true;
}

static bool put_tag(struct in *in)
{
	struct zn_view word;

	if (!plain_word(in, &word) || word.len > 255 || !have_room(in, 256))
		return wrong(in, "a tag like issue is missing here");
	*in->out++ = (uint8_t)word.len;
	for (size_t i = 0; i < word.len; i++) {
		uint8_t byte = word.data[i];
		if (!((byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z')))
			return wrong(in, "a tag has letters and digits only");
		*in->out++ = byte;
	}
	in->token++;
	return true;
}

/* Hex digits of the words to the end; a byte may be split between two words. */
static bool put_hex(struct in *in)
{
	struct zn_view word;
	int high = -1;

	if (in->token == in->end)
		return wrong(in, "hex digits are missing here");
	for (; in->token < in->end; in->token++) {
		if (!plain_word(in, &word))
			return wrong(in, "hex digits stand without quotes");
		if (!have_room(in, word.len / 2 + 1))
			return false;
		size_t pairs = high < 0 ? zn_hex_read(word, in->out) : 0;
		in->out += pairs / 2;
		for (size_t i = pairs; i < word.len; i++) {
			int digit = zn_hex_digit(word.data[i]);
			if (digit < 0)
				return wrong(in, "this is no hex digit: '%c'", word.data[i]);
			if (high < 0) {
				high = digit;
			} else {
				*in->out++ = (uint8_t)(high << 4 | digit);
				high = -1;
			}
		}
	}
	if (high >= 0) {
		in->token--;
		return wrong(in, "an odd number of hex digits");
	}
	return true;
}

/* Base64 of the words to `end`, which may be split anywhere. */
static bool put_base64(struct in *in, const struct zn_token *end)
{
	struct zn_base64 base64 = {0};
	struct zn_view word;

	if (in->token == end)
		return wrong(in, "base64 is missing here");
	for (; in->token < end; in->token++) {
		if (!plain_word(in, &word))
			return wrong(in, "base64 stands without quotes");
		if (!have_room(in, word.len / 4 * 3 + 6))
			return false;
		size_t len = zn_base64_read(&base64, word, &in->out);
		if (len < word.len)
			return wrong(in, "invalid base64 at '%c'", word.data[len]);
	}
	if (base64.count != 0) {
		in->token--;
		return wrong(in, "the base64 is cut off: its length is no multiple of four");
	}
	return true;
}

/* Base32 with extended hex alphabet, no padding, a length in front: the hash of NSEC3. */
static bool put_hash(struct in *in)
{
	struct zn_view word;

	if (!plain_word(in, &word) || word.len > 255 || !have_room(in, 256) || !zn_base32hex_read(word, in->out + 1))
		return wrong(in, "a hash in base32hex is missing here");
	*in->out = (uint8_t)(word.len / 8 * 5);
	in->out += 1 + *in->out;
	in->token++;
	return true;
}

static bool put_salt(struct in *in)
{
	struct zn_view word;

	if (!plain_word(in, &word) || !have_room(in, 256))
		return wrong(in, "a salt is missing here: hex digits, or - for none");
	if (word.len == 1 && word.data[0] == '-')
		word.len = 0;
	if (word.len > 510 || word.len % 2)
		return wrong(in, "a salt is an even number of hex digits, up to 510");
	*in->out++ = (uint8_t)(word.len / 2);
	for (size_t i = 0; i < word.len; i += 2) {
		int high = zn_hex_digit(word.data[i]), low = zn_hex_digit(word.data[i + 1]);
		if (high < 0 || low < 0)
			return wrong(in, "a salt is hex digits, or - for none");
		*in->out++ = (uint8_t)(high << 4 | low);
	}
	in->token++;
	return true;
}

static bool read_type(struct in *in, uint16_t *ret_type)
{
	struct zn_view word;

	if (!plain_word(in, &word))
		return wrong(in, "a record type is missing here");
	if (!zn_record_type(word, ret_type))
		return wrong(in, "unknown record type");
	in->token++;
	return true;
}

static bool put_type(struct in *in)
{
	uint16_t type;

	if (!have_room(in, 2) || !read_type(in, &type))
		return false;
	zn_put_u16(in->out, type);
	in->out += 2;
	return true;
}

/* RFC 4034 4.1.2; types from 1024 on are left to libzscanner. */
static bool put_bitmap(struct in *in)
{
	enum { WINDOWS = 4 };
	uint8_t windows[WINDOWS][32] = {{0}}, used[WINDOWS] = {0};

	while (in->token < in->end) {
		uint16_t type;
		if (!read_type(in, &type))
			return false;
		if (type >= 256 * WINDOWS)
			return wrong(in, "unknown record type");
		uint8_t *window = windows[type / 256], bytes = (uint8_t)(type % 256 / 8 + 1);
		window[type % 256 / 8] |= (uint8_t)(0x80 >> type % 8);
		if (used[type / 256] < bytes)
			used[type / 256] = bytes;
	}
	if (!have_room(in, sizeof(windows) + 2 * WINDOWS))
		return false;
	for (unsigned i = 0; i < WINDOWS; i++) {
		if (!used[i])
			continue;
		*in->out++ = (uint8_t)i;
		*in->out++ = used[i];
		memcpy(in->out, windows[i], used[i]);
		in->out += used[i];
	}
	return true;
}

/* YYYYMMDDHHmmSS or seconds since 1970, RFC 4034 3.2. */
static bool put_date(struct in *in)
{
	struct zn_view word;
	uint32_t seconds;

	if (!plain_word(in, &word) || word.len <= 10)
		return put_number(in, 4);
	if (!have_room(in, 4) || !zn_date_read(word, &seconds))
		return wrong(in, "a date is YYYYMMDDHHmmSS, of a day that there is");
	zn_put_u32(in->out, seconds);
	in->out += 4;
	in->token++;
	return true;
}

/* HIP, RFC 8005 5: lengths stand before what they measure. */
static bool put_hip(struct in *in)
{
	uint8_t *head = in->out;
	uint32_t algorithm;

	if (in->end - in->token < 3) {
		in->token = in->end;
		return wrong(in, "a field is missing here");
	}
	if (!have_room(in, 4) || !read_number(in, 255, &algorithm))
		return false;
	in->out += 4;
	const struct zn_token *end = in->end;
	in->end = in->token + 1;
	bool ok = put_hex(in);
	in->end = end;
	size_t hit = (size_t)(in->out - head) - 4;
	if (!ok || !put_base64(in, in->token + 1))
		return false;
	size_t key = (size_t)(in->out - head) - 4 - hit;
	if (hit > 255)
		return wrong(in, "the HIT is longer than 255 bytes");
	head[0] = (uint8_t)hit;
	head[1] = (uint8_t)algorithm;
	zn_put_u16(head + 2, (uint16_t)key);
	while (in->token < in->end)
		if (!put_name(in))
			return false;
	return true;
}

/* RFC 3597 5: \# length hex. */
static bool put_generic(struct in *in)
{
	uint8_t *from = in->out;
	uint32_t len;

	in->token++;
	if (!read_number(in, (uint32_t)ZN_RR_MAX, &len))
		return false;
	const struct zn_token *number = in->token - 1;
	if (in->token < in->end && !put_hex(in))
		return false;
	if ((size_t)(in->out - from) == len)
		return true;
	in->token = number;
	return wrong(in, "\\# announces %u bytes, but %zu follow", len, (size_t)(in->out - from));
}

static bool put_field(struct in *in, char field)
{
	switch (field) {
	case '4':
		return put_ipv4(in);
	case '6':
		return put_ipv6(in);
	case 'n':
		return put_name(in);
	case '1':
		return put_number(in, 1);
	case '2':
		return put_number(in, 2);
	case 'i':
	case 't':
		return put_number(in, 4);
	case 'T':
		return put_type(in);
	case 'd':
		return put_date(in);
	case 'x':
		return put_hex(in);
	case 'b':
		return put_base64(in, in->end);
	case 'm':
		return put_bitmap(in);
	case 'q':
		return put_string(in, false);
	case 's':
		return put_strings(in);
	case 'a':
		return put_tag(in);
	case 'v':
		return put_value(in);
	case 'y':
		return put_salt(in);
	case 'h':
		return put_hash(in);
	default:
		return wrong(in, "%s", "");	/* libzscanner's, and so are the words about it */
	}
}

static bool put_fields(struct in *in, const struct zn_form *form)
{
	if (in->token < in->end && in->token->len > 2 && memcmp(in->token->data, "\\#", 2) == 0)
		return wrong(in, "\\# stands alone, and its length and bytes in hex follow");
	if (in->words->type == ZN_TYPE_HIP)
		return put_hip(in);
	for (const char *field = form->layout; *field; field++)
		if (!put_field(in, *field))
			return false;
	return in->token == in->end || wrong(in, "nothing may follow here");
}

bool zn_rdata_is_generic(const struct zn_rdata_words *words)
{
	return words->count > 0 && words->tokens[0].flags == ZN_TOKEN_ESCAPED && zn_token_is(&words->tokens[0], "\\#");
}

enum zn_rdata_result zn_rdata_read(const struct zn_rdata_words *words, uint8_t out[static ZN_RR_MAX], size_t *ret_len,
	struct zn_rdata_notes *ret_notes, struct zn_rdata_fault *ret_fault)
{
	const struct zn_form *form = zn_form_of(words->type);
	struct in in = {
		.words = words, .token = words->tokens, .end = words->tokens + words->count, .out = out, .out_end = out + ZN_RR_MAX,
		.notes = ret_notes, .fault = ret_fault,
	};
	char type[ZN_TYPE_TEXT_MAX];

	if (zn_rdata_is_generic(words)) {
		if (!put_generic(&in))
			return ZN_RDATA_FAULT;
	} else if (!form->layout) {
		wrong(&in, "%s is written as \\#, its length and its bytes in hex (RFC 3597)", zn_rrtype_text(words->type, type));
		return ZN_RDATA_FAULT;
	} else if (!put_fields(&in, form)) {
		return form->ours ? ZN_RDATA_FAULT : ZN_RDATA_DOUBT;
	}
	*ret_len = (size_t)(in.out - out);
	return ZN_RDATA_OK;
}
