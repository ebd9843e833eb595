#include "fs/text/encoding.h"

/* The value and 1; 0 for what is none. */
static const uint8_t hex_values[256] = {
	['0'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, ['A'] = 11, 12, 13, 14, 15, 16, ['a'] = 11, 12, 13, 14, 15, 16,
};

int zn_hex_digit(uint8_t byte)
{
	return hex_values[byte] - 1;
}

size_t zn_hex_read(struct zn_view word, uint8_t *out)
{
	size_t at = 0;

	for (; at + 1 < word.len; at += 2) {
		unsigned high = hex_values[word.data[at]], low = hex_values[word.data[at + 1]];
		if (high == 0 || low == 0)
			break;
		*out++ = (uint8_t)((high - 1) << 4 | (low - 1));
	}
	return at;
}

/* The value and 1; 65 for "=", 0 for what does not belong. */
static const uint8_t base64_values[256] = {
	['A'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
	['a'] = 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52,
	['0'] = 53, 54, 55, 56, 57, 58, 59, 60, 61, 62,
	['+'] = 63, ['/'] = 64, ['='] = 65,
};

size_t zn_base64_read(struct zn_base64 *base64, struct zn_view word, uint8_t **out)
{
	uint8_t *to = *out;
	size_t at;

	for (at = 0; at < word.len; at++) {
		unsigned value = base64_values[word.data[at]];
		bool padding = value == 65;
		if (value == 0 || (padding && base64->count < 2) || (base64->padding > 0 && (!padding || base64->count == 0)))
			break;
		if (padding)
			base64->padding++;
		base64->bits = base64->bits << 6 | (padding ? 0 : value - 1);
		if (++base64->count < 4)
			continue;
		to[0] = (uint8_t)(base64->bits >> 16);
		to[1] = (uint8_t)(base64->bits >> 8);
		to[2] = (uint8_t)base64->bits;
		to += 3 - base64->padding;
		base64->count = 0;
	}
	*out = to;
	return at;
}

bool zn_base32hex_read(struct zn_view word, uint8_t *out)
{
	uint32_t bits = 0;
	unsigned count = 0;

	if (word.len % 8 != 0)
		return false;
	for (size_t i = 0; i < word.len; i++) {
		uint8_t byte = word.data[i], letter = byte | 0x20;
		if (byte >= '0' && byte <= '9')
			bits = bits << 5 | (uint32_t)(byte - '0');
		else if (letter >= 'a' && letter <= 'v')
			bits = bits << 5 | (uint32_t)(letter - 'a' + 10);
		else
			return false;
		count += 5;
		if (count >= 8) {
			count -= 8;
			*out++ = (uint8_t)(bits >> count);
		}
	}
	return true;
}

bool zn_ipv4_read(struct zn_view word, uint8_t out[static 4])
{
	size_t at = 0;

	for (unsigned part = 0; part < 4; part++) {
		unsigned value = 0, digits = 0;
		for (; at < word.len && word.data[at] >= '0' && word.data[at] <= '9'; at++, digits++) {
			if (digits == 3 || (digits > 0 && value == 0))
				return false;
			value = value * 10 + (unsigned)(word.data[at] - '0');
		}
		if (digits == 0 || value > 255)
			return false;
		out[part] = (uint8_t)value;
		if (part < 3 && (at == word.len || word.data[at++] != '.'))
			return false;
	}
	return at == word.len;
}

bool zn_ipv6_read(struct zn_view word, uint8_t out[static 16])
{
	uint8_t groups[16];
	size_t at = 0, count = 0, gap = SIZE_MAX;

	if (word.len >= 2 && word.data[0] == ':' && word.data[1] == ':') {
		gap = 0;
		at = 2;
	}
	while (at < word.len) {
		unsigned value = 0, digits = 0;
		for (int digit; at < word.len && digits < 5 && (digit = zn_hex_digit(word.data[at])) >= 0; at++, digits++)
			value = value << 4 | (unsigned)digit;
		if (digits == 0 || digits > 4 || count == 8)
			return false;
		groups[2 * count] = (uint8_t)(value >> 8);
		groups[2 * count + 1] = (uint8_t)value;
		count++;
		if (at == word.len)
			break;
		if (word.data[at++] != ':' || at == word.len)
			return false;
		if (word.data[at] == ':') {
			if (gap != SIZE_MAX)
				return false;
			gap = count;
			at++;
		}
	}
	if (gap == SIZE_MAX ? count != 8 : count > 7)
		return false;
	size_t tail = gap == SIZE_MAX ? 0 : count - gap, head = count - tail;
	memset(out, 0, 16);
	memcpy(out, groups, 2 * head);
	memcpy(out + 16 - 2 * tail, groups + 2 * head, 2 * tail);
	return true;
}

static bool is_leap(unsigned year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

bool zn_date_read(struct zn_view word, uint32_t *ret_seconds)
{
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	static const uint8_t widths[] = {4, 2, 2, 2, 2, 2};
	unsigned part[6] = {0};
	size_t at = 0;

	if (word.len != 14)
		return false;
	for (unsigned i = 0; i < 6; i++) {
		for (unsigned digits = 0; digits < widths[i]; digits++, at++) {
			if (word.data[at] < '0' || word.data[at] > '9')
				return false;
			part[i] = part[i] * 10 + (unsigned)(word.data[at] - '0');
		}
	}
	unsigned year = part[0], month = part[1], day = part[2];
	if (year < 1970 || year > 2105 || month < 1 || month > 12 || day < 1 || part[3] > 23 || part[4] > 59 || part[5] > 59)
		return false;
	if (day > days[month - 1] + (unsigned)(month == 2 && is_leap(year)))
		return false;
	for (unsigned y = 1970; y < year; y++)
		day += is_leap(y) ? 366 : 365;
	for (unsigned m = 1; m < month; m++)
		day += days[m - 1] + (unsigned)(m == 2 && is_leap(year));
	*ret_seconds = (day - 1) * 86400 + part[3] * 3600 + part[4] * 60 + part[5];
	return true;
}
