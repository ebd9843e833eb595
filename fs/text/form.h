/* fs/text/form.h - how each type writes its RDATA: one table for reading and for telling what is missing. The RFC of each
 * type; zone-text 1, types. Pure. */
#pragma once
#include "store/dns/rrtype.h"

/* A letter a field:
 *   4 IPv4   6 IPv6   n name   1 2 8-bit, 16-bit number   i 32-bit number   t seconds, also with units
 *   T type   d date of a signature   x hex, to the end   b base64, to the end   m types, to the end
 *   q string   s strings, to the end (at least one)   a tag of CAA   v string without a length
 *   y salt of NSEC3 ("-": none)   h hash of NSEC3
 *   * whatever libzscanner reads, to the end */
struct zn_form {
	const char *layout;	/* NULL: no text form of its own, only that of RFC 3597 */
	const char *fields;	/* the same in words, for people */
	bool ours;		/* libzscanner does not know it, or not in every version: what we say is final */
};

/* Never NULL. Types without a text form have a form without layout. */
const struct zn_form *zn_form_of(uint16_t type);

/* Fewest words a text of this form can have, and most (SIZE_MAX: no end). */
size_t zn_form_min(const struct zn_form *form);
size_t zn_form_max(const struct zn_form *form);
/* Word number `index` is a domain name. */
static inline bool zn_form_is_name(const struct zn_form *form, size_t index)
{
	return form->layout && index < strlen(form->layout) && form->layout[index] == 'n';
}
