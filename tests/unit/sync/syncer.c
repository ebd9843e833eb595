/* Whole syncers around a bucket in memory: what an operator would notice. The laws of merging and of the
 * ledger have suites of their own. */
#include "tests/unit/suite.h"

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "store/base/auto.h"
#include "store/base/wire.h"
#include "sync/frame.h"
#include "sync/object.h"
#include "sync/protobuf.h"
#include "sync/snapshot.h"
#include "tests/unit/sync/world.h"

static struct world world;
static struct node a, b;
static const char *program;

static atomic_uint seen_wrong;

static void setup(void)
{
	atomic_store(&seen_wrong, 0);
	world_make(&world, 1);
	node_make(&a, &world, "ns1");
	node_make(&b, &world, "ns2");
}

static void start_both(void)
{
	node_start(&a);
	node_start(&b);
}

static void remove_both(void)
{
	node_remove(&a);
	node_remove(&b);
	world_remove(&world);
}

/* ---- what travels ---- */

START_TEST(there_and_back)
{
	setup();
	start_both();
	node_put(&a, ZN_RECORDS, 1, "www", "one");
	node_put(&a, ZN_MAIN, 1, "list", "zone");
	wait_row(&b, ZN_RECORDS, 1, "www", "one");
	wait_row(&b, ZN_MAIN, 1, "list", "zone");
	node_put(&b, ZN_RECORDS, 1, "www", "two");
	wait_row(&a, ZN_RECORDS, 1, "www", "two");
	node_put(&a, ZN_RECORDS, 1, "www", NULL);
	wait_row(&b, ZN_RECORDS, 1, "www", NULL);
	wait_same(&b, &a);
	remove_both();
}
END_TEST

/* Merging alone never publishes, and merging the same again writes nothing. */
START_TEST(no_echo)
{
	setup();
	start_both();
	for (int i = 0; i < 20; i++) {
		char name[16];

		snprintf(name, sizeof name, "n%d", i);
		node_put(&a, ZN_RECORDS, 1, name, "x");
		wait_row(&b, ZN_RECORDS, 1, name, "x");
	}
	node_round(&b);
	node_round(&b);
	ck_assert_uint_eq(world_count(&world, "shard__ns2__"), 0);
	ck_assert_uint_eq(world_count(&world, "main__"), 0);
	uint64_t before = zn_env_last_txnid(b.env, ZN_RECORDS);
	node_round(&b);
	node_round(&b);
	ck_assert_uint_eq(zn_env_last_txnid(b.env, ZN_RECORDS), before);
	struct zn_syncer_status status = node_status(&b);
	ck_assert(!status.db[ZN_RECORDS].pending);
	ck_assert_uint_eq(status.db[ZN_RECORDS].entries_merged, 20);
	ck_assert_uint_eq(status.peer_count, 1);
	ck_assert_str_eq(status.peers[0].instance, "ns1");
	ck_assert(status.peers[0].zonefs);
	ck_assert_uint_eq(status.peers[0].schema, 0); /* no object of main: it is empty */
	zn_syncer_status_release(&status);
	remove_both();
}
END_TEST

START_TEST(empty_publishes_nothing)
{
	setup();
	start_both();
	node_round(&a);
	node_round(&b);
	ck_assert_uint_eq(world.puts, 0);
	struct zn_syncer_status status = node_status(&a);
	ck_assert(!status.db[0].pending && !status.db[1].pending);
	ck_assert_str_eq(status.hold, "");
	ck_assert_str_eq(status.problem, "");
	zn_syncer_status_release(&status);
	remove_both();
}
END_TEST

/* What was saved in the last moment is in the bucket when the thread has ended. */
START_TEST(stop_flushes)
{
	setup();
	node_start(&a);
	for (int i = 0; i < 10; i++) {
		node_put(&a, ZN_RECORDS, 1, "www", i % 2 ? "odd" : "even");
		node_stop(&a);
		node_start(&a);
	}
	node_put(&a, ZN_RECORDS, 1, "www", "last");
	node_stop(&a);
	node_start(&b);
	wait_row(&b, ZN_RECORDS, 1, "www", "last");
	node_open(&a);
	remove_both();
}
END_TEST

/* A database that is gone comes back from what this instance published itself, before anything is
 * published in its place. */
START_TEST(own_objects_first)
{
	char before[ZN_OBJECT_NAME_MAX + 1], after[ZN_OBJECT_NAME_MAX + 1];

	setup();
	node_start(&a);
	node_put(&a, ZN_RECORDS, 1, "www", "kept");
	node_put(&a, ZN_MAIN, 1, "list", "kept");
	node_round(&a);
	node_remove(&a);
	world_newest(&world, "shard__ns1__", before);
	ck_assert_str_ne(before, "");

	node_make(&a, &world, "ns1");
	node_open(&a);
	node_put(&a, ZN_RECORDS, 2, "new", "zone"); /* saved before the bucket was looked at */
	node_sync(&a);
	node_round(&a);
	wait_row(&a, ZN_RECORDS, 1, "www", "kept");
	wait_row(&a, ZN_MAIN, 1, "list", "kept");
	world_newest(&world, "shard__ns1__", after);
	ck_assert_str_gt(after, before);
	node_start(&b);
	wait_row(&b, ZN_RECORDS, 1, "www", "kept");
	wait_row(&b, ZN_RECORDS, 2, "new", "zone");
	remove_both();
}
END_TEST

