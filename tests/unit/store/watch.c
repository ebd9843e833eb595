#include "store/watch.h"

#include <pthread.h>

#include "store/base/wire.h"
#include "store/txn.h"
#include "tests/unit/suite.h"
#include "tests/unit/support.h"

/* What a listener has heard, as "own 7, foreign 8". */
static struct heard {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct zn_buf text;
	size_t count;
} heard = {.lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER, .text = ZN_BUF_INIT(4096)};

static struct scratch scratch;
static struct zn_env *env;
static struct zn_watch *watch;

static void hear(void *context, const struct zn_change *change)
{
	static const char *const origins[] = {"own", "merge", "foreign"};

	(void)context;
	pthread_mutex_lock(&heard.lock);
	zn_buf_addf(&heard.text, "%s%s", heard.count++ ? ", " : "", origins[change->origin]);
	if (change->all)
		zn_buf_add_str(&heard.text, " all");
	for (size_t i = 0; i < change->count; i++)
		zn_buf_addf(&heard.text, " %u", change->ids[i]);
	pthread_cond_signal(&heard.more);
	pthread_mutex_unlock(&heard.lock);
}

static void wait_until_heard(size_t count)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 60;
	pthread_mutex_lock(&heard.lock);
	while (heard.count < count)
		ck_assert_int_eq(pthread_cond_timedwait(&heard.more, &heard.lock, &until), 0);
	pthread_mutex_unlock(&heard.lock);
}

static void setup(void)
{
	scratch_make(&scratch);
	env = scratch_open(&scratch);
	zn_buf_clear(&heard.text);
	heard.count = 0;
	ck_ok(zn_watch_start(env, &watch, &err));
	zn_watch_listen(watch, hear, NULL);
}

static void teardown(void)
{
	zn_watch_stop(watch);
	zn_watch_free(watch);
	zn_env_close(env);
	scratch_remove(&scratch);
}

/* A commit that writes a row of each zone; its txnid. Nobody is told: as another process does it. */
static uint64_t write_zones(const uint32_t *ids, size_t count)
{
	static unsigned serial;
	struct zn_txn txn;

	ck_ok(zn_txn_begin(&txn, env, ZN_RECORDS, ZN_TXN_WRITE, &err));
	for (size_t i = 0; i < count; i++) {
		uint8_t key[8] = {0}, payload[4];
		zn_put_u32(key, ids[i]);
		zn_put_u16(key + 6, 6);
		zn_put_u32(payload, ++serial);
		ck_ok(zn_txn_put(&txn, ZN_DBI_RECORDS, zn_view(key, sizeof key), zn_view(payload, sizeof payload), ZN_USER,
			(struct zn_stamp){0}, NULL, &err));
	}
	uint64_t txnid = zn_txn_id(&txn);
	ck_ok(zn_txn_commit(&txn, &err));
	return txnid;
}

static void tell(uint32_t id, uint64_t txnid)
{
	zn_watch_tell(watch, &(struct zn_change){.origin = ZN_OWN_SAVE, .ids = &id, .count = 1, .txnid = {[ZN_RECORDS] = txnid}});
}

START_TEST(another_processs_commit_is_found_with_its_zones)
{
	write_zones((uint32_t[]){9, 4, 9}, 3);
	wait_until_heard(1);
	ck_assert_str_eq(zn_buf_str(&heard.text), "foreign 4 9");
}
END_TEST

/* An own commit is told once and never searched for, also with another one's before it. */
START_TEST(a_gap_between_own_commits_is_another_process)
{
	uint64_t last = zn_env_last_txnid(env, ZN_RECORDS);

	tell(7, last + 2);	/* told ahead, so that the order of this test is certain */
	ck_assert_uint_eq(zn_watch_seen(watch, ZN_RECORDS), last);
	write_zones((uint32_t[]){5}, 1);
	ck_assert_uint_eq(write_zones((uint32_t[]){7}, 1), last + 2);
	wait_until_heard(2);
	ck_assert_str_eq(zn_buf_str(&heard.text), "own 7, foreign 5");
	/* The second look finds nothing new: seen moves on without a word. */
	write_zones((uint32_t[]){6}, 1);
	wait_until_heard(3);
	ck_assert_str_eq(zn_buf_str(&heard.text), "own 7, foreign 5, foreign 6");
}
END_TEST

/* The mount ends before the watch does: nothing of it may be called any more. */
START_TEST(who_has_left_is_told_nothing)
{
	zn_watch_unlisten(watch, hear, NULL);
	uint64_t txnid = write_zones((uint32_t[]){3}, 1);
	tell(3, txnid);
	ck_assert_int_eq(heard.count, 0);
	ck_assert_uint_eq(zn_watch_seen(watch, ZN_RECORDS), txnid);
}
END_TEST

START_TEST(own_commits_in_a_row_move_what_is_seen)
{
	for (uint32_t id = 1; id <= 3; id++) {
		uint64_t txnid = write_zones(&id, 1);
		tell(id, txnid);
		tell(id, txnid);	/* two jobs of one transaction */
		ck_assert_uint_eq(zn_watch_seen(watch, ZN_RECORDS), txnid);
	}
	ck_assert_ptr_nonnull(strstr(zn_buf_str(&heard.text), "own 3, own 3"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("watch");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, setup, teardown);
	tcase_set_timeout(all, 0);
	tcase_add_test(all, another_processs_commit_is_found_with_its_zones);
	tcase_add_test(all, a_gap_between_own_commits_is_another_process);
	tcase_add_test(all, own_commits_in_a_row_move_what_is_seen);
	tcase_add_test(all, who_has_left_is_told_nothing);
	suite_add_tcase(suite, all);
	return run_suite(suite);
}
