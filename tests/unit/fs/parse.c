/* Whole texts: tests/data/text/NN-topic.in against .err, what sinks hear, and that no text breaks anything.
 * ZN_TEST_UPDATE=1 writes the .err files anew. */
#include "fs/text/parse.h"

#include <dirent.h>
#include <stdlib.h>

#include "fs/text/zonefile.h"
#include "store/base/limits.h"
#include "tests/unit/suite.h"

#define TEXT_MAX ((size_t)1 << 20)
#define HEAD "$TTL 3600\n@ SOA ns1.example.net. host 2026010101 2 3 4 5\n@ NS ns1.example.net.\n"

static struct zn_name apex;

static void setup(void)
{
	ck_assert_int_eq(zn_name_from_text(zn_view_str("example.com."), NULL, &apex, NULL), ZN_OK);
}

static const char *data_path(const char *name, const char *ending, char path[static 512])
{
	snprintf(path, 512, "%s/text/%s%s", getenv("ZN_TEST_DATA"), name, ending);
	return path;
}

static bool read_file(const char *path, struct zn_buf *out)
{
	FILE *file = fopen(path, "r");
	char bytes[4096];

	if (!file)
		return false;
	for (size_t got; (got = fread(bytes, 1, sizeof(bytes), file)) > 0;)
		zn_buf_add(out, zn_view(bytes, got));
	fclose(file);
	return true;
}

static int is_input(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return len > 3 && strcmp(entry->d_name + len - 3, ".in") == 0;
}

/* Names without ending, in order. */
static int inputs(struct dirent ***ret_entries)
{
	char path[512];

	return scandir(data_path("", "", path), ret_entries, is_input, alphasort);
}

static enum zn_code parse(struct zn_view text, struct zn_parse_options options, struct zn_findings *findings, struct zn_parsed *ret_parsed)
{
	options.apex = &apex;
	return zn_parse(text, &options, findings, ret_parsed, NULL);
}

START_TEST(goldens)
{
	struct dirent **entries;
	int count = inputs(&entries);

	ck_assert_int_ge(count, 20);
	for (int i = 0; i < count; i++) {
		ZN_AUTO(zn_buf_release) struct zn_buf text = ZN_BUF_INIT(TEXT_MAX), expected = ZN_BUF_INIT(TEXT_MAX), shown = ZN_BUF_INIT(TEXT_MAX);
		ZN_AUTO(zn_findings_release) struct zn_findings findings = {0};
		struct zn_parsed parsed = {0};
		char path[512], file[300];
		snprintf(file, sizeof(file), "%s", entries[i]->d_name);
		char *name = entries[i]->d_name;
		name[strlen(name) - 3] = '\0';
		ck_assert(read_file(data_path(name, ".in", path), &text));
		enum zn_code code = parse(zn_buf_view(&text), (struct zn_parse_options){0}, &findings, &parsed);
		zn_findings_render(&findings, file, zn_buf_view(&text), &shown);
		if (getenv("ZN_TEST_UPDATE")) {
			FILE *out = fopen(data_path(name, ".err", path), "w");
			fputs(zn_buf_str(&shown), out);
			fclose(out);
		}
		ck_assert_msg(read_file(data_path(name, ".err", path), &expected), "%s is missing", path);
		ck_assert_msg(strcmp(zn_buf_str(&shown), zn_buf_str(&expected)) == 0, "%s is not what is found now:\n%s", path, zn_buf_str(&shown));
		ck_assert_msg((code == ZN_OK) == (findings.errors == 0), "%s: code %d", name, code);
		ck_assert_msg(code == ZN_OK || code == ZN_ESYNTAX, "%s: code %d", name, code);
		zn_parsed_release(&parsed);
		free(entries[i]);
	}
	free(entries);
}
END_TEST

