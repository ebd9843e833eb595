#include "fs/text/split.h"

#include <stdlib.h>

#include "store/base/auto.h"
#include "store/base/limits.h"
#include "tests/unit/suite.h"

/* One line an entry: line number, "!" when the first word stands at the margin, the words (quoted ones in quotes, "+" where
 * no blank stands before), or the fault and its offset. Entries without words are "-". */
static void describe(struct zn_view text, struct zn_buf *out)
{
	static const char *const faults[] = {"", "QUOTE", "OPEN", "NESTED", "CLOSE", "NUL", "LONG"};
	ZN_AUTO(zn_splitter_release) struct zn_splitter splitter;
	struct zn_entry entry;
	size_t at = 0;

	zn_splitter_init(&splitter, text);
	while (zn_splitter_next(&splitter, &entry)) {
		ck_assert_msg(entry.offset >= at && entry.end > entry.offset && entry.end <= text.len, "bytes are lost");
		at = entry.end;
		zn_buf_addf(out, "%u%s", entry.line, entry.at_margin && !entry.fault ? "!" : "");
		if (entry.fault)
			zn_buf_addf(out, " %s@%zu%s", faults[entry.fault], entry.fault_offset, entry.incomplete ? "..." : "");
		else if (entry.count == 0)
			zn_buf_add_str(out, " -");
		for (size_t i = 0; !entry.fault && i < entry.count; i++) {
			const char *quote = entry.tokens[i].flags & ZN_TOKEN_QUOTED ? "\"" : "";
			zn_buf_add_str(out, entry.tokens[i].flags & ZN_TOKEN_ADJACENT ? "+" : " ");
			zn_buf_add_str(out, quote);
			zn_buf_add(out, zn_token_view(&entry.tokens[i]));
			zn_buf_add_str(out, quote);
		}
		zn_buf_add_byte(out, '\n');
	}
	ck_assert_msg(at == text.len, "bytes behind the last entry are lost");
}

