#include "store/env.h"

#include <errno.h>
#include <lmdb.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/base/limits.h"
#include "store/txn.h"
#include "tests/unit/foreign.h"
#include "tests/unit/suite.h"
#include "tests/unit/support.h"

#define NOBODY 65534

static struct scratch scratch;

static void setup(void)
{
	scratch_make(&scratch);
}

static void teardown(void)
{
	scratch_remove(&scratch);
}

static const char *const suffixes[] = {"", "-lock", "-0", "-0-lock"};

START_TEST(a_new_pair)
{
	bool root = geteuid() == 0;

	if (root)
		ck_assert_int_eq(chown(scratch.dir, NOBODY, NOBODY), 0);
	mode_t before = umask(0);
	struct zn_env *env = scratch_open_with(&scratch, (struct zn_env_options){0});
	umask(before);
	struct zn_env_usage usage;
	uint8_t uuid[16];
	ck_assert_uint_eq(zn_env_schema(env), 5);
	ck_assert_str_eq(zn_env_path(env), scratch.path);
	ck_ok(zn_env_usage(env, ZN_RECORDS, &usage, &err));
	ck_assert_uint_eq(usage.map_size, ZN_MAP_SIZE_DEFAULT);
	ck_assert_uint_gt(usage.used, 0);
	ck_assert_uint_lt(usage.used, 1 << 20);
	memcpy(uuid, zn_env_uuid(env), sizeof uuid);
	for (size_t i = 0; i < 4; i++) {
		char path[192];
		struct stat st;
		snprintf(path, sizeof path, "%s%s", scratch.path, suffixes[i]);
		ck_assert_int_eq(stat(path, &st), 0);
		ck_assert_uint_eq(st.st_mode & 07777, 0600);
		ck_assert_uint_eq(st.st_uid, root ? NOBODY : geteuid());
	}
	zn_env_close(env);
	env = scratch_open(&scratch);
	ck_assert(memcmp(uuid, zn_env_uuid(env), sizeof uuid) == 0);
	zn_env_close(env);
}
END_TEST

static uint64_t map_of(struct zn_env_options options)
{
	struct zn_env *env = scratch_open_with(&scratch, options);
	struct zn_env_usage usage;
	struct zn_txn txn;

	/* A commit records the size of whoever commits. */
	ck_ok(zn_txn_begin(&txn, env, ZN_RECORDS, ZN_TXN_WRITE, &err));
	ck_ok(zn_txn_put_raw(&txn, ZN_DBI_RECORDS, ZN_VIEW("k"), (struct zn_stamp){1}, 0, ZN_VIEW("v"), &err));
	ck_ok(zn_txn_commit(&txn, &err));
	zn_env_close(env);
	env = scratch_open_with(&scratch, (struct zn_env_options){.read_only = true});
	ck_ok(zn_env_usage(env, ZN_RECORDS, &usage, &err));
	zn_env_close(env);
	return usage.map_size >> 20;
}

START_TEST(the_recorded_size_is_kept_unless_it_may_grow)
{
	ck_assert_uint_eq(map_of((struct zn_env_options){.map_size = 8 << 20}), 8);
	ck_assert_uint_eq(map_of((struct zn_env_options){0}), 8);
	ck_assert_uint_eq(map_of((struct zn_env_options){.map_size = 32 << 20}), 8);
	ck_assert_uint_eq(map_of((struct zn_env_options){.map_size = 32 << 20, .grow = true}), 32);
	ck_assert_uint_eq(map_of((struct zn_env_options){.map_size = 8 << 20, .grow = true}), 32);
}
END_TEST

