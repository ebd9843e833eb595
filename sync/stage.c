#include "sync/stage.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "store/base/auto.h"
#include "store/base/wire.h"
#include "sync/merge.h"

#define BLOCK_BYTES ((size_t)1 << 20)
#define BLOCK_MAX (BLOCK_BYTES + ZN_SNAPSHOT_VALUE_MAX + 1024)

/* A row in block and file: u32 dbi | u8 deleted | u16 key length | u32 value length | u64 stamp | key | value */
static void write_row(struct zn_buf *out, uint32_t dbi, const struct zn_snapshot_entry *entry)
{
	zn_write_u32(out, dbi);
	zn_write_u8(out, entry->deleted);
	zn_write_u16(out, (uint16_t)entry->key.len);
	zn_write_u32(out, (uint32_t)entry->value.len);
	zn_write_u64(out, entry->stamp.ns);
	zn_buf_add(out, entry->key);
	zn_buf_add(out, entry->value);
}

static void read_row(struct zn_reader *r, uint32_t *dbi, struct zn_entry *entry)
{
	*dbi = zn_read_u32(r);
	entry->deleted = zn_read_u8(r);
	size_t key_len = zn_read_u16(r);
	size_t value_len = zn_read_u32(r);
	entry->stamp.ns = zn_read_u64(r);
	entry->key = zn_read_view(r, key_len);
	entry->payload = zn_read_view(r, value_len);
}

enum zn_code zn_stage_init(struct zn_stage *stage, struct zn_sync *sync, enum zn_which which,
		const struct zn_snapshot_info *info, struct zn_err *err)
{
	*stage = (struct zn_stage){
			.sync = sync,
			.which = which,
			.info = info,
			.latest = {zn_clock_now().ns + ZN_SYNC_DAY_NS},
			.block = ZN_BUF_INIT(BLOCK_MAX),
			.fd = -1,
	};
	return zn_sync_temporary(sync, &stage->fd, err);
}

static void unmap(struct zn_stage *stage)
{
	if (stage->map)
		munmap((void *)stage->map, stage->size);
	stage->map = NULL;
}

void zn_stage_release(struct zn_stage *stage)
{
	unmap(stage);
	if (stage->sync && stage->fd >= 0)
		close(stage->fd);
	zn_buf_release(&stage->block);
	free(stage->rows);
	*stage = (struct zn_stage){.fd = -1};
}

/* Which rows belong together. In main an object has its id as key and its index row ends in that id;
 * rows of the zone list come behind all others, as a zone is complete before it is listed. */
static struct zn_staged group_of(enum zn_which which, const char *dbi, const struct zn_entry *entry,
		const struct zn_entry_role *role)
{
	struct zn_staged row = {.group = role->zone_id, .deleted = entry->deleted};
	size_t name_len = strlen(dbi);
	bool index = name_len > 2 && strcmp(dbi + name_len - 2, "_0") == 0;

	if (which == ZN_RECORDS)
		return row;
	row.later = strncmp(dbi, "domains", 7) == 0;
	if (!row.group && entry->key.len >= 4 && (index || entry->key.len == 4))
		row.group = zn_get_u32(entry->key.data + entry->key.len - 4);
	return row;
}

static enum zn_code keep(struct zn_stage *stage, struct zn_staged row, struct zn_view bytes, struct zn_err *err)
{
	if (stage->count == stage->room) {
		size_t room = stage->room ? 2 * stage->room : 256;
		struct zn_staged *rows = realloc(stage->rows, room * sizeof *rows);

		if (!rows)
			return zn_fail(err, ZN_ENOMEM, "merge: %s", zn_code_text(ZN_ENOMEM));
		stage->rows = rows;
		stage->room = room;
	}
	row.offset = stage->size;
	for (size_t done = 0; done < bytes.len;) {
		ssize_t part = pwrite(stage->fd, bytes.data + done, bytes.len - done, (off_t)(stage->size + done));

		if (part < 0 && errno == EINTR)
			continue;
		if (part < 0)
			return zn_fail_errno(err, errno, "write to %s", stage->sync->spool);
		done += (size_t)part;
	}
	stage->size += bytes.len;
	stage->rows[stage->count++] = row;
	return ZN_OK;
}

/* Whether the entry would win here. An entry of ours that does not decode is left alone. */
static enum zn_code would_win(struct zn_txn *txn, const struct zn_dbi_info *dbi, const struct zn_entry *entry,
		bool *ret_wins, struct zn_err *err)
{
	struct zn_merge_entry incoming = {entry->stamp, entry->deleted, entry->payload};
	struct zn_merge_entry local;
	struct zn_header header;
	struct zn_view value;
	enum zn_code code = dbi ? zn_txn_get_any(txn, dbi->handle, entry->key, &value, err) : ZN_ENOTFOUND;

	*ret_wins = false;
	if (code == ZN_ENOTFOUND || (!code && value.len == 0)) {
		*ret_wins = zn_merge_takes(NULL, &incoming, (struct zn_stamp){0});
		return ZN_OK;
	}
	if (code || zn_header_read(value, &header, &value) != ZN_OK)
		return code;
	local = (struct zn_merge_entry){header.stamp, zn_header_deleted(&header), value};
	*ret_wins = zn_merge_takes(&local, &incoming, (struct zn_stamp){0});
	return ZN_OK;
}

