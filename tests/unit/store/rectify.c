#include "store/rectify.h"

#include "tests/unit/store/zone_rows.h"
#include "tests/unit/suite.h"

static struct scratch scratch, other;
static struct zn_env *env, *fresh;

static void setup(void)
{
	scratch_make(&scratch);
	scratch_make(&other);
}

static void teardown(void)
{
	zn_env_close(env);
	zn_env_close(fresh);
	env = fresh = NULL;
	scratch_remove(&scratch);
	scratch_remove(&other);
}

static int exactly(const struct fixture_zone *zone)
{
	return strncmp(zone->version, "v6", 2) == 0 ? ROWS_ORDER_NAME | ROWS_LEFTOVERS : 0;
}

/* From the data of each zone the very rows that PowerDNS made; of 4.9 all but its documented extras. */
START_TEST(rows_of_powerdns)
{
	const struct fixture_zone *fixture = &fixture_zones[_i];
	struct zn_zone_mode mode = fixture_mode(fixture);
	struct zn_name apex = fixture_name(fixture);
	struct zn_zone *zone;
	struct zn_records_summary summary;

	scratch_load(&scratch, fixture->version);
	env = scratch_open(&scratch);
	fresh = scratch_open(&other);
	struct zn_txn txn = begin_records(env, ZN_TXN_READ);
	ck_ok(zn_records_read(&txn, fixture->id, &apex, &zone, &summary, &err));
	zn_txn_end(&txn);
	ck_assert_uint_eq(summary.undecodable, 0);
	txn = begin_records(fresh, ZN_TXN_WRITE);
	ck_ok(zn_records_apply(&txn, fixture->id, zone, &mode, NULL, &err));
	ck_ok(zn_txn_commit(&txn, &err));
	zn_zone_free(zone);

	struct row_texts want = row_texts_read(env, fixture->id, &apex, exactly(fixture));
	struct row_texts got = row_texts_read(fresh, fixture->id, &apex, exactly(fixture));
	ck_assert_uint_gt(want.count, 0);
	char what[80];
	snprintf(what, sizeof(what), "%s %s", fixture->version, fixture->name);
	row_texts_compare(what, &want, &got);
	row_texts_release(&want);
	row_texts_release(&got);
}
END_TEST

/* What PowerDNS wrote is right as it is. */
START_TEST(nothing_to_do)
{
	const struct fixture_zone *fixture = &fixture_zones[_i];
	struct zn_zone_mode mode = fixture_mode(fixture);
	struct zn_name apex = fixture_name(fixture);
	struct zn_records_change change;
	struct zn_zone *zone;
	uint64_t written;

	scratch_load(&scratch, fixture->version);
	env = scratch_open(&scratch);
	struct zn_txn txn = begin_records(env, ZN_TXN_WRITE);
	ck_ok(zn_rectify_zone(&txn, fixture->id, &apex, &mode, &written, &err));
	ck_assert_msg(written == 0, "%s %s: rectify wrote %lu rows", fixture->version, fixture->name, (unsigned long)written);
	ck_ok(zn_records_read(&txn, fixture->id, &apex, &zone, NULL, &err));
	ck_ok(zn_records_apply(&txn, fixture->id, zone, &mode, &change, &err));
	ck_assert_msg(change.rows_written == 0 && change.added == 0 && change.removed == 0, "%s %s: apply wrote %lu rows", fixture->version,
		fixture->name, (unsigned long)change.rows_written);
	zn_zone_free(zone);
	zn_txn_end(&txn);
}
END_TEST