START_TEST(a_limit_below_the_recorded_size)
{
	static uint8_t big[3 << 20];
	struct zn_txn txn;

	zn_env_close(scratch_open_with(&scratch, (struct zn_env_options){.map_size = 16 << 20}));
	struct zn_env *env = scratch_open_with(&scratch, (struct zn_env_options){.map_size = 2 << 20});
	ck_ok(zn_txn_begin(&txn, env, ZN_RECORDS, ZN_TXN_WRITE, &err));
	ck_code(zn_txn_put_raw(&txn, ZN_DBI_RECORDS, ZN_VIEW("k"), (struct zn_stamp){1}, 0, zn_view(big, sizeof big), &err), ZN_EFULL);
	zn_txn_end(&txn);
	ck_assert(!zn_env_grow(env, ZN_RECORDS));
	zn_env_close(env);
	ck_assert_uint_eq(map_of((struct zn_env_options){0}), 16);
}
END_TEST

/* --- what is refused --- */

static void put_raw(const char *suffix, const char *table, const char *key, const char *hex)
{
	ZN_AUTO(zn_buf_release) struct zn_buf value = bytes_of(hex);
	char path[192];
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
	MDB_val k = {strlen(key), (void *)(uintptr_t)key}, v = {value.len, value.data};

	snprintf(path, sizeof path, "%s%s", scratch.path, suffix);
	ck_assert_int_eq(mdb_env_create(&env), 0);
	ck_assert_int_eq(mdb_env_set_maxdbs(env, 16), 0);
	ck_assert_int_eq(mdb_env_open(env, path, MDB_NOSUBDIR, 0600), 0);
	ck_assert_int_eq(mdb_txn_begin(env, NULL, 0, &txn), 0);
	ck_assert_int_eq(mdb_dbi_open(txn, table, MDB_CREATE, &dbi), 0);
	if (key[0])
		ck_assert_int_eq(mdb_put(txn, dbi, &k, &v, 0), 0);
	ck_assert_int_eq(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
}

#define HEADER "0000000000000001 0000000000000001 00 00 00000000 0000 "

static void pdns(const char *schema, const char *shards)
{
	put_raw("", "pdns", "schemaversion", schema);
	if (shards)
		put_raw("", "pdns", "shards", shards);
	put_raw("-0", "records_v5", "", "");
}

static void write_file(const char *suffix, size_t size)
{
	char path[192];

	snprintf(path, sizeof path, "%s%s", scratch.path, suffix);
	FILE *file = fopen(path, "we");
	ck_assert_ptr_nonnull(file);
	for (size_t i = 0; i < size; i++)
		fputc("not a database\n"[i % 15], file);
	fclose(file);
}

static void make_text(void) { write_file("", 20000); }
static void make_short(void) { write_file("", 10); }
static void make_directory(void) { ck_assert_int_eq(mkdir(scratch.path, 0700), 0); }
static void make_old(void) { pdns("04000000", "01000000"); }
static void make_old_with_header(void) { pdns(HEADER "00000004", HEADER "00000001"); }
static void make_future(void) { pdns(HEADER "00000007", HEADER "00000001"); }
static void make_bare(void) { pdns("05000000", "01000000"); }
static void make_sharded(void)
{
	/* Shards are made when they get a zone: there need not be one of number 0. */
	put_raw("", "pdns", "schemaversion", HEADER "00000005");
	put_raw("", "pdns", "shards", HEADER "00000040");
	put_raw("-7", "records_v5", "", "");
}
static void make_shardless(void) { pdns(HEADER "00000006", NULL); }
static void make_versionless(void) { put_raw("", "pdns", "uuid", HEADER); put_raw("-0", "records_v5", "", ""); }
static void make_odd(void) { pdns(HEADER "0000000005", HEADER "00000001"); }
static void make_mail(void) { put_raw("", "mail", "somebody", "00"); }
static void make_plain(void) { put_raw("", NULL, "somebody", "00"); }
static void make_records_only(void) { put_raw("-0", "records_v5", "", ""); }

static void make_cut(void)
{
	struct stat st;

	scratch_load(&scratch, "v5");
	ck_assert_int_eq(stat(scratch.path, &st), 0);
	ck_assert_int_eq(truncate(scratch.path, st.st_size / 2 / 4096 * 4096), 0);
}

static const struct {
	const char *name;
	void (*make)(void);
	enum zn_code code;
	const char *says[3];
} refusals[] = {
	{"a text", make_text, ZN_EFORMAT, {"not an LMDB file", "lmdb-filename"}},
	{"a short file", make_short, ZN_EFORMAT, {"not an LMDB file"}},
	{"a directory", make_directory, ZN_EFORMAT, {"directory"}},
	{"cut off", make_cut, ZN_ECORRUPT, {"cut off", "backup"}},
	{"schema 4", make_old, ZN_EFORMAT, {"schema version 4", "pdnsutil"}},
	{"schema 4 with headers", make_old_with_header, ZN_EFORMAT, {"schema version 4", "pdnsutil"}},
	{"schema 7", make_future, ZN_EFORMAT, {"schema version 7", "newer"}},
	{"no headers", make_bare, ZN_EFORMAT, {"Lightning Stream", "lmdb-lightning-stream=yes"}},
	{"64 shards", make_sharded, ZN_EFORMAT, {"64 shards", "lmdb-shards=1", "one-shard.sh"}},
	{"shards missing", make_shardless, ZN_EFORMAT, {"shards"}},
	{"no schema version", make_versionless, ZN_EFORMAT, {"schemaversion"}},
	{"a schema version of five bytes", make_odd, ZN_EFORMAT, {"schemaversion"}},
	{"tables of another program", make_mail, ZN_EFORMAT, {"pdns", "lmdb-filename"}},
	{"no tables at all", make_plain, ZN_EFORMAT, {"not of PowerDNS"}},
	{"records alone", make_records_only, ZN_EFORMAT, {"missing", "backup"}},
};

static size_t content(const char *suffix, char *bytes, size_t size)
{
	char path[192];

	snprintf(path, sizeof path, "%s%s", scratch.path, suffix);
	FILE *file = fopen(path, "re");
	if (!file)
		return 0;
	size_t len = fread(bytes, 1, size, file);
	fclose(file);
	return len;
}

START_TEST(refused_in_one_sentence_and_left_alone)
{
	static char before[1 << 20], after[1 << 20];
	struct zn_env_options options = {.path = scratch.path};
	struct zn_env *env = NULL;
	struct zn_err err = {0};

	refusals[_i].make();
	size_t len = content("", before, sizeof before);
	enum zn_code code = zn_env_open(&options, &env, &err);
	ck_assert_msg(code == refusals[_i].code, "%s: %s: %s", refusals[_i].name, zn_code_text(code), err.text);
	ck_assert_msg(strncmp(err.text, scratch.path, strlen(scratch.path)) == 0, "%s: %s", refusals[_i].name, err.text);
	for (size_t i = 0; i < 3 && refusals[_i].says[i]; i++)
		ck_assert_msg(strstr(err.text, refusals[_i].says[i]) != NULL, "%s: %s", refusals[_i].name, err.text);
	ck_assert_msg(strlen(err.text) < sizeof err.text - 1, "%s: cut off: %s", refusals[_i].name, err.text);
	ck_assert_msg(content("", after, sizeof after) == len && memcmp(before, after, len) == 0, "%s: changed", refusals[_i].name);
	if (strcmp(refusals[_i].name, "64 shards") == 0)
		ck_assert_msg(content("-0", after, sizeof after) == 0, "made a file beside it");
}
END_TEST

START_TEST(nothing_is_made_when_read_only)
{
	struct zn_env_options options = {.path = scratch.path, .read_only = true};
	struct zn_env *env;
	struct stat st;
	struct zn_txn txn;

	ck_code(zn_env_open(&options, &env, &err), ZN_ENOTFOUND);
	ck_assert_int_ne(stat(scratch.path, &st), 0);
	scratch_load(&scratch, "v6");
	ck_ok(zn_env_open(&options, &env, &err));
	ck_assert(zn_env_read_only(env));
	ck_code(zn_txn_begin(&txn, env, ZN_MAIN, ZN_TXN_WRITE, &err), ZN_EROFS);
	ck_ok(zn_txn_begin(&txn, env, ZN_MAIN, ZN_TXN_READ, &err));
	zn_txn_end(&txn);
	zn_env_close(env);
}
END_TEST

START_TEST(no_permission)
{
	struct zn_env_options options = {.path = scratch.path};
	struct zn_env *env;
	struct zn_err err = {0};

	if (geteuid() != 0)
		return; /* nobody else to be */
	zn_env_close(scratch_open(&scratch));
	ck_assert_int_eq(chmod(scratch.dir, 0755), 0);
	ck_assert_int_eq(seteuid(NOBODY), 0);
	enum zn_code code = zn_env_open(&options, &env, &err);
	ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(code, ZN_EACCES);
	ck_assert_ptr_nonnull(strstr(err.text, "permission"));
}
END_TEST

START_TEST(an_owner_that_is_none)
{
	struct zn_env_options options = {.path = scratch.path, .owner = "no-such-user-here"};
	struct zn_env *env;
	struct zn_err err = {0};

	ck_assert_int_eq(zn_env_open(&options, &env, &err), ZN_EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "db-owner=no-such-user-here"));
}
END_TEST

