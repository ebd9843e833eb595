#include "store/mdb.h"

#include <assert.h>
#include <errno.h>

static struct zn_file *file_of(const struct zn_txn *txn)
{
	return &txn->env->files[txn->which];
}

void zn_file_enter(struct zn_file *file)
{
	pthread_mutex_lock(&file->gate);
	file->inside++;
	pthread_mutex_unlock(&file->gate);
}

void zn_file_leave(struct zn_file *file)
{
	pthread_mutex_lock(&file->gate);
	if (--file->inside == 0)
		pthread_cond_broadcast(&file->empty);
	pthread_mutex_unlock(&file->gate);
}

/* Take the size that others gave the file, once all read transactions are out; they are short, and none can begin that would see
 * the grown file. The wait ends some day because a thread that reads twice at once waits for itself here. */
static enum zn_code adopt_reading(struct zn_file *file, struct zn_err *err)
{
	struct timespec until;
	int rc = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += 20;
	pthread_mutex_lock(&file->gate);
	while (file->inside > 0 && rc != ETIMEDOUT)
		rc = pthread_cond_timedwait(&file->empty, &file->gate, &until);
	bool quiet = file->inside == 0;
	rc = quiet ? mdb_env_set_mapsize(file->reading, 0) : 0;
	pthread_mutex_unlock(&file->gate);
	if (!quiet)
		return zn_fail(err, ZN_EBUSY, "%s: another process has grown the file, and a reader of this one does not end", file->path);
	return rc ? zn_mdb_fail(err, rc, file, "adopt the new map size") : ZN_OK;
}

enum zn_code zn_file_begin_reading(struct zn_file *file, MDB_txn **ret_mdb, struct zn_err *err)
{
	bool swept = false;

	for (unsigned attempt = 0;; attempt++) {
		int dead = 0;
		zn_file_enter(file);
		int rc = mdb_txn_begin(file->reading, NULL, MDB_RDONLY, ret_mdb);
		if (!rc)
			return ZN_OK;
		zn_file_leave(file);
		if (rc == MDB_MAP_RESIZED && attempt < 100) {
			enum zn_code code = adopt_reading(file, err);
			if (code)
				return code;
		} else if (rc == MDB_READERS_FULL && !swept) {
			swept = true; /* slots of processes that died */
			mdb_reader_check(file->reading, &dead);
		} else {
			return zn_mdb_fail(err, rc, file, "begin to read");
		}
	}
}

static enum zn_code begin_reading(struct zn_txn *txn, struct zn_file *file, struct zn_err *err)
{
	for (;;) {
		txn->generation = atomic_load(&file->generation);
		enum zn_code code = zn_file_begin_reading(file, &txn->mdb, err);
		if (code)
			return code;
		uint64_t txnid = mdb_txn_id(txn->mdb);
		/* Another thread may have opened tables since: they are there, but not for a transaction that began before. */
		if (!zn_dbi_incomplete(file, txnid) && atomic_load(&file->generation) == txn->generation)
			return ZN_OK;
		mdb_txn_abort(txn->mdb);
		zn_file_leave(file);
		code = zn_dbi_probe_reading(file, txnid, err);
		if (code)
			return code;
	}
}

/* A running 5.x server may upgrade the schema under us; a newer one might write what we do not know. */
static enum zn_code check_schema(struct zn_txn *txn, struct zn_err *err)
{
	struct zn_view payload;
	uint32_t schema = 0;

	if (txn->which != ZN_MAIN)
		return ZN_OK;
	enum zn_code code = zn_txn_get_live(txn, ZN_DBI_PDNS, ZN_VIEW("schemaversion"), NULL, &payload, err);
	if (code == ZN_ENOTFOUND)
		return ZN_OK; /* being made */
	if (!code && payload.len == 4)
		for (size_t i = 0; i < 4; i++)
			schema = schema << 8 | payload.data[i];
	if (code || (schema != 5 && schema != 6))
		return zn_fail(err, ZN_EFORMAT, "%s: the schema version has become %u; this zonefs writes 5 and 6 only", file_of(txn)->path,
			schema);
	atomic_store(&txn->env->schema, schema);
	return ZN_OK;
}