/* While own objects cannot be read, nothing takes their place. */
START_TEST(bucket_down)
{
	setup();
	node_start(&a);
	node_put(&a, ZN_RECORDS, 1, "www", "one");
	node_round(&a);
	unsigned puts = world.puts;
	node_stop(&a);
	world.down = true;
	node_start(&a);
	node_put(&a, ZN_RECORDS, 1, "www", "two");
	ck_assert_int_eq(zn_syncer_round(a.syncer, zn_clock_mono() + WAIT_NS, NULL), ZN_ENET);
	struct zn_syncer_status status = node_status(&a);
	ck_assert_str_ne(status.problem, "");
	ck_assert_str_ne(status.hold, "");
	zn_syncer_status_release(&status);
	ck_assert_uint_eq(world.puts, puts);
	pthread_mutex_lock(&world.lock);
	world.down = false;
	pthread_mutex_unlock(&world.lock);
	node_start(&b);
	wait_row(&b, ZN_RECORDS, 1, "www", "two");
	status = node_status(&a);
	ck_assert_str_eq(status.problem, "");
	zn_syncer_status_release(&status);
	remove_both();
}
END_TEST

/* ---- restored and lost ---- */

static void copy_database(struct node *node, const char *from, const char *to)
{
	char command[1024];
	const char *path = node->scratch.path;

	snprintf(command, sizeof command, "cp %s%s %s%s && cp %s-0%s %s-0%s && rm -f %s-lock %s-0-lock", path, from, path, to,
			path, from, path, to, path, path);
	ck_assert_int_eq(system(command), 0);
}

/* An older copy of the database: what it lacks comes back from the bucket, what is edited then travels. */
START_TEST(restored)
{
	setup();
	start_both();
	node_put(&a, ZN_RECORDS, 1, "www", "one");
	node_round(&a);
	node_stop(&a);
	copy_database(&a, "", ".old");
	node_start(&a);
	for (int i = 0; i < 5; i++)
		node_put(&a, ZN_RECORDS, 1, "www", i % 2 ? "odd" : "two");
	node_put(&b, ZN_RECORDS, 2, "mail", "theirs");
	wait_row(&a, ZN_RECORDS, 2, "mail", "theirs");
	wait_row(&b, ZN_RECORDS, 1, "www", "two");
	node_stop(&a);
	copy_database(&a, ".old", "");
	node_open(&a);
	ck_assert_str_eq(node_get(&a, ZN_RECORDS, 1, "www"), "one");
	node_put(&a, ZN_RECORDS, 3, "ftp", "after");
	node_sync(&a);
	wait_row(&a, ZN_RECORDS, 1, "www", "two");
	wait_row(&a, ZN_RECORDS, 2, "mail", "theirs");
	wait_row(&b, ZN_RECORDS, 3, "ftp", "after");
	wait_same(&a, &b);
	remove_both();
}
END_TEST

/* What a cleaner has removed is published again. */
START_TEST(renewed)
{
	setup();
	node_start(&a);
	node_put(&a, ZN_RECORDS, 1, "www", "one");
	node_round(&a);
	ck_assert_uint_ge(world_count(&world, "shard__ns1__"), 1);
	node_stop(&a);
	world_drop(&world, "");
	node_start(&a);
	uint64_t deadline = zn_clock_mono() + WAIT_NS;
	while (world_count(&world, "shard__ns1__") == 0) {
		ck_assert_uint_lt(zn_clock_mono(), deadline);
		node_round(&a);
	}
	node_start(&b);
	wait_row(&b, ZN_RECORDS, 1, "www", "one");
	remove_both();
}
END_TEST

/* drop-shadow of Lightning Stream, or a hand, removes what we know: no harm. */
static enum zn_code run_forget(struct zn_job *job, struct zn_txn *txn, struct zn_err *err)
{
	static const char *const keys[] = {"sync/ledger", "sync/vector", "sync/schemas", "sync/aside", "sync/complete"};

	(void)job;
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		enum zn_code code = zn_txn_erase(txn, ZN_DBI_SYNC_RECORDS, zn_view_str(keys[i]), err);
		if (code && code != ZN_ENOTFOUND)
			return code;
	}
	return ZN_OK;
}

