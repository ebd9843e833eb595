/* store/local_stats.c - sizes and times: the table in memory, and how it gets into the file. */
#include <stdlib.h>

#include "store/base/wire.h"
#include "store/local_mdb.h"

void zn_local_write_stat(uint8_t bytes[static ZN_LOCAL_VALUE], const struct zn_zone_stat *stat)
{
	bytes[0] = (uint8_t)((stat->known ? 1 : 0) | (stat->text_fits ? 2 : 0));
	zn_put_u64(bytes + 1, stat->size);
	zn_put_u64(bytes + 9, stat->mtime.ns);
	zn_put_u64(bytes + 17, stat->digest.count);
	zn_put_u64(bytes + 25, stat->digest.sum);
}

bool zn_local_read_stat(MDB_val value, struct zn_zone_stat *ret_stat)
{
	const uint8_t *bytes = value.mv_data;

	*ret_stat = (struct zn_zone_stat){0};
	if (value.mv_size != ZN_LOCAL_VALUE)
		return false;
	*ret_stat = (struct zn_zone_stat){
		.known = bytes[0] & 1,
		.text_fits = bytes[0] & 2,
		.size = zn_get_u64(bytes + 1),
		.mtime = {zn_get_u64(bytes + 9)},
		.digest = {zn_get_u64(bytes + 17), zn_get_u64(bytes + 25)},
	};
	return ret_stat->known;
}

static size_t home(uint32_t id)
{
	return (id * UINT32_C(2654435761)) & (ZN_LOCAL_SLOTS - 1);
}

struct zn_local_slot *zn_local_slot(struct zn_local *local, uint32_t id, bool make)
{
	size_t at = home(id);

	while (local->slots[at].id && local->slots[at].id != id)
		at = (at + 1) & (ZN_LOCAL_SLOTS - 1);
	if (local->slots[at].id)
		return &local->slots[at];
	if (!make || local->used >= ZN_LOCAL_FILL)
		return NULL;
	local->used++;
	local->slots[at] = (struct zn_local_slot){.id = id};
	return &local->slots[at];
}

static enum zn_code read_file(struct zn_local *local, const struct zn_zone_info *zone, struct zn_zone_stat *ret_stat)
{
	struct zn_index_key key;
	MDB_txn *txn;
	MDB_val value;
	bool found;

	if (zn_index_key_make(&zone->zone, zone->id, &key) != ZN_OK || mdb_txn_begin(local->mdb, NULL, MDB_RDONLY, &txn) != 0)
		return ZN_ENOTFOUND;
	MDB_val k = {key.len, key.bytes};
	found = mdb_get(txn, local->zones, &k, &value) == 0 && zn_local_read_stat(value, ret_stat);
	mdb_txn_abort(txn);
	return found ? ZN_OK : ZN_ENOTFOUND;
}

enum zn_code zn_local_stat_get(struct zn_local *local, const struct zn_zone_info *zone, struct zn_zone_stat *ret_stat)
{
	if (!local->watch)
		return ZN_ENOTFOUND;
	pthread_mutex_lock(&local->lock);
	struct zn_local_slot *slot = zn_local_slot(local, zone->id, false);
	bool in_file = !local->rebuild && !slot;
	bool found = slot && slot->has_stat;
	if (found)
		*ret_stat = slot->stat;
	pthread_mutex_unlock(&local->lock);
	if (in_file)
		return read_file(local, zone, ret_stat);
	return found ? ZN_OK : ZN_ENOTFOUND;
}

uint64_t zn_local_told(struct zn_local *local, enum zn_which which)
{
	return local->watch ? zn_watch_seen(local->watch, which) : 0;
}

void zn_local_stat_put(struct zn_local *local, const struct zn_zone_info *zone, const uint64_t txnid[2], const struct zn_zone_stat *stat)
{
	struct zn_index_key key;

	if (!local->watch || !stat->known || zn_index_key_make(&zone->zone, zone->id, &key) != ZN_OK)
		return;
	pthread_mutex_lock(&local->lock);
	struct zn_local_slot *slot = zn_local_slot(local, zone->id, false);
	bool outdated = false;
	for (int which = ZN_MAIN; which <= ZN_RECORDS; which++) {
		uint64_t changed = slot ? slot->changed_at[which] : local->horizon[which];
		outdated = outdated || (txnid[which] && txnid[which] < changed);
	}
	if (!outdated && !slot)
		slot = zn_local_slot(local, zone->id, true);
	if (!outdated && slot) {
		slot->key = key;
		slot->stat = *stat;
		memcpy(slot->stat_at, txnid, sizeof slot->stat_at);
		slot->has_stat = true;
		pthread_cond_signal(&local->work);
	}
	pthread_mutex_unlock(&local->lock);
}

