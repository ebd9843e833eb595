#include "sync/publish.h"

#include <sys/stat.h>
#include <unistd.h>

#include "store/base/auto.h"
#include "store/base/log.h"
#include "sync/snapshot.h"

#define RENEW_NS ZN_SYNC_DAY_NS		/* a base is renewed at this age … */
#define RENEW_SPREAD_NS (UINT64_C(3600) * ZN_NS_PER_S)	/* … and up to this much later, so that one does it */
#define RENEW_PAUSE_NS (UINT64_C(60) * ZN_NS_PER_S)	/* between two renewals, whatever the listings say */
#define MISSING_LISTINGS 3		/* a listing may lag: only so many in a row say that an object is gone */

/* ---- when ---- */

static uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static bool renew_due(struct zn_sync *sync, struct zn_sync_db *db, const struct zn_sync_state *state)
{
	uint64_t newest = max_u64(db->own_listed.ns, zn_peers_covering(&db->peers, &state->vector).ns);

	if (zn_clock_mono() < db->renew_after)
		return false;
	if (db->own_missing >= MISSING_LISTINGS)
		return true;
	if (!newest)
		newest = sync->started.ns;
	return zn_clock_now().ns > newest + RENEW_NS + sync->boot % RENEW_SPREAD_NS;
}

enum zn_code zn_publish_due(struct zn_sync *sync, struct zn_sync_db *db, enum zn_publish_why *ret_why,
		struct zn_err *err)
{
	ZN_AUTO(zn_sync_state_release) struct zn_sync_state state = {0};
	uint64_t last = 0;
	enum zn_code code = zn_sync_state_now(sync, db->which, &state, &last, err);

	*ret_why = ZN_PUBLISH_NOT;
	if (code)
		return code;
	db->status.pending = last > 0 && (state.fresh || zn_ledger_pending(&state.ledger, last));
	db->status.published.ns = zn_vector_get(&state.vector, zn_sync_own(sync));
	if (db->status.pending)
		*ret_why = ZN_PUBLISH_PENDING;
	else if (last > 0 && renew_due(sync, db, &state))
		*ret_why = ZN_PUBLISH_RENEW;
	return ZN_OK;
}

/* ---- what ---- */

struct dump {
	struct zn_sync *sync;
	struct zn_sync_db *db;
	int fd;
	struct zn_snapshot_writer writer;
	const char *dbi;	/* at hand */
	struct zn_stamp stamp;
	struct zn_stamp main;	/* for the records: the object of main that burials in them go with */
	uint64_t main_txnid;	/* up to which that one was dumped; 0: it was not, now */
	uint64_t txnid;
	uint64_t entries;
	uint64_t own;		/* entries that are not local to each database: none, and it is empty */
	struct zn_err *err;
	char name[ZN_OBJECT_NAME_MAX + 1];
};

static enum zn_code dump_entry(void *context, const struct zn_entry *entry)
{
	struct dump *dump = context;
	struct zn_snapshot_entry out = {entry->key, entry->payload, entry->stamp, entry->deleted};
	struct zn_entry_role role = {0};

	zn_entry_role(dump->dbi, entry->key, entry->payload, &role);
	dump->entries++;
	dump->own += !role.local;
	return zn_snapshot_write_entry(&dump->writer, &out, dump->err);
}

/* Looking for an entry that has to be in the bucket. */
struct search {
	const struct zn_ledger *settled;	/* NULL: whatever wrote it */
	const char *dbi;
	bool found;
};

/* Stops the walk at the first one. What is local to each database, and what came by a merge, is none. */
static enum zn_code look_at_entry(void *context, const struct zn_entry *entry)
{
	struct search *search = context;
	struct zn_entry_role role = {0};

	zn_entry_role(search->dbi, entry->key, entry->payload, &role);
	search->found = !role.local && !(search->settled && zn_ledger_settled(search->settled, entry->txnid));
	return search->found ? ZN_EEXIST : ZN_OK;
}

