#include "store/local.h"

#include <errno.h>
#include <stdlib.h>

#include "store/base/limits.h"
#include "store/base/wire.h"
#include "store/local_mdb.h"

#define FILE_MAP ((size_t)1 << 34)	/* address space, not memory */
#define ROOM_KEY_MAX 400
#define FLUSH_AFTER_MS 200	/* what came meanwhile goes into the file together */
#define RETRY_AFTER_MS 1000	/* the list could not be made */

static enum zn_code fail(struct zn_err *err, int rc, const struct zn_local *local, const char *doing)
{
	return rc > 0 ? zn_fail_errno(err, rc, "%s: %s", local->path, doing) :
		zn_fail(err, ZN_ECORRUPT, "%s: %s: %s; it is a cache and can be deleted while nothing is mounted", local->path, doing,
			mdb_strerror(rc));
}

static int open_file(struct zn_local *local)
{
	MDB_txn *txn = NULL;
	int rc = mdb_env_create(&local->mdb);

	if (rc)
		return rc;
	rc = mdb_env_set_maxdbs(local->mdb, 8);
	if (!rc)
		rc = mdb_env_set_mapsize(local->mdb, FILE_MAP);
	/* A cache may lose its last moments, never its order. */
	if (!rc)
		rc = mdb_env_open(local->mdb, local->path, MDB_NOSUBDIR | MDB_NOTLS | MDB_NOMETASYNC, 0600);
	if (!rc)
		rc = mdb_txn_begin(local->mdb, NULL, 0, &txn);
	if (!rc)
		rc = mdb_dbi_open(txn, "state", MDB_CREATE, &local->state);
	if (!rc)
		rc = mdb_dbi_open(txn, "zones", MDB_CREATE, &local->zones);
	if (!rc)
		rc = mdb_dbi_open(txn, "ids", MDB_CREATE, &local->ids);
	if (!rc)
		rc = mdb_dbi_open(txn, "rooms", MDB_CREATE, &local->rooms);
	if (!rc) {
		rc = mdb_txn_commit(txn);
		txn = NULL;
	}
	if (txn)
		mdb_txn_abort(txn);
	return rc;
}

/* Whoever cannot give it away owns the database, or is root. */
static void give_file(struct zn_local *local)
{
	ZN_AUTO_FREE char *lock = NULL;

	(void)!zn_env_give(local->env, local->path, NULL);
	if (asprintf(&lock, "%s-lock", local->path) < 0)
		lock = NULL;
	else
		(void)!zn_env_give(local->env, lock, NULL);
}

enum zn_code zn_local_open(struct zn_env *env, struct zn_local **ret_local, struct zn_err *err)
{
	struct zn_local *local = calloc(1, sizeof *local);

	if (!local)
		return zn_fail(err, ZN_ENOMEM, "private env: out of memory");
	local->env = env;
	pthread_mutex_init(&local->writing, NULL);
	pthread_mutex_init(&local->lock, NULL);
	pthread_cond_init(&local->work, NULL);
	local->slots = calloc(ZN_LOCAL_SLOTS, sizeof *local->slots);
	if (!local->slots || asprintf(&local->path, "%s-zonefs", zn_env_path(env)) < 0) {
		local->path = NULL;
		zn_local_close(local);
		return zn_fail(err, ZN_ENOMEM, "private env: out of memory");
	}
	int rc = open_file(local);
	if (!rc)
		give_file(local);
	if (rc && local->mdb) {
		mdb_env_close(local->mdb);
		local->mdb = NULL;
	}
	if (rc && rc != EACCES && rc != EROFS && rc != EPERM) {
		enum zn_code code = fail(err, rc, local, "open");
		zn_local_close(local);
		return code;
	}
	*ret_local = local;
	return ZN_OK;
}

void zn_local_close(struct zn_local *local)
{
	if (local->running) {
		pthread_mutex_lock(&local->lock);
		local->stop = true;
		pthread_cond_signal(&local->work);
		pthread_mutex_unlock(&local->lock);
		pthread_join(local->thread, NULL);
	}
	if (local->mdb)
		mdb_env_close(local->mdb);
	pthread_mutex_destroy(&local->writing);
	pthread_mutex_destroy(&local->lock);
	pthread_cond_destroy(&local->work);
	free(local->slots);
	free(local->path);
	free(local);
}

/* What changed, on whatever thread found out. */
static void on_change(void *context, const struct zn_change *change)
{
	struct zn_local *local = context;

	pthread_mutex_lock(&local->lock);
	bool all = change->all;
	for (size_t i = 0; i < change->count && !all; i++) {
		struct zn_local_slot *slot = zn_local_slot(local, change->ids[i], true);
		if (!slot) {
			all = true;
			break;
		}
		slot->changed = true;
		for (int which = ZN_MAIN; which <= ZN_RECORDS; which++) {
			if (change->txnid[which] > slot->changed_at[which])
				slot->changed_at[which] = change->txnid[which];
			if (change->txnid[which] > slot->stat_at[which])
				slot->has_stat = false;
		}
	}
	if (all) {
		local->rebuild = true;
		local->complete = false;
		for (size_t i = 0; i < ZN_LOCAL_SLOTS; i++)
			local->slots[i].has_stat = false;
		for (int which = ZN_MAIN; which <= ZN_RECORDS; which++)
			if (change->txnid[which] > local->horizon[which])
				local->horizon[which] = change->txnid[which];
	}
	if (all || change->count)
		pthread_cond_signal(&local->work);
	pthread_mutex_unlock(&local->lock);
}

