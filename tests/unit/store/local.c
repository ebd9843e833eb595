#include "store/local.h"

#include "store/records.h"
#include "tests/unit/suite.h"
#include "tests/unit/support.h"

static struct scratch scratch;
static struct zn_env *env;
static struct zn_watch *watch;
static struct zn_local *local;

static void start(void)
{
	env = scratch_open(&scratch);
	ck_ok(zn_local_open(env, &local, &err));
	ck_ok(zn_watch_start(env, &watch, &err));
	ck_ok(zn_local_watch(local, watch, &err));
}

static void stop(void)
{
	zn_watch_stop(watch);
	zn_local_close(local);
	zn_watch_free(watch);
	zn_env_close(env);
}

static void setup(void)
{
	scratch_make(&scratch);
	start();
}

static void teardown(void)
{
	stop();
	scratch_remove(&scratch);
}

static struct zn_zone_id zone_of(const char *name)
{
	struct zn_zone_id zone = {0};

	ck_ok(zn_name_from_text(zn_view_str(name), NULL, &zone.name, &err));
	return zone;
}

/* The SOA of a zone, or its tombstone; the txnid. */
static uint64_t write_soa(uint32_t id, bool live)
{
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *zone = NULL;
	struct zn_zone_id apex = zone_of("example.");
	struct zn_zone_mode mode = {0};
	struct zn_records_change change;
	struct zn_txn txn;
	static uint32_t serial;
	struct zn_buf rdata = bytes_of("0000 00000001 00000002 00000003 00000004 00000005");

	rdata.data[5] = (uint8_t)++serial;
	ck_ok(zn_txn_begin(&txn, env, ZN_RECORDS, ZN_TXN_WRITE, &err));
	uint64_t txnid = zn_txn_id(&txn);
	if (live) {
		ck_ok(zn_zone_new(&apex.name, &zone));
		zn_zone_add(zone, zn_view("", 1), ZN_TYPE_SOA, 300, zn_buf_view(&rdata), 0);
		ck_ok(zn_zone_finish(zone, NULL, NULL));
		ck_ok(zn_records_apply(&txn, id, zone, &mode, &change, &err));
	} else {
		ck_ok(zn_records_bury(&txn, id, &err));
	}
	ck_ok(zn_txn_commit(&txn, &err));
	zn_buf_release(&rdata);
	return txnid;
}

static uint64_t create(uint32_t id, const char *name)
{
	struct zn_zone_id zone = zone_of(name);
	struct zn_txn txn;

	ck_ok(zn_txn_begin(&txn, env, ZN_MAIN, ZN_TXN_WRITE, &err));
	uint64_t txnid = zn_txn_id(&txn);
	ck_ok(zn_zones_create(&txn, id, &zone, ZN_KIND_NATIVE, &err));
	ck_ok(zn_txn_commit(&txn, &err));
	return txnid;
}

static uint64_t bury(uint32_t id)
{
	struct zn_txn txn;

	ck_ok(zn_txn_begin(&txn, env, ZN_MAIN, ZN_TXN_WRITE, &err));
	uint64_t txnid = zn_txn_id(&txn);
	ck_ok(zn_zones_bury(&txn, id, &err));
	ck_ok(zn_txn_commit(&txn, &err));
	return txnid;
}

static void tell(uint32_t id, uint64_t main, uint64_t records)
{
	zn_watch_tell(watch, &(struct zn_change){.origin = ZN_OWN_SAVE, .ids = &id, .count = 1, .txnid = {main, records}});
}

static void add_zone(uint32_t id, const char *name)
{
	uint64_t records = write_soa(id, true);
	uint64_t main = create(id, name);

	tell(id, main, records);
}

static void wait_complete(void)
{
	for (unsigned i = 0; i < 60000 && !zn_local_complete(local); i++)
		usleep(1000);
	ck_assert(zn_local_complete(local));
}

