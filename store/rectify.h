/* store/rectify.h - the rows that follow from the others: empty non-terminals, auth, hasOrderName, NSEC3 pairs, as PowerDNS 5.1's
 * rectify makes them. docs/format.md, derived rows. What they are is store/dns/owners.h's business; this writes what an answer would
 * notice. */
#pragma once
#include "store/records.h"

/* After a merge: derived rows of a stored zone, as machine writes, only where an answer would differ (4.9's extra flags and rows stay).
 * Returns how many rows were written. */
ZN_MUST_USE enum zn_code zn_rectify_zone(struct zn_txn *records, uint32_t id, const struct zn_name *apex, const struct zn_zone_mode *mode,
	uint64_t *ret_written, struct zn_err *err);
