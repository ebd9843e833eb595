/* store/meta.h - zone metadata (metadata_v5) and what of it decides how rows are derived. docs/format.md, metadata. */
#pragma once
#include "store/dns/nsec3.h"
#include "store/zones.h"

/* Values of one kind, in id order, each NUL-terminated in `out` one after the other. ZN_ENOTFOUND: none. */
ZN_MUST_USE enum zn_code zn_meta_get(struct zn_txn *main, const struct zn_zone_id *zone, const char *kind, struct zn_buf *out,
	size_t *ret_count, struct zn_err *err);
/* Replaces all values of a kind (count 0: removes it). Ids by the PowerDNS 5 rule; X-ZONEFS-* single-valued with a deterministic id. */
ZN_MUST_USE enum zn_code zn_meta_set(struct zn_txn *main, const struct zn_zone_id *zone, const char *kind, const char *const *values,
	size_t count, enum zn_author author, struct zn_err *err);

/* How PowerDNS will sign, so how rows are derived (format page 6.5). */
enum zn_dnssec { ZN_DNSSEC_UNSIGNED, ZN_DNSSEC_NSEC, ZN_DNSSEC_NSEC3, ZN_DNSSEC_NARROW };
struct zn_zone_mode {
	enum zn_dnssec dnssec;
	bool presigned;			/* metadata PRESIGNED = 1 */
	bool has_keys;			/* keydata rows that are active */
	struct zn_nsec3param nsec3;	/* dnssec NSEC3 and NARROW */
};
ZN_MUST_USE enum zn_code zn_meta_mode(struct zn_txn *main, const struct zn_zone_id *zone, struct zn_zone_mode *ret_mode, struct zn_err *err);
