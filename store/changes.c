#include "store/changes.h"

#include <stdlib.h>

#include "store/base/limits.h"
#include "store/base/wire.h"
#include "store/entries.h"
#include "store/zones.h"

#define SLICE_ROWS 200000
#define SKIP_AFTER 64 /* rows of a zone known to have changed, before its end is searched for instead of walked to */

struct walk {
	struct zn_env *env;
	enum zn_which which;
	uint64_t since;
	const uint64_t *skip;
	size_t skip_count;
	struct zn_changes *changes;
	size_t capacity;
	size_t budget; /* rows left in this slice */
};

static bool is_news(const struct walk *walk, uint64_t txnid)
{
	if (txnid <= walk->since)
		return false;
	for (size_t i = 0; i < walk->skip_count; i++)
		if (walk->skip[i] == txnid)
			return false;
	return true;
}

static enum zn_code add(struct walk *walk, uint32_t id)
{
	struct zn_changes *changes = walk->changes;

	if (changes->all || (changes->count && changes->ids[changes->count - 1] == id))
		return ZN_OK;
	if (changes->count == ZN_CHANGES_MAX) {
		changes->all = true;
		return ZN_OK;
	}
	if (changes->count == walk->capacity) {
		size_t capacity = walk->capacity ? 2 * walk->capacity : 64;
		uint32_t *ids = realloc(changes->ids, capacity * sizeof *ids);
		if (!ids)
			return ZN_ENOMEM;
		changes->ids = ids;
		walk->capacity = capacity;
	}
	changes->ids[changes->count++] = id;
	return ZN_OK;
}

/* Metadata and keys name their zone. Variants and names that are no zone (any more) concern nobody's file. */
static enum zn_code add_named(struct walk *walk, struct zn_txn *txn, const char *dbi, struct zn_view payload, struct zn_err *err)
{
	struct zn_zone_id zone = {0};
	struct zn_zone_info info;

	if (!zn_entry_zone(dbi, payload, &zone))
		return ZN_OK;
	enum zn_code code = zn_zones_find(txn, &zone, &info, err);
	if (code == ZN_ENOTFOUND)
		return ZN_OK;
	return code ? code : add(walk, info.id);
}

static enum zn_code look_at(struct walk *walk, struct zn_txn *txn, const char *dbi, const struct zn_cursor *cursor, uint32_t *ret_zone,
	struct zn_err *err)
{
	struct zn_header header;
	struct zn_view payload;
	struct zn_entry_role role;

	*ret_zone = 0;
	/* A damaged value has no txnid to go by; reading its zone will tell. */
	if (zn_header_read(cursor->value, &header, &payload) || !is_news(walk, header.txnid))
		return ZN_OK;
	zn_entry_role(dbi, cursor->key, payload, &role);
	*ret_zone = role.zone_id;
	return role.zone_id ? add(walk, role.zone_id) : add_named(walk, txn, dbi, payload, err);
}

/* One slice of a DBI from `from` on; `from` is moved to where the next one begins, its len 0 at the end. */
static enum zn_code walk_slice(struct walk *walk, struct zn_txn *txn, const struct zn_dbi_info *dbi, struct zn_buf *from, struct zn_err *err)
{
	ZN_AUTO(zn_cursor_close) struct zn_cursor cursor;
	uint32_t zone, last = 0;
	unsigned repeated = 0;
	enum zn_code code = zn_cursor_open_any(&cursor, txn, dbi->handle, err);

	if (code)
		return code;
	code = zn_cursor_seek(&cursor, zn_buf_view(from));
	while (!code && walk->budget && !walk->changes->all) {
		walk->budget--;
		code = look_at(walk, txn, dbi->name, &cursor, &zone, err);
		if (code)
			return code;
		repeated = zone && zone == last ? repeated + 1 : 0;
		last = zone;
		if (repeated > SKIP_AFTER && walk->which == ZN_RECORDS && zone < UINT32_MAX) {
			uint8_t next[4];
			zn_put_u32(next, zone + 1);
			code = zn_cursor_seek(&cursor, zn_view(next, sizeof next));
			repeated = 0;
		} else {
			code = zn_cursor_next(&cursor);
		}
	}
	zn_buf_clear(from);
	if (code == ZN_ENOTFOUND || walk->changes->all)
		return ZN_OK;
	if (code)
		return zn_fail(err, code, "%s: cannot be walked", dbi->name);
	zn_buf_add(from, cursor.key);
	return zn_buf_check(from, dbi->name, err);
}

static enum zn_code walk_dbi(struct walk *walk, struct zn_txn *txn, const struct zn_dbi_info *dbi, struct zn_err *err)
{
	ZN_AUTO(zn_buf_release) struct zn_buf from = ZN_BUF_INIT(ZN_LMDB_KEY_MAX);

	for (;;) {
		enum zn_code code = walk_slice(walk, txn, dbi, &from, err);
		if (code || !from.len || walk->changes->all)
			return code;
		if (!walk->budget) { /* let go of the snapshot */
			struct zn_env *env = txn->env;
			zn_txn_end(txn);
			code = zn_txn_begin(txn, env, walk->which, ZN_TXN_READ, err);
			if (code)
				return code;
			walk->budget = SLICE_ROWS;
		}
	}
}

static int compare_ids(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void sort_and_unify(struct zn_changes *changes)
{
	size_t kept = 0;

	if (changes->all)
		changes->count = 0;
	if (!changes->count)
		return;
	qsort(changes->ids, changes->count, sizeof *changes->ids, compare_ids);
	for (size_t i = 0; i < changes->count; i++)
		if (!kept || changes->ids[kept - 1] != changes->ids[i])
			changes->ids[kept++] = changes->ids[i];
	changes->count = kept;
}

enum zn_code zn_changes_since(struct zn_env *env, enum zn_which which, uint64_t since, const uint64_t *skip, size_t skip_count,
	struct zn_changes *ret_changes, struct zn_err *err)
{
	ZN_AUTO(zn_txn_end) struct zn_txn txn = {0};
	ZN_AUTO_FREE struct zn_dbi_info *dbis = NULL;
	ZN_AUTO(zn_changes_release) struct zn_changes changes = {0};
	struct walk walk = {env, which, since, skip, skip_count, &changes, 0, SLICE_ROWS};
	size_t count = 0;

	enum zn_code code = zn_txn_begin(&txn, env, which, ZN_TXN_READ, err);
	if (!code)
		code = zn_txn_dbis(&txn, &dbis, &count, err);
	if (code)
		return code;
	changes.txnid = zn_txn_id(&txn);
	if (changes.txnid < since)
		changes.all = true;
	for (size_t i = 0; i < count && !changes.all && changes.txnid > since; i++) {
		code = walk_dbi(&walk, &txn, &dbis[i], err);
		if (code)
			return code;
	}
	sort_and_unify(&changes);
	*ret_changes = changes;
	changes = (struct zn_changes){0};
	return ZN_OK;
}

void zn_changes_release(struct zn_changes *changes)
{
	free(changes->ids);
	*changes = (struct zn_changes){0};
}