/* Small texts and the one finding each has: "line:column severity sentence". NULL: none. */
static const struct {
	const char *name;
	struct zn_view text;
	const char *finding;
} texts[] = {
	{"nothing", ZN_VIEW(""), "0:0 error the text has no records: a zone needs a SOA and an NS"},
	{"comments only", ZN_VIEW("; x\n"), "0:0 error the text has no records: a zone needs a SOA and an NS"},
	{"good", ZN_VIEW(HEAD), NULL},
	{"no newline at the end", ZN_VIEW(HEAD "www A 192.0.2.1"), NULL},
	{"error without newline at the end", ZN_VIEW(HEAD "www A 192.0.2"), "4:7 error invalid IPv4 address"},
	{"byte order mark", ZN_VIEW("\xef\xbb\xbf" HEAD), "1:1 error the text begins with a byte order mark: save it as UTF-8 without one"},
	{"UTF-16", ZN_VIEW("\xff\xfe$\0T\0"), "1:1 error the text is UTF-16: save it as ASCII or UTF-8"},
	{"NUL", ZN_VIEW(HEAD "www\0 A 192.0.2.1\n"), "4:4 error NUL byte in the text: is this a text file?"},
	{"NUL in a comment", ZN_VIEW(HEAD "; \0\n"), "4:3 error NUL byte in the text: is this a text file?"},
	{"control character in a name", ZN_VIEW(HEAD "w\x07w A 192.0.2.1\n"),
		"4:1 error a control character: write it as \\DDD if it is meant"},
	{"carriage return alone", ZN_VIEW(HEAD "www TXT a\rb\n"), "4:9 error a control character: write it as \\DDD if it is meant"},
	{"control character in a string", ZN_VIEW(HEAD "www TXT \"a\x1b[1m\"\n"),
		"4:9 error a control character: write it as \\DDD if it is meant"},
	{"tab in a string", ZN_VIEW(HEAD "www TXT \"a\tb\"\n"), NULL},
	{"any byte in a string", ZN_VIEW(HEAD "www TXT \"\x80\xff\"\n"), NULL},
	{"first line begins with a blank", ZN_VIEW("$TTL 5\n A 192.0.2.1\n"),
		"2:2 error the line begins with a blank, but there is no owner before it"},
	{"class by number", ZN_VIEW(HEAD "www CLASS1 A 192.0.2.1\n"), NULL},
	{"lower case", ZN_VIEW("$ttl 1h\n@ in soa a.example.net. b 1 2 3 4 5\n@ ns a.example.net.\n"), NULL},
	{"type by number", ZN_VIEW(HEAD "www TYPE1 192.0.2.1\n"), NULL},
	{"question type", ZN_VIEW(HEAD "www ANY 192.0.2.1\n"), "4:5 error unknown record type \"ANY\""},
	{"owner that ends in a dotless origin", ZN_VIEW(HEAD "$ORIGIN sub.example.com.\nwww.example.com A 192.0.2.1\n"),
		"5:1 warning this means www.example.com.sub.example.com: is a dot missing at the end?"},
	{"SOA in bytes", ZN_VIEW("$TTL 5\n@ SOA \\# 22 0000 00000001 00000002 00000003 00000004 00000005\n@ NS a.example.net.\n"),
		"2:7 warning . is no mail name: its first dot stands for the \"@\" of the address"},
};

static void describe(const struct zn_findings *findings, struct zn_buf *out)
{
	for (size_t i = 0; i < findings->count; i++) {
		const struct zn_finding *finding = &findings->list[i];
		zn_buf_addf(out, "%s%u:%u %s %s", i ? "\n" : "", finding->line, finding->column,
			finding->severity == ZN_SEVERITY_ERROR ? "error" : "warning", finding->sentence);
	}
}