/* --- other processes --- */

START_TEST(one_daemon_at_a_time)
{
	struct zn_env_options options = {.path = scratch.path, .map_size = 8 << 20, .daemon = true};
	struct zn_env *env;
	struct zn_err failure = {0};
	int ready[2];
	char answer, pid[32];

	ck_assert_int_eq(pipe(ready), 0);
	fflush(NULL);
	pid_t other = fork();
	if (other == 0) {
		if (zn_env_open(&options, &env, &failure) || write(ready[1], "k", 1) != 1)
			_exit(1);
		pause();
	}
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &answer, 1), 1);
	close(ready[0]);
	ck_assert_int_eq(zn_env_open(&options, &env, &failure), ZN_EBUSY);
	snprintf(pid, sizeof pid, "process %d", (int)other);
	ck_assert_msg(strstr(failure.text, pid) || strstr(failure.text, "another container"), "%s", failure.text);
	/* Commands share. */
	options.daemon = false;
	ck_ok(zn_env_open(&options, &env, &err));
	zn_env_close(env);
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	options.daemon = true;
	ck_ok(zn_env_open(&options, &env, &err));
	zn_env_close(env);
}
END_TEST

START_TEST(a_map_grown_by_others_is_adopted)
{
	struct foreign foreign;
	struct zn_txn old, txn;
	struct zn_view value;

	zn_env_close(scratch_open_with(&scratch, (struct zn_env_options){.map_size = 4 << 20}));
	foreign_start(&foreign, scratch.path);
	struct zn_env *env = scratch_open_with(&scratch, (struct zn_env_options){0});
	for (int which = ZN_MAIN; which <= ZN_RECORDS; which++) {
		enum zn_dbi dbi = which == ZN_MAIN ? ZN_DBI_PDNS : ZN_DBI_RECORDS;
		ck_ok(zn_txn_begin(&old, env, (enum zn_which)which, ZN_TXN_READ, &err));
		foreign_fill(&foreign, (enum zn_which)which, 10);
		foreign_unlock(&foreign);
		zn_txn_end(&old);
		ck_ok(zn_txn_begin(&txn, env, (enum zn_which)which, ZN_TXN_READ, &err));
		zn_txn_end(&txn);
		ck_ok(zn_txn_begin(&txn, env, (enum zn_which)which, ZN_TXN_WRITE, &err));
		ck_ok(zn_txn_put_raw(&txn, dbi, ZN_VIEW("k"), (struct zn_stamp){1}, 0, ZN_VIEW("v"), &err));
		ck_ok(zn_txn_commit(&txn, &err));
		ck_ok(zn_txn_begin(&txn, env, (enum zn_which)which, ZN_TXN_READ, &err));
		ck_ok(zn_txn_get(&txn, dbi, ZN_VIEW("k"), &value, &err));
		zn_txn_end(&txn);
	}
	zn_env_close(env);
	foreign_end(&foreign);
}
END_TEST