/* "a.example=17 b.example=?" as listed, in pieces of `per_walk` zones as readdir takes them. */
static const char *list(size_t per_walk)
{
	static struct zn_buf out = ZN_BUF_INIT(1 << 16);
	struct zn_index_key after = {0};
	enum zn_code code = ZN_OK;

	zn_buf_clear(&out);
	zn_buf_add_str(&out, "");
	while (code == ZN_OK) {
		ZN_AUTO_PTR(zn_zone_list_end) struct zn_zone_list *walk = NULL;
		struct zn_listed listed;
		ck_ok(zn_zone_list_begin(local, &walk, &err));
		for (size_t i = 0; i < per_walk && code == ZN_OK; i++) {
			char name[ZN_NAME_TEXT_MAX];
			code = zn_zone_list_next(walk, &after, &listed, NULL);
			if (code != ZN_OK)
				break;
			zn_buf_addf(&out, "%s%s=", out.len ? " " : "", zn_name_plain(&listed.zone.zone.name, name));
			if (listed.stat.known)
				zn_buf_addf(&out, "%llu", (unsigned long long)listed.stat.size);
			else
				zn_buf_add_str(&out, "?");
		}
	}
	ck_assert_int_eq(code, ZN_ENOTFOUND);
	return zn_buf_str(&out);
}

static struct zn_zone_info info_of(uint32_t id, const char *name)
{
	return (struct zn_zone_info){.id = id, .zone = zone_of(name)};
}

static void put_size(uint32_t id, const char *name, uint64_t size)
{
	struct zn_zone_info info = info_of(id, name);
	uint64_t txnid[2] = {zn_env_last_txnid(env, ZN_MAIN), zn_env_last_txnid(env, ZN_RECORDS)};

	zn_local_stat_put(local, &info, txnid, &(struct zn_zone_stat){.known = true, .size = size, .mtime = {5}, .text_fits = true});
}

static bool has_size(uint32_t id, const char *name, uint64_t size)
{
	struct zn_zone_info info = info_of(id, name);
	struct zn_zone_stat stat;

	return zn_local_stat_get(local, &info, &stat) == ZN_OK && stat.size == size && stat.mtime.ns == 5 && stat.text_fits;
}

START_TEST(own_changes_are_listed_at_once)
{
	wait_complete();
	ck_assert_str_eq(list(100), "");
	add_zone(7, "b.example.");
	add_zone(3, "a.example.");
	ck_assert_str_eq(list(100), "a.example=? b.example=?");
	ck_assert_str_eq(list(1), "a.example=? b.example=?");
	tell(7, bury(7), 0);
	ck_assert_str_eq(list(100), "a.example=?");
}
END_TEST

START_TEST(a_zone_without_soa_is_not_listed)
{
	wait_complete();
	tell(9, create(9, "empty.example."), 0);
	ck_assert_str_eq(list(100), "");
	tell(9, 0, write_soa(9, true));
	ck_assert_str_eq(list(100), "empty.example=?");
	tell(9, 0, write_soa(9, false));
	ck_assert_str_eq(list(100), "");
}
END_TEST

START_TEST(a_list_that_is_not_complete_is_read_from_the_database)
{
	stop();
	scratch_remove(&scratch);
	scratch_make(&scratch);
	env = scratch_open(&scratch);
	ck_ok(zn_local_open(env, &local, &err));
	ck_ok(zn_watch_start(env, &watch, &err));
	write_soa(7, true);
	create(7, "b.example.");
	create(8, "hidden.example.");
	ck_assert_str_eq(list(1), "b.example=?");	/* a command: nothing is cached */
	ck_ok(zn_local_watch(local, watch, &err));
	wait_complete();
	ck_assert_str_eq(list(1), "b.example=?");
}
END_TEST

START_TEST(sizes_are_kept_over_a_restart_unless_the_zone_changed_meanwhile)
{
	wait_complete();
	add_zone(1, "same.example.");
	add_zone(2, "changed.example.");
	put_size(1, "same.example.", 11);
	put_size(2, "changed.example.", 22);
	ck_assert(has_size(1, "same.example.", 11) && has_size(2, "changed.example.", 22));
	ck_assert_str_eq(list(100), "same.example=11 changed.example=22");
	stop();
	env = scratch_open(&scratch);
	write_soa(2, true);	/* somebody else, while nothing is mounted */
	zn_env_close(env);
	start();
	ck_assert(has_size(1, "same.example.", 11));
	ck_assert(!has_size(2, "changed.example.", 22));
	wait_complete();
	ck_assert_str_eq(list(100), "same.example=11 changed.example=?");
}
END_TEST