/* Whether any replicated row was written by a transaction that is not settled: many a transaction writes none. */
static enum zn_code any_change(struct zn_txn *txn, const struct zn_dbi_info *dbis, size_t count,
		const struct zn_ledger *settled, bool *ret_any, struct zn_err *err)
{
	struct search search = {.settled = settled};

	for (size_t i = 0; i < count && !search.found; i++) {
		search.dbi = dbis[i].name;
		enum zn_code code = zn_entries_each(txn, &dbis[i], settled ? settled->quiet : 0, look_at_entry, &search, err);

		if (code && !search.found)
			return code;
	}
	*ret_any = search.found;
	return ZN_OK;
}

static enum zn_code dump_dbis(struct dump *dump, struct zn_txn *txn, const struct zn_dbi_info *dbis, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		enum zn_code code = zn_snapshot_write_dbi(&dump->writer, zn_view_str(dbis[i].name),
				dbis[i].flags, dump->err);

		dump->dbi = dbis[i].name;
		if (!code)
			code = zn_entries_each(txn, &dbis[i], 0, dump_entry, dump, dump->err);
		if (code)
			return zn_err_prefix(dump->err, code, "%s", dbis[i].name);
	}
	return zn_snapshot_write_end(&dump->writer, dump->err);
}

/* Whoever deletes a zone commits in main first. So what the records have lost in `txn`, main has lost by now:
 * in the object dumped just before, or, if there was another commit since, in a newer one that will come. */
static enum zn_code see_main(struct dump *dump, struct zn_err *err)
{
	ZN_AUTO(zn_sync_state_release) struct zn_sync_state state = {0};
	uint64_t last;
	enum zn_code code = zn_sync_state_now(dump->sync, ZN_MAIN, &state, &last, err);

	if (code)
		return code;
	bool more = dump->main_txnid ? last > dump->main_txnid
				     : state.fresh || zn_ledger_pending(&state.ledger, last);
	if (!dump->main.ns)
		dump->main.ns = zn_vector_get(&state.vector, zn_sync_own(dump->sync));
	dump->main.ns += more;
	return ZN_OK;
}

static enum zn_code dump_txn(struct dump *dump, struct zn_txn *txn, const struct zn_sync_state *state,
		const struct zn_dbi_info *dbis, size_t count)
{
	struct zn_sync *sync = dump->sync;
	struct zn_view own = zn_sync_own(sync);
	ZN_AUTO(zn_buf_release) struct zn_buf vector = ZN_BUF_INIT(ZN_SNAPSHOT_META_MAX / 2);
	uint64_t newest = max_u64(zn_vector_get(&state->vector, own), max_u64(dump->db->own_listed.ns, dump->db->own_put.ns));

	dump->stamp.ns = max_u64(zn_clock_now().ns, newest + 1);
	dump->txnid = zn_txn_id(txn);
	zn_object_name(zn_view_str(dump->db->name), own, dump->stamp, dump->name);
	zn_vector_encode(&state->vector, &vector);
	struct zn_snapshot_meta meta = {
			.instance = own,
			.host = zn_view_str(sync->host),
			.db = zn_view_str(dump->db->name),
			.txnid = dump->txnid,
			.stamp = dump->stamp,
			.vector = zn_buf_view(&vector),
			.boot = sync->boot,
			.started = sync->started,
			.main = dump->main,
	};
	enum zn_code code = zn_snapshot_write_meta(&dump->writer, &meta, dump->err);
	return code ? code : dump_dbis(dump, txn, dbis, count);
}

/* Dumps into dump->fd. *ret_skip: there is nothing that has to be in the bucket. */
static enum zn_code dump_db(struct dump *dump, enum zn_publish_why why, bool *ret_skip)
{
	struct zn_gzip_writer *gzip = NULL;
	ZN_AUTO(zn_txn_end) struct zn_txn txn = {0};
	ZN_AUTO(zn_sync_state_release) struct zn_sync_state state = {0};
	ZN_AUTO_FREE struct zn_dbi_info *dbis = NULL;
	size_t count = 0;
	bool changed = true;
	enum zn_code code = zn_txn_begin(&txn, dump->sync->env, dump->db->which, ZN_TXN_READ, dump->err);

