#include "tests/unit/suite.h"

#include "store/base/bytes.h"
#include "store/base/clock.h"
#include "store/base/wire.h"

START_TEST(views_order_as_lmdb_keys)
{
	static const struct {
		const char *a, *b;
		int order;
	} rows[] = {{"", "", 0}, {"", "a", -1}, {"a", "", 1}, {"a", "ab", -1}, {"b", "ab", 1}, {"\xff", "a", 1}};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int order = zn_view_cmp(zn_view_str(rows[i].a), zn_view_str(rows[i].b));
		ck_assert_int_eq((order > 0) - (order < 0), rows[i].order);
	}
}
END_TEST

START_TEST(a_buffer_stops_at_its_ceiling_and_says_so)
{
	struct zn_buf buf = ZN_BUF_INIT(8);
	struct zn_err err;

	zn_buf_add_str(&buf, "12345");
	zn_buf_add_str(&buf, "6789");	/* does not fit: nothing of it is there */
	zn_buf_add_str(&buf, "6");	/* would fit, but comes behind a failure */
	ck_assert_str_eq(zn_buf_str(&buf), "12345");
	ck_assert_int_eq(zn_buf_check(&buf, "notes", &err), ZN_ETOOBIG);
	ck_assert_str_eq(err.text, "notes: more than 8 bytes");
	zn_buf_clear(&buf);
	zn_buf_add_str(&buf, "12345678");
	ck_assert_int_eq(zn_buf_check(&buf, "notes", &err), ZN_OK);
	zn_buf_release(&buf);
}
END_TEST

START_TEST(a_splice_replaces_bytes_in_place)
{
	static const struct {
		size_t from, len;
		const char *by, *expect;
	} rows[] = {{0, 0, "x", "xabcdef"}, {2, 2, "x", "abxef"}, {2, 2, "wxyz", "abwxyzef"}, {6, 0, "g", "abcdefg"},
		{4, 99, "", "abcd"}, {99, 1, "z", "abcdefz"}};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct zn_buf buf = ZN_BUF_INIT(64);
		zn_buf_add_str(&buf, "abcdef");
		zn_buf_splice(&buf, rows[i].from, rows[i].len, zn_view_str(rows[i].by));
		ck_assert_str_eq(zn_buf_str(&buf), rows[i].expect);
		zn_buf_release(&buf);
	}
}
END_TEST

START_TEST(long_formats_are_kept_whole)
{
	struct zn_buf buf = ZN_BUF_INIT(4096);

	zn_buf_addf(&buf, "%0400d", 7);
	ck_assert_uint_eq(buf.len, 400);
	ck_assert_int_eq(buf.data[399], '7');
	zn_buf_release(&buf);
}
END_TEST

START_TEST(a_reader_never_leaves_its_bytes)
{
	struct zn_reader r = zn_reader_init(ZN_VIEW("\x01\x02\x03"));

	ck_assert_uint_eq(zn_read_u16(&r), 0x0102);
	ck_assert_uint_eq(zn_read_u32(&r), 0);
	ck_assert(r.failed);
	ck_assert_uint_eq(zn_read_u8(&r), 0); /* the failure sticks, though a byte is left */
	ck_assert_uint_eq(zn_reader_left(&r), 0);

	r = zn_reader_init(ZN_VIEW("abc"));
	zn_read_view(&r, UINT64_MAX);
	ck_assert(r.failed);
}
END_TEST

START_TEST(numbers_come_back_as_written)
{
	static const uint64_t values[] = {0, 1, 0x7f, 0x80, 0x3fff, 0x4000, UINT32_MAX, INT64_MAX, UINT64_MAX};

	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		struct zn_buf buf = ZN_BUF_INIT(64);
		zn_write_varint(&buf, values[i]);
		zn_write_u64(&buf, values[i]);
		zn_write_u64le(&buf, values[i]);
		struct zn_reader r = zn_reader_init(zn_buf_view(&buf));
		ck_assert_uint_eq(zn_read_varint(&r), values[i]);
		ck_assert_uint_eq(zn_read_u64(&r), values[i]);
		ck_assert_uint_eq(zn_read_u64le(&r), values[i]);
		ck_assert(!r.failed && zn_reader_left(&r) == 0);
		zn_buf_release(&buf);
	}
}
END_TEST

START_TEST(a_varint_of_more_than_64_bits_fails)
{
	struct zn_reader r = zn_reader_init(ZN_VIEW("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"));

	zn_read_varint(&r);
	ck_assert(r.failed);
	r = zn_reader_init(ZN_VIEW("\x80\x80"));
	zn_read_varint(&r);
	ck_assert(r.failed);
}
END_TEST

START_TEST(context_goes_in_front_and_the_reason_is_never_cut)
{
	struct zn_err err;
	char longer[1000];

	ck_assert_int_eq(zn_fail(&err, ZN_EFULL, "the map is full"), ZN_EFULL);
	ck_assert_int_eq(zn_err_prefix(&err, ZN_EFULL, "%s", "example.org"), ZN_EFULL);
	ck_assert_str_eq(err.text, "example.org: the map is full");

	memset(longer, 'x', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	ck_assert_int_eq(zn_err_prefix(&err, ZN_EFULL, "%s", longer), ZN_EFULL);
	ck_assert_uint_lt(strlen(err.text), sizeof err.text);
	ck_assert_ptr_nonnull(strstr(err.text, "xx: example.org: the map is full"));
}
END_TEST

START_TEST(hex_is_read_back)
{
	struct zn_buf hex = ZN_BUF_INIT(64), bytes = ZN_BUF_INIT(64);

	ck_assert_int_eq(zn_buf_add_from_hex(&bytes, "00 fF\n10"), ZN_OK);
	zn_buf_add_hex(&hex, zn_buf_view(&bytes));
	ck_assert_str_eq(zn_buf_str(&hex), "00ff10");
	ck_assert_int_eq(zn_buf_add_from_hex(&bytes, "0"), ZN_EINVAL);
	ck_assert_int_eq(zn_buf_add_from_hex(&bytes, "0g"), ZN_EINVAL);
	zn_buf_release(&hex);
	zn_buf_release(&bytes);
}
END_TEST

START_TEST(the_clock_stands_where_a_test_sets_it)
{
	char text[ZN_STAMP_TEXT_MAX];

	zn_clock_set((struct zn_stamp){UINT64_C(1704164645000000006)});
	ck_assert_str_eq(zn_stamp_text(zn_clock_now(), text), "2024-01-02T03:04:05.000000006Z");
	zn_clock_set((struct zn_stamp){0});
	ck_assert_uint_gt(zn_clock_now().ns, UINT64_C(1704164645000000006));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("base");
	TCase *all = tcase_create("all");

	tcase_add_test(all, views_order_as_lmdb_keys);
	tcase_add_test(all, a_buffer_stops_at_its_ceiling_and_says_so);
	tcase_add_test(all, a_splice_replaces_bytes_in_place);
	tcase_add_test(all, long_formats_are_kept_whole);
	tcase_add_test(all, a_reader_never_leaves_its_bytes);
	tcase_add_test(all, numbers_come_back_as_written);
	tcase_add_test(all, a_varint_of_more_than_64_bits_fails);
	tcase_add_test(all, context_goes_in_front_and_the_reason_is_never_cut);
	tcase_add_test(all, hex_is_read_back);
	tcase_add_test(all, the_clock_stands_where_a_test_sets_it);
	suite_add_tcase(suite, all);
	return run_suite(suite);
}
