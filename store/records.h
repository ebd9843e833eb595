/* store/records.h - one zone's rows in records_v5: read it whole, write what differs. docs/format.md, records. */
#pragma once
#include "store/dns/zone.h"
#include "store/meta.h"

struct zn_records_summary {
	struct zn_stamp newest;		/* newest stamp among the zone's rows, tombstones included */
	uint64_t rows;			/* live data rows */
	uint64_t disabled;		/* disabled records: kept in the rows, never in text */
	uint64_t undecodable;		/* rows left as they are because they do not decode; `first_bad` says which */
	char first_bad[160];
};

/* The enabled records of a zone, finished (zn_zone_finish). Compressed RDATA is expanded. ZN_ENOTFOUND: no live row.
 * ret_summary may be NULL. */
ZN_MUST_USE enum zn_code zn_records_read(struct zn_txn *records, uint32_t id, const struct zn_name *apex, struct zn_zone **ret_zone,
	struct zn_records_summary *ret_summary, struct zn_err *err);
/* Digest and summary without building a zone. */
ZN_MUST_USE enum zn_code zn_records_digest(struct zn_txn *records, uint32_t id, const struct zn_name *apex, struct zn_digest *ret_digest,
	struct zn_records_summary *ret_summary, struct zn_err *err);
/* The SOA's serial alone. ZN_ENOTFOUND: no SOA row, so the zone is not listed. */
ZN_MUST_USE enum zn_code zn_records_serial(struct zn_txn *records, uint32_t id, uint32_t *ret_serial, struct zn_stamp *ret_stamp, struct zn_err *err);

struct zn_records_change {
	uint64_t added, removed;	/* records; one whose TTL or RDATA changed counts in both */
	uint64_t deleted;		/* records gone from RRsets beyond what was put in their place: what the guard counts */
	uint64_t rows_written;
	struct zn_stamp newest;		/* among the zone's rows afterwards */
};
/* What zn_records_apply() would do, without writing: for the guard and for no-op saves. `rows_written` is then 0. */
ZN_MUST_USE enum zn_code zn_records_compare(struct zn_txn *records, uint32_t id, const struct zn_zone *zone, struct zn_records_change *ret_change,
	struct zn_err *err);
/* Make the rows say `zone`: data rows that differ as user writes, derived ones (flags, ENT, NSEC3 pairs) as machine writes, what is gone buried.
 * Disabled records stay, behind the enabled ones. A row whose records are the same in another order or encoding is left alone. A new
 * zone's leftovers under the id are buried first. One sorted pass: appending into an empty zone costs no look-ups. */
ZN_MUST_USE enum zn_code zn_records_apply(struct zn_txn *records, uint32_t id, const struct zn_zone *zone, const struct zn_zone_mode *mode,
	struct zn_records_change *ret_change, struct zn_err *err);
/* Bury every live row of the zone: records, chain rows, comments, text. */
ZN_MUST_USE enum zn_code zn_records_bury(struct zn_txn *records, uint32_t id, struct zn_err *err);