START_TEST(forgotten)
{
	struct zn_job job = {.class = ZN_JOB_SAVE, .order = ZN_JOB_RECORDS, .run = run_forget};

	setup();
	start_both();
	node_put(&a, ZN_RECORDS, 1, "www", "one");
	wait_row(&b, ZN_RECORDS, 1, "www", "one");
	node_stop(&b);
	node_open(&b);
	ck_ok(zn_commit_run(b.commit, &job, &err));
	node_put(&b, ZN_RECORDS, 1, "www", "two");
	node_sync(&b);
	wait_row(&a, ZN_RECORDS, 1, "www", "two");
	wait_same(&a, &b);
	remove_both();
}
END_TEST

/* ---- hostile and strange ---- */

/* An object put together by hand. */
struct object {
	int fd;
	struct zn_gzip_writer *gzip;
	struct zn_snapshot_writer writer;
};

static void object_begin(struct object *o, uint64_t boot, uint64_t started)
{
	struct zn_snapshot_meta meta = {.boot = boot, .started = {started}};

	o->fd = memfd_create("object", MFD_CLOEXEC);
	ck_ok(zn_gzip_writer_new(o->fd, &o->gzip, &err));
	zn_snapshot_writer_init(&o->writer, zn_gzip_sink(o->gzip));
	ck_ok(zn_snapshot_write_meta(&o->writer, &meta, &err));
}

static void object_row(struct object *o, struct zn_view key, const char *text, uint64_t stamp)
{
	struct zn_snapshot_entry entry = {
			key, text ? zn_view_str(text) : zn_view(NULL, 0), {stamp}, text == NULL};

	ck_ok(zn_snapshot_write_entry(&o->writer, &entry, &err));
}

static void object_put(struct object *o, const char *db, const char *instance, uint64_t stamp)
{
	ZN_AUTO(zn_buf_release) struct zn_buf bytes = ZN_BUF_INIT((size_t)1 << 20);
	char name[ZN_OBJECT_NAME_MAX + 1];
	uint8_t block[4096];
	ssize_t len;

	ck_ok(zn_snapshot_write_end(&o->writer, &err));
	ck_ok(zn_gzip_finish(o->gzip, &err));
	zn_snapshot_writer_release(&o->writer);
	zn_gzip_writer_free(o->gzip);
	while ((len = pread(o->fd, block, sizeof block, (off_t)bytes.len)) > 0)
		zn_buf_add(&bytes, zn_view(block, (size_t)len));
	close(o->fd);
	zn_object_name(zn_view_str(db), zn_view_str(instance), (struct zn_stamp){stamp}, name);
	world_put(&world, name, zn_buf_view(&bytes));
}

#define KEY(name) ZN_VIEW("\0\0\0\1" name "\0\0\1")

/* One row in records_v5 of an instance that is not there. */
static void put_foreign(const char *instance, uint64_t object_stamp, const char *text, uint64_t stamp)
{
	struct object o;

	object_begin(&o, 0, 0);
	ck_ok(zn_snapshot_write_dbi(&o.writer, ZN_VIEW("records_v5"), 0, &err));
	object_row(&o, KEY("www"), text, stamp);
	object_put(&o, "shard", instance, object_stamp);
}

/* A damaged newest object is passed over for the one before it; the next good one is taken again. */
START_TEST(damaged_object)
{
	char name[ZN_OBJECT_NAME_MAX + 1];
	uint64_t now = zn_clock_now().ns;

	setup();
	put_foreign("ls", now, "good", now);
	put_foreign("ls", now + 1, "cut", now + 1);
	world_newest(&world, "shard__ls__", name);
	world_cut(&world, name);
	zn_object_name(ZN_VIEW("shard"), ZN_VIEW("empty"), (struct zn_stamp){now}, name);
	world_put(&world, name, zn_view(NULL, 0));
	zn_object_name(ZN_VIEW("shard"), ZN_VIEW("text"), (struct zn_stamp){now}, name);
	world_put(&world, name, ZN_VIEW("no gzip at all"));
	node_start(&a);
	wait_row(&a, ZN_RECORDS, 1, "www", "good");
	node_round(&a);
	struct zn_syncer_status status = node_status(&a);
	unsigned problems = 0;
	for (size_t i = 0; i < status.peer_count; i++)
		problems += status.peers[i].problem[0] != 0;
	ck_assert_uint_eq(problems, 2); /* the good object has ended the trouble with "ls" */
	ck_assert_str_eq(status.problem, "");
	zn_syncer_status_release(&status);
	put_foreign("ls", now + 2, "better", now + 2);
	wait_row(&a, ZN_RECORDS, 1, "www", "better");
	node_open(&b);
	remove_both();
}
END_TEST

/* An instance that was given up long ago does not bring back what has been deleted since, whoever deletes its
 * objects or not; where it is all there is, it is taken. */
