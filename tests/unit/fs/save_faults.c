/* Every write to the database fails once, and the process dies at every one of them: the zone is then the old one or the new one. The linker puts the functions
 * below before LMDB's (--wrap). */
#include <errno.h>
#include <lmdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/base/limits.h"
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

int __real_mdb_txn_commit(MDB_txn *txn);
int __wrap_mdb_txn_commit(MDB_txn *txn);
int __wrap_mdb_txn_commit(MDB_txn *txn)
{
	if (hit(txn)) {
		mdb_txn_abort(txn);
		return ENOSPC;
	}
	MDB_env *env = mdb_txn_env(txn);
	int rc = __real_mdb_txn_commit(txn);
	/* Dying right after it is another point than right before it. */
	const char *path = "";
	mdb_env_get_path(env, &path);
	size_t len = strlen(path);
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

int main(void)
{
	Suite *suite = suite_create("save_faults");
	TCase *tcase = tcase_create("save_faults");

	tcase_set_timeout(tcase, 240);
	tcase_add_loop_test(tcase, each_write_fails, 0, sizeof changes / sizeof *changes);
	tcase_add_loop_test(tcase, killed_at_each_write, 0, sizeof changes / sizeof *changes);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