static enum zn_code begin_writing(struct zn_txn *txn, struct zn_file *file, struct zn_err *err)
{
	if (!file->writing)
		return zn_fail(err, ZN_EROFS, "%s: opened read-only", file->path);
	pthread_mutex_lock(&file->writer);
	for (unsigned attempt = 0;; attempt++) {
		bool found = false;
		int rc = mdb_txn_begin(file->writing, NULL, 0, &txn->mdb);
		enum zn_code code = ZN_OK;
		if (rc == MDB_MAP_RESIZED && attempt < 100) {
			rc = mdb_env_set_mapsize(file->writing, 0);
			if (!rc)
				continue;
		}
		if (rc) {
			pthread_mutex_unlock(&file->writer);
			return zn_mdb_fail(err, rc, file, "begin to write");
		}
		txn->now = zn_clock_now();
		code = zn_dbi_probe_writing(file, txn->mdb, &found, err);
		if (!code && !found)
			code = check_schema(txn, err);
		if (!code && !found)
			return ZN_OK;
		/* Handles opened here outlive this transaction only if it commits; it has changed nothing. */
		rc = code ? 0 : mdb_txn_commit(txn->mdb);
		if (code)
			mdb_txn_abort(txn->mdb);
		if (!code && rc)
			code = zn_mdb_fail(err, rc, file, "open tables");
		if (code) {
			zn_dbi_aborted(file, 1);
			pthread_mutex_unlock(&file->writer);
			return code;
		}
		zn_dbi_committed(file, 1);
	}
}

enum zn_code zn_txn_begin(struct zn_txn *txn, struct zn_env *env, enum zn_which which, enum zn_txn_mode mode,
	struct zn_err *err)
{
	*txn = (struct zn_txn){.env = env, .which = which, .mode = mode, .depth = 1};
	enum zn_code code = mode == ZN_TXN_WRITE ? begin_writing(txn, &env->files[which], err) : begin_reading(txn, &env->files[which], err);
	if (code)
		txn->mdb = NULL;
	return code;
}

enum zn_code zn_txn_begin_child(struct zn_txn *child, struct zn_txn *parent, struct zn_err *err)
{
	struct zn_file *file = file_of(parent);

	assert(parent->mode == ZN_TXN_WRITE && parent->mdb);
	*child = *parent;
	child->parent = parent;
	child->depth = parent->depth + 1;
	int rc = mdb_txn_begin(file->writing, parent->mdb, 0, &child->mdb);
	if (rc) {
		child->mdb = NULL;
		return zn_mdb_fail(err, rc, file, "begin a part of a transaction");
	}
	return ZN_OK;
}

static void ended(struct zn_txn *txn)
{
	struct zn_file *file = file_of(txn);

	txn->mdb = NULL;
	if (txn->mode == ZN_TXN_READ)
		zn_file_leave(file);
	else if (txn->depth == 1)
		pthread_mutex_unlock(&file->writer);
}

/* The commit of a whole transaction. Others see it before it is on the disk and before we return: who watches has to know it for ours by then. */
static int commit_writing(struct zn_file *file, MDB_txn *mdb)
{
	uint64_t txnid = mdb_txn_id(mdb);
	MDB_envinfo info;

	atomic_store(&file->own, txnid);
	atomic_store(&file->committing, true);
	int rc = mdb_txn_commit(mdb);
	/* Without changes there was no commit, and the number goes to whoever is next. */
	if (rc || mdb_env_info(file->writing, &info) != 0 || info.me_last_txnid < txnid)
		atomic_store(&file->own, 0);
	atomic_store(&file->committing, false);
	return rc;
}

enum zn_code zn_txn_commit(struct zn_txn *txn, struct zn_err *err)
{
	struct zn_file *file = file_of(txn);