START_TEST(old_object)
{
	uint64_t now = zn_clock_now().ns;
	uint64_t old = now - 300 * 86400 * ZN_NS_PER_S;

	setup();
	put_foreign("dead", old, "risen", old);
	node_start(&b);
	wait_row(&b, ZN_RECORDS, 1, "www", "risen");
	node_put(&b, ZN_RECORDS, 2, "www", "alive");
	node_round(&b);
	node_put(&b, ZN_RECORDS, 1, "www", NULL);
	node_start(&a);
	wait_row(&a, ZN_RECORDS, 2, "www", "alive");
	node_round(&a);
	struct zn_syncer_status status = node_status(&a);
	for (size_t i = 0; i < status.peer_count; i++)
		if (strcmp(status.peers[i].instance, "dead") == 0)
			ck_assert_uint_eq(status.peers[i].merged[ZN_RECORDS].ns, 0);
	zn_syncer_status_release(&status);
	remove_both();
}
END_TEST

/* Unknown DBIs are created, _sync and pdns rows never merged, doubled and unsorted keys merged one by one. */
START_TEST(strange_object)
{
	uint64_t now = zn_clock_now().ns;
	struct object o;
	struct zn_dbi_info dbi;
	struct zn_view value;
	ZN_AUTO(zn_txn_end) struct zn_txn txn = {0};

	setup();
	object_begin(&o, 0, 0);
	ck_ok(zn_snapshot_write_dbi(&o.writer, ZN_VIEW("records_v5"), 0, &err));
	object_row(&o, KEY("z"), "last", now);
	object_row(&o, KEY("www"), "old", now - 5);
	object_row(&o, KEY("www"), "new", now);
	object_row(&o, KEY("www"), "older", now - 9);
	object_row(&o, KEY("a"), NULL, now);
	ck_ok(zn_snapshot_write_dbi(&o.writer, ZN_VIEW("_sync_zonefs"), 0, &err));
	object_row(&o, ZN_VIEW("sync/ledger"), "evil", now);
	ck_ok(zn_snapshot_write_dbi(&o.writer, ZN_VIEW("unheard_of"), 0, &err));
	object_row(&o, ZN_VIEW("k"), "v", now);
	ck_ok(zn_snapshot_write_dbi(&o.writer, ZN_VIEW("pdns"), 0, &err));
	object_row(&o, ZN_VIEW("uuid"), "evil", now);
	object_put(&o, "shard", "ls", now);
	node_start(&a);
	wait_row(&a, ZN_RECORDS, 1, "www", "new");
	wait_row(&a, ZN_RECORDS, 1, "z", "last");
	node_round(&a);
	ck_ok(zn_txn_begin(&txn, a.env, ZN_RECORDS, ZN_TXN_READ, &err));
	ck_ok(zn_txn_dbi(&txn, "unheard_of", &dbi, &err));
	ck_ok(zn_txn_get_any(&txn, dbi.handle, ZN_VIEW("k"), &value, &err));
	ck_assert(zn_txn_dbi(&txn, "pdns", &dbi, NULL) != ZN_OK ||
			zn_txn_get_any(&txn, dbi.handle, ZN_VIEW("uuid"), &value, NULL) == ZN_ENOTFOUND);
	zn_txn_end(&txn);
	node_open(&b);
	remove_both();
}
END_TEST

/* More than a day ahead: kept out, said, and merged when its time has come. */
START_TEST(from_the_future)
{
	uint64_t now = zn_clock_now().ns;
	uint64_t week = 7 * 86400 * ZN_NS_PER_S;

	setup();
	put_foreign("ls", now, "2099", now + week);
	node_start(&a);
	node_put(&a, ZN_RECORDS, 1, "www", "present");
	node_round(&a);
	node_round(&a);
	ck_assert_str_eq(node_get(&a, ZN_RECORDS, 1, "www"), "present");
	struct zn_syncer_status status = node_status(&a);
	ck_assert_uint_eq(status.db[ZN_RECORDS].aside, 1);
	ck_assert_str_ne(status.peers[0].problem, "");
	ck_assert_uint_eq(status.peers[0].merged[ZN_RECORDS].ns, now); /* it counts as merged */
	zn_syncer_status_release(&status);
	zn_clock_set((struct zn_stamp){now + week});
	wait_row(&a, ZN_RECORDS, 1, "www", "2099");
	zn_clock_set((struct zn_stamp){0});
	node_open(&b);
	remove_both();
}
END_TEST

/* Most of the others are a century ahead: it is we who are wrong. */
START_TEST(own_clock_wrong)
{
	uint64_t now = zn_clock_now().ns;
	uint64_t later = now + 30 * 86400 * ZN_NS_PER_S;

	setup();
	put_foreign("ls1", later, "x", now);
	put_foreign("ls2", later, "y", now);
	node_start(&a);
	node_put(&a, ZN_RECORDS, 9, "www", "one");
	node_round(&a);
	struct zn_syncer_status status = node_status(&a);
	ck_assert_ptr_nonnull(strstr(status.hold, "clock"));
	ck_assert(status.db[ZN_RECORDS].pending);
	zn_syncer_status_release(&status);
	ck_assert_uint_eq(world_count(&world, "shard__ns1__"), 0);
	node_open(&b);
	remove_both();
}
END_TEST

