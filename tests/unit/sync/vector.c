#include "tests/unit/suite.h"

#include <stdlib.h>

#include "store/base/auto.h"
#include "sync/vector.h"

START_TEST(set_and_get)
{
	ZN_AUTO(zn_vector_release) struct zn_vector v = {0};
	char name[16];

	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof name, "ns%u", i * 7919 % 1000);
		ck_assert_int_eq(zn_vector_set(&v, zn_view_str(name), i * 7919 % 1000 + 1, NULL), ZN_OK);
	}
	ck_assert_uint_eq(v.count, 1000);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof name, "ns%u", i);
		ck_assert_uint_eq(zn_vector_get(&v, zn_view_str(name)), i + 1);
	}
	ck_assert_uint_eq(zn_vector_get(&v, ZN_VIEW("ns")), 0);
	ck_assert_int_eq(zn_vector_set(&v, ZN_VIEW("ns5"), 2, NULL), ZN_OK);
	ck_assert_uint_eq(zn_vector_get(&v, ZN_VIEW("ns5")), 2);
	ck_assert_uint_eq(v.count, 1000);
	ck_assert_int_eq(zn_vector_set(&v, ZN_VIEW(""), 2, NULL), ZN_EINVAL);
}
END_TEST

START_TEST(join_and_cover)
{
	ZN_AUTO(zn_vector_release) struct zn_vector a = {0};
	ZN_AUTO(zn_vector_release) struct zn_vector b = {0};

	ck_assert(zn_vector_covers(&a, &b));
	ck_assert_int_eq(zn_vector_set(&a, ZN_VIEW("x"), 5, NULL), ZN_OK);
	ck_assert_int_eq(zn_vector_set(&b, ZN_VIEW("x"), 3, NULL), ZN_OK);
	ck_assert_int_eq(zn_vector_set(&b, ZN_VIEW("y"), 7, NULL), ZN_OK);
	ck_assert(!zn_vector_covers(&a, &b));
	ck_assert(!zn_vector_covers(&b, &a));
	ck_assert_int_eq(zn_vector_join(&a, &b, NULL), ZN_OK);
	ck_assert_uint_eq(zn_vector_get(&a, ZN_VIEW("x")), 5);
	ck_assert_uint_eq(zn_vector_get(&a, ZN_VIEW("y")), 7);
	ck_assert(zn_vector_covers(&a, &b));
}
END_TEST

START_TEST(coding)
{
	ZN_AUTO(zn_vector_release) struct zn_vector v = {0};
	ZN_AUTO(zn_vector_release) struct zn_vector back = {0};
	ZN_AUTO(zn_buf_release) struct zn_buf bytes = ZN_BUF_INIT(1000);
	ZN_AUTO(zn_buf_release) struct zn_buf hex = ZN_BUF_INIT(1000);
	struct zn_err err;

	ck_assert_int_eq(zn_vector_set(&v, ZN_VIEW("ns2"), 0x0102030405060708, NULL), ZN_OK);
	ck_assert_int_eq(zn_vector_set(&v, ZN_VIEW("a"), 1, NULL), ZN_OK);
	zn_vector_encode(&v, &bytes);
	zn_buf_add_hex(&hex, zn_buf_view(&bytes));
	ck_assert_str_eq(zn_buf_str(&hex), "0102" "0161" "0000000000000001" "036e7332" "0102030405060708");
	ck_assert_int_eq(zn_vector_decode(zn_buf_view(&bytes), &back, &err), ZN_OK);
	ck_assert(zn_vector_covers(&v, &back) && zn_vector_covers(&back, &v));

	/* Cut anywhere, or with something behind: damaged, and what was there stays. */
	for (size_t len = 0; len < bytes.len; len++)
		ck_assert_int_eq(zn_vector_decode(zn_view(bytes.data, len), &back, &err), ZN_ECORRUPT);
	bytes.data[0] = 2;
	ck_assert_int_eq(zn_vector_decode(zn_buf_view(&bytes), &back, &err), ZN_EFORMAT);
	bytes.data[0] = 1;
	zn_buf_add_byte(&bytes, 0);
	ck_assert_int_eq(zn_vector_decode(zn_buf_view(&bytes), &back, &err), ZN_ECORRUPT);
	ck_assert_int_eq(zn_vector_decode(ZN_VIEW("\1\xff\xff\xff\x7f"), &back, &err), ZN_ETOOBIG);
	ck_assert_int_eq(zn_vector_decode(ZN_VIEW("\1\1\0\0\0\0\0\0\0\0\0"), &back, &err), ZN_ECORRUPT);
	ck_assert_uint_eq(back.count, 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sync/vector");
	TCase *tests = tcase_create("all");

	tcase_add_test(tests, set_and_get);
	tcase_add_test(tests, join_and_cover);
	tcase_add_test(tests, coding);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
