/* A crash at any moment of a job that writes both envs: the next start finds the zone as it was, or as it was to become. */
#include <sys/wait.h>
#include <unistd.h>

#include "store/base/wire.h"
#include "store/commit.h"
#include "store/records.h"
#include "store/zones.h"
#include "tests/unit/suite.h"
#include "tests/unit/support.h"

static struct scratch scratch;

static void setup(void)
{
	scratch_make(&scratch);
}

static void teardown(void)
{
	scratch_remove(&scratch);
}

#define ID 0x0b0b

static struct zn_zone_id zone_of(const char *name)
{
	struct zn_zone_id zone = {0};

	ck_ok(zn_name_from_text(zn_view_str(name), NULL, &zone.name, &err));
	return zone;
}

/* The moments at which the process may die. */
enum fault { IN_FIRST, AFTER_FIRST, IN_SECOND, AFTER_SECOND, NEVER };

struct work {
	struct zn_job job;
	enum zn_intent_kind kind;
	enum fault fault;
	enum zn_code fail_second;
};

static void die_at(const struct work *work, enum fault fault)
{
	if (work->fault == fault)
		_exit(7);
}

static enum zn_code put_row(struct zn_txn *records, struct zn_err *err)
{
	uint8_t key[] = {0, 0, ID >> 8, ID & 0xff, 0, 0, 0, 6};

	return zn_txn_put(records, ZN_DBI_RECORDS, zn_view(key, sizeof key), ZN_VIEW("x"), ZN_USER, (struct zn_stamp){0}, NULL, err);
}

static enum zn_code run_work(struct zn_job *job, struct zn_txn *txn, struct zn_err *err)
{
	const struct work *work = (const struct work *)job;
	struct zn_zone_id zone = zone_of("crash.example.");
	bool first = (work->kind == ZN_INTENT_CREATE) == (txn->which == ZN_RECORDS);
	enum zn_code code = ZN_OK;

	if (!first)
		die_at(work, AFTER_FIRST);
	if (!first && work->fail_second)
		return zn_fail(err, work->fail_second, "as told");
	if (work->kind == ZN_INTENT_CREATE)
		code = first ? put_row(txn, err) : zn_zones_create(txn, ID, &zone, ZN_KIND_PRIMARY, err);
	else
		code = first ? zn_zones_bury(txn, ID, err) : zn_records_bury(txn, ID, err);
	if (!code && first)
		code = zn_zones_intend(txn, work->kind, ID, &zone, ZN_KIND_PRIMARY, NULL, err);
	die_at(work, first ? IN_FIRST : IN_SECOND);
	return code;
}

static void done_work(struct zn_job *job, enum zn_code code, const struct zn_err *err)
{
	(void)code;
	(void)err;
	die_at((const struct work *)job, AFTER_SECOND);
}

/* Do a job in a process of its own, which dies at the fault. Returns how the job ended when it did not. */
static enum zn_code work_in_child(struct work work)
{
	int status;

	work.job = (struct zn_job){
		.order = work.kind == ZN_INTENT_CREATE ? ZN_JOB_RECORDS_MAIN : ZN_JOB_MAIN_RECORDS, .run = run_work, .done = done_work,
	};
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		struct zn_env_options options = {.path = scratch.path, .map_size = 8 << 20};
		struct zn_env *env;
		struct zn_commit *commit;
		if (zn_env_open(&options, &env, NULL) || zn_commit_start(env, &commit, NULL))
			_exit(99);
		enum zn_code code = zn_commit_run(commit, &work.job, NULL);
		zn_commit_stop(commit, zn_clock_mono() + 60 * ZN_NS_PER_S);
		zn_env_close(env);
		_exit(100 + (int)code);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(work.fault == NEVER, WEXITSTATUS(status) >= 100);
	return work.fault == NEVER ? (enum zn_code)(WEXITSTATUS(status) - 100) : ZN_OK;
}

