#include "fs/text/order.h"

#include <stdlib.h>

#include "store/base/auto.h"
#include "tests/unit/suite.h"

#define SITE 0x01020304
#define COUNTER 7

/* clang-format off */
/* Neighbours in hex, and the fractions of the keys that go between them. */
static const struct {
	const char *before, *after;
	size_t count;
	const char *fractions;
} gaps[] = {
	{"", "", 1, "7f"},
	{"", "", 3, "3f 7e bd"},
	{"", "", 100, NULL},
	{"7f 01020304 00000001", "", 1, "8104"},
	{"7f 01020304 00000001", "", 2, "8104 8307"},
	{"", "7f 01020304 00000001", 1, "3f"},
	{"7f 01020304 00000001", "80 01020304 00000001", 1, "7f80"},
	{"7f 01020304 00000001", "81 01020304 00000001", 1, "8001"},
	/* The same fraction from two sites: what comes between them sorts between them. */
	{"7f 00000001 00000001", "7f ffffffff 00000001", 1, "7f7f"},
	{"7f 01020304 00000001", "7f 01020304 00000002", 1, "7f01020304000000017f"},
};
/* clang-format on */

static void from_hex(const char *hex, struct zn_buf *out)
{
	zn_buf_clear(out);
	ck_assert_int_eq(zn_buf_add_from_hex(out, hex), ZN_OK);
}

static void check_between(struct zn_view before, struct zn_view after,
		const struct zn_order_key *keys, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct zn_view key = zn_order_view(&keys[i]);
		ck_assert_uint_ge(key.len, 9);
		ck_assert_uint_le(key.len, ZN_ORDER_MAX);
		ck_assert_uint_ne(key.data[key.len - 9], 0);
		ck_assert_int_lt(zn_view_cmp(before, key), 0);
		ck_assert(after.len == 0 || zn_view_cmp(key, after) < 0);
		before = key;
	}
}

START_TEST(between)
{
	ZN_AUTO(zn_buf_release) struct zn_buf before = ZN_BUF_INIT(100);
	ZN_AUTO(zn_buf_release) struct zn_buf after = ZN_BUF_INIT(100);
	ZN_AUTO(zn_buf_release) struct zn_buf fractions = ZN_BUF_INIT(1000);
	struct zn_order_key keys[100];

	from_hex(gaps[_i].before, &before);
	from_hex(gaps[_i].after, &after);
	ck_assert(zn_order_between(zn_buf_view(&before), zn_buf_view(&after), gaps[_i].count, SITE,
			COUNTER, keys));
	check_between(zn_buf_view(&before), zn_buf_view(&after), keys, gaps[_i].count);
	for (size_t i = 0; i < gaps[_i].count; i++) {
		struct zn_view key = zn_order_view(&keys[i]);
		if (i)
			zn_buf_add_byte(&fractions, ' ');
		zn_buf_add_hex(&fractions, zn_view_sub(key, 0, key.len - 8));
		ck_assert_mem_eq(key.data + key.len - 8, "\1\2\3\4\0\0\0\7", 8);
	}
	if (gaps[_i].fractions)
		ck_assert_str_eq(zn_buf_str(&fractions), gaps[_i].fractions);
}
END_TEST

/* Insertions one after the other, always behind, always before, always in the middle: hundreds fit;
 * then the gap says that it is used up. */
START_TEST(used_up)
{
	for (int where = 0; where < 3; where++) {
		struct zn_order_key low = {.len = 9, .bytes = {0x40}},
				    high = {.len = 9, .bytes = {0x41}}, key;
		unsigned count = 0;

		while (zn_order_between(
				zn_order_view(&low), zn_order_view(&high), 1, SITE, count, &key)) {
			check_between(zn_order_view(&low), zn_order_view(&high), &key, 1);
			if (where == 0 || (where == 2 && count % 2))
				low = key;
			else
				high = key;
			ck_assert_uint_lt(++count, 1000);
		}
		ck_assert_uint_gt(count, 100);
	}
}
END_TEST

/* A text that grows at its end for ever. */
START_TEST(append)
{
	struct zn_order_key last, key;
	unsigned count = 0;

	ck_assert(zn_order_between(zn_view(NULL, 0), zn_view(NULL, 0), 1, SITE, 0, &last));
	while (count < 4000 && zn_order_between(zn_order_view(&last), zn_view(NULL, 0), 1, SITE,
					       count, &key)) {
		check_between(zn_order_view(&last), zn_view(NULL, 0), &key, 1);
		last = key;
		count++;
	}
	ck_assert_uint_eq(count, 4000);
}
END_TEST

/* A million pieces at once. */
START_TEST(many)
{
	size_t count = 1000000;
	ZN_AUTO_FREE struct zn_order_key *keys = calloc(count, sizeof(*keys));

	ck_assert_ptr_nonnull(keys);
	ck_assert(zn_order_between(zn_view(NULL, 0), zn_view(NULL, 0), count, SITE, COUNTER, keys));
	for (size_t i = 1; i < count; i++)
		ck_assert(zn_view_cmp(zn_order_view(&keys[i - 1]), zn_order_view(&keys[i])) < 0);
	ck_assert_uint_le(keys[0].len, 4 + 8);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("order");
	TCase *tests = tcase_create("order keys");

	tcase_add_loop_test(tests, between, 0, (int)(sizeof(gaps) / sizeof(gaps[0])));
	tcase_add_test(tests, used_up);
	tcase_add_test(tests, append);
	tcase_add_test(tests, many);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