START_TEST(tables_that_come_later)
{
	struct foreign foreign;
	struct zn_txn before, txn;
	struct zn_view value;

	zn_env_close(scratch_open(&scratch));
	foreign_start(&foreign, scratch.path);
	struct zn_env *env = scratch_open(&scratch);
	ck_ok(zn_txn_begin(&before, env, ZN_RECORDS, ZN_TXN_READ, &err));
	foreign_lock(&foreign, ZN_RECORDS);
	foreign_put(&foreign, "comments_v7", "00000001", "aa", false);
	foreign_unlock(&foreign);
	ck_ok(zn_txn_begin(&txn, env, ZN_RECORDS, ZN_TXN_READ, &err));
	ck_ok(zn_txn_get(&txn, ZN_DBI_COMMENTS, zn_view("\0\0\0\1", 4), &value, &err));
	ck_code(zn_txn_get(&before, ZN_DBI_COMMENTS, zn_view("\0\0\0\1", 4), &value, &err), ZN_ENOTFOUND);
	zn_txn_end(&txn);
	zn_txn_end(&before);
	ck_ok(zn_txn_begin(&txn, env, ZN_RECORDS, ZN_TXN_WRITE, &err));
	ck_ok(zn_txn_bury(&txn, ZN_DBI_COMMENTS, zn_view("\0\0\0\1", 4), ZN_USER, (struct zn_stamp){0}, NULL, &err));
	ck_ok(zn_txn_commit(&txn, &err));
	zn_env_close(env);
	foreign_end(&foreign);
}
END_TEST