	assert(txn->mdb);
	int rc = txn->mode == ZN_TXN_WRITE && txn->depth == 1 ? commit_writing(file, txn->mdb) : mdb_txn_commit(txn->mdb);
	if (txn->mode == ZN_TXN_WRITE) {
		if (rc)
			zn_dbi_aborted(file, txn->depth);
		else
			zn_dbi_committed(file, txn->depth);
	}
	ended(txn);
	return rc ? zn_mdb_fail(err, rc, file, "commit") : ZN_OK;
}

void zn_txn_end(struct zn_txn *txn)
{
	if (!txn->mdb)
		return;
	mdb_txn_abort(txn->mdb);
	if (txn->mode == ZN_TXN_WRITE)
		zn_dbi_aborted(file_of(txn), txn->depth);
	ended(txn);
}

uint64_t zn_txn_id(const struct zn_txn *txn)
{
	return mdb_txn_id(txn->mdb);
}

static unsigned index_in(const struct zn_txn *txn, enum zn_dbi dbi)
{
	assert(zn_dbi_which(dbi) == txn->which);
	return zn_dbi_index(dbi);
}

enum zn_code zn_txn_get_any(struct zn_txn *txn, unsigned handle, struct zn_view key, struct zn_view *ret_value, struct zn_err *err)
{
	MDB_val k = zn_mdb_val(key), v;
	MDB_dbi dbi;

	if (key.len == 0 || key.len > ZN_LMDB_KEY_MAX)
		return ZN_ENOTFOUND;
	enum zn_code code = zn_dbi_handle(txn, handle, false, &dbi, err);
	if (code || !dbi)
		return code ? code : ZN_ENOTFOUND;
	int rc = mdb_get(txn->mdb, dbi, &k, &v);
	if (rc == MDB_NOTFOUND)
		return ZN_ENOTFOUND;
	if (rc)
		return zn_mdb_fail(err, rc, file_of(txn), file_of(txn)->tables[handle].name);
	*ret_value = zn_mdb_view(v);
	return ZN_OK;
}

enum zn_code zn_txn_get(struct zn_txn *txn, enum zn_dbi dbi, struct zn_view key, struct zn_view *ret_value, struct zn_err *err)
{
	return zn_txn_get_any(txn, index_in(txn, dbi), key, ret_value, err);
}

static enum zn_code damaged(const struct zn_txn *txn, unsigned handle, struct zn_view key, struct zn_err *err)
{
	ZN_AUTO(zn_buf_release) struct zn_buf hex = ZN_BUF_INIT(64);

	zn_buf_add_hex(&hex, zn_view_sub(key, 0, 32));
	return zn_fail(err, ZN_ECORRUPT, "%s: %s: the value at key %s has no valid header", file_of(txn)->path,
		file_of(txn)->tables[handle].name, zn_buf_str(&hex));
}

enum zn_code zn_txn_get_live(struct zn_txn *txn, enum zn_dbi dbi, struct zn_view key, struct zn_header *ret_header,
	struct zn_view *ret_payload, struct zn_err *err)
{
	struct zn_header header;
	struct zn_view value, payload;

	enum zn_code code = zn_txn_get(txn, dbi, key, &value, err);
	if (code)
		return code;
	if (zn_header_read(value, &header, &payload))
		return damaged(txn, zn_dbi_index(dbi), key, err);
	if (ret_header)
		*ret_header = header;
	if (zn_header_deleted(&header))
		return ZN_ENOTFOUND;
	*ret_payload = payload;
	return ZN_OK;
}

enum zn_code zn_txn_put_any(struct zn_txn *txn, unsigned handle, struct zn_view key, struct zn_stamp stamp, uint8_t flags,
	struct zn_view payload, struct zn_err *err)
{
	struct zn_file *file = file_of(txn);
	struct zn_header header = {.stamp = stamp, .txnid = zn_txn_id(txn), .flags = flags};
	MDB_val k = zn_mdb_val(key), v = {ZN_HEADER_SIZE + payload.len, NULL};
	MDB_dbi dbi;