/* Under the lock: until something is to do, at most for `ms`; 0: without end. */
static void wait_for_work(struct zn_local *local, unsigned ms)
{
	struct timespec until;

	if (!ms) {
		pthread_cond_wait(&local->work, &local->lock);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &until);
	until = zn_stamp_timespec((struct zn_stamp){zn_stamp_from_timespec(until).ns + ms * ZN_NS_PER_MS});
	while (!local->stop && local->used < ZN_LOCAL_FILL / 2 &&
		pthread_cond_timedwait(&local->work, &local->lock, &until) != ETIMEDOUT)
		;
}

static void *run(void *context)
{
	struct zn_local *local = context;
	bool more = true;

	pthread_mutex_lock(&local->lock);
	while (!local->stop) {
		bool incomplete = local->rebuild || !local->complete;
		if (!incomplete && !local->used)
			wait_for_work(local, 0);
		if (local->stop)
			break;
		if (!incomplete)
			wait_for_work(local, FLUSH_AFTER_MS);
		else if (!more)
			wait_for_work(local, RETRY_AFTER_MS);
		pthread_mutex_unlock(&local->lock);
		pthread_mutex_lock(&local->writing);
		zn_local_flush(local);
		more = zn_local_build(local);
		pthread_mutex_unlock(&local->writing);
		pthread_mutex_lock(&local->lock);
	}
	pthread_mutex_unlock(&local->lock);
	/* What is known now spares the next start from finding it out again. */
	pthread_mutex_lock(&local->writing);
	zn_local_flush(local);
	pthread_mutex_unlock(&local->writing);
	return NULL;
}

/* Is what the file holds of this database, and of a state that still follows? `ret_since`: the state it is of. */
static int recall(struct zn_local *local, bool *ret_same, uint64_t ret_since[2])
{
	MDB_val key = {4, (void *)(uintptr_t)"uuid"}, value;
	MDB_txn *txn;
	int rc = mdb_txn_begin(local->mdb, NULL, 0, &txn);

	if (rc)
		return rc;
	*ret_same = mdb_get(txn, local->state, &key, &value) == 0 && value.mv_size == 16 &&
		memcmp(value.mv_data, zn_env_uuid(local->env), 16) == 0;
	key = (MDB_val){4, (void *)(uintptr_t)"seen"};
	ret_since[0] = ret_since[1] = 0;
	if (*ret_same && mdb_get(txn, local->state, &key, &value) == 0 && value.mv_size == 16)
		for (int which = ZN_MAIN; which <= ZN_RECORDS; which++)
			ret_since[which] = zn_get_u64((uint8_t *)value.mv_data + 8 * which);
	for (int which = ZN_MAIN; which <= ZN_RECORDS; which++)
		if (ret_since[which] > zn_env_last_txnid(local->env, (enum zn_which)which))
			*ret_same = false;
	key = (MDB_val){8, (void *)(uintptr_t)"complete"};
	local->complete = *ret_same && mdb_get(txn, local->state, &key, &value) == 0;
	if (!*ret_same) {
		MDB_val uuid = {16, (void *)(uintptr_t)zn_env_uuid(local->env)};
		rc = mdb_drop(txn, local->state, 0);
		if (!rc)
			rc = mdb_drop(txn, local->zones, 0);
		if (!rc)
			rc = mdb_drop(txn, local->ids, 0);
		key = (MDB_val){4, (void *)(uintptr_t)"uuid"};
		if (!rc)
			rc = mdb_put(txn, local->state, &key, &uuid, 0);
	}
	if (rc) {
		mdb_txn_abort(txn);
		return rc;
	}
	return mdb_txn_commit(txn);
}

/* Changes that nobody here has heard of, as if they were told now. */
static enum zn_code catch_up(struct zn_local *local, const uint64_t since[2], struct zn_err *err)
{
	for (int which = ZN_MAIN; which <= ZN_RECORDS; which++) {
		ZN_AUTO(zn_changes_release) struct zn_changes changes = {0};
		enum zn_code code = zn_changes_since(local->env, (enum zn_which)which, since[which], NULL, 0, &changes, err);
		if (code)
			return code;
		struct zn_change change = {.origin = ZN_FOREIGN, .all = changes.all, .ids = changes.ids, .count = changes.count};
		change.txnid[which] = changes.txnid;
		on_change(local, &change);
	}
	return ZN_OK;
}

