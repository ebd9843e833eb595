/* store/dns/owners.h - what follows from the records of a zone: empty non-terminals, auth, and who is in the chain of hashes; as PowerDNS
 * 5.1 derives it (rectify; for a presigned zone, what a transfer of it stores). docs/format.md, derived rows. Pure. */
#pragma once
#include "store/dns/nsec3.h"
#include "store/dns/zone.h"

/* How PowerDNS will sign. */
enum zn_dnssec { ZN_DNSSEC_UNSIGNED, ZN_DNSSEC_NSEC, ZN_DNSSEC_NSEC3, ZN_DNSSEC_NARROW };
struct zn_zone_mode {
	enum zn_dnssec dnssec;
	bool presigned;			/* metadata PRESIGNED = 1 */
	bool has_keys;			/* keydata rows that are active */
	struct zn_nsec3param nsec3;	/* dnssec NSEC3 and NARROW */
};
static inline bool zn_mode_opt_out(const struct zn_zone_mode *mode)
{
	return (mode->dnssec == ZN_DNSSEC_NSEC3 || mode->dnssec == ZN_DNSSEC_NARROW) && mode->nsec3.flags & 1;
}

/* One owner name of the zone with what is derived for it, in key order; empty non-terminals stand between the owners. */
struct zn_owner {
	struct zn_view key;	/* borrowed from the zone */
	uint32_t first, count;	/* its records in the zone; count 0: an empty non-terminal */
	bool cut;		/* a non-apex owner of NS */
	bool below_cut;
	bool insecure;		/* opt-out: a cut without DS (presigned: that the chain leaves out) */
	bool in_chain;		/* NSEC3, not narrow: has a pair; NSEC: has an NSEC record, an ENT never */
	bool ent_auth;		/* auth of the ENT row */
	bool has_auth;		/* owns, or has below it, data that is neither at nor below a cut */
};
struct zn_owners {
	struct zn_owner *list;
	size_t count;
};
/* From a finished zone as it is stored: without NSEC, NSEC3, NSEC3PARAM. ZN_ENOMEM. */
ZN_MUST_USE enum zn_code zn_owners_derive(const struct zn_zone *zone, const struct zn_zone_mode *mode, struct zn_owners *ret_owners);
void zn_owners_release(struct zn_owners *owners);

/* auth and hasOrderName of an owner's rows of a type; ZN_TYPE_ENT for an empty non-terminal's. */
bool zn_owner_auth(const struct zn_owner *owner, const struct zn_zone_mode *mode, uint16_t type);
bool zn_owner_order_name(const struct zn_owner *owner, const struct zn_zone_mode *mode, uint16_t type);
