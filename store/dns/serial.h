/* store/dns/serial.h - SOA serials: order (RFC 1982) and what comes next. Pure. */
#pragma once
#include "store/base/bytes.h"
#include "store/base/clock.h"

/* a is newer than b by RFC 1982 3.2; false for equal and for the undefined distance 2^31. */
static inline bool zn_serial_newer(uint32_t a, uint32_t b)
{
	return a != b && (uint32_t)(a - b) < UINT32_C(0x80000000);
}

enum zn_serial_policy {
	ZN_SERIAL_AUTO,		/* keep the style found: date, epoch or counter */
	ZN_SERIAL_KEEP,		/* never raised by us, never backwards: whoever wants secondaries to hear of a change raises it */
	ZN_SERIAL_INCREASE,	/* + 1 */
	ZN_SERIAL_DATE,		/* YYYYMMDDnn, UTC */
	ZN_SERIAL_EPOCH,	/* seconds since 1970 */
};
bool zn_serial_policy_from_text(struct zn_view text, enum zn_serial_policy *ret_policy);
const char *zn_serial_policy_text(enum zn_serial_policy policy);

/* The serial that follows `current` at `now`: newer by RFC 1982 whatever the clock says (where the style has no newer
 * value, + 1). Not for ZN_SERIAL_KEEP, which gives `current`. */
uint32_t zn_serial_next(uint32_t current, enum zn_serial_policy policy, struct zn_stamp now);
