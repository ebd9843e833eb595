#include "store/settle.h"

#include "store/rectify.h"
#include "tests/unit/dns/support.h"
#include "tests/unit/store/zone_rows.h"
#include "tests/unit/suite.h"

static struct scratch scratch;
static struct zn_env *env;
static struct zn_name apex;
static const struct zn_zone_mode plain = {.dnssec = ZN_DNSSEC_UNSIGNED};

static void setup(void)
{
	scratch_make(&scratch);
	env = scratch_open(&scratch);
	apex = name_of("example.org");
	zn_clock_set((struct zn_stamp){1000000});
}

static void teardown(void)
{
	zn_clock_set((struct zn_stamp){0});
	zn_env_close(env);
	scratch_remove(&scratch);
}

START_TEST(ids_once)
{
	ZN_AUTO(zn_ids_release) struct zn_ids ids = {0};

	for (uint32_t i = 0; i < 5000; i++)
		ck_assert_int_eq(zn_ids_add_heir(&ids, i * 7919 % 1000 + 1, i), ZN_OK);
	ck_assert_uint_eq(ids.count, 1000);
	for (uint32_t i = 0; i < 1000; i++)
		ck_assert(ids.list[i] == i * 7919 % 1000 + 1 && ids.heirs[i] == i);
}
END_TEST

static struct zn_zone *zone_with(uint32_t serial, const char *address)
{
	const char *lines[] = {"@ SOA 3600 ns1.other. hostmaster.other.", "@ NS 3600 ns1.other.", NULL};
	struct zn_zone *zone = zone_of("example.org", lines);

	add_record(zone, "a.b", "A", 60, address, 3);
	ck_assert_int_eq(zn_zone_finish(zone, NULL, NULL), ZN_OK);
	zn_zone_set_serial(zone, serial);
	return zone;
}

static void store_zone(struct zn_txn *txn, uint32_t id, uint32_t serial, const char *address)
{
	struct zn_zone *zone = zone_with(serial, address);

	ck_ok(zn_records_apply(txn, id, zone, &plain, NULL, &err));
	zn_zone_free(zone);
}

/* Served with one serial and address, merged with others: the serial after settling. */
static const struct {
	const char *name;
	uint32_t served, merged, settled;
	bool same, presigned;
	enum zn_kind kind;
} serials[] = {
	{"other content, same serial", 101, 101, 102, false, false, ZN_KIND_NATIVE},
	{"other content, older serial", 101, 90, 102, false, false, ZN_KIND_PRIMARY},
	{"other content, newer serial", 101, 102, 102, false, false, ZN_KIND_PRIMARY},
	{"same content, older serial", 101, 90, 90, true, false, ZN_KIND_PRIMARY},
	{"same content, same serial", 101, 101, 101, true, false, ZN_KIND_PRIMARY},
	{"round the corner", UINT32_MAX, UINT32_MAX, 1, false, false, ZN_KIND_PRIMARY},
	{"presigned", 101, 101, 101, false, true, ZN_KIND_PRIMARY},
	{"secondary", 101, 101, 101, false, false, ZN_KIND_SECONDARY},
};

START_TEST(serial_after_a_merge)
{
	struct zn_zone_info info = {.id = 7, .zone = {.name = apex}, .kind = serials[_i].kind};
	struct zn_zone_mode mode = {.presigned = serials[_i].presigned, .dnssec = serials[_i].presigned ? ZN_DNSSEC_NSEC : ZN_DNSSEC_UNSIGNED};
	struct zn_txn txn = begin_records(env, ZN_TXN_WRITE);
	struct zn_served served;
	struct zn_stamp before, after;
	uint64_t written;
	uint32_t serial;

	store_zone(&txn, 7, serials[_i].served, "192.0.2.1");
	ck_ok(zn_settle_before(&txn, 7, &apex, &served, &err));
	ck_assert(served.listed && served.serial == serials[_i].served);
	store_zone(&txn, 7, serials[_i].merged, serials[_i].same ? "192.0.2.1" : "192.0.2.2");
	ck_ok(zn_records_serial(&txn, 7, &serial, &before, &err));
	ck_ok(zn_settle_after(&txn, &served, &info, &mode, &written, &err));
	ck_ok(zn_records_serial(&txn, 7, &serial, &after, &err));
	ck_assert_msg(serial == serials[_i].settled, "%s: %u", serials[_i].name, serial);
	bool raised = serials[_i].settled != serials[_i].merged;
	ck_assert_msg(after.ns == before.ns + raised && written == raised, "%s", serials[_i].name);
	zn_txn_end(&txn);
}
END_TEST

/* Rows that come alone: what follows from them is made before anybody sees them. */
START_TEST(derived_rows)
{
	struct zn_zone_info info = {.id = 7, .zone = {.name = apex}, .kind = ZN_KIND_NATIVE};
	struct zn_txn txn = begin_records(env, ZN_TXN_WRITE);
	struct zn_served served;
	struct zn_row_key key;
	struct zn_view payload;
	uint64_t written;

	ck_ok(zn_settle_before(&txn, 7, &apex, &served, &err));
	ck_assert(!served.listed);
	store_zone(&txn, 7, 5, "192.0.2.1");
	zn_row_key_make(&key, 7, zn_view("x\0y", 4), ZN_TYPE_A);
	ck_ok(zn_txn_put_raw(&txn, ZN_DBI_RECORDS, zn_row_key_view(&key), (struct zn_stamp){500}, 0,
		zn_view("\4\0\300\0\2\1\74\0\0\0\1\0\0", 13), &err));
	ck_ok(zn_settle_after(&txn, &served, &info, &plain, &written, &err));
	ck_assert_uint_eq(written, 1);
	struct zn_header header;
	zn_row_key_make(&key, 7, zn_view("x", 2), ZN_TYPE_ENT);
	ck_ok(zn_txn_get_live(&txn, ZN_DBI_RECORDS, zn_row_key_view(&key), &header, &payload, &err));
	ck_assert_uint_eq(header.stamp.ns, 501);
	zn_txn_end(&txn);
}
END_TEST