/* Our stamps go on behind an object of ours from the future, so that nothing masks what follows. */
START_TEST(own_stamp_ahead)
{
	uint64_t now = zn_clock_now().ns;
	uint64_t hour = 3600 * ZN_NS_PER_S;
	char name[ZN_OBJECT_NAME_MAX + 1];
	struct zn_object object;

	setup();
	put_foreign("ns1", now + hour, "ahead", now);
	node_start(&a);
	wait_row(&a, ZN_RECORDS, 1, "www", "ahead");
	node_put(&a, ZN_RECORDS, 1, "www", "next");
	node_round(&a);
	node_round(&a);
	world_newest(&world, "shard__ns1__", name);
	ck_assert(zn_object_parse(zn_view_str(name), &object));
	ck_assert_uint_gt(object.stamp.ns, now + hour);
	node_start(&b);
	wait_row(&b, ZN_RECORDS, 1, "www", "next");
	remove_both();
}
END_TEST

static void put_schema(const char *instance, uint64_t stamp, uint8_t version)
{
	uint8_t bytes[4] = {0, 0, 0, version};
	struct zn_snapshot_entry entry = {ZN_VIEW("schemaversion"), zn_view(bytes, 4), {stamp}, false};
	struct object o;

	object_begin(&o, 0, 0);
	ck_ok(zn_snapshot_write_dbi(&o.writer, ZN_VIEW("extra_v1"), 0, &err));
	object_row(&o, ZN_VIEW("\0\0\0\1list"), "theirs", stamp);
	ck_ok(zn_snapshot_write_dbi(&o.writer, ZN_VIEW("pdns"), 0, &err));
	ck_ok(zn_snapshot_write_entry(&o.writer, &entry, &err));
	object_put(&o, "main", instance, stamp);
}

/* A Lightning Stream beside PowerDNS 5: our database, which nobody serves, becomes one of schema 6. Beside one
 * that still has 5, nothing of ours goes out. */
START_TEST(other_schema)
{
	uint64_t now = zn_clock_now().ns;

	setup();
	put_schema("new", now, 6);
	node_start(&a);
	ck_assert_uint_eq(zn_env_schema(a.env), 5);
	wait_row(&a, ZN_MAIN, 1, "list", "theirs");
	node_round(&a);
	ck_assert_uint_eq(zn_env_schema(a.env), 6);
	node_put(&a, ZN_RECORDS, 1, "www", "one");
	node_round(&a);
	node_round(&a);
	unsigned objects = world_count(&world, "shard__ns1__");
	ck_assert_uint_ge(objects, 1);
	put_schema("old", now + 1, 5);
	node_round(&a);
	node_put(&a, ZN_RECORDS, 1, "www", "two");
	node_round(&a);
	node_round(&a);
	struct zn_syncer_status status = node_status(&a);
	ck_assert_ptr_nonnull(strstr(status.hold, "schema version 5"));
	zn_syncer_status_release(&status);
	ck_assert_uint_eq(world_count(&world, "shard__ns1__"), objects);
	/* It was upgraded, too: everything goes on. */
	put_schema("old", now + 2, 6);
	node_start(&b);
	wait_row(&b, ZN_RECORDS, 1, "www", "two");
	remove_both();
}
END_TEST

/* With another process on our database, which may be a PowerDNS 4, schema 6 stays out. */
START_TEST(served_schema)
{
	uint64_t now = zn_clock_now().ns;
	struct zn_syncer_status status;
	char command[400];

	setup();
	node_open(&a);
	snprintf(command, sizeof command, "exec %s --hold %s", program, a.scratch.path);
	FILE *server = popen(command, "w");
	ck_assert_ptr_nonnull(server);
	for (uint64_t deadline = zn_clock_mono() + WAIT_NS; !zn_env_open_elsewhere(a.env); usleep(1000))
		ck_assert_uint_lt(zn_clock_mono(), deadline);
	put_schema("new", now, 6);
	node_sync(&a);
	node_round(&a);
	node_round(&a);
	ck_assert_ptr_null(node_get(&a, ZN_MAIN, 1, "list"));
	ck_assert_uint_eq(zn_env_schema(a.env), 5);
	status = node_status(&a);
	ck_assert_ptr_nonnull(strstr(status.hold, "schema version 6"));
	ck_assert_str_ne(status.peers[0].problem, "");
	zn_syncer_status_release(&status);
	pclose(server); /* its end of file ends it */
	wait_row(&a, ZN_MAIN, 1, "list", "theirs");
	node_open(&b);
	remove_both();
}
END_TEST

