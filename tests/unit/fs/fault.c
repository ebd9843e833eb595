#include "fs/save/fault.h"

#include "store/records.h"
#include "tests/unit/suite.h"
#include "tests/unit/support.h"

static struct scratch scratch;
static struct zn_env *env;
static struct zn_watch *watch;
static struct zn_events *events;
static struct zn_faults *faults;

static void setup(void)
{
	scratch_make(&scratch);
	env = scratch_open(&scratch);
	ck_ok(zn_events_new(1 << 16, &events));
	ck_ok(zn_watch_start(env, &watch, &err));
	ck_ok(zn_faults_start(events, env, watch, &faults, &err));
}

static void teardown(void)
{
	zn_watch_stop(watch);
	zn_faults_stop(faults);
	zn_watch_free(watch);
	zn_events_free(events);
	zn_env_close(env);
	scratch_remove(&scratch);
}

static struct zn_zone_id zone_of(const char *name)
{
	struct zn_zone_id zone = {0};

	ck_ok(zn_name_from_text(zn_view_str(name), NULL, &zone.name, &err));
	return zone;
}

static void add(struct zn_zone *zone, const char *owner, size_t owner_len, uint16_t type, const char *hex)
{
	struct zn_buf rdata = bytes_of(hex);

	zn_zone_add(zone, zn_view(owner, owner_len), type, 300, zn_buf_view(&rdata), 0);
	zn_buf_release(&rdata);
}

/* Rows as a merge may leave them: nobody has looked. */
static uint64_t write_rows(uint32_t id, const char *apex, bool wrong)
{
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *zone = NULL;
	struct zn_zone_id name = zone_of(apex);
	struct zn_zone_mode mode = {0};
	struct zn_records_change change;
	struct zn_txn txn;

	ck_ok(zn_zone_new(&name.name, &zone));
	add(zone, "", 1, ZN_TYPE_SOA, "0000 00000001 00000e10 00000e10 00000e10 00000e10");
	add(zone, "", 1, ZN_TYPE_NS, "026e73 09656c73657768657265 00");
	add(zone, "www", 4, ZN_TYPE_A, "c0000201");
	if (wrong)
		add(zone, "www", 4, ZN_TYPE_CNAME, "026e73 09656c73657768657265 00");
	ck_ok(zn_zone_finish(zone, NULL, NULL));
	ck_ok(zn_txn_begin(&txn, env, ZN_RECORDS, ZN_TXN_WRITE, &err));
	ck_ok(zn_records_apply(&txn, id, zone, &mode, &change, &err));
	uint64_t txnid = zn_txn_id(&txn);
	ck_ok(zn_txn_commit(&txn, &err));
	return txnid;
}

static void create(uint32_t id, const char *apex)
{
	struct zn_zone_id zone = zone_of(apex);
	struct zn_txn txn;

	ck_ok(zn_txn_begin(&txn, env, ZN_MAIN, ZN_TXN_WRITE, &err));
	ck_ok(zn_zones_create(&txn, id, &zone, ZN_KIND_NATIVE, &err));
	ck_ok(zn_txn_commit(&txn, &err));
}

static void tell(enum zn_origin origin, uint32_t id, uint64_t txnid)
{
	zn_watch_tell(watch, &(struct zn_change){.origin = origin, .ids = &id, .count = 1, .txnid = {[ZN_RECORDS] = txnid}});
}

/* Until the stream has a line with this in it, from `offset` on. */
static void wait_for(const char *part, uint64_t *offset)
{
	struct zn_buf out = ZN_BUF_INIT(1 << 16);

	for (unsigned i = 0; i < 60000 && !strstr(zn_buf_str(&out), part); i++) {
		if (zn_events_read(events, offset, 1 << 15, &out) == ZN_EAGAIN)
			usleep(1000);
	}
	ck_assert_msg(strstr(zn_buf_str(&out), part) != NULL, "%s not in\n%s", part, zn_buf_str(&out));
	zn_buf_release(&out);
}

START_TEST(what_a_merge_left_wrong_is_told_and_what_mends_it_too)
{
	uint64_t at = 0;

	create(5, "example.com.");
	tell(ZN_OWN_MERGE, 5, write_rows(5, "example.com.", true));
	wait_for("\"event\":\"fault\",\"zone\":\"example.com\",\"errors\":1,\"text\":\"", &at);
	ck_assert_uint_eq(zn_faults_count(faults), 1);
	tell(ZN_OWN_SAVE, 5, write_rows(5, "example.com.", false));
	wait_for("\"event\":\"mended\",\"zone\":\"example.com\"", &at);
	ck_assert_uint_eq(zn_faults_count(faults), 0);
}
END_TEST

START_TEST(another_process_is_looked_at_and_own_saves_of_sound_zones_are_not)
{
	uint64_t at = 0;

	create(6, "b.example.");
	create(7, "c.example.");
	/* A save was judged before it was written: were it judged again, this would be found. */
	tell(ZN_OWN_SAVE, 6, write_rows(6, "b.example.", true));
	tell(ZN_FOREIGN, 7, write_rows(7, "c.example.", true));
	wait_for("\"event\":\"fault\",\"zone\":\"c.example\"", &at);
}
END_TEST

START_TEST(a_zone_that_is_buried_has_no_fault_left)
{
	uint64_t at = 0;
	struct zn_txn txn;

	create(8, "d.example.");
	tell(ZN_OWN_MERGE, 8, write_rows(8, "d.example.", true));
	wait_for("\"event\":\"fault\",\"zone\":\"d.example\"", &at);
	ck_ok(zn_txn_begin(&txn, env, ZN_MAIN, ZN_TXN_WRITE, &err));
	ck_ok(zn_zones_bury(&txn, 8, &err));
	ck_ok(zn_txn_commit(&txn, &err));
	tell(ZN_OWN_SAVE, 8, 0);
	wait_for("\"event\":\"mended\",\"zone\":\"d.example\"", &at);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fault");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, setup, teardown);
	tcase_set_timeout(all, 0);
	tcase_add_test(all, what_a_merge_left_wrong_is_told_and_what_mends_it_too);
	tcase_add_test(all, another_process_is_looked_at_and_own_saves_of_sound_zones_are_not);
	tcase_add_test(all, a_zone_that_is_buried_has_no_fault_left);
	suite_add_tcase(suite, all);
	return run_suite(suite);
}