START_TEST(small_texts)
{
	ZN_AUTO(zn_findings_release) struct zn_findings findings = {0};
	ZN_AUTO(zn_buf_release) struct zn_buf found = ZN_BUF_INIT(TEXT_MAX);
	struct zn_parsed parsed = {0};
	enum zn_code code = parse(texts[_i].text, (struct zn_parse_options){0}, &findings, &parsed);

	describe(&findings, &found);
	ck_assert_msg(strcmp(zn_buf_str(&found), texts[_i].finding ? texts[_i].finding : "") == 0, "%s: %s", texts[_i].name, zn_buf_str(&found));
	ck_assert_int_eq(code, findings.errors ? ZN_ESYNTAX : ZN_OK);
	ck_assert(!parsed.zone == (code != ZN_OK));
	zn_parsed_release(&parsed);
}
END_TEST

/* Records as "key type ttl rdata" in hex of what a text means. */
START_TEST(means)
{
	static const struct {
		const char *text, *owner, *type;
		uint32_t ttl;
		const char *rdata;
	} cases[] = {
		{"www A 192.0.2.1", "www", "A", 3600, "c0000201"},
		{"WWW 1m A 192.0.2.1", "www", "A", 60, "c0000201"},
		{"$ORIGIN a.example.com.\nb IN 5 CNAME c", "b.a", "CNAME", 5, "0163" "0161" "076578616d706c65" "03636f6d" "00"},
		{"$ORIGIN a\n$ORIGIN b\n@ CNAME @", "b.a", "CNAME", 3600, "0162" "0161" "076578616d706c65" "03636f6d" "00"},
		{"x A 192.0.2.1\n TXT a", "x", "TXT", 3600, "0161"},
		{"x ( A\n 192.0.2.1 ) ; y", "x", "A", 3600, "c0000201"},
		{"$GENERATE 7-7 h${1,3}x A 192.0.2.$", "h008x", "A", 3600, "c0000207"},
		{"$GENERATE 7-7 ${0,3,n} 60 TXT \"\\\"$ $$\\\"\"", "7.0", "TXT", 60, "0337" "2024"},
		{"x TXT ( \"a\r\nb\" )", "x", "TXT", 3600, "03610a62"},
		{"$TTL 1\n$TTL 2\nx A 192.0.2.1", "x", "A", 2, "c0000201"},
		{"x TXT \"\xc3\xbc\"", "x", "TXT", 3600, "02c3bc"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ZN_AUTO(zn_findings_release) struct zn_findings findings = {0};
		ZN_AUTO(zn_buf_release) struct zn_buf text = ZN_BUF_INIT(TEXT_MAX), hex = ZN_BUF_INIT(TEXT_MAX), found = ZN_BUF_INIT(TEXT_MAX);
		struct zn_parsed parsed = {0};
		struct zn_name owner;
		struct zn_key key;
		uint16_t type;
		size_t first;
		zn_buf_addf(&text, HEAD "%s\n", cases[i].text);
		enum zn_code code = parse(zn_buf_view(&text), (struct zn_parse_options){0}, &findings, &parsed);
		describe(&findings, &found);
		ck_assert_msg(code == ZN_OK, "%s: %s", cases[i].text, zn_buf_str(&found));
		ck_assert_int_eq(zn_name_from_text(zn_view_str(cases[i].owner), &apex, &owner, NULL), ZN_OK);
		ck_assert_int_eq(zn_key_from_name(&owner, &apex, &key), ZN_OK);
		ck_assert(zn_rrtype_from_text(zn_view_str(cases[i].type), &type));
		ck_assert_msg(zn_zone_find(parsed.zone, zn_key_view(&key), type, &first) == 1, "%s: not there", cases[i].text);
		struct zn_record record = zn_zone_at(parsed.zone, first);
		zn_buf_add_hex(&hex, record.rdata);
		ck_assert_msg(strcmp(zn_buf_str(&hex), cases[i].rdata) == 0, "%s: %s", cases[i].text, zn_buf_str(&hex));
		ck_assert_msg(record.ttl == cases[i].ttl, "%s: TTL %u", cases[i].text, record.ttl);
		zn_parsed_release(&parsed);
	}
}
END_TEST

/* What a sink hears, one line each. */
struct heard {
	struct zn_buf lines;
	size_t end;
	struct zn_digest digest;
};

static void hear(void *context, const struct zn_item *item, size_t end, const struct zn_text_state *after)
{
	struct heard *heard = context;
	char origin[ZN_NAME_TEXT_MAX], owner[ZN_NAME_TEXT_MAX];

	ck_assert_uint_gt(end, heard->end);
	if (item) {
		ck_assert_uint_ge(item->offset, heard->end);
		ck_assert_uint_eq(item->offset + item->len, end);
		heard->digest.count += item->records;
		heard->digest.sum = (heard->digest.sum + item->hash) & ((UINT64_C(1) << 48) - 1);
		zn_buf_addf(&heard->lines, "%d %zu+%zu x%llu ", item->kind, item->offset, item->len, (unsigned long long)item->records);
	}
	zn_buf_addf(&heard->lines, "->%zu %s %s %d:%u %d:%u\n", end, zn_name_plain(&after->origin, origin),
		after->owner.len ? zn_name_plain(&after->owner, owner) : "-", after->default_ttl_known, after->default_ttl, after->last_ttl_known,
		after->last_ttl);
	heard->end = end;
}

START_TEST(sinks)
{
	static const char text[] = "; c\n"
		"@ 60 SOA a.example.net. b (\n 1 2 3 4 5 )\n"
		"\n"
		" NS a.example.net.\n"
		"$TTL 5\n"
		"$ORIGIN sub\n"
		"$GENERATE 1-3 x$ A 192.0.2.$\n"
		"  y TXT z";
	static const char expected[] = "->4 example.com - 0:0 0:0\n"
		"0 4+41 x1 ->45 example.com example.com 0:0 1:60\n"
		"->46 example.com example.com 0:0 1:60\n"
		"0 47+18 x1 ->65 example.com example.com 0:0 1:60\n"
		"->72 example.com example.com 1:5 0:0\n"
		"->84 sub.example.com example.com 1:5 0:0\n"
		"1 84+29 x3 ->113 sub.example.com x3.sub.example.com 1:5 0:0\n"
		"->122 sub.example.com x3.sub.example.com 1:5 0:0\n";
	ZN_AUTO(zn_findings_release) struct zn_findings findings = {0};
	struct heard heard = {.lines = ZN_BUF_INIT(TEXT_MAX)};
	struct zn_parse_sink sink = {&heard, hear};
	struct zn_parsed parsed = {0};

	enum zn_code code = parse(zn_view_str(text), (struct zn_parse_options){.sink = &sink}, &findings, &parsed);
	ck_assert_int_eq(code, ZN_ESYNTAX);
	ck_assert_str_eq(zn_buf_str(&heard.lines), expected);
	zn_buf_release(&heard.lines);
}
END_TEST

/* The sum of the items is the zone's digest. */
START_TEST(digests)
{
	ZN_AUTO(zn_findings_release) struct zn_findings findings = {0};
	ZN_AUTO(zn_buf_release) struct zn_buf text = ZN_BUF_INIT(TEXT_MAX);
	struct heard heard = {.lines = ZN_BUF_INIT(TEXT_MAX)};
	struct zn_parse_sink sink = {&heard, hear};
	struct zn_parsed parsed = {0};
	char path[512];

	ck_assert(read_file(data_path("13-types", ".in", path), &text));
	ck_assert_int_eq(parse(zn_buf_view(&text), (struct zn_parse_options){.sink = &sink}, &findings, &parsed), ZN_OK);
	ck_assert_uint_eq(heard.end, text.len);
	ck_assert(zn_digest_equal(heard.digest, zn_zone_digest(parsed.zone)));
	zn_parsed_release(&parsed);
	zn_buf_release(&heard.lines);
}
END_TEST

START_TEST(serials)
{
	ZN_AUTO(zn_findings_release) struct zn_findings findings = {0};
	static const char text[] = "$TTL 5\n@ SOA a.example.net. b (\n\t42 ; serial\n 2 3 4 5 )\n@ NS a.example.net.\n";
	struct zn_parsed parsed = {0};

	ck_assert_int_eq(parse(zn_view_str(text), (struct zn_parse_options){0}, &findings, &parsed), ZN_OK);
	ck_assert_uint_eq(parsed.serial, 42);
	ck_assert_uint_eq(parsed.serial_len, 2);
	ck_assert(strncmp(text + parsed.serial_offset, "42 ;", 4) == 0);
	ck_assert(!parsed.presigned);
	zn_parsed_release(&parsed);
}
END_TEST

START_TEST(presigned)
{
	static const char text[] = "$TTL 5\n@ SOA a.example.net. b 1 2 3 4 5\n@ NS a.example.net.\n@ DNSKEY 257 3 13 AQIDBA==\n"
		"@ RRSIG SOA 13 2 5 20300101000000 20200101000000 12345 @ AQIDBA==\n@ NSEC @ NS SOA RRSIG NSEC DNSKEY\n";
	static const struct {
		struct zn_parse_options options;
		enum zn_code code;
	} cases[] = {
		{{0}, ZN_OK}, {{.presigned_refused = true}, ZN_ESYNTAX}, {{.check.signed_zone = true}, ZN_ESYNTAX},
	};

	for (size_t i = 0; i < 3; i++) {
		ZN_AUTO(zn_findings_release) struct zn_findings findings = {0};
		struct zn_parsed parsed = {0};
		ck_assert_int_eq(parse(zn_view_str(text), cases[i].options, &findings, &parsed), cases[i].code);
		ck_assert(parsed.presigned == (cases[i].code == ZN_OK));
		zn_parsed_release(&parsed);
	}
}
END_TEST

static bool knows(void *context, struct zn_view entry, const char *sentence)
{
	(void)sentence;
	++*(int *)context;
	return zn_view_starts_with(entry, ZN_VIEW("old "));
}

/* Strictness makes errors of warnings; what is stored already makes warnings of errors. */
START_TEST(severities)
{
	static const char warning[] = HEAD "zero 0 A 192.0.2.1\nlong TXT \"\xd7\xa9\"\n";
	static const char stored[] = HEAD "old CNAME a\nold A 192.0.2.1\n";
	ZN_AUTO(zn_findings_release) struct zn_findings first = {0}, second = {0}, third = {0};
	struct zn_parsed parsed = {0};
	int asked = 0;

	ck_assert_int_eq(parse(zn_view_str(warning), (struct zn_parse_options){.strict = true}, &first, &parsed), ZN_ESYNTAX);
	ck_assert_uint_eq(first.errors, 2);
	ck_assert_int_eq(parse(zn_view_str(stored), (struct zn_parse_options){0}, &second, &parsed), ZN_ESYNTAX);
	ck_assert_int_eq(parse(zn_view_str(stored), (struct zn_parse_options){.known_fault = knows, .known_context = &asked}, &third, &parsed), ZN_OK);
	ck_assert_int_eq(asked, 1);
	ck_assert_uint_eq(third.warnings, 1);
	zn_parsed_release(&parsed);
}
END_TEST

/* More findings than are kept: errors stay, and all are counted. */
START_TEST(many)
{
	ZN_AUTO(zn_findings_release) struct zn_findings findings = {0};
	ZN_AUTO(zn_buf_release) struct zn_buf text = ZN_BUF_INIT(TEXT_MAX);
	struct zn_parsed parsed = {0};

	zn_buf_add_str(&text, HEAD);
	for (unsigned i = 0; i < 3000; i++)
		zn_buf_addf(&text, "h%u 0 A 192.0.2.1\n", i);
	zn_buf_add_str(&text, "c CNAME a\nc CNAME b\n");
	ck_assert_int_eq(parse(zn_buf_view(&text), (struct zn_parse_options){0}, &findings, &parsed), ZN_ESYNTAX);
	ck_assert_uint_eq(findings.errors, 1);
	ck_assert_uint_eq(findings.warnings, 3000);
	ck_assert_uint_eq(findings.count, ZN_FINDINGS_MAX);
}
END_TEST

static uint64_t seed;

static uint32_t random_below(size_t bound)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)((seed >> 20) % bound);
}