/* Have a database open until the end of input, as a server does. */
static int hold(const char *path)
{
	MDB_env *env;
	char byte;

	if (mdb_env_create(&env) || mdb_env_open(env, path, MDB_NOSUBDIR, 0600))
		return 1;
	while (read(0, &byte, 1) > 0)
		;
	mdb_env_close(env);
	return 0;
}

/* One entry that would end every Lightning Stream of the bucket, whatever put it there: nothing is uploaded, and the
 * status says why. The linker puts it behind the last DBI. */
static atomic_bool spoil;

enum zn_code __real_zn_snapshot_write_end(struct zn_snapshot_writer *writer, struct zn_err *err);
enum zn_code __wrap_zn_snapshot_write_end(struct zn_snapshot_writer *writer, struct zn_err *err);
enum zn_code __wrap_zn_snapshot_write_end(struct zn_snapshot_writer *writer, struct zn_err *err)
{
	enum zn_code code = __real_zn_snapshot_write_end(writer, err);

	if (!code && atomic_load(&spoil)) /* DBI "a" with an entry of no bytes */
		code = zn_sink_write(writer->out, ZN_VIEW("\x1a\x05\x0a\x01" "a" "\x12\x00"), err);
	return code;
}

START_TEST(bad_entry_of_ours)
{
	setup();
	node_start(&a);
	atomic_store(&spoil, true);
	node_put(&a, ZN_RECORDS, 1, "www", "one");
	ck_assert_int_eq(zn_syncer_round(a.syncer, zn_clock_mono() + WAIT_NS, NULL), ZN_ECORRUPT);
	ck_assert_uint_eq(world.puts, 0);
	struct zn_syncer_status status = node_status(&a);
	ck_assert_ptr_nonnull(strstr(status.problem, "publish shard"));
	zn_syncer_status_release(&status);
	atomic_store(&spoil, false);
	node_start(&b);
	wait_row(&b, ZN_RECORDS, 1, "www", "one");
	remove_both();
}
END_TEST

/* ---- in order and whole ---- */

/* Looks again and again until told to stop. */
struct watcher {
	pthread_t thread;
	atomic_bool stop;
	void (*look)(void);
};

static void *watch_main(void *arg)
{
	struct watcher *watcher = arg;

	while (!atomic_load(&watcher->stop))
		watcher->look();
	return NULL;
}

static void watch_begin(struct watcher *watcher, void (*look)(void))
{
	watcher->look = look;
	atomic_store(&watcher->stop, false);
	ck_assert_int_eq(pthread_create(&watcher->thread, NULL, watch_main, watcher), 0);
}

static void watch_end(struct watcher *watcher)
{
	atomic_store(&watcher->stop, true);
	pthread_join(watcher->thread, NULL);
}

/* Listed in main: then its records are there, whether main is looked at before or after. */
static void look_at_order(void)
{
	bool listed = node_get(&a, ZN_MAIN, 1, "list") != NULL;
	bool records = node_get(&a, ZN_RECORDS, 1, "www") != NULL;

	atomic_fetch_add(&seen_wrong, listed && !records && node_get(&a, ZN_MAIN, 1, "list") != NULL);
}

START_TEST(list_and_records)
{
	struct watcher watcher;

	setup();
	start_both();
	watch_begin(&watcher, look_at_order);
	for (int i = 0; i < 15; i++) {
		node_put(&b, ZN_RECORDS, 1, "www", "x");
		node_put(&b, ZN_MAIN, 1, "list", "x");
		wait_row(&a, ZN_MAIN, 1, "list", "x");
		node_put(&b, ZN_MAIN, 1, "list", NULL);
		node_put(&b, ZN_RECORDS, 1, "www", NULL);
		wait_row(&a, ZN_RECORDS, 1, "www", NULL);
	}
	watch_end(&watcher);
	ck_assert_uint_eq(atomic_load(&seen_wrong), 0);
	remove_both();
}
END_TEST

/* A zone that exists changes from one state to the next in one transaction, however many rows it has. */
#define BIG_ROWS 9000

static void look_at_wholeness(void)
{
	ZN_AUTO(zn_txn_end) struct zn_txn txn = {0};
	struct zn_cursor cursor;
	unsigned count[2] = {0, 0};
	uint8_t zone[4];

	zn_put_u32(zone, 5);
	if (zn_txn_begin(&txn, a.env, ZN_RECORDS, ZN_TXN_READ, NULL) != ZN_OK ||
			zn_cursor_open(&cursor, &txn, ZN_DBI_RECORDS, NULL) != ZN_OK)
		return;
	enum zn_code code = zn_cursor_seek(&cursor, zn_view(zone, 4));
	for (; !code && zn_view_starts_with(cursor.key, zn_view(zone, 4)); code = zn_cursor_next(&cursor))
		count[cursor.value.data[ZN_HEADER_SIZE] == 'n']++;
	zn_cursor_close(&cursor);
	atomic_fetch_add(&seen_wrong, count[0] && count[1]);
}

