#include "store/text.h"

#include "tests/unit/suite.h"
#include "tests/unit/support.h"

#define ID 0x13403d19

static struct scratch scratch;
static struct zn_env *env;

static void setup(void)
{
	scratch_make(&scratch);
	env = scratch_open(&scratch);
}

static void teardown(void)
{
	zn_clock_set((struct zn_stamp){0});
	zn_env_close(env);
	scratch_remove(&scratch);
}

static struct zn_txn begin(enum zn_txn_mode mode)
{
	struct zn_txn txn;

	ck_ok(zn_txn_begin(&txn, env, ZN_RECORDS, mode, &err));
	return txn;
}

/* docs/format.md, text head: the example there. */
START_TEST(puts_head)
{
	struct zn_text_head head = {.mtime = {UINT64_C(1767225600000000000)},
					    .digest = {12, UINT64_C(0xa1b2c3d4e5f6)},
					    .site = 0x01020304,
					    .counter = 7},
			    got;
	struct zn_stamp stamp;
	struct zn_view payload;
	struct zn_txn txn = begin(ZN_TXN_WRITE);

	ck_code(zn_text_head_get(&txn, ID, &got, &stamp, &err), ZN_ENOTFOUND);
	zn_txn_end(&txn);
	zn_clock_set((struct zn_stamp){123456789});
	txn = begin(ZN_TXN_WRITE);
	ck_ok(zn_text_head_put(&txn, ID, &head, &err));
	ck_ok(zn_txn_commit(&txn, &err));
	txn = begin(ZN_TXN_READ);
	ck_ok(zn_text_head_get(&txn, ID, &got, &stamp, &err));
	ck_assert_uint_eq(got.mtime.ns, head.mtime.ns);
	ck_assert(zn_digest_equal(got.digest, head.digest));
	ck_assert_uint_eq(got.site, head.site);
	ck_assert_uint_eq(got.counter, head.counter);
	ck_assert_uint_eq(stamp.ns, 123456789);
	ck_ok(zn_txn_get_live(
			&txn, ZN_DBI_TEXT, ZN_VIEW("\x13\x40\x3d\x19"), NULL, &payload, &err));
	ck_assert_str_eq(hex_of(payload), "01"
					  "18867251edfa0000"
					  "000000000000000c"
					  "a1b2c3d4e5f6"
					  "01020304"
					  "00000007");
	zn_txn_end(&txn);
}
END_TEST

/* Heads that are none of ours. */
START_TEST(damaged_head)
{
	static const struct {
		const char *hex;
		enum zn_code code;
	} heads[] = {
			{"", ZN_ECORRUPT}, {"00", ZN_ECORRUPT}, {"01", ZN_ECORRUPT},
			{"02", ZN_EFORMAT},
			{"01 18867251edfa0000 000000000000000c a1b2c3d4e5f6 01020304 000000",
					ZN_ECORRUPT},
			{"01 18867251edfa0000 000000000000000c a1b2c3d4e5f6 01020304 00000007 99",
					ZN_OK}, /* more than we know of */
	};
	ZN_AUTO(zn_buf_release) struct zn_buf payload = ZN_BUF_INIT(100);
	struct zn_text_head got;
	struct zn_txn txn = begin(ZN_TXN_WRITE);

	ck_assert_int_eq(zn_buf_add_from_hex(&payload, heads[_i].hex), ZN_OK);
	ck_ok(zn_txn_put(&txn, ZN_DBI_TEXT, ZN_VIEW("\x13\x40\x3d\x19"), zn_buf_view(&payload),
			ZN_USER, (struct zn_stamp){0}, NULL, &err));
	ck_code(zn_text_head_get(&txn, ID, &got, NULL, &err), heads[_i].code);
	zn_txn_end(&txn);
}
END_TEST

struct seen {
	size_t count;
	char what[400];
};

static enum zn_code see(
		void *context, struct zn_view order, struct zn_stamp stamp, struct zn_view payload)
{
	struct seen *seen = context;

	ck_assert_uint_gt(stamp.ns, 0);
	snprintf(seen->what + strlen(seen->what), sizeof seen->what - strlen(seen->what),
			"%02x:%.*s ", order.data[0], (int)payload.len, (const char *)payload.data);
	return ++seen->count == 3 ? ZN_EAGAIN : ZN_OK;
}

