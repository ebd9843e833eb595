/* fs/text/script.h - what a person sees of a text is not always what a program reads: characters that turn the direction
 * of writing. Unicode 15 UAX #9; "Trojan Source", CVE-2021-42574. Pure. */
#pragma once
#include "store/base/bytes.h"

/* One character of UTF-8 (RFC 3629). Returns its bytes; 0: none that is valid begins here. */
size_t zn_utf8_read(struct zn_view text, uint32_t *ret_character);

/* Embeds, overrides or isolates a direction: invisible, and what follows is shown elsewhere than it stands. */
bool zn_is_direction_mark(uint32_t character);
/* A letter written from right to left: Hebrew, Arabic, Syriac, Thaana, N'Ko and what lies beside them. */
bool zn_is_right_to_left(uint32_t character);

/* The first place in `text` where the direction turns: a mark, or (when `letters`) a right-to-left letter.
 * SIZE_MAX: nowhere. */
size_t zn_direction_turns(struct zn_view text, bool letters);
