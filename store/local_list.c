/* store/local_list.c - the zone list in the private env: made, kept up, walked. */
#include <stdlib.h>

#include "store/base/wire.h"
#include "store/local_mdb.h"
#include "store/records.h"

#define SLICE_ZONES 2000

static bool has_soa(struct zn_txn *records, uint32_t id)
{
	struct zn_stamp stamp;
	uint32_t serial;

	return zn_records_serial(records, id, &serial, &stamp, NULL) == ZN_OK;
}

static int put_zone(struct zn_local *local, MDB_txn *txn, const struct zn_zone_info *info, unsigned flags)
{
	static const struct zn_zone_stat unknown;
	uint8_t bytes[ZN_LOCAL_VALUE], id[4];
	struct zn_index_key index;

	if (zn_index_key_make(&info->zone, info->id, &index) != ZN_OK)
		return 0;
	MDB_val key = {index.len, index.bytes}, value = {sizeof bytes, bytes}, id_key = {sizeof id, id};
	zn_local_write_stat(bytes, &unknown);
	zn_put_u32(id, info->id);
	int rc = mdb_put(txn, local->zones, &key, &value, flags);
	if (rc && rc != MDB_KEYEXIST)
		return rc;
	key = (MDB_val){index.len, index.bytes};
	return mdb_put(txn, local->ids, &id_key, &key, 0);
}