static void check_seen(uint32_t id, const char *expected, enum zn_code code)
{
	struct seen seen = {0};
	struct zn_txn txn = begin(ZN_TXN_READ);

	ck_code(zn_text_each(&txn, id, see, &seen, &err), code);
	ck_assert_str_eq(seen.what, expected);
	zn_txn_end(&txn);
}

#define ORDER(first) ZN_VIEW(first "\1\2\3\4\0\0\0\1")

START_TEST(pieces)
{
	struct zn_text_head head = {.site = 1};
	struct zn_txn txn;

	check_seen(ID, "", ZN_OK); /* no DBI yet */
	txn = begin(ZN_TXN_WRITE);
	ck_ok(zn_text_put(&txn, ID, ORDER("\x7f"), ZN_VIEW("b"), &err));
	ck_ok(zn_text_put(&txn, ID, ORDER("\x3f"), ZN_VIEW("a"), &err));
	ck_ok(zn_text_head_put(&txn, ID, &head, &err));
	ck_ok(zn_text_put(&txn, ID + 1, ORDER("\x01"), ZN_VIEW("other"), &err));
	ck_ok(zn_text_head_put(&txn, ID - 1, &head, &err));
	ck_code(zn_text_put(&txn, ID, ZN_VIEW("short"), ZN_VIEW("x"), &err), ZN_EINVAL);
	ck_code(zn_text_put(&txn, ID, ZN_VIEW("longer than any order key"), ZN_VIEW("x"), &err),
			ZN_EINVAL);
	ck_ok(zn_txn_commit(&txn, &err));
	check_seen(ID, "3f:a 7f:b ", ZN_OK);
	check_seen(ID + 1, "01:other ", ZN_OK);
	check_seen(ID - 1, "", ZN_OK);

	txn = begin(ZN_TXN_WRITE);
	ck_ok(zn_text_bury(&txn, ID, ORDER("\x3f"), &err));
	ck_ok(zn_text_put(&txn, ID, ORDER("\x80"), ZN_VIEW("c"), &err));
	ck_ok(zn_txn_commit(&txn, &err));
	check_seen(ID, "7f:b 80:c ", ZN_OK);

	txn = begin(ZN_TXN_WRITE);
	ck_ok(zn_text_put(&txn, ID, ORDER("\x81"), ZN_VIEW("d"), &err));
	ck_ok(zn_text_put(&txn, ID, ORDER("\x82"), ZN_VIEW("e"), &err));
	ck_ok(zn_txn_commit(&txn, &err));
	check_seen(ID, "7f:b 80:c 81:d ", ZN_EAGAIN);

	txn = begin(ZN_TXN_WRITE);
	ck_ok(zn_text_bury_all(&txn, ID, &err));
	ck_code(zn_text_head_get(&txn, ID, &head, NULL, &err), ZN_ENOTFOUND);
	ck_ok(zn_txn_commit(&txn, &err));
	check_seen(ID, "", ZN_OK);
	check_seen(ID + 1, "01:other ", ZN_OK);
}
END_TEST

/* A row under the zone's id whose key is no order key: told, and taken away with the rest. */
START_TEST(foreign_row)
{
	struct seen seen = {0};
	struct zn_txn txn = begin(ZN_TXN_WRITE);

	ck_ok(zn_txn_put(&txn, ZN_DBI_TEXT, ZN_VIEW("\x13\x40\x3d\x19\x40"), ZN_VIEW("x"), ZN_USER,
			(struct zn_stamp){0}, NULL, &err));
	ck_code(zn_text_each(&txn, ID, see, &seen, &err), ZN_ECORRUPT);
	ck_ok(zn_text_bury_all(&txn, ID, &err));
	ck_ok(zn_txn_commit(&txn, &err));
	txn = begin(ZN_TXN_READ);
	ck_code(zn_txn_get_live(&txn, ZN_DBI_TEXT, ZN_VIEW("\x13\x40\x3d\x19\x40"), NULL,
				&(struct zn_view){0}, &err),
			ZN_ENOTFOUND);
	zn_txn_end(&txn);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("text");
	TCase *tests = tcase_create("text");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, puts_head);
	tcase_add_loop_test(tests, damaged_head, 0, 6);
	tcase_add_test(tests, pieces);
	tcase_add_test(tests, foreign_row);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