void zn_local_stat_drop_all(struct zn_local *local)
{
	pthread_mutex_lock(&local->lock);
	local->rebuild = true;
	local->complete = false;
	pthread_cond_signal(&local->work);
	pthread_mutex_unlock(&local->lock);
}

/* ---- from the table into the file ---- */

static int write_slot(struct zn_local *local, MDB_txn *txn, struct zn_txn *main, struct zn_txn *records, struct zn_local_slot *slot)
{
	uint8_t bytes[ZN_LOCAL_VALUE], id[4];
	int rc = slot->changed ? zn_local_relist(local, txn, main, records, slot->id) : 0;

	if (rc || !slot->has_stat)
		return rc;
	MDB_val key = {slot->key.len, slot->key.bytes}, value = {sizeof bytes, bytes}, there;
	/* A finding about a zone that is not listed (any more) is nothing. While the list is being made it may come before its zone. */
	if (slot->changed && mdb_get(txn, local->zones, &key, &there) == MDB_NOTFOUND)
		return 0;
	zn_local_write_stat(bytes, &slot->stat);
	rc = mdb_put(txn, local->zones, &key, &value, 0);
	zn_put_u32(id, slot->id);
	MDB_val id_key = {sizeof id, id};
	return rc ? rc : mdb_put(txn, local->ids, &id_key, &key, 0);
}

static int write_seen(struct zn_local *local, MDB_txn *txn, const uint64_t seen[2])
{
	uint8_t bytes[16];
	MDB_val key = {4, (void *)(uintptr_t)"seen"}, value = {sizeof bytes, bytes};

	zn_put_u64(bytes, seen[ZN_MAIN]);
	zn_put_u64(bytes + 8, seen[ZN_RECORDS]);
	return mdb_put(txn, local->state, &key, &value, 0);
}

static int write_slots(struct zn_local *local, struct zn_local_slot *slots, size_t count, const uint64_t seen[2])
{
	ZN_AUTO(zn_txn_end) struct zn_txn main = {0};
	ZN_AUTO(zn_txn_end) struct zn_txn records = {0};
	MDB_txn *txn;

	if (zn_txn_begin(&records, local->env, ZN_RECORDS, ZN_TXN_READ, NULL) != ZN_OK ||
		zn_txn_begin(&main, local->env, ZN_MAIN, ZN_TXN_READ, NULL) != ZN_OK)
		return MDB_BAD_TXN;
	int rc = mdb_txn_begin(local->mdb, NULL, 0, &txn);
	if (rc)
		return rc;
	for (size_t i = 0; i < count && !rc; i++)
		rc = write_slot(local, txn, &main, &records, &slots[i]);
	if (!rc)
		rc = write_seen(local, txn, seen);
	if (rc) {
		mdb_txn_abort(txn);
		return rc;
	}
	return mdb_txn_commit(txn);
}

/* Written slots leave the table unless something came meanwhile. Under the lock. */
static void forget(struct zn_local *local, const struct zn_local_slot *written, size_t count)
{
	struct zn_local_slot *old = local->slots;
	struct zn_local_slot *fresh = calloc(ZN_LOCAL_SLOTS, sizeof *fresh);

	if (!fresh)
		return; /* the next flush writes them again */
	for (size_t i = 0; i < count; i++) {
		struct zn_local_slot *slot = zn_local_slot(local, written[i].id, false);
		if (!slot || memcmp(slot, &written[i], sizeof *slot) != 0)
			continue;
		for (int which = ZN_MAIN; which <= ZN_RECORDS; which++)
			if (slot->changed_at[which] > local->horizon[which])
				local->horizon[which] = slot->changed_at[which];
		slot->changed = slot->has_stat = false; /* marked: it does not move on */
		slot->key.len = UINT16_MAX;
	}
	local->slots = fresh;
	local->used = 0;
	for (size_t i = 0; i < ZN_LOCAL_SLOTS; i++)
		if (old[i].id && old[i].key.len != UINT16_MAX)
			*zn_local_slot(local, old[i].id, true) = old[i];
	free(old);
}

void zn_local_flush(struct zn_local *local)
{
	uint64_t seen[2] = {zn_watch_seen(local->watch, ZN_MAIN), zn_watch_seen(local->watch, ZN_RECORDS)};
	size_t count = 0;

	pthread_mutex_lock(&local->lock);
	ZN_AUTO_FREE struct zn_local_slot *slots = local->rebuild || !local->used ? NULL : malloc(local->used * sizeof *slots);
	for (size_t i = 0; slots && i < ZN_LOCAL_SLOTS; i++)
		if (local->slots[i].id)
			memcpy(&slots[count++], &local->slots[i], sizeof *slots);
	pthread_mutex_unlock(&local->lock);
	if (!count || write_slots(local, slots, count, seen) != 0)
		return;
	pthread_mutex_lock(&local->lock);
	forget(local, slots, count);
	pthread_mutex_unlock(&local->lock);
}
