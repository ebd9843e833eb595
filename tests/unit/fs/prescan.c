#include "fs/text/parse.h"

#include "tests/unit/suite.h"

/* Writes as they come, one after the other; `bad` is the first that must be refused (-1: none). */
static const struct {
	const char *name;
	const char *writes[6];
	int bad;
} cases[] = {
	{"a record", {"www A 192.0.2.1\n"}, -1},
	{"a bad record", {"www A 192.0.2.999\n"}, 0},
	{"a line in three parts", {"www A ", "192.0.2", ".1\n"}, -1},
	{"a bad line in three parts", {"www A ", "192.0.2", ".999\n"}, 2},
	{"a bad line without its end", {"www A 192.0.2.999"}, -1},
	{"the second line is bad", {"a A 192.0.2.1\n", "b A\n", "c A 192.0.2.1\n"}, 1},
	{"bad for ever", {"b A\n", "c A 192.0.2.1\n"}, 0},
	{"blank owner and no TTL: known before", {"\tA 192.0.2.1\n"}, -1},
	{"no SOA", {"\n", "; a comment\n"}, -1},
	{"parentheses line by line", {"@ SOA a b (\n", "1 2\n", "3 4 5 )\n", "x A 192.0.2.1\n"}, -1},
	{"bad words in parentheses show when they close", {"x MX (\n", "99999\n", "mail )\n"}, 2},
	{"parenthesis in parentheses", {"x TXT (\n", "a (\n"}, 1},
	{"parenthesis not opened", {"x TXT a )\n"}, 0},
	{"quote not closed on its line", {"x TXT \"a\n", "b\"\n"}, 0},
	{"quote over lines in parentheses", {"x TXT ( \"a\n", "b\" )\n"}, -1},
	{"unknown directive", {"$FOO\n"}, 0},
	{"directives count", {"$ORIGIN sub\n$TTL 5\n", "x A 192.0.2.1\n"}, -1},
	{"outside of the zone", {"$ORIGIN example.net.\n", "x A 192.0.2.1\n"}, 1},
	{"two CNAMEs: only the whole zone tells", {"x CNAME a\nx CNAME b\n"}, -1},
	{"warnings are none", {"x TXT \"\xd7\xa9\"\n"}, -1},
	{"NUL", {"x TXT a\n", "\x01\n"}, 1},
};

START_TEST(writes)
{
	struct zn_name apex;
	struct zn_prescan *scan;

	ck_assert_int_eq(zn_name_from_text(zn_view_str("example.com."), NULL, &apex, NULL), ZN_OK);
	ck_assert_int_eq(zn_prescan_new(&apex, &scan), ZN_OK);
	for (int i = 0; i < 6 && cases[_i].writes[i]; i++) {
		bool bad = zn_prescan_bad(scan, zn_view_str(cases[_i].writes[i]));
		ck_assert_msg(bad == (cases[_i].bad >= 0 && i >= cases[_i].bad), "%s: write %d", cases[_i].name, i);
	}
	zn_prescan_free(scan);
}
END_TEST

/* One byte at a time is the same as all at once. */
START_TEST(bytes)
{
	struct zn_name apex;
	struct zn_prescan *scan;
	int first = -1, expected = -1;
	int at = 0;

	ck_assert_int_eq(zn_name_from_text(zn_view_str("example.com."), NULL, &apex, NULL), ZN_OK);
	ck_assert_int_eq(zn_prescan_new(&apex, &scan), ZN_OK);
	for (int i = 0; i < 6 && cases[_i].writes[i]; i++) {
		for (const char *byte = cases[_i].writes[i]; *byte; byte++, at++)
			if (zn_prescan_bad(scan, zn_view(byte, 1)) && first < 0)
				first = i;
		if (i == cases[_i].bad)
			expected = i;
	}
	ck_assert_msg(first == expected, "%s: %d", cases[_i].name, first);
	zn_prescan_free(scan);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("prescan");
	TCase *tests = tcase_create("writes");

	tcase_add_loop_test(tests, writes, 0, (int)(sizeof(cases) / sizeof(cases[0])));
	tcase_add_loop_test(tests, bytes, 0, (int)(sizeof(cases) / sizeof(cases[0])));
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