/* Every row of a name goes, with whatever id. */
static int remove_name(struct zn_local *local, MDB_txn *txn, const struct zn_zone_id *zone)
{
	struct zn_index_key first;
	MDB_cursor *cursor;

	if (zn_index_key_make(zone, 0, &first) != ZN_OK)
		return 0;
	size_t prefix = first.len - 4u;
	int rc = mdb_cursor_open(txn, local->zones, &cursor);
	if (rc)
		return rc;
	for (;;) {
		MDB_val key = {first.len, first.bytes}, value;
		uint8_t id[4];
		MDB_val id_key = {sizeof id, id};
		rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
		if (rc || key.mv_size != first.len || memcmp(key.mv_data, first.bytes, prefix) != 0)
			break;
		memcpy(id, (uint8_t *)key.mv_data + prefix, sizeof id);
		rc = mdb_cursor_del(cursor, 0);
		if (!rc)
			rc = mdb_del(txn, local->ids, &id_key, NULL);
		if (rc && rc != MDB_NOTFOUND)
			break;
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* The name again as it is now: out, and the id that serves it in. */
static int relist_name(struct zn_local *local, MDB_txn *txn, struct zn_txn *main, struct zn_txn *records, const struct zn_zone_id *zone)
{
	struct zn_zone_info info;
	int rc = remove_name(local, txn, zone);

	if (rc || zn_zones_find(main, zone, &info, NULL) != ZN_OK || !has_soa(records, info.id))
		return rc;
	return put_zone(local, txn, &info, 0);
}

int zn_local_relist(struct zn_local *local, MDB_txn *txn, struct zn_txn *main, struct zn_txn *records, uint32_t id)
{
	struct zn_zone_info info;
	struct zn_zone_id before;
	uint8_t bytes[4];
	uint32_t old_id;
	MDB_val key = {sizeof bytes, bytes}, value;
	int rc = 0;

	zn_put_u32(bytes, id);
	if (mdb_get(txn, local->ids, &key, &value) == 0 && zn_index_key_zone(zn_view(value.mv_data, value.mv_size), &before, &old_id))
		rc = relist_name(local, txn, main, records, &before);
	if (!rc && zn_zones_get(main, id, &info, NULL) == ZN_OK)
		rc = relist_name(local, txn, main, records, &info.zone);
	return rc;
}

/* ---- making it ---- */

static int begin_again(struct zn_local *local, MDB_txn *txn)
{
	MDB_val key = {8, (void *)(uintptr_t)"complete"};
	int rc = mdb_drop(txn, local->zones, 0);

	if (!rc)
		rc = mdb_drop(txn, local->ids, 0);
	if (!rc)
		rc = mdb_del(txn, local->state, &key, NULL);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int build_slice(struct zn_local *local, MDB_txn *txn, struct zn_index_key *at, bool *ret_end)
{
	ZN_AUTO(zn_txn_end) struct zn_txn main = {0};
	ZN_AUTO(zn_txn_end) struct zn_txn records = {0};

	*ret_end = false;
	if (zn_txn_begin(&main, local->env, ZN_MAIN, ZN_TXN_READ, NULL) != ZN_OK ||
		zn_txn_begin(&records, local->env, ZN_RECORDS, ZN_TXN_READ, NULL) != ZN_OK)
		return MDB_BAD_TXN;
	for (size_t i = 0; i < SLICE_ZONES; i++) {
		struct zn_zone_info info;
		enum zn_code code = zn_zones_next(&main, at, &info, NULL);
		if (code == ZN_ENOTFOUND) {
			MDB_val key = {8, (void *)(uintptr_t)"complete"}, value = {1, (void *)(uintptr_t)"1"};
			*ret_end = true;
			return mdb_put(txn, local->state, &key, &value, 0);
		}
		if (code)
			return MDB_BAD_TXN;
		int rc = has_soa(&records, info.id) ? put_zone(local, txn, &info, MDB_NOOVERWRITE) : 0;
		if (rc)
			return rc;
	}
	return 0;
}

bool zn_local_build(struct zn_local *local)
{
	MDB_txn *txn;
	bool end = false;

	pthread_mutex_lock(&local->lock);
	bool again = local->rebuild;
	bool complete = local->complete && !again;
	if (again) {
		/* What is told from here on is kept in the table and looked at after the slices it concerns. */
		local->rebuild = false;
		local->built.len = 0;
	}
	struct zn_index_key at = local->built;
	pthread_mutex_unlock(&local->lock);
	if (complete)
		return false;
	int rc = mdb_txn_begin(local->mdb, NULL, 0, &txn);
	if (!rc && again)
		rc = begin_again(local, txn);
	if (!rc)
		rc = build_slice(local, txn, &at, &end);
	if (!rc)
		rc = mdb_txn_commit(txn);
	else if (txn)
		mdb_txn_abort(txn);
	pthread_mutex_lock(&local->lock);
	if (rc) { /* the listing goes on without; a later change tries again */
		local->rebuild = local->rebuild || again;
	} else if (!local->rebuild) {
		local->built = at;
		local->complete = end;
	}
	pthread_mutex_unlock(&local->lock);
	return !rc && !end;
}

/* ---- walking it ---- */

struct zn_zone_list {
	struct zn_local *local;
	MDB_txn *txn;		/* NULL: the list is not complete, main and records are asked */
	MDB_cursor *cursor;
	bool placed;		/* the cursor stands on the key last given */
	struct zn_txn main, records;
};

enum zn_code zn_zone_list_begin(struct zn_local *local, struct zn_zone_list **ret_list, struct zn_err *err)
{
	ZN_AUTO_PTR(zn_zone_list_end) struct zn_zone_list *listing = calloc(1, sizeof *listing);
	enum zn_code code = ZN_OK;

	if (!listing)
		return zn_fail(err, ZN_ENOMEM, "list zones: out of memory");
	listing->local = local;
	if (local->watch && zn_local_complete(local)) {
		pthread_mutex_lock(&local->writing);
		zn_local_flush(local);
		pthread_mutex_unlock(&local->writing);
	}
	if (local->watch && zn_local_complete(local)) {
		if (mdb_txn_begin(local->mdb, NULL, MDB_RDONLY, &listing->txn) != 0 ||
			mdb_cursor_open(listing->txn, local->zones, &listing->cursor) != 0)
			return zn_fail(err, ZN_ECORRUPT, "%s: cannot be read", local->path);
	} else {
		code = zn_txn_begin(&listing->main, local->env, ZN_MAIN, ZN_TXN_READ, err);
		if (!code)
			code = zn_txn_begin(&listing->records, local->env, ZN_RECORDS, ZN_TXN_READ, err);
	}
	if (!code)
		*ret_list = zn_steal(&listing);
	return code;
}

void zn_zone_list_end(struct zn_zone_list *listing)
{
	if (!listing)
		return;
	if (listing->cursor)
		mdb_cursor_close(listing->cursor);
	if (listing->txn)
		mdb_txn_abort(listing->txn);
	zn_txn_end(&listing->main);
	zn_txn_end(&listing->records);
	free(listing);
}

static enum zn_code next_in_file(struct zn_zone_list *listing, struct zn_index_key *after, struct zn_listed *ret_listed)
{
	MDB_val key = {after->len, after->bytes}, value;
	int rc;

	if (listing->placed || !after->len) {
		rc = mdb_cursor_get(listing->cursor, &key, &value, listing->placed ? MDB_NEXT : MDB_FIRST);
	} else {
		rc = mdb_cursor_get(listing->cursor, &key, &value, MDB_SET_RANGE);
		if (!rc && key.mv_size == after->len && memcmp(key.mv_data, after->bytes, after->len) == 0)
			rc = mdb_cursor_get(listing->cursor, &key, &value, MDB_NEXT);
	}
	if (rc || key.mv_size > sizeof after->bytes)
		return ZN_ENOTFOUND;
	listing->placed = true;
	after->len = (uint16_t)key.mv_size;
	memcpy(after->bytes, key.mv_data, key.mv_size);
	if (!zn_index_key_zone(zn_view(key.mv_data, key.mv_size), &ret_listed->zone.zone, &ret_listed->zone.id))
		return ZN_ECORRUPT;
	zn_local_read_stat(value, &ret_listed->stat);
	return ZN_OK;
}

static enum zn_code next_in_main(struct zn_zone_list *listing, struct zn_index_key *after, struct zn_listed *ret_listed, struct zn_err *err)
{
	for (;;) {
		enum zn_code code = zn_zones_next(&listing->main, after, &ret_listed->zone, err);
		if (code)
			return code;
		if (!has_soa(&listing->records, ret_listed->zone.id))
			continue;
		if (zn_local_stat_get(listing->local, &ret_listed->zone, &ret_listed->stat) != ZN_OK)
			ret_listed->stat = (struct zn_zone_stat){0};
		return ZN_OK;
	}
}

enum zn_code zn_zone_list_next(struct zn_zone_list *listing, struct zn_index_key *after, struct zn_listed *ret_listed, struct zn_err *err)
{
	if (listing->txn)
		return next_in_file(listing, after, ret_listed);
	return next_in_main(listing, after, ret_listed, err);
}
