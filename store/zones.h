/* store/zones.h - the zone list: domains_v5 and its index, in the main env. docs/format.md; writer checklist 7 to 11.
 *
 * Object and index row are always written together with one header. A zone is found by the rule PowerDNS uses (oldest live
 * index row) until duplicates are resolved by ours (smallest id). */
#pragma once
#include "store/dns/name.h"
#include "store/txn.h"

enum zn_kind { ZN_KIND_PRIMARY, ZN_KIND_SECONDARY, ZN_KIND_NATIVE, ZN_KIND_PRODUCER, ZN_KIND_CONSUMER };
const char *zn_kind_text(enum zn_kind kind);
bool zn_kind_from_text(struct zn_view text, enum zn_kind *ret_kind);
/* Its owner is a primary elsewhere: not ours to write. */
static inline bool zn_kind_read_only(enum zn_kind kind)
{
	return kind == ZN_KIND_SECONDARY || kind == ZN_KIND_CONSUMER;
}

#define ZN_VARIANT_MAX 63
struct zn_zone_id {
	struct zn_name name;			/* lower case */
	char variant[ZN_VARIANT_MAX + 1];	/* schema 6 views; "" for the zone itself */
};

struct zn_zone_info {
	uint32_t id;
	struct zn_zone_id zone;
	enum zn_kind kind;
	struct zn_stamp stamp;	/* of the object row */
};

/* ZN_ENOTFOUND without a sentence. */
ZN_MUST_USE enum zn_code zn_zones_find(struct zn_txn *main, const struct zn_zone_id *zone, struct zn_zone_info *ret_info, struct zn_err *err);
ZN_MUST_USE enum zn_code zn_zones_get(struct zn_txn *main, uint32_t id, struct zn_zone_info *ret_info, struct zn_err *err);

/* Walk in index order; `after` is the key the last call left (len 0 to begin). ZN_ENOTFOUND at the end. Each zone once. The walk may go on in
 * another transaction. Zones without SOA are not left out here (that needs the records env): zn_zones_listing() does that. */
struct zn_index_key {
	uint16_t len;
	uint8_t bytes[2 + ZN_NAME_MAX + 1 + ZN_VARIANT_MAX + 4];
};
ZN_MUST_USE enum zn_code zn_zones_next(struct zn_txn *main, struct zn_index_key *after, struct zn_zone_info *ret_info, struct zn_err *err);

/* The next free id for a new zone (details.md 5): needs both envs to see that no row, tombstones included, has it. */
ZN_MUST_USE enum zn_code zn_zones_new_id(struct zn_txn *main, struct zn_txn *records, const struct zn_zone_id *zone, uint32_t *ret_id,
	struct zn_err *err);
/* Jenkins lookup2 over the folded wire name: format page 4.2; vectors in the test. */
uint32_t zn_jenkins(struct zn_view bytes, uint32_t init);

/* In a write transaction of main. create: v5 encoding unless there is a variant; ZN_EEXIST when a live zone has the name. bury: object, index,
 * metadata, keys. */
ZN_MUST_USE enum zn_code zn_zones_create(struct zn_txn *main, uint32_t id, const struct zn_zone_id *zone, enum zn_kind kind, struct zn_err *err);
ZN_MUST_USE enum zn_code zn_zones_bury(struct zn_txn *main, uint32_t id, struct zn_err *err);

/* Intents: what a job that writes both envs has begun (details.md 1). Written by the first run, taken back lazily; at start
 * zn_zones_roll_forward() finishes what a crash left half done. */
enum zn_intent_kind { ZN_INTENT_CREATE, ZN_INTENT_BURY };
ZN_MUST_USE enum zn_code zn_zones_intend(struct zn_txn *first, enum zn_intent_kind kind, uint32_t id, const struct zn_zone_id *zone,
	enum zn_kind zone_kind, struct zn_err *err);
ZN_MUST_USE enum zn_code zn_zones_roll_forward(struct zn_env *env, struct zn_err *err);