static const struct {
	const char *name, *text, *entries;
} cases[] = {
	{"nothing", "", ""},
	{"one line", "www IN A 192.0.2.1\n", "1! www IN A 192.0.2.1\n"},
	{"no newline at the end", "www IN A 192.0.2.1", "1! www IN A 192.0.2.1\n"},
	{"blank owner", "\tIN A 192.0.2.1\n", "1 IN A 192.0.2.1\n"},
	{"comments and blank lines", "; a\n\n  \n ; b\nx A y ; c\n", "1 -\n2 -\n3 -\n4 -\n5! x A y\n"},
	{"comment right behind a word", "x TXT a;b\n", "1! x TXT a\n"},
	{"CRLF", "x A y\r\n\r\nz B\r\n", "1! x A y\n2 -\n3! z B\n"},
	{"quotes", "x TXT \"a b\" \"c;d\" \"(\"\n", "1! x TXT \"a b\" \"c;d\" \"(\"\n"},
	{"escaped quote", "x TXT \"a\\\"b\" c\\\"d\n", "1! x TXT \"a\\\"b\" c\\\"d\n"},
	{"escaped backslash before the quote", "x TXT \"a\\\\\" b\n", "1! x TXT \"a\\\\\" b\n"},
	{"escaped semicolon and blank", "x TXT a\\;b c\\ d\n", "1! x TXT a\\;b c\\ d\n"},
	{"escaped line end", "x TXT a\\\ny\n", "1! x TXT a\\\n2! y\n"},
	{"empty strings", "x TXT \"\" \"\"\n", "1! x TXT \"\" \"\"\n"},
	{"strings side by side", "x TXT \"a\"\"b\"c\n", "1! x TXT \"a\"+\"b\"+c\n"},
	{"quotes within a word", "x SVCB 1 . alpn=\"h2, h3\" y\n", "1! x SVCB 1 . alpn=\"h2, h3\" y\n"},
	{"parentheses", "x SOA a b ( 1 ; one\n 2\n\n3 ) ; end\ny\n", "1! x SOA a b 1 2 3\n5! y\n"},
	{"parentheses touch words", "x(A)y(\nz)\n", "1! x A y z\n"},
	{"parentheses twice", "x ( a ) ( b\n) c\nd\n", "1! x a b c\n3! d\n"},
	{"parentheses at the margin", "( x A\n y )\n", "1 x A y\n"},
	{"lines in quotes in parentheses", "x TXT ( \"a\nb\" )\ny\n", "1! x TXT \"a\nb\"\n3! y\n"},
	{"quote not closed", "x TXT \"a\ny A b\n", "1 QUOTE@6\n2! y A b\n"},
	{"second quote not closed", "x TXT \"a\" \"b\ny A b\n", "1 QUOTE@10\n2! y A b\n"},
	{"quote not closed, CRLF", "x TXT \"a\r\ny A b\r\n", "1 QUOTE@6\n2! y A b\n"},
	{"quote not closed at the end", "x TXT \"a", "1 QUOTE@6\n"},
	{"quote not closed ends in a backslash", "x TXT \"a\\\ny A b\n", "1 QUOTE@6\n2! y A b\n"},
	{"parenthesis not closed", "x SOA a (\n1\n2\n", "1 OPEN@8...\n"},
	{"goes on where a line looks like a record", "x SOA a (\n1\n2\ny A b\nz NS c\n", "1 OPEN@8...\n4! y A b\n5! z NS c\n"},
	{"goes on at a directive", "x SOA a (\n1\n$TTL 5\n", "1 OPEN@8...\n3! $TTL 5\n"},
	{"goes on at a blank owner", "x SOA a (\n1\n IN NS c\n", "1 OPEN@8...\n3 IN NS c\n"},
	{"parenthesis in parentheses", "x SOA a (\n1\ny NS ( c )\nz\n", "1 NESTED@8\n3! y NS c\n4! z\n"},
	{"both on one line", "x TXT ( a ( b ) )\ny A z\n", "1 NESTED@6\n2! y A z\n"},
	{"parenthesis not opened", "x A y )\nz\n", "1 CLOSE@6\n2! z\n"},
	{"quote in parentheses not closed", "x TXT ( \"a )\ny A b\nz TXT \"c\"\n", "1 QUOTE@8...\n2! y A b\n3! z TXT \"c\"\n"},
	{"high bytes", "\xc3\xbc TXT \"\xc3\xbc\" ; \xc3\xbc\n", "1! \xc3\xbc TXT \"\xc3\xbc\"\n"},
};

START_TEST(entries)
{
	ZN_AUTO(zn_buf_release) struct zn_buf out = ZN_BUF_INIT(65536);

	describe(zn_view_str(cases[_i].text), &out);
	ck_assert_msg(strcmp(zn_buf_str(&out), cases[_i].entries) == 0, "%s:\n%s", cases[_i].name, zn_buf_str(&out));
}
END_TEST

START_TEST(flags)
{
	static const struct {
		const char *word;
		uint32_t flags;
	} words[] = {
		{"plain-1._/", 0}, {"a\\.b", ZN_TOKEN_ESCAPED}, {"\"q\"", ZN_TOKEN_QUOTED}, {"\"q\\\"\"", ZN_TOKEN_QUOTED | ZN_TOKEN_ESCAPED},
		{"\xc3\xbc", ZN_TOKEN_HIGH}, {"\"\xc3\xbc\"", ZN_TOKEN_QUOTED | ZN_TOKEN_HIGH}, {"a\x01", ZN_TOKEN_CONTROL},
		{"a\rb", ZN_TOKEN_CONTROL}, {"\"\t\"", ZN_TOKEN_QUOTED}, {"\"\x7f\"", ZN_TOKEN_QUOTED | ZN_TOKEN_CONTROL},
		{"a=\"b c\"", ZN_TOKEN_MIXED}, {"\\\xff", ZN_TOKEN_ESCAPED | ZN_TOKEN_HIGH},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		ZN_AUTO(zn_splitter_release) struct zn_splitter splitter;
		struct zn_entry entry;
		zn_splitter_init(&splitter, zn_view_str(words[i].word));
		ck_assert(zn_splitter_next(&splitter, &entry));
		ck_assert_uint_eq(entry.count, 1);
		ck_assert_msg(entry.tokens[0].flags == words[i].flags, "%s: %u", words[i].word, entry.tokens[0].flags);
	}
}
END_TEST