enum zn_code zn_local_watch(struct zn_local *local, struct zn_watch *watch, struct zn_err *err)
{
	uint64_t since[2];
	bool same;

	if (!local->mdb)
		return ZN_OK;
	int rc = recall(local, &same, since);
	if (rc)
		return fail(err, rc, local, "read its state");
	local->watch = watch;
	zn_watch_listen(watch, on_change, local);
	if (same) {
		enum zn_code code = catch_up(local, since, err);
		if (code)
			return code;
	}
	rc = pthread_create(&local->thread, NULL, run, local);
	if (rc)
		return zn_fail_errno(err, rc, "private env: thread");
	local->running = true;
	return ZN_OK;
}

bool zn_local_complete(struct zn_local *local)
{
	pthread_mutex_lock(&local->lock);
	bool complete = local->complete;
	pthread_mutex_unlock(&local->lock);
	return complete;
}

/* ---- rooms ---- */

static enum zn_code room_key(const char *room, struct zn_view key, struct zn_buf *out, struct zn_err *err)
{
	zn_buf_init(out, ROOM_KEY_MAX);
	zn_buf_add_str(out, room);
	zn_buf_add_byte(out, 0);
	zn_buf_add(out, key);
	return zn_buf_check(out, room, err);
}

static MDB_val val_of(struct zn_view view)
{
	return (MDB_val){view.len, (void *)(uintptr_t)view.data};
}

enum zn_code zn_local_get(struct zn_local *local, const char *room, struct zn_view key, struct zn_buf *out, struct zn_err *err)
{
	ZN_AUTO(zn_buf_release) struct zn_buf full;
	MDB_txn *txn;
	MDB_val value;
	enum zn_code code = room_key(room, key, &full, err);

	if (code)
		return code;
	if (!local->mdb)
		return ZN_ENOTFOUND;
	MDB_val k = val_of(zn_buf_view(&full));
	int rc = mdb_txn_begin(local->mdb, NULL, MDB_RDONLY, &txn);
	if (rc)
		return fail(err, rc, local, "read");
	rc = mdb_get(txn, local->rooms, &k, &value);
	if (!rc)
		zn_buf_add(out, zn_view(value.mv_data, value.mv_size));
	mdb_txn_abort(txn);
	if (rc == MDB_NOTFOUND)
		return ZN_ENOTFOUND;
	return rc ? fail(err, rc, local, "read") : zn_buf_check(out, room, err);
}

/* value NULL: remove. */
static enum zn_code room_write(struct zn_local *local, const char *room, struct zn_view key, const struct zn_view *value, struct zn_err *err)
{
	ZN_AUTO(zn_buf_release) struct zn_buf full;
	MDB_txn *txn;
	enum zn_code code = room_key(room, key, &full, err);

	if (code)
		return code;
	if (!local->mdb)
		return value ? zn_fail(err, ZN_EROFS, "%s: cannot be written", local->path) : ZN_OK;
	MDB_val k = val_of(zn_buf_view(&full));
	int rc = mdb_txn_begin(local->mdb, NULL, 0, &txn);
	if (rc)
		return fail(err, rc, local, "write");
	if (value) {
		MDB_val v = val_of(*value);
		rc = mdb_put(txn, local->rooms, &k, &v, 0);
	} else {
		rc = mdb_del(txn, local->rooms, &k, NULL);
		if (rc == MDB_NOTFOUND) {
			mdb_txn_abort(txn);
			return ZN_OK;
		}
	}
	if (!rc)
		rc = mdb_txn_commit(txn);
	else
		mdb_txn_abort(txn);
	return rc ? fail(err, rc, local, "write") : ZN_OK;
}

enum zn_code zn_local_put(struct zn_local *local, const char *room, struct zn_view key, struct zn_view value, struct zn_err *err)
{
	return room_write(local, room, key, &value, err);
}

enum zn_code zn_local_remove(struct zn_local *local, const char *room, struct zn_view key, struct zn_err *err)
{
	return room_write(local, room, key, NULL, err);
}

uint64_t zn_local_count(struct zn_local *local, const char *room)
{
	ZN_AUTO(zn_buf_release) struct zn_buf prefix;
	MDB_txn *txn;
	MDB_cursor *cursor;
	MDB_val key, value;
	uint64_t count = 0;

	if (room_key(room, zn_view(NULL, 0), &prefix, NULL) != ZN_OK || !local->mdb || mdb_txn_begin(local->mdb, NULL, MDB_RDONLY, &txn) != 0)
		return 0;
	if (mdb_cursor_open(txn, local->rooms, &cursor) == 0) {
		key = val_of(zn_buf_view(&prefix));
		for (int rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
			!rc && zn_view_starts_with(zn_view(key.mv_data, key.mv_size), zn_buf_view(&prefix));
			rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT))
			count++;
		mdb_cursor_close(cursor);
	}
	mdb_txn_abort(txn);
	return count;
}