	*ret_skip = false;
	if (!code)
		code = zn_sync_state_read(&txn, &state, dump->err);
	if (!code)
		code = zn_txn_dbis(&txn, &dbis, &count, dump->err);
	if (!code && why == ZN_PUBLISH_PENDING && !state.fresh)
		code = any_change(&txn, dbis, count, &state.ledger, &changed, dump->err);
	if (!code && dump->db->which == ZN_RECORDS)
		code = see_main(dump, dump->err);
	if (code)
		return code;
	dump->txnid = zn_txn_id(&txn);
	*ret_skip = !changed;
	if (!changed)
		return ZN_OK;

	code = zn_gzip_writer_new(dump->fd, &gzip, dump->err);
	if (code)
		return code;
	zn_snapshot_writer_init(&dump->writer, zn_gzip_sink(gzip));
	code = dump_txn(dump, &txn, &state, dbis, count);
	zn_snapshot_writer_release(&dump->writer);
	if (!code)
		code = zn_gzip_finish(gzip, dump->err);
	zn_gzip_writer_free(gzip);
	*ret_skip = !code && dump->own == 0;
	return code;
}

/* ---- check ---- */

/* Reads back what was dumped: one bad entry of ours would end every Lightning Stream of the bucket. */
static enum zn_code check_dump(struct dump *dump)
{
	struct zn_gzip_reader *gzip = NULL;
	struct zn_snapshot_info info;
	enum zn_code code = zn_gzip_reader_new(dump->fd, ZN_OBJECT_MAX, &gzip, dump->err);

	if (!code)
		code = zn_snapshot_scan(zn_gzip_source(gzip), &info, dump->err);
	zn_gzip_reader_free(gzip);
	if (code)
		return code;
	if (info.entries != dump->entries || info.meta.stamp.ns != dump->stamp.ns ||
			!zn_view_is(info.meta.db, dump->db->name))
		code = zn_fail(dump->err, ZN_ECORRUPT, "what was written does not read back");
	zn_snapshot_info_release(&info);
	return code;
}

/* ---- note ---- */

struct note_job {
	struct zn_job job;
	struct dump *dump;
	bool stored;
};

static enum zn_code run_note(struct zn_job *job, struct zn_txn *txn, struct zn_err *err)
{
	struct note_job *note = (struct note_job *)job;
	ZN_AUTO(zn_sync_state_release) struct zn_sync_state state = {0};
	bool written = false;
	enum zn_code code = zn_sync_state_read(txn, &state, err);

	if (!code && note->stored)
		code = zn_vector_set(&state.vector, zn_sync_own(note->dump->sync), note->dump->stamp.ns, err);
	if (!code)
		code = zn_sync_state_write(txn, &state, &written, err);
	if (code)
		return code;
	zn_ledger_published(&state.ledger, note->dump->txnid);
	zn_ledger_own(&state.ledger, zn_txn_id(txn));
	return zn_sync_state_write_ledger(txn, &state, err);
}

/* In the env: up to the dumped transaction all is published. The watch is not told: no zone changed. */
static enum zn_code note_dump(struct dump *dump, bool stored)
{
	struct note_job note = {
			.job = {.class = ZN_JOB_MERGE,
					.order = dump->db->which == ZN_MAIN ? ZN_JOB_MAIN : ZN_JOB_RECORDS,
					.run = run_note},
			.dump = dump,
			.stored = stored,
	};

	return zn_sync_run(dump->sync, &note.job, dump->err);
}

/* ---- all of it ---- */

static enum zn_code prepare(struct dump *dump, enum zn_publish_why why, bool *ret_skip)
{
	enum zn_code code = zn_sync_temporary(dump->sync, &dump->fd, dump->err);

	if (!code)
		code = dump_db(dump, why, ret_skip);
	if (!code && !*ret_skip)
		code = check_dump(dump);
	return code ? zn_err_prefix(dump->err, code, "publish %s", dump->db->name) : ZN_OK;
}

