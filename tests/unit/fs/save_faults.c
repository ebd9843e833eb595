/* Every write to the database fails once, and the process dies at every one of them: the zone is then the old one or the new one. And metadata moves right before a
 * commit. The linker puts the functions below before LMDB's (--wrap). */
#include <errno.h>
#include <lmdb.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/base/limits.h"
#include "store/base/wire.h"
#include "store/meta.h"
#include "store/object.h"
#include "tests/unit/fs/saver.h"
#include "tests/unit/suite.h"

#define ZONE "example.com"
#define TEXT(serial, more) "$TTL 3600\n@ SOA ns hostmaster " #serial " 7200 1800 1209600 300\n  NS ns\nns A 192.0.2.1\n" more
#define OLD TEXT(7, "; old\nold A 192.0.2.7\nx.y.z A 192.0.2.7\n")
#define NEW TEXT(8, "; new\nnew A 192.0.2.8\n")
#define EXIT_KILLED 99

static struct world world;

/* Which call fails, or kills: the n-th from now; 0: none. */
static atomic_int countdown;
static atomic_bool kills;

static bool hit(MDB_txn *txn)
{
	const char *path = "";
	size_t len;

	/* The private env is written in its own time. */
	mdb_env_get_path(mdb_txn_env(txn), &path);
	len = strlen(path);
	if (len > 7 && strcmp(path + len - 7, "-zonefs") == 0)
		return false;
	if (!atomic_load(&countdown) || atomic_fetch_sub(&countdown, 1) != 1)
		return false;
	if (atomic_load(&kills))
		_exit(EXIT_KILLED);
	return true;
}

int __real_mdb_put(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data, unsigned flags);
int __wrap_mdb_put(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data, unsigned flags);
int __wrap_mdb_put(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data, unsigned flags)
{
	return hit(txn) ? ENOSPC : __real_mdb_put(txn, dbi, key, data, flags);
}

int __real_mdb_cursor_put(MDB_cursor *cursor, MDB_val *key, MDB_val *data, unsigned flags);
int __wrap_mdb_cursor_put(MDB_cursor *cursor, MDB_val *key, MDB_val *data, unsigned flags);
int __wrap_mdb_cursor_put(MDB_cursor *cursor, MDB_val *key, MDB_val *data, unsigned flags)
{
	return hit(mdb_cursor_txn(cursor)) ? ENOSPC : __real_mdb_cursor_put(cursor, key, data, flags);
}

/* Called once, right before the next commit to the records. */
static void (*_Atomic before_commit)(void);

int __real_mdb_txn_commit(MDB_txn *txn);
int __wrap_mdb_txn_commit(MDB_txn *txn);
int __wrap_mdb_txn_commit(MDB_txn *txn)
{
	if (hit(txn)) {
		mdb_txn_abort(txn);
		return ENOSPC;
	}
	MDB_env *env = mdb_txn_env(txn);
	const char *path = "";
	mdb_env_get_path(env, &path);
	size_t len = strlen(path);
	void (*hook)(void) = NULL;
	if (len > 2 && strcmp(path + len - 2, "-0") == 0)
		hook = atomic_exchange(&before_commit, NULL);
	if (hook)
		hook();
	int rc = __real_mdb_txn_commit(txn);
	/* Dying right after it is another point than right before it. */
	if (rc == 0 && atomic_load(&kills) && !(len > 7 && strcmp(path + len - 7, "-zonefs") == 0) && atomic_load(&countdown) &&
		atomic_fetch_sub(&countdown, 1) == 1)
		_exit(EXIT_KILLED);
	return rc;
}

/* What is done, and the text before and after it (NULL: no zone). */
static const struct {
	const char *name, *before, *after;
	bool bury;
} changes[] = {
	{"create", NULL, NEW, false},
	{"update", OLD, NEW, false},
	{"only the text", NEW, NEW "; more\n", false},
	{"bury", OLD, NULL, true},
};

static void begin(int i)
{
	world_make(&world);
	if (changes[i].before)
		save_good(&world, ZONE, changes[i].before);
}

static enum zn_code act(int i)
{
	struct zn_zone_id zone = zone_of(ZONE);
	struct zn_actor actor = {.program = "test"};

	return changes[i].bury ? zn_saver_bury(world.saver, &zone, &actor, NULL) : save_text(&world, ZONE, changes[i].after);
}

static enum zn_code collect(void *context, struct zn_view bytes)
{
	zn_buf_add(context, bytes);
	return ZN_OK;
}

/* The text as it is now is one of the two; true: the new one. And the rows are those of that text. */
static bool is_new(int i, int n)
{
	ZN_AUTO(zn_buf_release) struct zn_buf text = ZN_BUF_INIT(ZN_TEXT_MAX);
	struct zn_sink sink = {&text, collect};
	struct zn_zone_info info;
	struct zn_loaded loaded;
	const char *now = NULL;

	if (find(&world, ZONE, &info) == ZN_OK) {
		ck_ok(zn_load_text(world.loader, &info, &sink, &loaded, &err));
		now = zn_buf_str(&text);
		ck_assert_msg(loaded.stat.text_fits, "%s, %d: text and rows do not fit", changes[i].name, n);
	}
	bool old = changes[i].before ? now && strcmp(now, changes[i].before) == 0 : !now;
	bool new = changes[i].after ? now && strcmp(now, changes[i].after) == 0 : !now;
	ck_assert_msg(old || new, "%s, %d: neither old nor new: %s", changes[i].name, n, now ? now : "gone");
	return new;
}

