/* fs/save/load.h - a zone as the text a reader gets, and its size and mtime. details.md 9, 10, 12.
 *
 * Kept text when it says what the rows say, else the canonical print. They agree when the digest of
 * what the pieces yield is that of the rows; a text that gives a record twice is parsed to find
 * out. Rows of a presigned zone are taken with the chain that none of them holds. Where the cache
 * knows that the text fits, no row is read: a text goes out at the speed of memory. Each call reads
 * in one transaction per env and ends it.
 *
 * mtime: what utimens gave while the head of the text fits the rows; else the newest stamp of rows
 * and head; where a change leaves that where it was or behind, the time at which the change was
 * found here. */
#pragma once
#include "store/local.h"
#include "store/records.h"

struct zn_loader; /* env, local cache; thread-safe */
ZN_MUST_USE enum zn_code zn_loader_new(struct zn_env *env, struct zn_local *local, bool keep_text,
		struct zn_loader **ret_loader);
void zn_loader_free(struct zn_loader *loader);

/* What was read belongs to one committed state. */
struct zn_loaded {
	struct zn_zone_stat stat;
	uint32_t serial;
	uint64_t txnid[2]; /* states read, by enum zn_which */
	/* Kept text that does not decode or is newer than this program: it was left alone, the
	 * canonical print stands in for it until the next save. Told once, until the cache forgets
	 * the zone. */
	bool damaged;
	char damage[200]; /* what, in a sentence */
};
/* Where bytes go, in order, a quarter MiB at a time or less: a buffer or a spool file. A failure
 * ends the load. */
struct zn_sink {
	void *context;
	enum zn_code (*write)(void *context, struct zn_view bytes);
};
/* ZN_ENOTFOUND: no such zone, or not listed (no SOA). */
ZN_MUST_USE enum zn_code zn_load_text(struct zn_loader *loader, const struct zn_zone_info *zone,
		const struct zn_sink *sink, struct zn_loaded *ret_loaded, struct zn_err *err);
/* Size and mtime: from the cache, else by rendering without keeping the bytes; then cached. */
ZN_MUST_USE enum zn_code zn_load_stat(struct zn_loader *loader, const struct zn_zone_info *zone,
		struct zn_loaded *ret_loaded, struct zn_err *err);
/* Look up name to zone, listed ones only. */
ZN_MUST_USE enum zn_code zn_load_find(struct zn_loader *loader, const struct zn_zone_id *zone,
		struct zn_zone_info *ret_info, struct zn_err *err);