/* The goldens with bytes and lines changed, dropped, doubled and mixed: whatever comes out, findings lie within the text. */
START_TEST(mutations)
{
	static const char favourites[] = "\"\\()$;@#\n\n\t  \r0.{}AINx\xc3\x80";
	ZN_AUTO(zn_buf_release) struct zn_buf text = ZN_BUF_INIT(TEXT_MAX), shown = ZN_BUF_INIT(16 * TEXT_MAX);
	struct zn_buf all[64];
	struct dirent **entries;
	int count = inputs(&entries);
	char path[512];

	ck_assert_int_le(count, 64);
	for (int i = 0; i < count; i++) {
		zn_buf_init(&all[i], TEXT_MAX);
		snprintf(path, sizeof(path), "%s/text/%s", getenv("ZN_TEST_DATA"), entries[i]->d_name);
		ck_assert(read_file(path, &all[i]));
		free(entries[i]);
	}
	free(entries);
	seed = 0x2545f4914f6cdd1d;
	for (int round = 0; round < 3000; round++) {
		ZN_AUTO(zn_findings_release) struct zn_findings findings = {0};
		struct heard heard = {.lines = ZN_BUF_INIT(TEXT_MAX)};
		struct zn_parse_sink sink = {&heard, hear};
		struct zn_parsed parsed = {0};
		const struct zn_buf *other = &all[random_below((size_t)count)];
		zn_buf_clear(&text);
		zn_buf_add(&text, zn_buf_view(&all[random_below((size_t)count)]));
		for (uint32_t i = 1 + random_below(6); i > 0; i--) {
			size_t at = random_below(text.len), len = random_below(30);
			uint8_t byte = (uint8_t)favourites[random_below(sizeof(favourites) - 1)];
			switch (random_below(4)) {
			case 0:
				zn_buf_splice(&text, at, at + len <= text.len ? len : 0, zn_view(NULL, 0));
				break;
			case 1:
				zn_buf_splice(&text, at, 0, zn_view_sub(zn_buf_view(other), random_below(other->len), len));
				break;
			default:
				zn_buf_splice(&text, at, random_below(2), zn_view(&byte, 1));
				break;
			}
		}
		enum zn_code code = parse(zn_buf_view(&text), (struct zn_parse_options){.sink = &sink}, &findings, &parsed);
		ck_assert(code == ZN_OK || code == ZN_ESYNTAX);
		ck_assert((code == ZN_OK) == (findings.errors == 0));
		zn_buf_clear(&shown);
		zn_findings_render(&findings, "m", zn_buf_view(&text), &shown);
		ck_assert_int_eq(shown.failed, ZN_OK);
		if (code == ZN_OK)
			ck_assert_uint_eq(heard.end, text.len);
		zn_parsed_release(&parsed);
		zn_buf_release(&heard.lines);
	}
	for (int i = 0; i < count; i++)
		zn_buf_release(&all[i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("parse");
	TCase *tests = tcase_create("texts");

	tcase_add_unchecked_fixture(tests, setup, NULL);
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, goldens);
	tcase_add_loop_test(tests, small_texts, 0, (int)(sizeof(texts) / sizeof(texts[0])));
	tcase_add_test(tests, means);
	tcase_add_test(tests, sinks);
	tcase_add_test(tests, digests);
	tcase_add_test(tests, serials);
	tcase_add_test(tests, presigned);
	tcase_add_test(tests, severities);
	tcase_add_test(tests, many);
	tcase_add_test(tests, mutations);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