/* Two nodes made one zone under two ids. */
START_TEST(duplicates)
{
	struct zn_zone_id name = {.name = apex};
	ZN_AUTO(zn_ids_release) struct zn_ids touched = {0}, losers = {0};
	struct zn_zone_info info;
	struct zn_index_key index;
	struct zn_header header;
	struct zn_view payload;
	struct zn_txn main;
	uint8_t copy[4096], id[4];
	uint64_t written;

	ck_ok(zn_txn_begin(&main, env, ZN_MAIN, ZN_TXN_WRITE, &err));
	ck_ok(zn_zones_create(&main, 9, &name, ZN_KIND_NATIVE, &err));
	zn_put_u32(id, 9);
	ck_ok(zn_txn_get_live(&main, ZN_DBI_DOMAINS, zn_view(id, 4), &header, &payload, &err));
	ck_assert_uint_lt(payload.len, sizeof(copy));
	payload = zn_view(memcpy(copy, payload.data, payload.len), payload.len);
	zn_put_u32(id, 4);
	ck_ok(zn_txn_put_raw(&main, ZN_DBI_DOMAINS, zn_view(id, 4), (struct zn_stamp){header.stamp.ns + 50}, 0, payload, &err));
	ck_ok(zn_index_key_make(&name, 4, &index));
	ck_ok(zn_txn_put_raw(&main, ZN_DBI_DOMAINS_INDEX, zn_index_key_view(&index), (struct zn_stamp){header.stamp.ns + 50}, 0, zn_view(NULL, 0), &err));
	ck_assert_int_eq(zn_ids_add(&touched, 4), ZN_OK);
	ck_assert_int_eq(zn_ids_add(&touched, 12345), ZN_OK);
	ck_ok(zn_zones_find(&main, &name, &info, &err));
	ck_assert_uint_eq(info.id, 9); /* the oldest index row, for PowerDNS */
	ck_ok(zn_settle_duplicates(&main, &touched, &losers, &err));
	ck_ok(zn_zones_find(&main, &name, &info, &err));
	ck_assert_uint_eq(info.id, 4);
	ck_ok(zn_txn_commit(&main, &err));
	ck_assert(losers.count == 1 && losers.list[0] == 9 && losers.heirs[0] == 4);
	ck_ok(zn_txn_begin(&main, env, ZN_MAIN, ZN_TXN_WRITE, &err));
	zn_put_u32(id, 9);
	ck_code(zn_txn_get_live(&main, ZN_DBI_DOMAINS, zn_view(id, 4), &header, &payload, &err), ZN_ENOTFOUND);
	ck_assert_uint_eq(header.stamp.ns, 1000002);
	losers.count = 0; /* and once is enough */
	ck_ok(zn_settle_duplicates(&main, &touched, &losers, &err));
	ck_assert_uint_eq(losers.count, 0);
	losers.count = 1;
	zn_txn_end(&main);

	/* The loser has the newer address and a name that the heir lacks. */
	struct zn_txn txn = begin_records(env, ZN_TXN_WRITE);
	store_zone(&txn, 4, 5, "192.0.2.4");
	ck_ok(zn_txn_commit(&txn, &err));
	zn_clock_set((struct zn_stamp){2000000});
	txn = begin_records(env, ZN_TXN_WRITE);
	const char *lines[] = {"@ SOA 3600 ns1.other. hostmaster.other.", "@ NS 3600 ns1.other.", "a.b A 60 192.0.2.9", "c.d A 60 192.0.2.9", NULL};
	struct zn_zone *zone = zone_of("example.org", lines);
	ck_assert_int_eq(zn_zone_finish(zone, NULL, NULL), ZN_OK);
	ck_ok(zn_records_apply(&txn, 9, zone, &plain, NULL, &err));
	zn_zone_free(zone);
	zn_clock_set((struct zn_stamp){3000000});
	ck_ok(zn_settling_losers(&txn, &losers, &written, &err));
	ck_assert_uint_gt(written, 0);
	ck_ok(zn_txn_commit(&txn, &err));

	struct row_texts left = row_texts_read(env, 9, &apex, ROWS_DISABLED | ROWS_LEFTOVERS);
	ck_assert_uint_eq(left.count, 0);
	row_texts_release(&left);
	struct row_texts rows = row_texts_read(env, 4, &apex, 0);
	ck_assert_uint_eq(rows.count, 6);
	ck_assert_str_eq(rows.list[3].text, "0000000462006100000001 c0000209/60/10");
	ck_assert_uint_eq(rows.list[3].stamp.ns, 2000000);
	ck_assert_str_eq(rows.list[4].text, "000000046400000000 /0/10");
	ck_assert_str_eq(rows.list[5].text, "0000000464006300000001 c0000209/60/10");
	row_texts_release(&rows);
	txn = begin_records(env, ZN_TXN_READ);
	uint32_t serial;
	ck_ok(zn_records_serial(&txn, 4, &serial, NULL, &err));
	ck_assert_uint_eq(serial, 6); /* 5 was served with other content; the loser's SOA (1) is the newer row */
	zn_txn_end(&txn);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store/settle");
	TCase *tc = tcase_create("settle");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, ids_once);
	tcase_add_loop_test(tc, serial_after_a_merge, 0, sizeof(serials) / sizeof(serials[0]));
	tcase_add_test(tc, derived_rows);
	tcase_add_test(tc, duplicates);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
