/* store/meta.h - zone metadata (metadata_v5) and what of it decides how rows are derived. docs/format.md, metadata. */
#pragma once
#include "store/dns/owners.h"
#include "store/zones.h"

/* Values of one kind, in id order, each NUL-terminated in `out` one after the other. ZN_ENOTFOUND: none. */
ZN_MUST_USE enum zn_code zn_meta_get(struct zn_txn *main, const struct zn_zone_id *zone, const char *kind, struct zn_buf *out,
	size_t *ret_count, struct zn_err *err);
/* Replaces all values of a kind (count 0: removes it). Ids by the PowerDNS 5 rule; X-ZONEFS-* single-valued with a deterministic id. */
ZN_MUST_USE enum zn_code zn_meta_set(struct zn_txn *main, const struct zn_zone_id *zone, const char *kind, const char *const *values,
	size_t count, enum zn_author author, struct zn_err *err);

/* How PowerDNS will sign the zone, so how its rows are derived (store/dns/owners.h). */
ZN_MUST_USE enum zn_code zn_meta_mode(struct zn_txn *main, const struct zn_zone_id *zone, struct zn_zone_mode *ret_mode, struct zn_err *err);
/* Says that a zone was signed elsewhere: PRESIGNED, and NSEC3PARAM where its chain is of hashes. Or, mode->presigned false, that it no longer is: both go. */
ZN_MUST_USE enum zn_code zn_meta_set_signing(struct zn_txn *main, const struct zn_zone_id *zone, const struct zn_zone_mode *mode, struct zn_err *err);