START_TEST(a_finding_that_was_overtaken_is_not_kept)
{
	struct zn_zone_info info = info_of(4, "x.example.");
	struct zn_zone_stat stat = {.known = true, .size = 1};

	wait_complete();
	add_zone(4, "x.example.");
	uint64_t before[2] = {zn_env_last_txnid(env, ZN_MAIN), zn_env_last_txnid(env, ZN_RECORDS)};
	uint64_t records = write_soa(4, true);
	tell(4, 0, records);
	zn_local_stat_put(local, &info, before, &stat);
	ck_assert_int_eq(zn_local_stat_get(local, &info, &stat), ZN_ENOTFOUND);
	list(1);	/* now the change is in the file, and out of memory */
	stat = (struct zn_zone_stat){.known = true, .size = 1};
	zn_local_stat_put(local, &info, before, &stat);
	ck_assert_int_eq(zn_local_stat_get(local, &info, &stat), ZN_ENOTFOUND);
	/* A saver knows the size of what it commits, before or after the change is told. */
	uint64_t own[2] = {0, write_soa(4, true)};
	stat = (struct zn_zone_stat){.known = true, .size = 2};
	zn_local_stat_put(local, &info, own, &stat);
	tell(4, 0, own[ZN_RECORDS]);
	ck_assert_int_eq(zn_local_stat_get(local, &info, &stat), ZN_OK);
	ck_assert_uint_eq(stat.size, 2);
}
END_TEST

START_TEST(of_a_name_twice_the_one_that_is_served_is_listed)
{
	struct zn_zone_id zone = zone_of("twice.example.");
	struct zn_txn txn;

	wait_complete();
	add_zone(20, "twice.example.");
	/* A second live index row, younger, as after a merge. */
	uint64_t records = write_soa(10, true);
	ck_ok(zn_txn_begin(&txn, env, ZN_MAIN, ZN_TXN_WRITE, &err));
	ck_ok(zn_zones_bury(&txn, 20, &err));
	ck_ok(zn_zones_create(&txn, 10, &zone, ZN_KIND_NATIVE, &err));
	uint64_t main = zn_txn_id(&txn);
	ck_ok(zn_txn_commit(&txn, &err));
	tell(10, main, records);
	tell(20, main, 0);
	ck_assert_str_eq(list(100), "twice.example=?");
}
END_TEST

START_TEST(more_zones_than_the_table_holds)
{
	wait_complete();
	for (uint32_t id = 1; id <= 5000; id++)
		tell(id, 0, 0);
	add_zone(6000, "z.example.");
	wait_complete();
	ck_assert_str_eq(list(100), "z.example=?");
}
END_TEST

START_TEST(rooms_keep_values)
{
	struct zn_buf out = ZN_BUF_INIT(100);

	ck_code(zn_local_get(local, "r", ZN_VIEW("k"), &out, &err), ZN_ENOTFOUND);
	ck_ok(zn_local_put(local, "r", ZN_VIEW("k"), ZN_VIEW("value"), &err));
	ck_code(zn_local_get(local, "other", ZN_VIEW("k"), &out, &err), ZN_ENOTFOUND);
	ck_ok(zn_local_get(local, "r", ZN_VIEW("k"), &out, &err));
	ck_assert_str_eq(zn_buf_str(&out), "value");
	ck_ok(zn_local_remove(local, "r", ZN_VIEW("k"), &err));
	ck_ok(zn_local_remove(local, "r", ZN_VIEW("k"), &err));
	ck_code(zn_local_get(local, "r", ZN_VIEW("k"), &out, &err), ZN_ENOTFOUND);
	zn_buf_release(&out);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("local");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, setup, teardown);
	tcase_set_timeout(all, 0);
	tcase_add_test(all, own_changes_are_listed_at_once);
	tcase_add_test(all, a_zone_without_soa_is_not_listed);
	tcase_add_test(all, a_list_that_is_not_complete_is_read_from_the_database);
	tcase_add_test(all, sizes_are_kept_over_a_restart_unless_the_zone_changed_meanwhile);
	tcase_add_test(all, a_finding_that_was_overtaken_is_not_kept);
	tcase_add_test(all, of_a_name_twice_the_one_that_is_served_is_listed);
	tcase_add_test(all, more_zones_than_the_table_holds);
	tcase_add_test(all, rooms_keep_values);
	suite_add_tcase(suite, all);
	return run_suite(suite);
}
