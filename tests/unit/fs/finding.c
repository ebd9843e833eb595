#include "fs/text/finding.h"

#include "store/base/limits.h"
#include "tests/unit/suite.h"

static const char text[] = "www A 192.0.2.999\n"
	"\ttab\tTXT \"gr\xc3\xbc\xc3\x9f\x65\" here\n"
	"esc\x1b[31m \xff \xe2\x80\xae there\r\n"
	"last";

/* One finding each, and how it is shown. */
static const struct {
	uint32_t line, column;
	enum zn_severity severity;
	const char *shown;
} cases[] = {
	{1, 7, ZN_SEVERITY_ERROR, "z:1:7: error: x\n  www A 192.0.2.999\n        ^\n"},
	{1, 18, ZN_SEVERITY_WARNING, "z:1:18: warning: x\n  www A 192.0.2.999\n                   ^\n"},
	{1, 99, ZN_SEVERITY_WARNING, "z:1:99: warning: x\n  www A 192.0.2.999\n                   ^\n"},
	{2, 6, ZN_SEVERITY_ERROR, "z:2:6: error: x\n          tab     TXT \"gr\xc3\xbc\xc3\x9f\x65\" here\n                  ^\n"},
	{2, 20, ZN_SEVERITY_ERROR, "z:2:20: error: x\n          tab     TXT \"gr\xc3\xbc\xc3\x9f\x65\" here\n"
		"                              ^\n"},
	{3, 1, ZN_SEVERITY_ERROR, "z:3:1: error: x\n  esc\\027[31m \\255 \\226\\128\\174 there\n  ^\n"},
	{3, 12, ZN_SEVERITY_ERROR, "z:3:12: error: x\n  esc\\027[31m \\255 \\226\\128\\174 there\n                   ^\n"},
	{4, 1, ZN_SEVERITY_ERROR, "z:4:1: error: x\n  last\n  ^\n"},
	{5, 1, ZN_SEVERITY_ERROR, "z:5:1: error: x\n"},
	{0, 0, ZN_SEVERITY_ERROR, "z: error: x\n"},
};

START_TEST(shows)
{
	ZN_AUTO(zn_findings_release) struct zn_findings findings = {0};
	ZN_AUTO(zn_buf_release) struct zn_buf out = ZN_BUF_INIT(65536);

	zn_findings_add(&findings, cases[_i].line, cases[_i].column, cases[_i].severity, "%s", "x");
	zn_findings_render(&findings, "z", zn_view(text, sizeof(text) - 1), &out);
	ck_assert_str_eq(zn_buf_str(&out), cases[_i].shown);
}
END_TEST

/* A long line is cut around the caret. */
START_TEST(long_line)
{
	ZN_AUTO(zn_findings_release) struct zn_findings findings = {0};
	ZN_AUTO(zn_buf_release) struct zn_buf line = ZN_BUF_INIT(65536), out = ZN_BUF_INIT(65536);

	zn_buf_add_fill(&line, 'a', 1000);
	zn_buf_add_byte(&line, 'X');
	zn_buf_add_fill(&line, 'b', 1000);
	zn_findings_add(&findings, 1, 1001, ZN_SEVERITY_ERROR, "far");
	zn_findings_render(&findings, "z", zn_buf_view(&line), &out);
	const char *shown = strstr(zn_buf_str(&out), "\n") + 1;
	ck_assert_uint_le(strlen(shown), 200);
	ck_assert(strncmp(shown, "  ...aaaa", 9) == 0);
	const char *caret = strchr(shown, '^'), *newline = strchr(shown, '\n');
	ck_assert(shown[caret - newline - 1] == 'X');
	ck_assert(strncmp(newline - 4, "b...", 4) == 0);
}
END_TEST

/* A sentence may quote the text, which may want to talk to the terminal. */
START_TEST(visible)
{
	ZN_AUTO(zn_findings_release) struct zn_findings findings = {0};

	zn_findings_add(&findings, 1, 1, ZN_SEVERITY_ERROR, "unknown \"%s\"", "\x1b[2J\n\xc3\xbc\xff\xe2\x80\xae");
	ck_assert_str_eq(findings.list[0].sentence, "unknown \"\\027[2J\\010\xc3\xbc\\255\\226\\128\\174\"");
}
END_TEST

START_TEST(sorts)
{
	ZN_AUTO(zn_findings_release) struct zn_findings findings = {0};
	static const uint32_t places[][2] = {{3, 1}, {1, 9}, {0, 0}, {1, 2}, {3, 1}};

	for (size_t i = 0; i < 5; i++)
		zn_findings_add(&findings, places[i][0], places[i][1], i == 4 ? ZN_SEVERITY_ERROR : ZN_SEVERITY_WARNING, "%zu", i);
	zn_findings_sort(&findings);
	ck_assert_uint_eq(findings.count, 5);
	ck_assert_uint_eq(findings.errors, 1);
	ck_assert_uint_eq(findings.warnings, 4);
	static const char *const order[] = {"2", "3", "1", "4", "0"};
	for (size_t i = 0; i < 5; i++)
		ck_assert_str_eq(findings.list[i].sentence, order[i]);
}
END_TEST

/* A thousand warnings do not hide an error; all are counted. */
START_TEST(bounded)
{
	ZN_AUTO(zn_findings_release) struct zn_findings findings = {0};
	ZN_AUTO(zn_buf_release) struct zn_buf out = ZN_BUF_INIT((size_t)1 << 20);
	size_t errors = 0;

	for (uint32_t i = 0; i < 3 * ZN_FINDINGS_MAX; i++)
		zn_findings_add(&findings, i + 1, 1, ZN_SEVERITY_WARNING, "w");
	for (uint32_t i = 0; i < 10; i++)
		zn_findings_add(&findings, i + 1, 2, ZN_SEVERITY_ERROR, "e");
	ck_assert_uint_eq(findings.count, ZN_FINDINGS_MAX);
	ck_assert_uint_eq(findings.errors, 10);
	ck_assert_uint_eq(findings.warnings, 3 * ZN_FINDINGS_MAX);
	for (size_t i = 0; i < findings.count; i++)
		errors += findings.list[i].severity == ZN_SEVERITY_ERROR;
	ck_assert_uint_eq(errors, 10);
	zn_findings_render(&findings, "z", zn_view(NULL, 0), &out);
	ck_assert(strstr(zn_buf_str(&out), "z: 10 errors and 3000 warnings in all, 1000 of them shown\n"));
	for (uint32_t i = 0; i < 2 * ZN_FINDINGS_MAX; i++)
		zn_findings_add(&findings, i + 1, 2, ZN_SEVERITY_ERROR, "e");
	ck_assert_uint_eq(findings.count, ZN_FINDINGS_MAX);
	ck_assert_uint_eq(findings.kept_warnings, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("finding");
	TCase *tests = tcase_create("findings");

	tcase_add_loop_test(tests, shows, 0, (int)(sizeof(cases) / sizeof(cases[0])));
	tcase_add_test(tests, long_line);
	tcase_add_test(tests, visible);
	tcase_add_test(tests, sorts);
	tcase_add_test(tests, bounded);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