/* Is the zone in the list, are its rows there, and how many intents are left, after a start. */
static void look(bool *ret_listed, bool *ret_rows, unsigned *ret_intents)
{
	struct zn_env *env = scratch_open(&scratch);
	struct zn_zone_id zone = zone_of("crash.example.");
	uint8_t key[] = {0, 0, ID >> 8, ID & 0xff, 0, 0, 0, 6};
	struct zn_zone_info info;
	struct zn_cursor cursor;
	struct zn_txn txn;
	struct zn_view payload;

	ck_ok(zn_zones_roll_forward(env, &err));
	*ret_intents = 0;
	ck_ok(zn_txn_begin(&txn, env, ZN_MAIN, ZN_TXN_READ, &err));
	*ret_listed = zn_zones_find(&txn, &zone, &info, NULL) == ZN_OK;
	if (*ret_listed)
		ck_assert_uint_eq(info.kind, ZN_KIND_PRIMARY);
	ck_ok(zn_cursor_open(&cursor, &txn, ZN_DBI_SYNC_MAIN, &err));
	*ret_intents += zn_cursor_seek(&cursor, zn_view(NULL, 0)) == ZN_OK;
	zn_cursor_close(&cursor);
	zn_txn_end(&txn);
	ck_ok(zn_txn_begin(&txn, env, ZN_RECORDS, ZN_TXN_READ, &err));
	*ret_rows = zn_txn_get_live(&txn, ZN_DBI_RECORDS, zn_view(key, sizeof key), NULL, &payload, NULL) == ZN_OK;
	ck_ok(zn_cursor_open(&cursor, &txn, ZN_DBI_SYNC_RECORDS, &err));
	*ret_intents += zn_cursor_seek(&cursor, zn_view(NULL, 0)) == ZN_OK;
	zn_cursor_close(&cursor);
	zn_txn_end(&txn);
	zn_env_close(env);
}

START_TEST(create_whole_or_not)
{
	bool listed, rows;
	unsigned intents;

	work_in_child((struct work){.kind = ZN_INTENT_CREATE, .fault = (enum fault)_i});
	look(&listed, &rows, &intents);
	ck_assert_int_eq(listed, _i != IN_FIRST);
	ck_assert_int_eq(rows, _i != IN_FIRST);
	ck_assert_uint_eq(intents, 0);
}
END_TEST

START_TEST(bury_whole_or_not)
{
	bool listed, rows;
	unsigned intents;

	work_in_child((struct work){.kind = ZN_INTENT_CREATE, .fault = NEVER});
	work_in_child((struct work){.kind = ZN_INTENT_BURY, .fault = (enum fault)_i});
	look(&listed, &rows, &intents);
	ck_assert_int_eq(listed, _i == IN_FIRST);
	ck_assert_int_eq(rows, _i == IN_FIRST);
	ck_assert_uint_eq(intents, 0);
}
END_TEST

START_TEST(a_refused_zone_does_not_come_back)
{
	bool listed, rows;
	unsigned intents;

	ck_assert_int_eq(work_in_child((struct work){.kind = ZN_INTENT_CREATE, .fault = NEVER, .fail_second = ZN_EFULL}), ZN_EFULL);
	look(&listed, &rows, &intents);
	ck_assert(!listed);
	ck_assert_uint_eq(intents, 0);
}
END_TEST

/* The intent of a zone that was made and deleted since, by somebody who knows no intents. */
START_TEST(a_deleted_zone_does_not_come_back)
{
	bool listed, rows;
	unsigned intents;
	struct zn_txn txn;

	work_in_child((struct work){.kind = ZN_INTENT_CREATE, .fault = AFTER_SECOND});
	struct zn_env *env = scratch_open(&scratch);
	ck_ok(zn_txn_begin(&txn, env, ZN_MAIN, ZN_TXN_WRITE, &err));
	ck_ok(zn_zones_bury(&txn, ID, &err));
	ck_ok(zn_txn_commit(&txn, &err));
	zn_env_close(env);
	look(&listed, &rows, &intents);
	ck_assert(!listed);
	ck_assert_uint_eq(intents, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store/intent");
	TCase *tcase = tcase_create("intent");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, create_whole_or_not, IN_FIRST, NEVER + 1);
	tcase_add_loop_test(tcase, bury_whole_or_not, IN_FIRST, NEVER + 1);
	tcase_add_test(tcase, a_refused_zone_does_not_come_back);
	tcase_add_test(tcase, a_deleted_zone_does_not_come_back);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