/* Derived rows buried, flags turned over: all comes back, as machine writes, and data keeps its bytes and its place in time. */
START_TEST(comes_back)
{
	const struct fixture_zone *fixture = &fixture_zones[_i];
	struct zn_zone_mode mode = fixture_mode(fixture);
	struct zn_name apex = fixture_name(fixture);
	uint64_t written;

	scratch_load(&scratch, fixture->version);
	env = scratch_open(&scratch);
	struct row_texts want = row_texts_read(env, fixture->id, &apex, 0);
	struct zn_txn txn = begin_records(env, ZN_TXN_WRITE);
	for (size_t i = 0; i < want.count; i++) {
		struct zn_view key = zn_row_key_view(&want.list[i].key), owner, payload;
		struct zn_header header;
		uint16_t type;
		ck_assert(zn_row_key_split(key, fixture->id, &owner, &type));
		ck_ok(zn_txn_get_live(&txn, ZN_DBI_RECORDS, key, &header, &payload, &err));
		if (type == ZN_TYPE_ENT || type == ZN_TYPE_NSEC3) {
			ck_ok(zn_txn_bury(&txn, ZN_DBI_RECORDS, key, ZN_MACHINE, (struct zn_stamp){0}, NULL, &err));
		} else {
			ZN_AUTO(zn_buf_release) struct zn_buf turned = ZN_BUF_INIT((size_t)1 << 20);
			zn_buf_add(&turned, payload);
			zn_row_set_flags(&turned, !turned.data[turned.len - 3], turned.data[turned.len - 1]);
			ck_ok(zn_txn_put_raw(&txn, ZN_DBI_RECORDS, key, header.stamp, 0, zn_buf_view(&turned), &err));
		}
	}
	ck_ok(zn_rectify_zone(&txn, fixture->id, &apex, &mode, &written, &err));
	ck_ok(zn_txn_commit(&txn, &err));
	struct row_texts got = row_texts_read(env, fixture->id, &apex, 0);
	row_texts_compare(fixture->name, &want, &got);
	for (size_t i = 0; i < want.count; i++) {
		struct zn_view owner;
		uint16_t type;
		ck_assert(zn_row_key_split(zn_row_key_view(&want.list[i].key), fixture->id, &owner, &type));
		bool derived = type == ZN_TYPE_ENT || type == ZN_TYPE_NSEC3;
		ck_assert_uint_eq(got.list[i].stamp.ns, want.list[i].stamp.ns + (derived ? 3 : 1));
	}
	ck_assert_uint_eq(written, want.count);
	row_texts_release(&want);
	row_texts_release(&got);
}
END_TEST

/* A zone goes through all the ways of signing and back: only derived rows change, and the last state is the first. */
START_TEST(changes_of_mode)
{
	static const struct fixture_zone zone = {"v6", "nsec3.example", 0x21dcf59c, ZN_DNSSEC_NSEC3, false, "1 0 0 -"};
	static const struct {
		enum zn_dnssec dnssec;
		const char *param;
	} modes[] = {{ZN_DNSSEC_UNSIGNED, NULL}, {ZN_DNSSEC_NSEC3, "1 1 2 abcd"}, {ZN_DNSSEC_NARROW, "1 0 0 -"}, {ZN_DNSSEC_NSEC, NULL}, {ZN_DNSSEC_NSEC3, "1 0 0 -"}};
	struct zn_name apex = fixture_name(&zone);

	scratch_load(&scratch, zone.version);
	env = scratch_open(&scratch);
	struct row_texts want = row_texts_read(env, zone.id, &apex, ROWS_LEFTOVERS | ROWS_DISABLED);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		struct fixture_zone now = zone;
		uint64_t written, again;
		now.dnssec = modes[i].dnssec;
		now.nsec3param = modes[i].param;
		struct zn_zone_mode mode = fixture_mode(&now);
		struct zn_txn txn = begin_records(env, ZN_TXN_WRITE);
		ck_ok(zn_rectify_zone(&txn, zone.id, &apex, &mode, &written, &err));
		ck_ok(zn_rectify_zone(&txn, zone.id, &apex, &mode, &again, &err));
		ck_assert_uint_eq(again, 0);
		ck_ok(zn_txn_commit(&txn, &err));
	}
	struct row_texts got = row_texts_read(env, zone.id, &apex, ROWS_LEFTOVERS | ROWS_DISABLED);
	row_texts_compare("all modes and back", &want, &got);
	row_texts_release(&want);
	row_texts_release(&got);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store/rectify");
	TCase *tc = tcase_create("rectify");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, rows_of_powerdns, 0, FIXTURE_ZONES);
	tcase_add_loop_test(tc, nothing_to_do, 0, FIXTURE_ZONES);
	tcase_add_loop_test(tc, comes_back, 0, FIXTURE_ZONES);
	tcase_add_test(tc, changes_of_mode);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