static enum zn_code store(struct dump *dump)
{
	struct zn_sync_db *db = dump->db;
	struct stat st;
	enum zn_code code;

	db->own_put = dump->stamp; /* also when it fails: it may have been stored */
	code = zn_bucket_put(dump->sync->bucket, dump->name, dump->fd, dump->err);
	if (code)
		return code;
	db->status.objects_published++;
	db->status.published = dump->stamp;
	db->status.published_bytes = fstat(dump->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
	db->own_missing = 0;
	zn_sync_tell(dump->sync, "published", dump->name, "%llu entries, %llu bytes",
			(unsigned long long)dump->entries, (unsigned long long)db->status.published_bytes);
	return ZN_OK;
}

static enum zn_code finish(struct dump *dump, bool skip)
{
	enum zn_code code = skip ? ZN_OK : store(dump);

	if (!code)
		code = note_dump(dump, !skip);
	if (code)
		return code;
	dump->db->status.pending = false;
	dump->db->renew_after = zn_clock_mono() + RENEW_PAUSE_NS;
	return ZN_OK;
}

enum zn_code zn_publish(struct zn_sync *sync, const enum zn_publish_why why[static 2], struct zn_err *err)
{
	struct dump dumps[2] = {
			{.sync = sync, .db = &sync->db[0], .fd = -1, .err = err},
			{.sync = sync, .db = &sync->db[1], .fd = -1, .err = err},
	};
	bool skip[2] = {false, false};
	enum zn_code code = ZN_OK;

	if (why[ZN_MAIN])
		code = prepare(&dumps[ZN_MAIN], why[ZN_MAIN], &skip[ZN_MAIN]);
	if (why[ZN_MAIN]) {
		dumps[ZN_RECORDS].main_txnid = dumps[ZN_MAIN].txnid;
		if (!skip[ZN_MAIN])
			dumps[ZN_RECORDS].main = dumps[ZN_MAIN].stamp;
	}
	if (!code && why[ZN_RECORDS])
		code = prepare(&dumps[ZN_RECORDS], why[ZN_RECORDS], &skip[ZN_RECORDS]);
	if (!code && why[ZN_RECORDS])
		code = finish(&dumps[ZN_RECORDS], skip[ZN_RECORDS]);
	if (!code && why[ZN_MAIN])
		code = finish(&dumps[ZN_MAIN], skip[ZN_MAIN]);
	for (int i = 0; i < 2; i++)
		if (dumps[i].fd >= 0)
			close(dumps[i].fd);
	return code;
}

/* Whether an env that has no ledger holds nothing of its own; and up to which transaction that is so. */
static enum zn_code is_blank(struct zn_sync *sync, enum zn_which which, bool *ret_blank, uint64_t *ret_txnid,
		struct zn_err *err)
{
	ZN_AUTO(zn_txn_end) struct zn_txn txn = {0};
	ZN_AUTO(zn_sync_state_release) struct zn_sync_state state = {0};
	ZN_AUTO_FREE struct zn_dbi_info *dbis = NULL;
	size_t count = 0;
	bool any = false;
	enum zn_code code = zn_txn_begin(&txn, sync->env, which, ZN_TXN_READ, err);

	if (!code)
		code = zn_sync_state_read(&txn, &state, err);
	if (!code)
		code = zn_txn_dbis(&txn, &dbis, &count, err);
	if (!code && state.fresh)
		code = any_change(&txn, dbis, count, NULL, &any, err);
	*ret_blank = !code && state.fresh && !any;
	*ret_txnid = code ? 0 : zn_txn_id(&txn);
	return code;
}

enum zn_code zn_publish_begin(struct zn_sync *sync, struct zn_err *err)
{
	for (int i = 0; i < 2; i++) {
		struct dump dump = {.sync = sync, .db = &sync->db[i], .fd = -1, .err = err};
		bool blank;
		enum zn_code code = is_blank(sync, (enum zn_which)i, &blank, &dump.txnid, err);

		if (!code && blank && dump.txnid)
			code = note_dump(&dump, false);
		if (code)
			return code;
	}
	return ZN_OK;
}
