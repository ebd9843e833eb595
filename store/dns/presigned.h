/* store/dns/presigned.h - zones that were signed elsewhere. zone-text 3; docs/dialect.md, presigned.
 *
 * PowerDNS stores their signatures, but not their chain: it derives NSEC or NSEC3 records from the other rows when it answers, and
 * the signatures over them have to fit. So a text's chain is compared with what will be derived, is not stored, and comes back by
 * deriving it again:
 *
 *   text -> zn_presigned_check() -> zn_presigned_strip() -> rows;     rows -> zn_presigned_restore() -> text
 *
 * What passes the check comes back record by record. Pure. */
#pragma once
#include "store/dns/check.h"
#include "store/dns/owners.h"

/* NSEC, NSEC3, NSEC3PARAM. */
static inline bool zn_type_is_chain(uint16_t type)
{
	return type == ZN_TYPE_NSEC || type == ZN_TYPE_NSEC3 || type == ZN_TYPE_NSEC3PARAM;
}

/* A finished zone as it is stored: without its chain; tags as they were. A zone without chain comes back as it is. */
ZN_MUST_USE enum zn_code zn_presigned_strip(const struct zn_zone *text, struct zn_zone **ret_stored);

/* How a text is signed (presigned, NSEC or NSEC3 and its parameters: metadata PRESIGNED and NSEC3PARAM say it), and whether its chain is
 * what PowerDNS will derive. `report` as in zn_check_zone(), indexes are of `text`; every finding is an error. ret_errors: how many. ZN_ENOMEM. */
ZN_MUST_USE enum zn_code zn_presigned_check(const struct zn_zone *text, struct zn_zone_mode *ret_mode, zn_check_report *report, void *context,
	size_t *ret_errors);

/* A stored zone with its chain again: TTLs are those of the signatures over it. mode->presigned. The same zone again where it has no SOA. */
ZN_MUST_USE enum zn_code zn_presigned_restore(const struct zn_zone *stored, const struct zn_zone_mode *mode, struct zn_zone **ret_text);