static void put_big(const char *text, uint64_t stamp)
{
	uint8_t key[13] = {0, 0, 0, 5};
	struct object o;

	object_begin(&o, 0, 0);
	ck_ok(zn_snapshot_write_dbi(&o.writer, ZN_VIEW("records_v5"), 0, &err));
	for (uint32_t i = 0; i < BIG_ROWS; i++) {
		zn_put_u32(key + 4, i);
		zn_put_u16(key + 11, 1);
		object_row(&o, zn_view(key, sizeof key), text, stamp);
	}
	object_put(&o, "shard", "ls", stamp);
}

START_TEST(zone_is_whole)
{
	uint64_t now = zn_clock_now().ns;
	struct watcher watcher;

	setup();
	node_start(&a);
	put_big("old", now);
	for (uint64_t deadline = zn_clock_mono() + WAIT_NS;;) {
		struct zn_syncer_status status = node_status(&a);
		uint64_t merged = status.db[ZN_RECORDS].entries_merged;

		zn_syncer_status_release(&status);
		if (merged == BIG_ROWS)
			break;
		ck_assert_uint_lt(zn_clock_mono(), deadline);
	}
	watch_begin(&watcher, look_at_wholeness);
	for (unsigned i = 1; i < 6; i++) {
		put_big(i % 2 ? "new" : "old", now + i);
		for (uint64_t deadline = zn_clock_mono() + WAIT_NS;;) {
			struct zn_syncer_status status = node_status(&a);
			uint64_t merged = status.db[ZN_RECORDS].entries_merged;

			zn_syncer_status_release(&status);
			if (merged == (uint64_t)BIG_ROWS * (i + 1))
				break;
			ck_assert_uint_lt(zn_clock_mono(), deadline);
		}
	}
	watch_end(&watcher);
	ck_assert_uint_eq(atomic_load(&seen_wrong), 0);
	node_open(&b);
	remove_both();
}
END_TEST

/* ---- identity ---- */

START_TEST(name_used_twice)
{
	struct node twin;
	struct zn_syncer_status status;
	uint64_t deadline;

	setup();
	node_start(&a);
	node_put(&a, ZN_RECORDS, 1, "www", "old");
	node_round(&a);
	node_make(&twin, &world, "ns1");
	node_start(&twin); /* younger */
	wait_row(&twin, ZN_RECORDS, 1, "www", "old");
	/* The younger one writes before it can know; nothing of it is lost. */
	node_put(&twin, ZN_RECORDS, 2, "mail", "young");
	node_put(&a, ZN_RECORDS, 3, "ftp", "old");
	node_start(&b);
	wait_row(&twin, ZN_RECORDS, 3, "ftp", "old");
	node_round(&a);
	node_put(&a, ZN_RECORDS, 3, "ftp", "older");
	wait_row(&twin, ZN_RECORDS, 3, "ftp", "older");
	for (deadline = zn_clock_mono() + WAIT_NS;;) {
		node_round(&twin);
		status = node_status(&twin);
		bool says = status.duplicate && strstr(status.hold, "another process");
		zn_syncer_status_release(&status);
		if (says)
			break;
		ck_assert_uint_lt(zn_clock_mono(), deadline);
	}
	node_put(&a, ZN_RECORDS, 1, "www", "still publishing");
	wait_row(&b, ZN_RECORDS, 1, "www", "still publishing");
	node_remove(&twin);
	remove_both();
}
END_TEST

START_TEST(receive_only)
{
	setup();
	b.receive = true;
	start_both();
	node_put(&b, ZN_RECORDS, 2, "mail", "mine");
	node_put(&a, ZN_RECORDS, 1, "www", "one");
	wait_row(&b, ZN_RECORDS, 1, "www", "one");
	node_round(&b);
	ck_assert_uint_eq(world_count(&world, "shard__ns2__"), 0);
	struct zn_syncer_status status = node_status(&b);
	ck_assert_ptr_nonnull(strstr(status.hold, "receive"));
	zn_syncer_status_release(&status);
	remove_both();
}
END_TEST

START_TEST(options_refused)
{
	struct zn_syncer_options options = {.bucket = "ns1", .instance = "ns1", .spool = "/tmp", .poll = ZN_NS_PER_S};
	struct zn_syncer *syncer = NULL;
	struct zn_err err;

	setup();
	node_open(&a);
	node_open(&b);
	ck_assert_int_eq(zn_syncer_start(&options, a.env, a.commit, a.watch, &syncer, &err), ZN_EINVAL);
	options.bucket = "file:///tmp/does/not/matter";
	options.instance = "ns1.example.org";
	ck_assert_int_eq(zn_syncer_start(&options, a.env, a.commit, a.watch, &syncer, &err), ZN_EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "ns1-example-org"));
	remove_both();
}
END_TEST

