/* store/zones.h - the zone list: domains_v5 and its index, in the main env. docs/format.md; writer checklist 7 to 11.
 *
 * Object and index row are always written together with one header. A zone is found by the rule PowerDNS uses (oldest live
 * index row) until duplicates are resolved by ours (smallest id). */
#pragma once
#include "store/schema.h"
#include "store/txn.h"

const char *zn_kind_text(enum zn_kind kind);
bool zn_kind_from_text(struct zn_view text, enum zn_kind *ret_kind);
/* Its owner is a primary elsewhere: not ours to write. */
static inline bool zn_kind_read_only(enum zn_kind kind)
{
	return kind == ZN_KIND_SECONDARY || kind == ZN_KIND_CONSUMER;
}

struct zn_zone_info {
	uint32_t id;
	struct zn_zone_id zone;
	enum zn_kind kind;
	struct zn_stamp stamp;	/* of the object row */
};

/* ZN_ENOTFOUND without a sentence. */
ZN_MUST_USE enum zn_code zn_zones_find(struct zn_txn *main, const struct zn_zone_id *zone, struct zn_zone_info *ret_info, struct zn_err *err);
ZN_MUST_USE enum zn_code zn_zones_get(struct zn_txn *main, uint32_t id, struct zn_zone_info *ret_info, struct zn_err *err);

/* The zone that an id has in the index, tombstones included: what was called so before it was deleted, here or elsewhere. Walks the whole
 * index (a fraction of a second for a million zones), so only where nothing else remembers. ZN_ENOTFOUND without a sentence. */
ZN_MUST_USE enum zn_code zn_zones_gone(struct zn_txn *main, uint32_t id, struct zn_zone_id *ret_zone, struct zn_err *err);

/* Walk in index order; `after` is the key the last call left (len 0 to begin). ZN_ENOTFOUND at the end. Each zone once. The walk may go on in
 * another transaction. Zones without SOA are not left out here (that needs the records env): zn_zones_listing() does that. */
ZN_MUST_USE enum zn_code zn_zones_next(struct zn_txn *main, struct zn_index_key *after, struct zn_zone_info *ret_info, struct zn_err *err);

/* The next free id for a new zone (details.md 5): the first of zn_zone_hash(zone, 0), (zone, 1), … that no row of either env has, tombstones
 * included. */
ZN_MUST_USE enum zn_code zn_zones_new_id(struct zn_txn *main, struct zn_txn *records, const struct zn_zone_id *zone, uint32_t *ret_id,
	struct zn_err *err);

/* In a write transaction of main. create: v5 encoding unless there is a variant; ZN_EEXIST when a live zone has the name under another id
 * (under this one it is done already). */
ZN_MUST_USE enum zn_code zn_zones_create(struct zn_txn *main, uint32_t id, const struct zn_zone_id *zone, enum zn_kind kind, struct zn_err *err);
/* Object and index; metadata and keys too, unless a duplicate of the zone is left that shares them (they belong to the name). */
ZN_MUST_USE enum zn_code zn_zones_bury(struct zn_txn *main, uint32_t id, struct zn_err *err);
/* The same by ourselves: stamps + 2, never the clock; object and index alone. For duplicates. */
ZN_MUST_USE enum zn_code zn_zones_bury_duplicate(struct zn_txn *main, uint32_t id, struct zn_err *err);

/* Intents: what a job that writes both envs has begun (details.md 1), in _sync_zonefs of the first. After a crash between its two commits
 * zn_zones_roll_forward(), at start, does the second. Those of jobs that came to their end go with the next intent, or at the next start,
 * where they do no harm. */
enum zn_intent_kind {
	ZN_INTENT_CREATE,	/* records first */
	ZN_INTENT_BURY,		/* main first */
	ZN_INTENT_SIGNING,	/* records first: the zone is there, and is signed elsewhere from now on, or no longer */
};
struct zn_zone_mode;
/* `signing`: metadata that goes along with a creation or is the change (zn_meta_set_signing()); NULL: none. */
ZN_MUST_USE enum zn_code zn_zones_intend(struct zn_txn *first, enum zn_intent_kind kind, uint32_t id, const struct zn_zone_id *zone,
	enum zn_kind zone_kind, const struct zn_zone_mode *signing, struct zn_err *err);
/* Take back all intents of this process that earlier transactions left: a job whose second half failed was refused. */
ZN_MUST_USE enum zn_code zn_zones_forget_intents(struct zn_txn *txn, struct zn_err *err);
ZN_MUST_USE enum zn_code zn_zones_roll_forward(struct zn_env *env, struct zn_err *err);
