#include "store/commit.h"

#include <pthread.h>
#include <sys/wait.h>

#include "store/base/wire.h"
#include "store/zones.h"
#include "tests/unit/foreign.h"
#include "tests/unit/suite.h"
#include "tests/unit/support.h"

#define PATIENCE (120 * ZN_NS_PER_S)

static struct scratch scratch;
static struct foreign foreign;
static struct zn_env *env;
static struct zn_commit *commit;

static void setup_with(struct zn_env_options options)
{
	scratch_make(&scratch);
	zn_env_close(scratch_open_with(&scratch, options));
	foreign_start(&foreign, scratch.path);
	env = scratch_open_with(&scratch, options);
	ck_ok(zn_commit_start(env, &commit, &err));
}

static void setup(void)
{
	setup_with((struct zn_env_options){.map_size = 16 << 20});
}

static void teardown(void)
{
	if (commit)
		zn_commit_stop(commit, zn_clock_mono() + PATIENCE);
	commit = NULL;
	zn_env_close(env);
	env = NULL;
	foreign_end(&foreign);
	scratch_remove(&scratch);
}

/* A job that puts `size` bytes at a key, or fails, and remembers what became of it. */
struct task {
	struct zn_job job;
	const char *key;
	size_t size;
	enum zn_code fail;		/* after the put */
	struct zn_err err;
	enum zn_code code;
	uint64_t txnid[2];
	unsigned runs, ended;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;
static unsigned order_of_ending;

static enum zn_code run_task(struct zn_job *job, struct zn_txn *txn, struct zn_err *err)
{
	struct task *task = (struct task *)job;
	ZN_AUTO(zn_buf_release) struct zn_buf payload = ZN_BUF_INIT((size_t)1 << 30);
	enum zn_dbi dbi = txn->which == ZN_MAIN ? ZN_DBI_PDNS : ZN_DBI_RECORDS;

