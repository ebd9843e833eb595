#include "tests/unit/suite.h"

#include "store/dns/serial.h"

#define DAY_2026_11_27 UINT64_C(1795737600)

static const struct {
	const char *name;
	enum zn_serial_policy policy;
	uint32_t current, next;
} rows[] = {
	{"counter", ZN_SERIAL_AUTO, 7, 8},
	{"counter at the end", ZN_SERIAL_AUTO, UINT32_MAX, 1},
	{"a date of before", ZN_SERIAL_AUTO, 2026112603, 2026112701},
	{"a date of today", ZN_SERIAL_AUTO, 2026112701, 2026112702},
	{"the hundredth of today", ZN_SERIAL_AUTO, 2026112799, 2026112800},
	{"a date to come", ZN_SERIAL_AUTO, 2030010100, 2030010101},
	{"no date: month 13", ZN_SERIAL_AUTO, 2026130101, 2026130102},
	{"seconds", ZN_SERIAL_AUTO, 1700000000, 1795737600},
	{"seconds, twice in one", ZN_SERIAL_AUTO, 1795737600, 1795737601},
	{"kept", ZN_SERIAL_KEEP, 5, 5},
	{"increase a date", ZN_SERIAL_INCREASE, 2026112603, 2026112604},
	{"counter to date", ZN_SERIAL_DATE, 5, 2026112701},
	{"beyond the date", ZN_SERIAL_DATE, 3000000000, 3000000001},
	{"so far ahead that the date is newer", ZN_SERIAL_DATE, 4294967000, 2026112701},
	{"counter to seconds", ZN_SERIAL_EPOCH, 5, 1795737600},
	{"date to seconds goes on counting", ZN_SERIAL_EPOCH, 2026112701, 2026112702},
};

START_TEST(next)
{
	struct zn_stamp now = {DAY_2026_11_27 * ZN_NS_PER_S};
	uint32_t serial = zn_serial_next(rows[_i].current, rows[_i].policy, now);

	ck_assert_msg(serial == rows[_i].next, "%s: %u", rows[_i].name, serial);
	if (rows[_i].policy != ZN_SERIAL_KEEP)
		ck_assert_msg(zn_serial_newer(serial, rows[_i].current), "%s", rows[_i].name);
}
END_TEST

START_TEST(order)
{
	ck_assert(zn_serial_newer(1, 0));
	ck_assert(zn_serial_newer(0, UINT32_MAX));
	ck_assert(!zn_serial_newer(5, 5));
	ck_assert(!zn_serial_newer(0x80000000, 0));
	ck_assert(!zn_serial_newer(0, 0x80000000));
	ck_assert(zn_serial_newer(0x7fffffff, 0));
}
END_TEST

START_TEST(policies)
{
	enum zn_serial_policy policy;

	for (int i = ZN_SERIAL_AUTO; i <= ZN_SERIAL_EPOCH; i++) {
		ck_assert(zn_serial_policy_from_text(zn_view_str(zn_serial_policy_text((enum zn_serial_policy)i)), &policy));
		ck_assert_int_eq(policy, i);
	}
	ck_assert(!zn_serial_policy_from_text(ZN_VIEW("DATE"), &policy));
	ck_assert(!zn_serial_policy_from_text(ZN_VIEW(""), &policy));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dns/serial");
	TCase *tc = tcase_create("serials");

	tcase_add_loop_test(tc, next, 0, sizeof(rows) / sizeof(rows[0]));
	tcase_add_test(tc, order);
	tcase_add_test(tc, policies);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
