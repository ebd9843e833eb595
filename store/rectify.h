/* store/rectify.h - the rows that follow from the others: empty non-terminals, auth, hasOrderName, NSEC3 pairs, as PowerDNS 5.1's
 * rectify makes them. format page 6.5. The derivation is pure; zn_rectify_zone() writes what an answer would notice. */
#pragma once
#include "store/records.h"

/* One owner name of the zone with what is derived for it, in key order; empty non-terminals stand between the owners. */
struct zn_owner {
	struct zn_view key;	/* borrowed from the zone */
	uint32_t first, count;	/* its records in the zone; count 0: an empty non-terminal */
	bool cut;		/* a non-apex owner of NS */
	bool below_cut;
	bool ent_auth;		/* auth of the ENT row */
	bool in_chain;		/* has an NSEC3 pair; hasOrderName of its rows */
};
struct zn_owners {
	struct zn_owner *list;
	size_t count;
};
ZN_MUST_USE enum zn_code zn_rectify_owners(const struct zn_zone *zone, const struct zn_zone_mode *mode, struct zn_owners *ret_owners);
void zn_owners_release(struct zn_owners *owners);
/* auth of an owner's rows of a type. */
bool zn_rectify_auth(const struct zn_owner *owner, uint16_t type);
bool zn_rectify_order_name(const struct zn_owner *owner, uint16_t type);

/* After a merge: derived rows of a stored zone, as machine writes, only where an answer would differ (4.9's extra flags and rows stay).
 * Returns how many rows were written. */
ZN_MUST_USE enum zn_code zn_rectify_zone(struct zn_txn *records, uint32_t id, const struct zn_name *apex, const struct zn_zone_mode *mode,
	uint64_t *ret_written, struct zn_err *err);
