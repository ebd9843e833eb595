/* The serial in a text that is otherwise left alone. Rule 22 of what editors expect: the size stays
 * if it can. */
#include <stdio.h>

#include "fs/text/pieces.h"

size_t zn_text_set_serial(struct zn_buf *text, size_t offset, size_t len, uint32_t serial)
{
	char digits[16];
	size_t behind = offset + len, blanks = 0,
	       digits_len = (size_t)snprintf(digits, sizeof(digits), "%u", serial);
	struct zn_view new_text = zn_view(digits, digits_len);

	while (behind + blanks < text->len && text->data[behind + blanks] == ' ')
		blanks++;
	if (digits_len > len) {
		/* One blank stays, since what follows may be a word. */
		size_t taken = digits_len - len, free_blanks = blanks ? blanks - 1 : 0;
		zn_buf_splice(text, offset, len + (taken < free_blanks ? taken : free_blanks),
				new_text);
	} else {
		size_t left = len - digits_len;
		uint8_t next = behind + blanks < text->len ? text->data[behind + blanks] : '\n';

		zn_buf_splice(text, offset, digits_len, new_text);
		if (next != '\n' && next != '\r')
			memset(text->data + offset + digits_len, ' ', left);
		else
			zn_buf_splice(text, offset + digits_len, left, zn_view(NULL, 0));
	}
	return digits_len;
}
