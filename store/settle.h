/* store/settle.h - after a merge: make the zones it touched right again. replication.md 4.
 *
 * Steps 1 and 2 run inside the transaction that wrote the rows (derived rows, serial), so that no server sees rows without them. */
#pragma once
#include "store/records.h"

/* Zone ids, each once, in order of first addition. */
struct zn_ids {
	uint32_t *list;
	size_t count, capacity;
	uint32_t *heirs;	/* of losers: the id that inherits what an id leaves; 0: none does */
	uint32_t *slots;	/* private */
};
ZN_MUST_USE enum zn_code zn_ids_add(struct zn_ids *ids, uint32_t id);
ZN_MUST_USE enum zn_code zn_ids_add_heir(struct zn_ids *ids, uint32_t id, uint32_t heir);
void zn_ids_release(struct zn_ids *ids);

/* What was served before a merge of one zone, to be taken in the same transaction before its rows change. */
struct zn_served {
	uint32_t id;
	bool listed;
	uint32_t serial;
	struct zn_digest digest; /* with 0 for the serial */
};
ZN_MUST_USE enum zn_code zn_settle_before(struct zn_txn *records, uint32_t id, const struct zn_name *apex, struct zn_served *ret_served, struct zn_err *err);
/* Rectify by `mode`; raise the serial when the content differs from what was served under a serial >= the merged one (primary and native, not presigned).
 * ret_written: rows written, all in all. */
ZN_MUST_USE enum zn_code zn_settle_after(struct zn_txn *records, const struct zn_served *served, const struct zn_zone_info *zone,
	const struct zn_zone_mode *mode, uint64_t *ret_written, struct zn_err *err);
/* Duplicates in main: smallest id wins, the others are buried (+2); ids whose records must follow are added to `losers`. */
ZN_MUST_USE enum zn_code zn_settle_duplicates(struct zn_txn *main, const struct zn_ids *touched, struct zn_ids *losers, struct zn_err *err);

/* All of the above as one bracket around the rows that a merge writes into the records env: what sync calls, which knows no names,
 * modes or serials (store/settle_merge.c). Main is read in a transaction of its own, begun after the records lock was had; ids that
 * are not listed there are left alone, and settled when the merge of main lists them. */
struct zn_settling;
ZN_MUST_USE enum zn_code zn_settling_begin(struct zn_txn *records, const struct zn_ids *ids, struct zn_settling **ret_settling,
	struct zn_err *err);
/* `ret_written`: rows written; `ret_news`: among them something that the others cannot derive (a serial), so it has to be published. */
ZN_MUST_USE enum zn_code zn_settling_end(struct zn_settling *settling, uint64_t *ret_written, bool *ret_news, struct zn_err *err);
/* Adds the zones that an entry of main speaks of: by id, or by the name in it (metadata, keys). `payload`: of a deletion, what is deleted. */
ZN_MUST_USE enum zn_code zn_settling_touched(struct zn_txn *main, const char *dbi, struct zn_view key, struct zn_view payload, struct zn_ids *ids,
	struct zn_err *err);
/* Of the losers of zn_settle_duplicates(): rows that the heir lacks, or has older, become its own, stamps kept; then all are buried, and
 * the heirs settled. */
ZN_MUST_USE enum zn_code zn_settling_losers(struct zn_txn *records, const struct zn_ids *losers, uint64_t *ret_written, struct zn_err *err);
void zn_settling_free(struct zn_settling *settling); /* takes NULL */
ZN_DEFINE_AUTO(struct zn_settling, zn_settling_free)
