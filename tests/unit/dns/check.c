#include "tests/unit/dns/support.h"
#include "tests/unit/suite.h"

#include "store/dns/check.h"

#define HEAD "@ SOA 3600 ns1.other. hostmaster.other.", "@ NS 3600 ns1.other."

/* A zone of these lines (tags from 1; HEAD makes 1 and 2) has these findings: "E3 <words>" an error at line 3, "W3/4" a warning that
 * names a second line, "E" about the zone. */
static const struct row {
	const char *name;
	struct zn_check_options options;
	const char *lines[10];
	const char *findings[6];
} rows[] = {
	{"good", {0}, {HEAD, "www A 60 192.0.2.1"}, {NULL}},
	{"nothing there", {0}, {NULL}, {"E no SOA", "E no NS"}},
	{"two SOAs", {0}, {HEAD, "@ SOA 3600 ns2.other. hostmaster.other."}, {"E3/1 one SOA"}},
	{"SOA below", {0}, {HEAD, "a SOA 3600 ns2.other. hostmaster.other."}, {"E3 apex"}},
	{"CNAME and other", {0}, {HEAD, "a CNAME 60 b.other.", "a A 60 192.0.2.1"}, {"E3/4 beside it"}},
	{"CNAME and signatures", {.presigned = true}, {HEAD, "a CNAME 60 b.other.", "a RRSIG 60 00", "a NSEC 60 00"}, {NULL}},
	{"two CNAMEs", {0}, {HEAD, "a CNAME 60 b.other.", "a CNAME 60 c.other."}, {"E4/3 one CNAME"}},
	{"CNAME at the apex", {0}, {HEAD, "@ CNAME 60 b.other."}, {"E3 apex"}},
	{"two DNAMEs", {0}, {HEAD, "a DNAME 60 b.other.", "a DNAME 60 c.other."}, {"E4/3 one DNAME"}},
	{"below a DNAME", {0}, {HEAD, "a DNAME 60 b.other.", "x.a A 60 192.0.2.1", "ab A 60 192.0.2.1"}, {"E4/3 below the DNAME at a.example.org"}},
	{"DNAME at the apex", {0}, {HEAD, "@ DNAME 60 b.other."}, {NULL}},
	{"below a DNAME at the apex", {0}, {HEAD, "@ DNAME 60 b.other.", "a A 60 192.0.2.1"}, {"E4/3 below the DNAME at example.org"}},
	{"signatures where none are due", {0}, {HEAD, "@ RRSIG 60 00", "@ NSEC 60 00", "@ NSEC3PARAM 60 00", "@ DNSKEY 60 00"},
		{"E3 RRSIG", "E4 NSEC", "E5 NSEC3PARAM"}},
	{"TTLs", {0}, {HEAD, "a A 60 192.0.2.1", "a A 61 192.0.2.2"}, {"W4/3 61 here and 60"}},
	{"TTLs in a signed zone", {.signed_zone = true}, {HEAD, "a A 60 192.0.2.1", "a A 61 192.0.2.2"}, {"E4/3 TTL"}},
	{"TTLs in a presigned zone", {.presigned = true}, {HEAD, "a A 60 192.0.2.1", "a A 61 192.0.2.2"}, {"E4/3 TTL"}},
	{"glue", {0}, {HEAD, "sub NS 60 ns.sub", "ns.sub A 60 192.0.2.1", "sub NS 60 ns.other."}, {NULL}},
	{"missing glue", {0}, {HEAD, "sub NS 60 ns.sub"}, {"W3 missing glue"}},
	{"missing glue at the cut itself", {0}, {HEAD, "sub NS 60 sub"}, {"W3 missing glue"}},
	{"target below another cut", {0}, {HEAD, "sub NS 60 ns.sib", "sib NS 60 ns.other."}, {NULL}},
	{"NS without address", {0}, {HEAD, "@ NS 3600 ns9", "@ MX 60 mail"}, {"W3 no address", "W4 no address"}},
	{"addresses by wildcard", {0}, {HEAD, "@ MX 60 mail", "*  A 60 192.0.2.1"}, {NULL}},
	{"MX to a CNAME", {0}, {HEAD, "@ MX 60 mail", "mail CNAME 60 a.other."}, {"W3/4 CNAME"}},
	{"occluded", {0}, {HEAD, "sub NS 60 ns.other.", "x.sub TXT 60 00", "sub TXT 60 00"}, {"W5/3 occluded", "W4/3 occluded"}},
	{"NS below a cut", {0}, {HEAD, "sub NS 60 ns.other.", "x.sub NS 60 ns.other."}, {"W4/3 occluded"}},
	{"NS below a cut, NSEC", {.signed_zone = true, .nsec = true}, {HEAD, "sub NS 60 ns.other.", "x.sub NS 60 ns.other."}, {"W4/3 NSEC chain"}},
	{"DS and addresses at a cut", {0}, {HEAD, "sub NS 60 sub", "sub A 60 192.0.2.1", "sub DS 60 00010d02aa"}, {NULL}},
	{"missing dots", {0}, {HEAD, "www.example.org A 60 192.0.2.1", "a CNAME 60 b.example.org"}, {"W4 dot", "W3 dot"}},
	{"no host", {0}, {HEAD, "a\\032b A 60 192.0.2.1", "_dmarc TXT 60 00", "-x A 60 192.0.2.1", "@ MX 60 x\\@y.other."}, {"W6 host", "W5 host", "W3 host"}},
	{"wildcards", {0}, {HEAD, "* NS 60 ns.other.", "*.a DNAME 60 b.other.", "*.b A 60 192.0.2.1"}, {"W3 wildcard NS", "W4 wildcard DNAME"}},
	{"mail name", {0}, {"@ SOA 3600 ns1.other. hostmaster.", "@ NS 3600 ns1.other."}, {"W1 mail name"}},
	{"mail name with @", {0}, {"@ SOA 3600 ns1.other. hostmaster\\@example.com.", "@ NS 3600 ns1.other."}, {"W1 mail name"}},
	{"TTL 0 and long", {0}, {HEAD, "a A 0 192.0.2.1", "b A 2592001 192.0.2.1", "c A 2592000 192.0.2.1"}, {"W3 TTL is 0", "W4 30 days"}},
};