/* Another process made the lock file with few slots, and reads in all of them. */
static pid_t read_in_all_slots(int ready, unsigned slots)
{
	pid_t pid = fork();
	MDB_env *env;
	MDB_txn *txn;

	if (pid)
		return pid;
	if (mdb_env_create(&env) || mdb_env_set_maxreaders(env, slots) || mdb_env_open(env, scratch.path, MDB_NOSUBDIR | MDB_NOTLS, 0600))
		_exit(1);
	while (mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) == 0)
		;
	if (write(ready, "k", 1) != 1)
		_exit(1);
	pause();
	_exit(0);
}

START_TEST(readers_that_hang_and_readers_that_died)
{
	struct zn_env_options options = {.path = scratch.path};
	struct zn_env *env;
	struct zn_err failure = {0};
	int ready[2];
	char answer, lock[192];

	zn_env_close(scratch_open(&scratch));
	snprintf(lock, sizeof lock, "%s-lock", scratch.path);
	ck_assert_int_eq(unlink(lock), 0);
	ck_assert_int_eq(pipe(ready), 0);
	fflush(NULL);
	pid_t other = read_in_all_slots(ready[1], 5);
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &answer, 1), 1);
	close(ready[0]);
	ck_assert_int_eq(zn_env_open(&options, &env, &failure), ZN_EBUSY);
	ck_assert_msg(strstr(failure.text, "reader slots") != NULL, "%s", failure.text);
	/* A third process keeps the lock file in use, so that the slots of the dead one are still taken. */
	struct foreign foreign;
	foreign_start(&foreign, scratch.path);
	foreign_lock(&foreign, ZN_MAIN);
	foreign_unlock(&foreign);
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	ck_ok(zn_env_open(&options, &env, &err));
	zn_env_close(env);
	foreign_end(&foreign);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store/env");
	TCase *tcase = tcase_create("env");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_new_pair);
	tcase_add_test(tcase, the_recorded_size_is_kept_unless_it_may_grow);
	tcase_add_test(tcase, a_limit_below_the_recorded_size);
	tcase_add_loop_test(tcase, refused_in_one_sentence_and_left_alone, 0, sizeof refusals / sizeof *refusals);
	tcase_add_test(tcase, nothing_is_made_when_read_only);
	tcase_add_test(tcase, no_permission);
	tcase_add_test(tcase, an_owner_that_is_none);
	tcase_add_test(tcase, one_daemon_at_a_time);
	tcase_add_test(tcase, a_map_grown_by_others_is_adopted);
	tcase_add_test(tcase, tables_that_come_later);
	tcase_add_test(tcase, readers_that_hang_and_readers_that_died);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
