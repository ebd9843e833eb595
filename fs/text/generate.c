#include "fs/text/generate.h"

#include "store/base/limits.h"

#define WIDTH_MAX 255

/* Digits at *at up to `max`; false: none, or more than that. */
static bool read_number(struct zn_view text, size_t *at, uint32_t max, uint32_t *ret_number)
{
	uint64_t number = 0;
	size_t from = *at;

	for (; *at < text.len && text.data[*at] >= '0' && text.data[*at] <= '9'; ++*at) {
		number = number * 10 + (uint64_t)(text.data[*at] - '0');
		if (number > max)
			return false;
	}
	*ret_number = (uint32_t)number;
	return *at > from;
}

static bool read_byte(struct zn_view text, size_t *at, uint8_t byte)
{
	if (*at == text.len || text.data[*at] != byte)
		return false;
	++*at;
	return true;
}

const char *zn_range_read(struct zn_view text, struct zn_range *ret_range)
{
	struct zn_range range = {.step = 1};
	size_t at = 0;

	if (!read_number(text, &at, INT32_MAX, &range.start) || !read_byte(text, &at, '-') ||
		!read_number(text, &at, INT32_MAX, &range.stop))
		return "a range is start-stop or start-stop/step, of numbers up to 2147483647";
	if (at < text.len && (!read_byte(text, &at, '/') || !read_number(text, &at, INT32_MAX, &range.step) || at < text.len))
		return "a range is start-stop or start-stop/step, of numbers up to 2147483647";
	if (range.step == 0)
		return "the step of the range is 0";
	if (range.stop < range.start)
		return "the range ends before it begins";
	if ((range.stop - range.start) / range.step >= ZN_GENERATE_MAX)
		return "the range makes more than 1000000 records";
	*ret_range = range;
	return NULL;
}

/* BIND's nibble mode: the width counts the dots between the digits, too. */
static void add_nibbles(struct zn_buf *out, uint64_t number, uint32_t width, bool upper)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";

	do {
		zn_buf_add_byte(out, (uint8_t)digits[number & 0xf]);
		number >>= 4;
		if (width > 0)
			width--;
		if (width > 0 || number > 0) {
			zn_buf_add_byte(out, '.');
			if (width > 0)
				width--;
		}
	} while (number > 0 || width > 0);
}

/* {offset,width,base} behind the dollar sign; the parts may be left off from the end. */
static const char *expand_braces(struct zn_view text, size_t *at, uint32_t number, struct zn_buf *out)
{
	static const char broken[] = "${ } holds an offset, a width (up to 255) and a base of d, o, x, X, n or N: ${0,3,d}";
	uint32_t offset, width = 0;
	uint8_t base = 'd';

	++*at;
	bool negative = read_byte(text, at, '-');
	if (!negative)
		read_byte(text, at, '+');
	if (!read_number(text, at, INT32_MAX, &offset))
		return broken;
	if (read_byte(text, at, ',')) {
		if (!read_number(text, at, WIDTH_MAX, &width))
			return broken;
		if (read_byte(text, at, ',')) {
			if (*at == text.len)
				return broken;
			base = text.data[(*at)++];
		}
	}
	if (!read_byte(text, at, '}'))
		return broken;
	int64_t value = (int64_t)number + (negative ? -(int64_t)offset : (int64_t)offset);
	if (value < 0)
		return "the offset makes the number negative";
	switch (base) {
	case 'd':
		zn_buf_addf(out, "%0*lld", (int)width, (long long)value);
		return NULL;
	case 'o':
		zn_buf_addf(out, "%0*llo", (int)width, (unsigned long long)value);
		return NULL;
	case 'x':
		zn_buf_addf(out, "%0*llx", (int)width, (unsigned long long)value);
		return NULL;
	case 'X':
		zn_buf_addf(out, "%0*llX", (int)width, (unsigned long long)value);
		return NULL;
	case 'n':
	case 'N':
		add_nibbles(out, (uint64_t)value, width, base == 'N');
		return NULL;
	default:
		return broken;
	}
}

const char *zn_generate_expand(struct zn_view text, uint32_t number, struct zn_buf *out)
{
	for (size_t at = 0; at < text.len;) {
		uint8_t byte = text.data[at++];
		if (byte == '\\') {	/* \$ is a dollar sign for whoever reads the word; all escapes stay */
			zn_buf_add_byte(out, byte);
			if (at < text.len)
				zn_buf_add_byte(out, text.data[at++]);
		} else if (byte != '$') {
			zn_buf_add_byte(out, byte);
		} else if (at < text.len && text.data[at] == '$') {
			zn_buf_add_byte(out, byte);
			at++;
		} else if (at < text.len && text.data[at] == '{') {
			const char *fault = expand_braces(text, &at, number, out);
			if (fault)
				return fault;
		} else {
			zn_buf_addf(out, "%u", number);
		}
	}
	return NULL;
}
