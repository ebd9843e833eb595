/* store/object.h - an object row and its index row, which are only ever written together, with one header.
 *
 * PowerDNS's four object tables each have an index beside them (docs/format.md, objects). Were the two given different
 * stamps, a deletion elsewhere could win in one table and lose in the other. */
#pragma once
#include "store/schema.h"
#include "store/txn.h"

/* An object table is named by its own DBI; that of its index follows it in enum zn_dbi. */
ZN_MUST_USE enum zn_code zn_object_get(struct zn_txn *main, enum zn_dbi table, uint32_t id, struct zn_header *ret_header,
	struct zn_view *ret_payload, struct zn_err *err);
/* Nothing is written when the payload is the same and both rows live. */
ZN_MUST_USE enum zn_code zn_object_put(struct zn_txn *main, enum zn_dbi table, const struct zn_index_key *key, struct zn_view payload,
	enum zn_author author, struct zn_err *err);
ZN_MUST_USE enum zn_code zn_object_bury(struct zn_txn *main, enum zn_dbi table, const struct zn_index_key *key, enum zn_author author,
	struct zn_err *err);

/* Walk the live objects of one name, in order of their ids:
 *
 *	struct zn_objects objects;
 *	code = zn_objects_open(&objects, main, ZN_DBI_METADATA, zone, err);
 *	while (!code && (code = zn_objects_next(&objects, err)) == ZN_OK)
 *		... objects.id, .key, .header, .payload
 *	zn_objects_close(&objects);		ZN_ENOTFOUND is the end
 *
 * Writing ends the walk's payload, not the walk. */
struct zn_objects {
	struct zn_txn *main;
	enum zn_dbi table;
	struct zn_cursor cursor;
	struct zn_index_key key;	/* of the object at hand */
	uint32_t id;
	struct zn_header header;
	struct zn_view payload;
};
ZN_MUST_USE enum zn_code zn_objects_open(struct zn_objects *objects, struct zn_txn *main, enum zn_dbi table,
	const struct zn_zone_id *zone, struct zn_err *err);
ZN_MUST_USE enum zn_code zn_objects_next(struct zn_objects *objects, struct zn_err *err);
void zn_objects_close(struct zn_objects *objects);