/* One row of the block against the database. */
static enum zn_code compare_row(struct zn_stage *stage, struct zn_txn *txn, const struct zn_dbi_info *dbi,
		const char *name, const struct zn_entry *entry, struct zn_view bytes, struct zn_err *err)
{
	struct zn_entry_role role = {0};
	bool wins;

	zn_entry_role(name, entry->key, entry->payload, &role);
	if (role.local)
		return ZN_OK;
	if (entry->stamp.ns > stage->latest.ns) {
		if (!stage->aside++ || entry->stamp.ns < stage->aside_first.ns)
			stage->aside_first = entry->stamp;
		return ZN_OK;
	}
	enum zn_code code = would_win(txn, dbi, entry, &wins, err);
	if (code || !wins)
		return code;
	return keep(stage, group_of(stage->which, name, entry, &role), bytes, err);
}

static enum zn_code compare_block(struct zn_stage *stage, struct zn_err *err)
{
	ZN_AUTO(zn_txn_end) struct zn_txn txn = {0};
	struct zn_reader r = zn_reader_init(zn_buf_view(&stage->block));
	struct zn_dbi_info dbi;
	uint32_t open = UINT32_MAX;	/* the DBI that `dbi` describes */
	enum zn_code dbi_code = ZN_OK;

	if (stage->block.len == 0)
		return ZN_OK;
	enum zn_code code = zn_txn_begin(&txn, stage->sync->env, stage->which, ZN_TXN_READ, err);
	while (!code && zn_reader_left(&r)) {
		struct zn_entry entry;
		uint32_t number;
		size_t from = r.at;

		read_row(&r, &number, &entry);
		const char *name = stage->info->dbis[number].name;
		if (number != open) {
			struct zn_err why = {0};

			dbi_code = zn_txn_dbi(&txn, name, &dbi, &why);
			open = number;
			if (dbi_code == ZN_EFORMAT || dbi_code == ZN_ETOOBIG)
				snprintf(stage->skipped, sizeof stage->skipped, "%.190s", why.text);
			else if (dbi_code && dbi_code != ZN_ENOTFOUND)
				code = zn_fail(err, dbi_code, "%s", why.text);
		}
		if (!code && (!dbi_code || dbi_code == ZN_ENOTFOUND))
			code = compare_row(stage, &txn, dbi_code ? NULL : &dbi, name, &entry,
					zn_view_sub(r.in, from, r.at - from), err);
	}
	zn_buf_clear(&stage->block);
	return code;
}

enum zn_code zn_stage_add(struct zn_stage *stage, const struct zn_snapshot_dbi *dbi,
		const struct zn_snapshot_entry *entry, struct zn_err *err)
{
	if (strncmp(dbi->name, "_sync", 5) == 0)
		return ZN_OK;
	if (stage->block.len >= BLOCK_BYTES) {
		enum zn_code code = compare_block(stage, err);
		if (code)
			return code;
	}
	if (stage->count >= ZN_STAGE_ROWS)
		return ZN_ETOOBIG;
	write_row(&stage->block, (uint32_t)(dbi - stage->info->dbis), entry);
	return zn_buf_check(&stage->block, "merge", err);
}

static int by_group(const void *a, const void *b)
{
	const struct zn_staged *x = a, *y = b;

	if (x->later != y->later)
		return x->later ? 1 : -1;
	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	return (x->offset > y->offset) - (x->offset < y->offset);
}

/* In the records env: groups that only bury come last. */
static void put_burials_last(struct zn_stage *stage)
{
	for (size_t i = 0, end; i < stage->count; i = end) {
		bool only = true;

		end = zn_stage_group_end(stage, i);
		for (size_t k = i; k < end; k++)
			only = only && stage->rows[k].deleted;
		for (size_t k = i; k < end; k++)
			stage->rows[k].later = only;
	}
}

static void sort_rows(struct zn_stage *stage)
{
	if (stage->count)
		qsort(stage->rows, stage->count, sizeof *stage->rows, by_group);
}

enum zn_code zn_stage_seal(struct zn_stage *stage, struct zn_err *err)
{
	enum zn_code code = compare_block(stage, err);

	if (code || stage->count == 0)
		return code;
	sort_rows(stage);
	stage->later = stage->count;
	if (stage->which == ZN_RECORDS) {
		put_burials_last(stage);
		sort_rows(stage);
		while (stage->later > 0 && stage->rows[stage->later - 1].later)
			stage->later--;
	}
	void *map = mmap(NULL, stage->size, PROT_READ, MAP_SHARED, stage->fd, 0);
	if (map == MAP_FAILED)
		return zn_fail_errno(err, errno, "map a file of %s", stage->sync->spool);
	stage->map = map;
	return ZN_OK;
}

enum zn_code zn_stage_empty(struct zn_stage *stage, struct zn_err *err)
{
	unmap(stage);
	stage->count = stage->later = 0;
	stage->size = 0;
	return ftruncate(stage->fd, 0) < 0 ? zn_fail_errno(err, errno, "truncate a file of %s", stage->sync->spool)
					   : ZN_OK;
}

struct zn_stage_row zn_stage_at(const struct zn_stage *stage, size_t index)
{
	struct zn_stage_row row = {.group = stage->rows[index].group};
	uint64_t offset = stage->rows[index].offset;
	struct zn_reader r = zn_reader_init(zn_view(stage->map + offset, stage->size - offset));
	uint32_t dbi;

	read_row(&r, &dbi, &row.entry);
	row.dbi = stage->info->dbis[dbi].name;
	row.flags = stage->info->dbis[dbi].flags;
	return row;
}

size_t zn_stage_group_end(const struct zn_stage *stage, size_t index)
{
	size_t end = index;

	while (end < stage->count && stage->rows[end].group == stage->rows[index].group &&
			stage->rows[end].later == stage->rows[index].later)
		end++;
	return end;
}
