/* The merge order against Lightning Stream itself: random snapshots of several instances, which it merges in an
 * order of its own, leave what sync/merge.h says. Skipped where no Lightning Stream is at hand ($LIGHTNINGSTREAM, or
 * unpacked by tests/parts/install.sh). */
#include "tests/unit/suite.h"

#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/base/auto.h"
#include "store/header.h"
#include "sync/frame.h"
#include "sync/merge.h"
#include "sync/object.h"
#include "sync/snapshot.h"
#include "tests/unit/support.h"

enum { INSTANCES = 5, KEYS = 40, ROUNDS = 4 };

static const char *const versions[] = {"1.0.0", "0.4.4"};
static char binaries[2][300];
static size_t binary_count;

static void find_binaries(void)
{
	const char *named = getenv("LIGHTNINGSTREAM");
	const char *cache = getenv("ZONEFS_CACHE");

	if (named && access(named, X_OK) == 0)
		snprintf(binaries[binary_count++], sizeof binaries[0], "%s", named);
	for (size_t i = 0; i < 2 && binary_count < 2; i++) {
		snprintf(binaries[binary_count], sizeof binaries[0], "%s/lightningstream-%s",
				cache ? cache : "/var/cache/zonefs-tests", versions[i]);
		binary_count += access(binaries[binary_count], X_OK) == 0;
	}
}

/* Entries of few values and times, so that ties are many. Never a live empty value: there Lightning Stream keeps
 * whatever it has, which is why M1 is ours. */
static struct zn_merge_entry random_entry(void)
{
	static const char *const values[] = {"a", "b", "ab", "\xff", "c"};
	struct zn_merge_entry entry = {
			.stamp = {UINT64_C(1700000000000000000) + (uint64_t)rand() % 3},
			.deleted = rand() % 3 == 0,
			.value = zn_view_str(values[rand() % 5]),
	};

	if (entry.deleted)
		entry.value = zn_view(NULL, 0);
	return entry;
}

/* One snapshot, unsorted and with doubled keys; what it says is merged into `model`. */
static void write_snapshot(const char *bucket, unsigned instance, struct zn_merge_entry model[static KEYS],
		bool present[static KEYS])
{
	char name[ZN_OBJECT_NAME_MAX + 1], path[600], text[16];
	struct zn_snapshot_writer writer;
	struct zn_gzip_writer *gzip;

	snprintf(text, sizeof text, "i%u", instance);
	struct zn_snapshot_meta meta = {.instance = zn_view_str(text), .db = ZN_VIEW("shard"), .txnid = 1, .stamp = {1}};
	zn_object_name(ZN_VIEW("shard"), zn_view_str(text), (struct zn_stamp){UINT64_C(1700000000000000000)}, name);
	snprintf(path, sizeof path, "%s/%s", bucket, name);
	ZN_AUTO_CLOSE int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	ck_assert_int_ge(fd, 0);
	ck_ok(zn_gzip_writer_new(fd, &gzip, &err));
	zn_snapshot_writer_init(&writer, zn_gzip_sink(gzip));
	ck_ok(zn_snapshot_write_meta(&writer, &meta, &err));
	ck_ok(zn_snapshot_write_dbi(&writer, ZN_VIEW("records_v5"), 0, &err));
	for (int i = 0; i < KEYS; i++) {
		uint8_t key = (uint8_t)(rand() % KEYS);
		struct zn_merge_entry entry = random_entry();
		struct zn_snapshot_entry row = {zn_view(&key, 1), entry.value, entry.stamp, entry.deleted};

		ck_ok(zn_snapshot_write_entry(&writer, &row, &err));
		if (zn_merge_takes(present[key] ? &model[key] : NULL, &entry, (struct zn_stamp){0}))
			model[key] = entry;
		present[key] = true;
	}
	ck_ok(zn_snapshot_write_end(&writer, &err));
	ck_ok(zn_gzip_finish(gzip, &err));
	zn_snapshot_writer_release(&writer);
	zn_gzip_writer_free(gzip);
}

static void run_lightningstream(const char *binary, const char *dir)
{
	char path[400], command[1200];

	snprintf(path, sizeof path, "%s/ls.yaml", dir);
	FILE *config = fopen(path, "we");
	ck_assert_ptr_nonnull(config);
	fprintf(config,
			"instance: reader\nlmdb_poll_interval: 100ms\nstorage_poll_interval: 100ms\nlmdbs:\n  shard:\n"
			"    path: %s/db\n    schema_tracks_changes: true\n    options: {no_subdir: true, create: true}\n"
			"storage:\n  type: fs\n  options: {root_path: %s/bucket}\n",
			dir, dir);
	fclose(config);
	snprintf(command, sizeof command, "%s -c %s --timeout 60s receive --only-once > %s/log 2>&1 || (cat %s/log; false)",
			binary, path, dir, dir);
	ck_assert_int_eq(system(command), 0);
}

static void compare(const char *dir, const struct zn_merge_entry model[static KEYS], const bool present[static KEYS])
{
	char path[400];
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;

	snprintf(path, sizeof path, "%s/db", dir);
	ck_assert_int_eq(mdb_env_create(&env), 0);
	ck_assert_int_eq(mdb_env_set_maxdbs(env, 8), 0);
	ck_assert_int_eq(mdb_env_open(env, path, MDB_NOSUBDIR | MDB_RDONLY, 0600), 0);
	ck_assert_int_eq(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), 0);
	ck_assert_int_eq(mdb_dbi_open(txn, "records_v5", 0, &dbi), 0);
	for (int i = 0; i < KEYS; i++) {
		uint8_t byte = (uint8_t)i;
		MDB_val key = {1, &byte}, value;
		int rc = mdb_get(txn, dbi, &key, &value);
		struct zn_header header;
		struct zn_view payload;

		ck_assert_int_eq(rc, present[i] ? 0 : MDB_NOTFOUND);
		if (rc)
			continue;
		ck_assert_int_eq(zn_header_read(zn_view(value.mv_data, value.mv_size), &header, &payload), ZN_OK);
		ck_assert_msg(header.stamp.ns == model[i].stamp.ns, "key %d", i);
		ck_assert_msg(zn_header_deleted(&header) == model[i].deleted, "key %d", i);
		ck_assert_msg(zn_view_equal(payload, model[i].value), "key %d", i);
	}
	mdb_txn_abort(txn);
	mdb_env_close(env);
}

START_TEST(the_same_order)
{
	struct zn_merge_entry model[KEYS];
	bool present[KEYS] = {false};
	struct scratch scratch;
	char bucket[200];

	if ((size_t)(_i / ROUNDS) >= binary_count)
		return;
	srand((unsigned)_i);
	scratch_make(&scratch);
	snprintf(bucket, sizeof bucket, "%s/bucket", scratch.dir);
	ck_assert_int_eq(mkdir(bucket, 0755), 0);
	for (unsigned i = 0; i < INSTANCES; i++)
		write_snapshot(bucket, i, model, present);
	run_lightningstream(binaries[_i / ROUNDS], scratch.dir);
	compare(scratch.dir, model, present);
	scratch_remove(&scratch);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sync/lightningstream");
	TCase *tests = tcase_create("all");

	find_binaries();
	if (!binary_count) {
		printf("1..0 # SKIP no Lightning Stream at hand\n");
		return 0;
	}
	tcase_set_timeout(tests, 600);
	tcase_add_loop_test(tests, the_same_order, 0, 2 * ROUNDS);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