	assert(txn->mode == ZN_TXN_WRITE);
	if (key.len == 0 || key.len > ZN_LMDB_KEY_MAX)
		return zn_fail(err, ZN_EINVAL, "%s: %s: a key of %zu bytes", file->path, file->tables[handle].name, key.len);
	enum zn_code code = zn_dbi_handle(txn, handle, true, &dbi, err);
	if (code)
		return code;
	/* The payload may lie in the map and move while LMDB makes room: it is never the old value of the same key (zn_txn_put
	 * compares first), but pages may be split. A copy of what is small enough to be in a leaf is cheap; larger values lie in
	 * overflow pages, which stay until the transaction ends. */
	uint8_t small[2048];
	if (payload.len && payload.len <= sizeof small)
		payload = zn_view(memcpy(small, payload.data, payload.len), payload.len);
	int rc = mdb_put(txn->mdb, dbi, &k, &v, MDB_RESERVE);
	if (rc)
		return zn_mdb_fail(err, rc, file, file->tables[handle].name);
	zn_header_write(v.mv_data, &header);
	if (payload.len)
		memcpy((uint8_t *)v.mv_data + ZN_HEADER_SIZE, payload.data, payload.len);
	return ZN_OK;
}

enum zn_code zn_txn_put_raw(struct zn_txn *txn, enum zn_dbi dbi, struct zn_view key, struct zn_stamp stamp, uint8_t flags,
	struct zn_view payload, struct zn_err *err)
{
	return zn_txn_put_any(txn, index_in(txn, dbi), key, stamp, flags, payload, err);
}

struct zn_stamp zn_txn_stamp(const struct zn_txn *txn, const struct zn_header *old, enum zn_author author, bool bury, struct zn_stamp after)
{
	if (author == ZN_USER) {
		uint64_t least = old ? old->stamp.ns + 1024 : 0;
		return (struct zn_stamp){txn->now.ns > least ? txn->now.ns : least};
	}
	return (struct zn_stamp){(old ? old->stamp.ns : after.ns) + (old && bury ? 2 : 1)};
}

static enum zn_code write_row(struct zn_txn *txn, enum zn_dbi dbi, struct zn_view key, bool bury, struct zn_view payload,
	enum zn_author author, struct zn_stamp after, bool *ret_written, struct zn_err *err)
{
	struct zn_header old;
	struct zn_view value, was;
	bool ignored;

	ret_written = ret_written ? ret_written : &ignored;
	*ret_written = false;
	enum zn_code code = zn_txn_get(txn, dbi, key, &value, err);
	if (code && code != ZN_ENOTFOUND)
		return code;
	bool there = !code;
	if (there && zn_header_read(value, &old, &was))
		return damaged(txn, zn_dbi_index(dbi), key, err);
	bool live = there && !zn_header_deleted(&old);
	if (bury ? !live : live && zn_view_equal(was, payload))
		return ZN_OK;
	struct zn_stamp stamp = zn_txn_stamp(txn, there ? &old : NULL, author, bury, after);
	code = zn_txn_put_raw(txn, dbi, key, stamp, bury ? ZN_HEADER_DELETED : 0, payload, err);
	*ret_written = !code;
	return code;
}

enum zn_code zn_txn_put(struct zn_txn *txn, enum zn_dbi dbi, struct zn_view key, struct zn_view payload, enum zn_author author,
	struct zn_stamp after, bool *ret_written, struct zn_err *err)
{
	return write_row(txn, dbi, key, false, payload, author, after, ret_written, err);
}

enum zn_code zn_txn_bury(struct zn_txn *txn, enum zn_dbi dbi, struct zn_view key, enum zn_author author, struct zn_stamp after,
	bool *ret_written, struct zn_err *err)
{
	return write_row(txn, dbi, key, true, zn_view(NULL, 0), author, after, ret_written, err);
}

enum zn_code zn_txn_erase(struct zn_txn *txn, enum zn_dbi dbi, struct zn_view key, struct zn_err *err)
{
	MDB_val k = zn_mdb_val(key);
	MDB_dbi handle;