struct heard {
	const struct zn_zone *zone;
	const struct row *row;
	size_t count;
};

static void hear(void *context, enum zn_severity severity, size_t index, size_t other, enum zn_check_part part, const char *sentence)
{
	struct heard *heard = context;
	char where[64] = "", second[32] = "";
	const char *want = heard->row->findings[heard->count];

	(void)part;
	if (index != SIZE_MAX)
		snprintf(where, sizeof(where), "%u", zn_zone_at(heard->zone, index).tag);
	if (other != SIZE_MAX)
		snprintf(second, sizeof(second), "/%u", zn_zone_at(heard->zone, other).tag);
	char full[128];
	snprintf(full, sizeof(full), "%c%s%s ", severity == ZN_SEVERITY_ERROR ? 'E' : 'W', where, second);
	ck_assert_msg(want != NULL, "%s: unexpected %s%s", heard->row->name, full, sentence);
	ck_assert_msg(strncmp(want, full, strlen(full)) == 0 && strstr(sentence, want + strlen(full)), "%s: wanted \"%s\", heard \"%s%s\"",
		heard->row->name, want, full, sentence);
	ck_assert(sentence[strlen(sentence) - 1] != '.');
	heard->count++;
}

START_TEST(findings)
{
	const struct row *row = &rows[_i];
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *zone = zone_of("example.org", row->lines);
	struct heard heard = {.zone = zone, .row = row};
	size_t errors = 0;

	ck_assert_int_eq(zn_zone_finish(zone, NULL, NULL), ZN_OK);
	size_t found = zn_check_zone(zone, &row->options, hear, &heard);
	ck_assert_msg(row->findings[heard.count] == NULL, "%s: not heard: %s", row->name, row->findings[heard.count]);
	for (size_t i = 0; i < heard.count; i++)
		errors += row->findings[i][0] == 'E';
	ck_assert_msg(found == errors, "%s", row->name);
}
END_TEST

START_TEST(rrset_too_big)
{
	static const char *const head[] = {HEAD, NULL};
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *zone = zone_of("example.org", head);
	uint8_t txt[256] = {255};
	struct zn_check_options options = {0};

	for (unsigned i = 0; i < 300; i++) {
		zn_put_u16(txt + 1, (uint16_t)i);
		zn_zone_add(zone, zn_view("a", 2), ZN_TYPE_TXT, 60, zn_view(txt, sizeof(txt)), 3 + i);
	}
	ck_assert_int_eq(zn_zone_finish(zone, NULL, NULL), ZN_OK);
	ck_assert_uint_eq(zn_check_zone(zone, &options, NULL, NULL), 1);
}
END_TEST

START_TEST(root_zone)
{
	static const char *const lines[] = {"@ SOA 3600 a.root. hostmaster.root.", "@ NS 3600 a.root.", "root A 60 192.0.2.1", "a.root A 60 192.0.2.1",
		"org NS 60 ns.org.", "ns.org A 60 192.0.2.1", NULL};
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *zone = zone_of(".", lines);
	struct row none = {.name = "root"};
	struct heard heard = {.zone = zone, .row = &none};
	struct zn_check_options options = {0};

	ck_assert_int_eq(zn_zone_finish(zone, NULL, NULL), ZN_OK);
	ck_assert_uint_eq(zn_check_zone(zone, &options, hear, &heard), 0);
}
END_TEST

START_TEST(presigned)
{
	static const char *const lines[] = {HEAD, "@ DNSKEY 60 00", "@ RRSIG 60 0006", NULL};
	static const char *const other[] = {HEAD, "@ DNSKEY 60 00", "@ RRSIG 60 0002", NULL};
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *zone = zone_of("example.org", lines);
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *unsure = zone_of("example.org", other);

	ck_assert_int_eq(zn_zone_finish(zone, NULL, NULL), ZN_OK);
	ck_assert_int_eq(zn_zone_finish(unsure, NULL, NULL), ZN_OK);
	ck_assert(zn_zone_is_presigned(zone));
	ck_assert(!zn_zone_is_presigned(unsure));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dns/check");
	TCase *tc = tcase_create("check");

	tcase_add_loop_test(tc, findings, 0, sizeof(rows) / sizeof(rows[0]));
	tcase_add_test(tc, rrset_too_big);
	tcase_add_test(tc, root_zone);
	tcase_add_test(tc, presigned);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