/* ---- many changes at once ---- */

/* Random edits on three nodes around a bucket that loses, delays, cuts off and lies; then peace. All end
 * with the same rows, each of them the last of its key that anybody has written. */
struct editor {
	struct node *node;
	unsigned seed;
};

static void *edit(void *arg)
{
	struct editor *editor = arg;

	for (int i = 0; i < 60; i++) {
		char name[16], text[64];
		enum zn_which which = rand_r(&editor->seed) % 3 ? ZN_RECORDS : ZN_MAIN;

		snprintf(name, sizeof name, "n%d", rand_r(&editor->seed) % 6);
		snprintf(text, sizeof text, "%s %d", editor->node->instance, i);
		node_put(editor->node, which, 1 + (unsigned)rand_r(&editor->seed) % 3, name,
				rand_r(&editor->seed) % 4 ? text : NULL);
		usleep((unsigned)rand_r(&editor->seed) % 8000);
	}
	return NULL;
}

START_TEST(convergence)
{
	static const char *const names[] = {"ns1", "ns2", "ns3"};
	struct node nodes[3];
	pthread_t threads[3];
	struct editor editors[3];

	world_make(&world, (unsigned)_i);
	for (int i = 0; i < 3; i++) {
		node_make(&nodes[i], &world, names[i]);
		node_start(&nodes[i]);
		editors[i] = (struct editor){&nodes[i], (unsigned)(10 * _i + i)};
	}
	world.faults = true;
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, edit, &editors[i]), 0);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	node_stop(&nodes[1]);
	node_start(&nodes[1]);
	pthread_mutex_lock(&world.lock);
	world.faults = false;
	pthread_mutex_unlock(&world.lock);
	/* An object that was cut off is replaced with the next change of its instance, as in life. */
	for (int i = 0; i < 3; i++) {
		node_put(&nodes[i], ZN_RECORDS, 7, names[i], "end");
		node_put(&nodes[i], ZN_MAIN, 7, names[i], "end");
	}
	for (int i = 0; i < 3; i++)
		for (int k = 0; k < 3; k++)
			wait_row(&nodes[k], ZN_RECORDS, 7, names[i], "end");
	wait_same(&nodes[0], &nodes[1]);
	wait_same(&nodes[0], &nodes[2]);
	for (int i = 0; i < 3; i++)
		node_remove(&nodes[i]);
	world_remove(&world);
}
END_TEST

/* A save between two merges is never taken for one: one side saves while the other floods it. */
static void *flood(void *arg)
{
	struct node *node = arg;

	for (int i = 0; i < 200; i++) {
		char text[16];

		snprintf(text, sizeof text, "%d", i);
		node_put(node, ZN_RECORDS, 1, "flood", text);
		usleep(1000);
	}
	return NULL;
}

START_TEST(save_between_merges)
{
	pthread_t thread;

	setup();
	start_both();
	ck_assert_int_eq(pthread_create(&thread, NULL, flood, &a), 0);
	for (int i = 0; i < 20; i++) {
		char text[16];

		snprintf(text, sizeof text, "%d", i);
		node_put(&b, ZN_RECORDS, 2, "comment", text);
		wait_row(&a, ZN_RECORDS, 2, "comment", text);
	}
	pthread_join(thread, NULL);
	wait_same(&a, &b);
	remove_both();
}
END_TEST

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--hold") == 0)
		return hold(argv[2]);
	program = argv[0];

	Suite *suite = suite_create("sync/syncer");
	TCase *tests = tcase_create("all");

	tcase_set_timeout(tests, 600);
	tcase_add_test(tests, there_and_back);
	tcase_add_test(tests, no_echo);
	tcase_add_test(tests, empty_publishes_nothing);
	tcase_add_test(tests, stop_flushes);
	tcase_add_test(tests, own_objects_first);
	tcase_add_test(tests, bucket_down);
	tcase_add_test(tests, restored);
	tcase_add_test(tests, renewed);
	tcase_add_test(tests, forgotten);
	tcase_add_test(tests, damaged_object);
	tcase_add_test(tests, old_object);
	tcase_add_test(tests, strange_object);
	tcase_add_test(tests, from_the_future);
	tcase_add_test(tests, own_clock_wrong);
	tcase_add_test(tests, own_stamp_ahead);
	tcase_add_test(tests, other_schema);
	tcase_add_test(tests, served_schema);
	tcase_add_test(tests, bad_entry_of_ours);
	tcase_add_test(tests, list_and_records);
	tcase_add_test(tests, zone_is_whole);
	tcase_add_test(tests, name_used_twice);
	tcase_add_test(tests, receive_only);
	tcase_add_test(tests, options_refused);
	tcase_add_loop_test(tests, convergence, 1, 4);
	tcase_add_test(tests, save_between_merges);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