	task->runs++;
	task->txnid[txn->which] = zn_txn_id(txn);
	zn_buf_add_fill(&payload, 'x', task->size);
	enum zn_code code = zn_txn_put(txn, dbi, zn_view_str(task->key), zn_buf_view(&payload), ZN_USER, (struct zn_stamp){0}, NULL, err);
	return code ? code : task->fail ? zn_fail(err, task->fail, "%s: as told", task->key) : ZN_OK;
}

static void done_task(struct zn_job *job, enum zn_code code, const struct zn_err *err)
{
	struct task *task = (struct task *)job;

	pthread_mutex_lock(&lock);
	if (task->ended)
		abort(); /* told twice; check's own assertions are for the main thread alone */
	task->code = code;
	task->err = *err;
	task->ended = ++order_of_ending;
	pthread_cond_broadcast(&ended);
	pthread_mutex_unlock(&lock);
}

static void submit(struct task *task, const char *key)
{
	task->key = key;
	task->size = task->size ? task->size : 1;
	task->job.run = run_task;
	task->job.done = done_task;
	zn_commit_submit(commit, &task->job);
}

static enum zn_code result(struct task *task)
{
	pthread_mutex_lock(&lock);
	while (!task->ended)
		pthread_cond_wait(&ended, &lock);
	pthread_mutex_unlock(&lock);
	return task->code;
}

static bool stored(const char *key)
{
	struct zn_txn txn;
	struct zn_view value;

	ck_ok(zn_txn_begin(&txn, env, ZN_RECORDS, ZN_TXN_READ, &err));
	enum zn_code code = zn_txn_get(&txn, ZN_DBI_RECORDS, zn_view_str(key), &value, NULL);
	zn_txn_end(&txn);
	return code == ZN_OK;
}

/* Until the commit thread waits for the lock that somebody else has. */
static void wait_blocked(void)
{
	struct zn_commit_usage usage;

	do {
		zn_commit_usage(commit, &usage);
		sched_yield();
	} while (!usage.lock_held_elsewhere);
}

START_TEST(waiting_saves_share_one_transaction)
{
	struct task tasks[5] = {0};
	static const char *const keys[] = {"a", "b", "c", "d", "e"};
	struct zn_commit_usage usage;

	foreign_lock(&foreign, ZN_RECORDS);
	tasks[2].fail = ZN_EZONE;
	for (size_t i = 0; i < 5; i++) {
		tasks[i].job.order = ZN_JOB_RECORDS;
		submit(&tasks[i], keys[i]);
	}
	foreign_unlock(&foreign);
	for (size_t i = 0; i < 5; i++)
		ck_assert_int_eq(result(&tasks[i]), i == 2 ? ZN_EZONE : ZN_OK);
	ck_assert_str_eq(tasks[2].err.text, "c: as told");
	for (size_t i = 0; i < 5; i++) {
		ck_assert_int_eq(stored(keys[i]), i != 2);
		ck_assert_uint_eq(tasks[i].txnid[ZN_RECORDS], tasks[0].txnid[ZN_RECORDS]);
	}
	zn_commit_usage(commit, &usage);
	ck_assert_uint_eq(usage.commits, 1);
	ck_assert_uint_eq(usage.jobs, 5);
	ck_assert_uint_eq(usage.waiting, 0);
}
END_TEST

START_TEST(saves_go_first_and_merges_alone)
{
	struct task merge[2] = {{.job.class = ZN_JOB_MERGE, .job.order = ZN_JOB_RECORDS}, {.job.class = ZN_JOB_MERGE, .job.order = ZN_JOB_RECORDS}};
	struct task save = {.job.order = ZN_JOB_RECORDS};

	foreign_lock(&foreign, ZN_RECORDS);
	submit(&merge[0], "m0");
	submit(&merge[1], "m1");
	submit(&save, "s");
	foreign_unlock(&foreign);
	ck_assert_int_eq(result(&save), ZN_OK);
	ck_assert_int_eq(result(&merge[0]), ZN_OK);
	ck_assert_int_eq(result(&merge[1]), ZN_OK);
	ck_assert_uint_lt(save.ended, merge[0].ended);
	ck_assert_uint_lt(merge[0].ended, merge[1].ended);
	ck_assert_uint_ne(merge[0].txnid[ZN_RECORDS], save.txnid[ZN_RECORDS]);
	ck_assert_uint_ne(merge[0].txnid[ZN_RECORDS], merge[1].txnid[ZN_RECORDS]);
}
END_TEST

/* Saves without end, each submitted when the one before it is done: a merge has its turn all the same. */
static unsigned rounds;

static void done_endless(struct zn_job *job, enum zn_code code, const struct zn_err *err)
{
	struct task *task = (struct task *)job;

	pthread_mutex_lock(&lock);
	bool on = !code && rounds < 100000;
	rounds += on;
	pthread_mutex_unlock(&lock);
	if (on)
		zn_commit_submit(commit, job);
	else
		done_task(&task->job, code, err);
}

START_TEST(a_merge_has_its_turn)
{
	struct task merge = {.job.class = ZN_JOB_MERGE, .job.order = ZN_JOB_RECORDS};
	struct task saves[2] = {{.job.order = ZN_JOB_RECORDS}, {.job.order = ZN_JOB_RECORDS}};

	rounds = 0;
	foreign_lock(&foreign, ZN_RECORDS);
	for (int i = 0; i < 2; i++) {
		saves[i] = (struct task){.job = {.order = ZN_JOB_RECORDS, .run = run_task, .done = done_endless}, .key = i ? "a" : "b", .size = 1};
		zn_commit_submit(commit, &saves[i].job);
	}
	submit(&merge, "m");
	foreign_unlock(&foreign);
	ck_assert_int_eq(result(&merge), ZN_OK);
	pthread_mutex_lock(&lock);
	ck_assert_uint_lt(rounds, 100000);
	rounds = 100000;
	pthread_mutex_unlock(&lock);
	ck_assert_int_eq(result(&saves[0]), ZN_OK);
	ck_assert_int_eq(result(&saves[1]), ZN_OK);
}
END_TEST

START_TEST(a_deadline_passes_while_another_process_writes)
{
	struct task late = {.job.order = ZN_JOB_RECORDS}, patient = {.job.order = ZN_JOB_RECORDS};

	foreign_lock(&foreign, ZN_RECORDS);
	late.job.deadline = zn_clock_mono() + 20 * ZN_NS_PER_MS;
	submit(&patient, "patient");
	submit(&late, "late");
	ck_assert_int_eq(result(&late), ZN_EBUSY);
	ck_assert_uint_eq(late.runs, 0);
	ck_assert_ptr_nonnull(strstr(late.err.text, "another process"));
	foreign_unlock(&foreign);
	ck_assert_int_eq(result(&patient), ZN_OK);
	ck_assert(stored("patient"));
	ck_assert(!stored("late"));
}
END_TEST

START_TEST(withdrawn_jobs_are_not_run)
{
	struct task task = {.job.order = ZN_JOB_RECORDS}, other = {.job.order = ZN_JOB_RECORDS};

	foreign_lock(&foreign, ZN_RECORDS);
	submit(&task, "task");
	submit(&other, "other");
	ck_assert(zn_commit_withdraw(commit, &task.job));
	ck_assert(!zn_commit_withdraw(commit, &task.job));
	foreign_unlock(&foreign);
	ck_assert_int_eq(result(&other), ZN_OK);
	ck_assert(!zn_commit_withdraw(commit, &other.job));
	ck_assert_uint_eq(task.runs, 0);
	ck_assert_uint_eq(task.ended, 0);
}
END_TEST

START_TEST(stop_does_not_wait_for_another_process)
{
	struct task task = {.job.order = ZN_JOB_RECORDS};

	/* What is left behind on purpose, since a thread is in it, shall not look like a leak. */
	static struct zn_commit *volatile left_commit;
	static struct zn_env *volatile left_env;
	left_commit = commit;
	left_env = env;
	foreign_lock(&foreign, ZN_RECORDS);
	submit(&task, "task");
	uint64_t begun = zn_clock_mono();
	zn_commit_stop(commit, begun + PATIENCE);
	ck_assert_uint_lt(zn_clock_mono() - begun, PATIENCE / 2);
	commit = NULL;
	ck_assert_int_eq(result(&task), ZN_EBUSY);
	ck_assert_uint_eq(task.runs, 0);
	zn_env_close(env); /* leaves it: a thread is inside */
	env = NULL;
	ck_assert(left_commit && left_env);
}
END_TEST

START_TEST(stop_runs_what_waits)
{
	struct task task = {.job.order = ZN_JOB_RECORDS};

	submit(&task, "task");
	zn_commit_stop(commit, zn_clock_mono() + PATIENCE);
	commit = NULL;
	ck_assert_int_eq(result(&task), ZN_OK);
	ck_assert(stored("task"));
}
END_TEST

/* The worst moment: our thread waits for the lock when the other process commits far beyond our map, and does not let go. */
START_TEST(a_grown_map_stops_no_reader)
{
	struct task task = {.job.order = ZN_JOB_RECORDS};
	struct zn_dbi_info info;
	struct zn_txn txn;

	foreign_fill(&foreign, ZN_RECORDS, 24);
	submit(&task, "task");
	wait_blocked();
	foreign_relock(&foreign);
	for (int i = 0; i < 3; i++) {
		ck_ok(zn_txn_begin(&txn, env, ZN_RECORDS, ZN_TXN_READ, &err));
		ck_ok(zn_txn_dbi(&txn, "guest_v1", &info, &err));
		zn_txn_end(&txn);
	}
	foreign_unlock(&foreign);
	ck_assert_int_eq(result(&task), ZN_OK);
	ck_assert(stored("task"));
}
END_TEST

static void start_small(bool grow)
{
	teardown();
	setup_with((struct zn_env_options){.map_size = 1 << 20, .grow = grow});
}

START_TEST(a_full_map_refuses_what_does_not_fit)
{
	struct task small = {.job.order = ZN_JOB_RECORDS}, big = {.size = 2 << 20, .job.order = ZN_JOB_RECORDS};
	struct task after = {.job.order = ZN_JOB_RECORDS};

	start_small(false);
	foreign_lock(&foreign, ZN_RECORDS);
	submit(&small, "small");
	submit(&big, "big");
	submit(&after, "after");
	foreign_unlock(&foreign);
	ck_assert_int_eq(result(&small), ZN_OK);
	ck_assert_int_eq(result(&big), ZN_EFULL);
	ck_assert_int_eq(result(&after), ZN_OK);
	ck_assert_ptr_nonnull(strstr(big.err.text, "lmdb-map-size"));
	ck_assert_ptr_nonnull(strstr(big.err.text, "map-size="));
	ck_assert_ptr_nonnull(strstr(big.err.text, "grow=on"));
	ck_assert(stored("small") && stored("after") && !stored("big"));
}
END_TEST

START_TEST(a_full_map_grows_when_it_may)
{
	struct task small = {.job.order = ZN_JOB_RECORDS}, big = {.size = 3 << 20, .job.order = ZN_JOB_RECORDS};

	start_small(true);
	foreign_lock(&foreign, ZN_RECORDS);
	submit(&big, "big");
	submit(&small, "small");
	foreign_unlock(&foreign);
	ck_assert_int_eq(result(&big), ZN_OK);
	ck_assert_int_eq(result(&small), ZN_OK);
	ck_assert(stored("small") && stored("big"));
}
END_TEST

START_TEST(two_envs_in_both_orders)
{
	struct task task = {.job.order = ZN_JOB_RECORDS_MAIN}, back = {.job.order = ZN_JOB_MAIN_RECORDS};
	struct task half = {.job.order = ZN_JOB_RECORDS_MAIN, .fail = ZN_EZONE};

	submit(&task, "there");
	ck_assert_int_eq(result(&task), ZN_OK);
	submit(&back, "back");
	ck_assert_int_eq(result(&back), ZN_OK);
	submit(&half, "half");
	ck_assert_int_eq(result(&half), ZN_EZONE);
	ck_assert_uint_eq(task.runs, 2);
	ck_assert_uint_eq(back.runs, 2);
	ck_assert_uint_eq(half.runs, 1);
	ck_assert(stored("there") && stored("back") && !stored("half"));
}
END_TEST

START_TEST(run_waits)
{
	struct task task = {.job = {.order = ZN_JOB_RECORDS, .run = run_task}, .key = "k", .size = 1};
	struct task bad = {.job = {.order = ZN_JOB_RECORDS, .run = run_task, .done = done_task}, .key = "bad", .fail = ZN_EGUARD};
	struct zn_err failure = {0};

	ck_ok(zn_commit_run(commit, &task.job, &err));
	ck_assert_int_eq(zn_commit_run(commit, &bad.job, &failure), ZN_EGUARD);
	ck_assert_str_eq(failure.text, "bad: as told");
	ck_assert_uint_ne(bad.ended, 0);
}
END_TEST

/* Many threads, many saves: each is done once. */
static void *submit_many(void *context)
{
	struct task *tasks = context;

	for (int i = 0; i < 50; i++)
		submit(&tasks[i], i % 2 ? "odd" : "even");
	return NULL;
}

START_TEST(many_threads)
{
	enum { THREADS = 4 };
	static struct task tasks[THREADS][50];
	pthread_t threads[THREADS];

	memset(tasks, 0, sizeof tasks);
	for (int t = 0; t < THREADS; t++) {
		for (int i = 0; i < 50; i++) {
			tasks[t][i].job.order = i % 3 ? ZN_JOB_RECORDS : ZN_JOB_RECORDS_MAIN;
			tasks[t][i].job.class = i % 5 ? ZN_JOB_SAVE : ZN_JOB_MERGE;
			tasks[t][i].size = (size_t)(t * 50 + i + 1);
		}
		ck_assert_int_eq(pthread_create(&threads[t], NULL, submit_many, tasks[t]), 0);
	}
	for (int t = 0; t < THREADS; t++)
		pthread_join(threads[t], NULL);
	for (int t = 0; t < THREADS; t++)
		for (int i = 0; i < 50; i++)
			ck_assert_int_eq(result(&tasks[t][i]), ZN_OK);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store/commit");
	TCase *tcase = tcase_create("commit");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, waiting_saves_share_one_transaction);
	tcase_add_test(tcase, saves_go_first_and_merges_alone);
	tcase_add_test(tcase, a_merge_has_its_turn);
	tcase_add_test(tcase, a_deadline_passes_while_another_process_writes);
	tcase_add_test(tcase, withdrawn_jobs_are_not_run);
	tcase_add_test(tcase, stop_does_not_wait_for_another_process);
	tcase_add_test(tcase, stop_runs_what_waits);
	tcase_add_test(tcase, a_grown_map_stops_no_reader);
	tcase_add_test(tcase, a_full_map_refuses_what_does_not_fit);
	tcase_add_test(tcase, a_full_map_grows_when_it_may);
	tcase_add_test(tcase, two_envs_in_both_orders);
	tcase_add_test(tcase, run_waits);
	tcase_add_test(tcase, many_threads);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
