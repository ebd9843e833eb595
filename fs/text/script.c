#include "fs/text/script.h"

size_t zn_utf8_read(struct zn_view text, uint32_t *ret_character)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len;
	uint32_t character;

	if (text.len == 0)
		return 0;
	uint8_t first = text.data[0];
	if (first < 0x80) {
		*ret_character = first;
		return 1;
	}
	if (first >= 0xc2 && first < 0xe0)
		len = 2;
	else if (first >= 0xe0 && first < 0xf0)
		len = 3;
	else if (first >= 0xf0 && first < 0xf5)
		len = 4;
	else
		return 0;
	if (text.len < len)
		return 0;
	character = first & (0xffu >> (len + 1));
	for (size_t i = 1; i < len; i++) {
		if ((text.data[i] & 0xc0) != 0x80)
			return 0;
		character = character << 6 | (text.data[i] & 0x3f);
	}
	if (character < least[len] || character > 0x10ffff || (character >= 0xd800 && character <= 0xdfff))
		return 0;
	*ret_character = character;
	return len;
}

bool zn_is_direction_mark(uint32_t character)
{
	return (character >= 0x202a && character <= 0x202e) || (character >= 0x2066 && character <= 0x2069) || character == 0x200e ||
		character == 0x200f || character == 0x061c;
}

bool zn_is_right_to_left(uint32_t character)
{
	return (character >= 0x0590 && character <= 0x08ff) || (character >= 0xfb1d && character <= 0xfdff) ||
		(character >= 0xfe70 && character <= 0xfefc) || (character >= 0x10800 && character <= 0x10fff) ||
		(character >= 0x1e800 && character <= 0x1efff);
}

size_t zn_direction_turns(struct zn_view text, bool letters)
{
	for (size_t at = 0; at < text.len;) {
		uint32_t character;
		if (text.data[at] < 0x80) {
			at++;
			continue;
		}
		size_t len = zn_utf8_read(zn_view_sub(text, at, SIZE_MAX), &character);
		if (len && (zn_is_direction_mark(character) || (letters && zn_is_right_to_left(character))))
			return at;
		at += len ? len : 1;
	}
	return SIZE_MAX;
}