	assert(dbi == ZN_DBI_SYNC_MAIN || dbi == ZN_DBI_SYNC_RECORDS);
	enum zn_code code = zn_dbi_handle(txn, index_in(txn, dbi), false, &handle, err);
	if (code || !handle)
		return code;
	int rc = mdb_del(txn->mdb, handle, &k, NULL);
	return rc && rc != MDB_NOTFOUND ? zn_mdb_fail(err, rc, file_of(txn), file_of(txn)->tables[zn_dbi_index(dbi)].name) : ZN_OK;
}

enum zn_code zn_cursor_open_any(struct zn_cursor *cursor, struct zn_txn *txn, unsigned handle, struct zn_err *err)
{
	MDB_dbi dbi;

	*cursor = (struct zn_cursor){0};
	enum zn_code code = zn_dbi_handle(txn, handle, false, &dbi, err);
	if (code || !dbi)
		return code;
	int rc = mdb_cursor_open(txn->mdb, dbi, &cursor->mdb);
	return rc ? zn_mdb_fail(err, rc, file_of(txn), file_of(txn)->tables[handle].name) : ZN_OK;
}

enum zn_code zn_cursor_open(struct zn_cursor *cursor, struct zn_txn *txn, enum zn_dbi dbi, struct zn_err *err)
{
	return zn_cursor_open_any(cursor, txn, index_in(txn, dbi), err);
}

static enum zn_code move(struct zn_cursor *cursor, MDB_val key, MDB_cursor_op op)
{
	MDB_val value;

	if (!cursor->mdb)
		return ZN_ENOTFOUND;
	int rc = mdb_cursor_get(cursor->mdb, &key, &value, op);
	if (rc)
		return rc == MDB_NOTFOUND ? ZN_ENOTFOUND : ZN_ECORRUPT;
	cursor->key = zn_mdb_view(key);
	cursor->value = zn_mdb_view(value);
	return ZN_OK;
}

enum zn_code zn_cursor_seek(struct zn_cursor *cursor, struct zn_view key)
{
	if (key.len > ZN_LMDB_KEY_MAX)
		return ZN_EINVAL;
	return move(cursor, zn_mdb_val(key), key.len ? MDB_SET_RANGE : MDB_FIRST);
}

enum zn_code zn_cursor_next(struct zn_cursor *cursor)
{
	return move(cursor, (MDB_val){0}, MDB_NEXT);
}

void zn_cursor_close(struct zn_cursor *cursor)
{
	if (cursor->mdb)
		mdb_cursor_close(cursor->mdb);
	cursor->mdb = NULL;
}

enum zn_code zn_cursor_open_writing(struct zn_cursor *cursor, struct zn_txn *txn, enum zn_dbi dbi, struct zn_err *err)
{
	MDB_dbi handle;

	assert(txn->mode == ZN_TXN_WRITE);
	*cursor = (struct zn_cursor){0};
	enum zn_code code = zn_dbi_handle(txn, index_in(txn, dbi), true, &handle, err);
	if (code)
		return code;
	int rc = mdb_cursor_open(txn->mdb, handle, &cursor->mdb);
	return rc ? zn_mdb_fail(err, rc, file_of(txn), file_of(txn)->tables[zn_dbi_index(dbi)].name) : ZN_OK;
}

enum zn_code zn_cursor_put(struct zn_cursor *cursor, struct zn_txn *txn, struct zn_view key, struct zn_stamp stamp, uint8_t flags,
	struct zn_view payload, bool append, struct zn_err *err)
{
	struct zn_header header = {.stamp = stamp, .txnid = zn_txn_id(txn), .flags = flags};
	MDB_val k = zn_mdb_val(key), v = {ZN_HEADER_SIZE + payload.len, NULL};

	assert(key.len > 0 && key.len <= ZN_LMDB_KEY_MAX);
	int rc = mdb_cursor_put(cursor->mdb, &k, &v, MDB_RESERVE | (append ? MDB_APPEND : 0u));
	if (rc)
		return zn_mdb_fail(err, rc, file_of(txn), "put");
	zn_header_write(v.mv_data, &header);
	if (payload.len)
		memcpy((uint8_t *)v.mv_data + ZN_HEADER_SIZE, payload.data, payload.len);
	return ZN_OK;
}