/* Where a byte stands, in the first line of an entry and in later ones. */
START_TEST(places)
{
	static const char text[] = "; c\n  x SOA (\n\t1\n2 )\n";
	ZN_AUTO(zn_splitter_release) struct zn_splitter splitter;
	struct zn_entry entry;
	static const uint32_t expected[][2] = {{2, 3}, {2, 5}, {3, 2}, {4, 1}};
	uint32_t line, column;

	zn_splitter_init(&splitter, zn_view_str(text));
	ck_assert(zn_splitter_next(&splitter, &entry) && zn_splitter_next(&splitter, &entry));
	ck_assert_uint_eq(entry.count, 4);
	for (size_t i = 0; i < 4; i++) {
		zn_entry_place(&entry, zn_view_str(text), (size_t)(entry.tokens[i].data - (const uint8_t *)text), &line, &column);
		ck_assert_uint_eq(line, expected[i][0]);
		ck_assert_uint_eq(column, expected[i][1]);
	}
}
END_TEST

START_TEST(nul)
{
	static const char text[] = "x A y\0z\na TXT \"\0\"\n; \0\nok\n";
	ZN_AUTO(zn_buf_release) struct zn_buf out = ZN_BUF_INIT(65536);

	describe(zn_view(text, sizeof(text) - 1), &out);
	ck_assert_str_eq(zn_buf_str(&out), "1 NUL@5\n2 NUL@15\n3 NUL@20\n4! ok\n");
}
END_TEST

/* An entry of a mebibyte is read, a longer one is not, and reading goes on behind it. */
START_TEST(limits)
{
	ZN_AUTO(zn_buf_release) struct zn_buf text = ZN_BUF_INIT(SIZE_MAX / 2), out = ZN_BUF_INIT(SIZE_MAX / 2);
	const char *const begins[] = {"x TXT ", "x TXT ( ", "x TXT \"", "; "};
	const char *const expected[] = {"1 LONG@0\n2! y A z\n", "1 OPEN@6\n2! y A z\n", "1 QUOTE@6\n2! y A z\n", "1 LONG@0\n2! y A z\n"};

	for (size_t i = 0; i < 4; i++) {
		zn_buf_clear(&text);
		zn_buf_add_str(&text, begins[i]);
		zn_buf_add_fill(&text, 'a', ZN_ENTRY_MAX);
		zn_buf_add_str(&text, "\ny A z\n");
		zn_buf_clear(&out);
		describe(zn_buf_view(&text), &out);
		ck_assert_str_eq(zn_buf_str(&out), expected[i]);
	}
	zn_buf_clear(&text);
	zn_buf_add_str(&text, "x ");
	zn_buf_add_fill(&text, 'a', ZN_ENTRY_MAX - 3);
	zn_buf_add_str(&text, "\ny A z\n");
	ck_assert_uint_eq(text.len, ZN_ENTRY_MAX + 6);
	zn_buf_clear(&out);
	describe(zn_buf_view(&text), &out);
	ck_assert(memcmp(out.data, "1! x a", 6) == 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("split");
	TCase *tests = tcase_create("entries");

	tcase_add_loop_test(tests, entries, 0, (int)(sizeof(cases) / sizeof(cases[0])));
	tcase_add_test(tests, flags);
	tcase_add_test(tests, places);
	tcase_add_test(tests, nul);
	tcase_add_test(tests, limits);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