START_TEST(each_write_fails)
{
	int n = 0, left;

	do {
		n++;
		begin(_i);
		atomic_store(&countdown, n);
		enum zn_code code = act(_i);
		left = atomic_exchange(&countdown, 0);
		/* A failure between the two commits of a creation leaves nothing to be seen; of a burial, a zone that is gone. */
		bool new = is_new(_i, n);
		if (code == ZN_OK)
			ck_assert_msg(new, "%s, %d: lost", changes[_i].name, n);
		world_close(&world);
		world_open(&world);
		is_new(_i, n);
		/* And it can be done again. */
		code = act(_i);
		ck_assert_msg(code == ZN_OK || code == ZN_ENOTFOUND, "%s, %d: %s", changes[_i].name, n, zn_code_text(code));
		ck_assert_msg(is_new(_i, n), "%s, %d: not done again", changes[_i].name, n);
		world_remove(&world);
	} while (left <= 0);
	ck_assert_int_gt(n, 3);
}
END_TEST

/* In a child: opens, acts, dies on the way or says how it went. */
static int run_child(int i, int n)
{
	fflush(NULL);
	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (child == 0) {
		world_open(&world);
		atomic_store(&kills, true);
		atomic_store(&countdown, n);
		_exit(act(i) == ZN_OK ? 0 : 1);
	}
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

START_TEST(killed_at_each_write)
{
	int n = 0, how;

	do {
		n++;
		begin(_i);
		world_close(&world);
		how = run_child(_i, n);
		ck_assert_msg(how == 0 || how == EXIT_KILLED, "%s, %d: exit %d", changes[_i].name, n, how);
		world_open(&world);
		bool new = is_new(_i, n);
		ck_assert_msg(new || how == EXIT_KILLED, "%s, %d: lost", changes[_i].name, n);
		enum zn_code code = act(_i);
		ck_assert_msg(code == ZN_OK || code == ZN_ENOTFOUND, "%s, %d: %s", changes[_i].name, n, zn_code_text(code));
		ck_assert_msg(is_new(_i, n), "%s, %d: not done again", changes[_i].name, n);
		world_remove(&world);
	} while (how == EXIT_KILLED);
	ck_assert_int_gt(n, 3);
}
END_TEST

/* Another process signs the zone, with NSEC3, between our look at its metadata and our commit. */
static void sign_meanwhile(void)
{
	static const char *const param = "1 0 1 ab";
	ZN_AUTO(zn_txn_end) struct zn_txn main = {0};
	ZN_AUTO(zn_buf_release) struct zn_buf payload = ZN_BUF_INIT(4096);
	struct zn_zone_id zone = zone_of(ZONE);
	struct zn_keydata keydata = {
		.form = zn_form_for(&zone, 1, 1), .zone = zone, .content = ZN_VIEW("Private-key-format: v1.2\n"), .flags = 257, .active = true,
		.published = true,
	};
	struct zn_index_key key;

	zn_keydata_encode(&keydata, &payload);
	ck_assert_int_eq(zn_index_key_make(&zone, 5, &key), ZN_OK);
	ck_ok(zn_txn_begin(&main, world.env, ZN_MAIN, ZN_TXN_WRITE, &err));
	ck_ok(zn_object_put(&main, ZN_DBI_KEYDATA, &key, zn_buf_view(&payload), ZN_USER, &err));
	ck_ok(zn_meta_set(&main, &zone, "NSEC3PARAM", &param, 1, ZN_USER, &err));
	ck_ok(zn_txn_commit(&main, &err));
}

static size_t pairs_of(uint32_t id)
{
	ZN_AUTO(zn_txn_end) struct zn_txn records = {0};
	struct zn_cursor cursor;
	uint8_t prefix[4];
	size_t count = 0;

	zn_put_u32(prefix, id);
	ck_ok(zn_txn_begin(&records, world.env, ZN_RECORDS, ZN_TXN_READ, &err));
	ck_ok(zn_cursor_open(&cursor, &records, ZN_DBI_RECORDS, &err));
	for (enum zn_code code = zn_cursor_seek(&cursor, zn_view(prefix, 4)); code == ZN_OK && zn_view_starts_with(cursor.key, zn_view(prefix, 4));
		code = zn_cursor_next(&cursor))
		count += zn_get_u16(cursor.key.data + cursor.key.len - 2) == ZN_TYPE_NSEC3;
	zn_cursor_close(&cursor);
	return count;
}

START_TEST(metadata_moves_meanwhile)
{
	begin(1);
	atomic_store(&before_commit, sign_meanwhile);
	struct zn_save_result result = save_good(&world, ZONE, NEW);
	ck_assert_ptr_null((void *)atomic_load(&before_commit));
	/* apex, ns and new are in the chain, with two rows each. */
	for (uint64_t deadline = zn_clock_mono() + 60 * ZN_NS_PER_S; pairs_of(result.zone.id) != 6; sched_yield())
		ck_assert_msg(zn_clock_mono() < deadline, "%zu rows of the chain", pairs_of(result.zone.id));
	expect_text(&world, ZONE, NEW);
	world_remove(&world);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("save_faults");
	TCase *tcase = tcase_create("save_faults");

	tcase_set_timeout(tcase, 240);
	tcase_add_loop_test(tcase, each_write_fails, 0, sizeof changes / sizeof *changes);
	tcase_add_loop_test(tcase, killed_at_each_write, 0, sizeof changes / sizeof *changes);
	tcase_add_test(tcase, metadata_moves_meanwhile);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
