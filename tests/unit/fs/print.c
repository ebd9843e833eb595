/* Printing, and that what was printed is read back. tests/data/text/NN-topic.out is what
 * NN-topic.in prints as; ZN_TEST_UPDATE=1 writes those files anew. */
#include "fs/text/print.h"

#include <dirent.h>
#include <libzscanner/scanner.h>
#include <stdlib.h>

#include "fs/text/parse.h"
#include "store/base/limits.h"
#include "store/dns/rdata.h"
#include "tests/unit/suite.h"

static struct zn_name name_of(const char *text)
{
	struct zn_name name;

	ck_assert_int_eq(zn_name_from_text(zn_view_str(text), NULL, &name, NULL), ZN_OK);
	return name;
}

/* clang-format off */
/* RDATA in hex and as it is printed below example.com.; `alone`: libzscanner 3.2 does not read it,
 * we do (tests of the parser). */
static const struct {
	uint16_t type;
	const char *hex, *text;
	bool alone;
} rdatas[] = {
	{ZN_TYPE_A, "c0000201", "192.0.2.1", false},
	{ZN_TYPE_A, "c00002", "\\# 3 c00002", true},
	{ZN_TYPE_AAAA, "20010db8000000000000000000000001", "2001:db8::1", false},
	{ZN_TYPE_AAAA, "00000000000000000000ffffc0000201", "::ffff:192.0.2.1", false},
	{ZN_TYPE_NS, "036e7331 07 6578616d706c65 03 636f6d 00", "ns1", false},
	{ZN_TYPE_NS, "07 6578616d706c65 03 636f6d 00", "@", false},
	{ZN_TYPE_NS, "036e7331 07 4578616d706c65 03 636f6d 00", "ns1.Example.com.", false},
	{ZN_TYPE_NS, "00", ".", false},
	{ZN_TYPE_CNAME, "0140 05 612e625c20 01ff 01 2a 00", "\\@.a\\.b\\\\\\032.\\255.*.", false},
	{ZN_TYPE_PTR, "0378213d 00", "x\\!\\=.", false},
	{ZN_TYPE_MX, "000a 046d61696c 07 6578616d706c65 03 636f6d 00", "10 mail", false},
	{ZN_TYPE_SOA, "00 00 00000001 00000002 00000003 00000004 00000005", ". . 1 2 3 4 5", false},
	{ZN_TYPE_HINFO, "01 63 02 6f73", "\"c\" \"os\"", false},
	{ZN_TYPE_TXT, "00", "\"\"", false},
	{ZN_TYPE_TXT, "05 6122625c63 03 00ff7e", "\"a\\\"b\\\\c\" \"\\000\\255~\"", false},
	{ZN_TYPE_TXT, "", "\\# 0", true},
	{ZN_TYPE_TXT, "0561", "\\# 2 0561", true},
	{ZN_TYPE_SRV, "0000 0001 01bb 00", "0 1 443 .", false},
	{ZN_TYPE_NAPTR, "000a 0014 01 73 03 534950 00 00", "10 20 \"s\" \"SIP\" \"\" .", false},
	{ZN_TYPE_CERT, "0001 0002 08 aabb", "1 2 8 qrs=", false},
	{ZN_TYPE_DS, "c2e1 08 02 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
		"49889 8 2 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
		false},
	{ZN_TYPE_DS, "c2e1 08 02", "\\# 4 c2e10802", true},
	{ZN_TYPE_SSHFP, "01 01 00112233445566778899aabbccddeeff00112233",
		"1 1 00112233445566778899aabbccddeeff00112233", false},
	{ZN_TYPE_IPSECKEY, "0a 00 02 aabbcc", "10 0 2 . qrvM", false},
	{ZN_TYPE_IPSECKEY, "0a 01 02 c0000226 aabbcc", "10 1 2 192.0.2.38 qrvM", false},
	{ZN_TYPE_IPSECKEY, "0a 03 00 0161 00", "10 3 0 a.", false},
	{ZN_TYPE_RRSIG,
		"0001 0d 02 00000e10 6553f100 6532cc80 1234 07 6578616d706c65 03 636f6d 00 aabbcc",
		"A 13 2 3600 20231114221320 20231020185248 4660 @ qrvM", false},
	{ZN_TYPE_NSEC, "0161 00 0006 400000000003", "a. A RRSIG NSEC", false},
	{ZN_TYPE_NSEC, "0161 00 0001 40 0101 40", "a. A CAA", false},
	{ZN_TYPE_NSEC, "0161 00", "a.", false},
	{ZN_TYPE_NSEC, "0161 00 0002 4000", "\\# 7 01610000024000", true},
	{ZN_TYPE_DNSKEY, "0101 03 0d aabbccdd", "257 3 13 qrvM3Q==", false},
	{ZN_TYPE_DHCID, "000201aabb", "AAIBqrs=", false},
	{ZN_TYPE_NSEC3,
		"01 00 0000 00 14 0011223344556677889900112233445566778899 0006 400000000002",
		"1 0 0 - 008i4cq4alj7f24p008i4cq4alj7f24p A RRSIG", false},
	{ZN_TYPE_NSEC3, "01 01 000a 02 aabb 14 0011223344556677889900112233445566778899",
		"1 1 10 aabb 008i4cq4alj7f24p008i4cq4alj7f24p", false},
	{ZN_TYPE_NSEC3PARAM, "01 00 0005 04 aabbccdd", "1 0 5 aabbccdd", false},
	{ZN_TYPE_TLSA, "03 01 01 aabb", "3 1 1 aabb", false},
	{ZN_TYPE_HIP, "04 02 0003 aabbccdd 010203 0161 00", "2 aabbccdd AQID a.", true},
	{ZN_TYPE_CDNSKEY, "0000 03 00 00", "0 3 0 AA==", false},
	{ZN_TYPE_CDS, "0000 00 00 00", "0 0 0 00", false},
	{ZN_TYPE_OPENPGPKEY, "aabbcc", "qrvM", false},
	{ZN_TYPE_CSYNC, "00000042 0003 0004 60000008", "66 3 A NS AAAA", false},
	{ZN_TYPE_ZONEMD,
		"00000001 01 01 aabbccddeeffaabbccddeeffaabbccddeeffaabbccddeeffaabbccddeeffaabbccddeeffaabbccddeeffaabbccddeeff",
		"1 1 1 aabbccddeeffaabbccddeeffaabbccddeeffaabbccddeeffaabbccddeeffaabbccddeeffaabbccddeeffaabbccddeeff", false},
	{ZN_TYPE_HTTPS, "0001 00", "1 .", false},
	{ZN_TYPE_SVCB, "0000 0161 00", "0 a.", false},
	{ZN_TYPE_HTTPS,
		"0001 00 0000 0004 0001 0003 0001 0006 02 6832 02 6833 0002 0000 0003 0002 20fb 0004 0008 c0000201 c0000202"
		"0005 0003 aabbcc 0006 0010 20010db8000000000000000000000001",
		"1 . mandatory=alpn,port alpn=h2,h3 no-default-alpn port=8443 ipv4hint=192.0.2.1,192.0.2.2 ech=qrvM ipv6hint=2001:db8::1", false},
	{ZN_TYPE_SVCB, "0001 00 ff00 0002 6122 fffe 0000", "1 . key65280=\"a\\\"\" key65534",
		false},
	{ZN_TYPE_HTTPS, "0001 00 0004 0000", "1 . ipv4hint=auto", true},
	{ZN_TYPE_SVCB, "0001 00 0007 0010 2f646e732d71756572797b3f646e737d",
		"1 . dohpath=\"/dns-query{?dns}\"", true},
	{ZN_TYPE_SVCB, "0001 00 0003 0002 0035 0001 0003 02 6832",
		"\\# 16 00010000030002003500010003026832", true},
	{ZN_TYPE_SVCB, "0001 00 0001 0004 03 612c62", "\\# 11 0001000001000403612c62", true},
	{ZN_TYPE_NID, "000a 00144fff20ee0064", "10 0014:4fff:20ee:0064", false},
	{ZN_TYPE_L32, "000a 0a010200", "10 10.1.2.0", false},
	{ZN_TYPE_EUI48, "00005ef000532a", "\\# 7 00005ef000532a", true},
	{ZN_TYPE_EUI48, "00005e00532a", "00-00-5e-00-53-2a", false},
	{ZN_TYPE_EUI64, "00005eef1000002a", "00-00-5e-ef-10-00-00-2a", false},
	{ZN_TYPE_URI, "000a 0001 6674703a2f2f78", "10 1 \"ftp://x\"", false},
	{ZN_TYPE_CAA, "00 05 6973737565 63612e6578616d706c65", "0 issue \"ca.example\"", false},
	{ZN_TYPE_CAA, "80 05 6973737565", "128 issue \"\"", false},
	{ZN_TYPE_CAA, "00 03 692d6f 78", "\\# 6 0003692d6f78", true},
	{ZN_TYPE_LOC, "00 12 16 13 8b3cf018 810cbce0 009895b8",
		"52 22 23.000 N 4 53 32.000 E -2.00m 1m 10000m 10m", false},
	{ZN_TYPE_LOC, "00 00 11 95 7fffffff 7ffffc18 00989a11",
		"0 0 0.001 S 0 0 1.000 W 9.13m 0m 0.10m 9000m", false},
	{ZN_TYPE_LOC, "00 12 16 1a 8b3cf018 810cbce0 009895b8",
		"\\# 16 0012161a8b3cf018810cbce0009895b8", true},
	{ZN_TYPE_APL, "0001 18 03 c00002", "1:192.0.2.0/24", false},
	{ZN_TYPE_APL, "0001 20 84 c0000226 0002 00 00 0001 00 00",
		"!1:192.0.2.38/32 2:::/0 1:0.0.0.0/0", false},
	{ZN_TYPE_APL, "0001 18 04 c0000200", "\\# 8 00011804c0000200", true},
	{ZN_TYPE_SPF, "02 6161", "\"aa\"", false},
	{ZN_TYPE_ALIAS, "0161 07 6578616d706c65 03 636f6d 00", "a", true},
	{ZN_TYPE_LUA, "0001 05 6122626222", "A \"a\\\"bb\\\"\"", true},
	{ZN_TYPE_DLV, "c2e1 08 02 aabb", "49889 8 2 aabb", true},
	{ZN_TYPE_RKEY, "0000 03 01 aabbcc", "0 3 1 qrvM", true},
	{ZN_TYPE_SIG, "0001 05 02 00000e10 6553f100 6532cc80 1234 00 aabbcc",
		"A 5 2 3600 20231114221320 20231020185248 4660 . qrvM", true},
	{260, "0a 00", "\\# 2 0a00", false},
	{731, "aabb", "\\# 2 aabb", false},
	{731, "", "\\# 0", false},
};
/* clang-format on */

static void from_hex(const char *hex, struct zn_buf *out)
{
	ck_assert_int_eq(zn_buf_add_from_hex(out, hex), ZN_OK);
}

/* What libzscanner makes of a line. */
struct read {
	struct zn_buf rdata;
	unsigned records, errors;
};

static void take_record(zs_scanner_t *scanner)
{
	struct read *read = scanner->process.data;

	zn_buf_clear(&read->rdata);
	zn_buf_add(&read->rdata, zn_view(scanner->r_data, scanner->r_data_length));
	read->records++;
}

static void take_error(zs_scanner_t *scanner)
{
	struct read *read = scanner->process.data;

	read->errors++;
}

static void scan(const struct zn_buf *text, struct read *read)
{
	ZN_AUTO_FREE zs_scanner_t *scanner = malloc(sizeof(*scanner));

	ck_assert_ptr_nonnull(scanner);
	ck_assert_int_eq(zs_init(scanner, "example.com.", 1, 3600), 0);
	ck_assert_int_eq(zs_set_input_string(scanner, (const char *)text->data, text->len), 0);
	ck_assert_int_eq(zs_set_processing(scanner, take_record, take_error, read), 0);
	(void)zs_parse_all(scanner);
	zs_deinit(scanner);
}

START_TEST(prints_rdata)
{
	struct zn_name apex = name_of("example.com.");
	ZN_AUTO(zn_buf_release) struct zn_buf bytes = ZN_BUF_INIT(1000);
	ZN_AUTO(zn_buf_release) struct zn_buf text = ZN_BUF_INIT(10000);
	ZN_AUTO(zn_buf_release) struct zn_buf line = ZN_BUF_INIT(10000);
	struct read read = {.rdata = ZN_BUF_INIT(65536)};
	char type[ZN_TYPE_TEXT_MAX];

	from_hex(rdatas[_i].hex, &bytes);
	zn_buf_add_str(&text, "before ");
	zn_print_rdata(rdatas[_i].type, zn_buf_view(&bytes), &apex, &text);
	ck_assert_str_eq(zn_buf_str(&text) + 7, rdatas[_i].text);
	if (rdatas[_i].alone)
		return;
	zn_buf_addf(&line, "x %s %s\n", zn_rrtype_text(rdatas[_i].type, type),
			zn_buf_str(&text) + 7);
	scan(&line, &read);
	ck_assert_msg(read.records == 1 && read.errors == 0, "libzscanner refuses %s",
			zn_buf_str(&line));
	ck_assert_msg(zn_view_equal(zn_buf_view(&read.rdata), zn_buf_view(&bytes)),
			"libzscanner reads %s otherwise", zn_buf_str(&line));
	zn_buf_release(&read.rdata);
}
END_TEST

/* Names are absolute without an apex; relative to the root nothing is but the root. */
START_TEST(origins)
{
	static const struct {
		const char *apex, *hex, *text;
	} rows[] = {
			{NULL, "0161 07 6578616d706c65 03 636f6d 00", "a.example.com."},
			{NULL, "00", "."},
			{".", "0161 00", "a."},
			{".", "00", "."},
			{"com.", "0161 03 636f6d 00", "a"},
			{"com.", "0161 00", "a."},
			{"com.", "04 78636f6d 00", "xcom."},
			{"b.com.", "0161 03 636f6d 00", "a.com."},
	};
	struct zn_name apex = name_of(rows[_i].apex ? rows[_i].apex : ".");
	ZN_AUTO(zn_buf_release) struct zn_buf bytes = ZN_BUF_INIT(1000);
	ZN_AUTO(zn_buf_release) struct zn_buf text = ZN_BUF_INIT(1000);

	from_hex(rows[_i].hex, &bytes);
	zn_print_rdata(ZN_TYPE_NS, zn_buf_view(&bytes), rows[_i].apex ? &apex : NULL, &text);
	ck_assert_str_eq(zn_buf_str(&text), rows[_i].text);
}
END_TEST

static struct zn_zone *zone_of(const char *apex)
{
	struct zn_name name = name_of(apex);
	struct zn_zone *zone;

	ck_assert_int_eq(zn_zone_new(&name, &zone), ZN_OK);
	return zone;
}

static void add(struct zn_zone *zone, const char *owner, uint16_t type, uint32_t ttl,
		const char *hex)
{
	ZN_AUTO(zn_buf_release) struct zn_buf bytes = ZN_BUF_INIT(1000);
	struct zn_name name;
	struct zn_key key;

	ck_assert_int_eq(zn_name_from_text(zn_view_str(owner), zn_zone_apex(zone), &name, NULL),
			ZN_OK);
	ck_assert_int_eq(zn_key_from_name(&name, zn_zone_apex(zone), &key), ZN_OK);
	from_hex(hex, &bytes);
	zn_zone_add(zone, zn_key_view(&key), type, ttl, zn_buf_view(&bytes), 0);
}

#define SOA                                                                                        \
	"036e7331 07 6578616d706c65 03 636f6d 00 026873 00 78c3a8f5 00003840 00000e10 00127500 "   \
	"0001e81c"

START_TEST(whole_zone)
{
	static const char expected[] = "$ORIGIN example.com.\n"
				       "$TTL 3600\n"
				       "@           SOA     ns1 hs. (\n"
				       "                    2026088693 ; serial\n"
				       "                    14400      ; refresh, 4h\n"
				       "                    3600       ; retry, 1h\n"
				       "                    1209600    ; expire, 2w\n"
				       "                    124956     ; minimum, 1d10h42m36s\n"
				       "                    )\n"
				       "@           NS      ns1\n"
				       "@           A       192.0.2.1\n"
				       "@           TXT     \"a\"\n"
				       "\\@x         TYPE731 \\# 1 00\n"
				       "ns1   86400 A       192.0.2.53\n"
				       "a-name-much-longer-than-the.others A 192.0.2.2\n"
				       "b.sub 60    AAAA    2001:db8::1\n";
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *zone = zone_of("example.com.");
	ZN_AUTO(zn_buf_release) struct zn_buf text = ZN_BUF_INIT(10000);

	add(zone, "@", ZN_TYPE_SOA, 3600, SOA);
	add(zone, "@", ZN_TYPE_A, 3600, "c0000201");
	add(zone, "@", ZN_TYPE_TXT, 3600, "0161");
	add(zone, "@", ZN_TYPE_NS, 3600, "036e7331 07 6578616d706c65 03 636f6d 00");
	add(zone, "ns1", ZN_TYPE_A, 86400, "c0000235");
	add(zone, "b.sub", ZN_TYPE_AAAA, 60, "20010db8000000000000000000000001");
	add(zone, "a-name-much-longer-than-the.others", ZN_TYPE_A, 3600, "c0000202");
	add(zone, "\\@x", 731, 3600, "00");
	ck_assert_int_eq(zn_zone_finish(zone, NULL, NULL), ZN_OK);
	ck_assert_int_eq(zn_print_zone(zone, &text, NULL, NULL, NULL), ZN_OK);
	ck_assert_str_eq(zn_buf_str(&text), expected);
}
END_TEST

static enum zn_code parse(struct zn_view text, const struct zn_name *apex,
		struct zn_findings *findings, struct zn_parsed *ret_parsed)
{
	struct zn_parse_options options = {.apex = apex};

	return zn_parse(text, &options, findings, ret_parsed, NULL);
}

#define HEAD                                                                                       \
	"$ORIGIN example.com.\n$TTL 60\n@ SOA ns.example.net. h 1 2 3 4 5\n@ NS ns.example.net.\n"

/* The RDATA that our own parser makes of a line; false: it refuses it. */
static bool read_back(
		uint16_t type, struct zn_view rdata, struct zn_buf *text, struct zn_buf *ret_rdata)
{
	ZN_AUTO(zn_findings_release) struct zn_findings findings = {0};
	struct zn_name apex = name_of("example.com.");
	char mnemonic[ZN_TYPE_TEXT_MAX];
	struct zn_parsed parsed;
	size_t first;

	zn_buf_clear(text);
	zn_buf_addf(text, HEAD "x %s ", zn_rrtype_text(type, mnemonic));
	zn_print_rdata(type, rdata, &apex, text);
	zn_buf_add_str(text, "\n");
	if (parse(zn_buf_view(text), &apex, &findings, &parsed) != ZN_OK) {
		zn_findings_render(&findings, "x", zn_buf_view(text), text);
		return false;
	}
	zn_buf_clear(ret_rdata);
	if (zn_zone_find(parsed.zone, ZN_VIEW("x\0"), type, &first) == 1)
		zn_buf_add(ret_rdata, zn_zone_at(parsed.zone, first).rdata);
	zn_parsed_release(&parsed);
	return true;
}

/* Of a zone that is not signed there is no more to read than this; the rest is libzscanner's word
 * above. */
static bool is_signed_only(uint16_t type)
{
	return type == ZN_TYPE_RRSIG || type == ZN_TYPE_NSEC || type == ZN_TYPE_NSEC3 ||
	       type == ZN_TYPE_NSEC3PARAM || type == ZN_TYPE_SOA;
}

START_TEST(reads_back)
{
	ZN_AUTO(zn_buf_release) struct zn_buf bytes = ZN_BUF_INIT(1000);
	ZN_AUTO(zn_buf_release) struct zn_buf text = ZN_BUF_INIT(1 << 20);
	ZN_AUTO(zn_buf_release) struct zn_buf back = ZN_BUF_INIT(1 << 20);

	from_hex(rdatas[_i].hex, &bytes);
	if (is_signed_only(rdatas[_i].type) ||
			!zn_rdata_well_formed(rdatas[_i].type, zn_buf_view(&bytes)))
		return;
	ck_assert_msg(read_back(rdatas[_i].type, zn_buf_view(&bytes), &text, &back), "refused: %s",
			zn_buf_str(&text));
	ck_assert_msg(zn_view_equal(zn_buf_view(&bytes), zn_buf_view(&back)), "otherwise: %s",
			zn_buf_str(&text));
}
END_TEST

static unsigned long long seed;

static unsigned roll(unsigned sides)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned)(seed >> 33) % sides;
}

/* RDATA changed at random: whatever still fits its type is read back byte for byte. */
START_TEST(random_rdata)
{
	ZN_AUTO(zn_buf_release) struct zn_buf bytes = ZN_BUF_INIT(1000);
	ZN_AUTO(zn_buf_release) struct zn_buf text = ZN_BUF_INIT(1 << 20);
	ZN_AUTO(zn_buf_release) struct zn_buf back = ZN_BUF_INIT(1 << 20);

	seed = (unsigned)_i;
	for (unsigned round = 0; round < 500; round++) {
		size_t row = roll(sizeof(rdatas) / sizeof(rdatas[0]));
		uint16_t type = rdatas[row].type;
		zn_buf_clear(&bytes);
		from_hex(rdatas[row].hex, &bytes);
		for (unsigned changes = 1 + roll(3); changes > 0 && bytes.len; changes--) {
			switch (roll(4)) {
			case 0:
				bytes.data[roll((unsigned)bytes.len)] = (uint8_t)roll(256);
				break;
			case 1:
				bytes.data[roll((unsigned)bytes.len)] ^= (uint8_t)(1u << roll(8));
				break;
			case 2:
				zn_buf_splice(&bytes, roll((unsigned)bytes.len), 1,
						zn_view(NULL, 0));
				break;
			default:
				zn_buf_splice(&bytes, roll((unsigned)bytes.len), 0,
						zn_view(bytes.data, 1));
			}
		}
		if (is_signed_only(type) || !zn_rdata_well_formed(type, zn_buf_view(&bytes)))
			continue;
		bool read = read_back(type, zn_buf_view(&bytes), &text, &back);
		/* What no zone may hold is refused by name, not by its form. */
		if (!read && (strstr(zn_buf_str(&text), "NUL") ||
					     strstr(zn_buf_str(&text), "over 64")))
			continue;
		ck_assert_msg(read, "refused: %s", zn_buf_str(&text));
		ck_assert_msg(zn_view_equal(zn_buf_view(&bytes), zn_buf_view(&back)),
				"otherwise: %s", zn_buf_str(&text));
	}
}
END_TEST

static bool read_file(const char *path, struct zn_buf *out)
{
	FILE *file = fopen(path, "re");
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

static enum zn_code collect(void *context, struct zn_buf *out)
{
	zn_buf_add(context, zn_buf_view(out));
	zn_buf_clear(out);
	return ZN_OK;
}

/* A text that is accepted prints as .out says, prints the zone it is, and prints itself when it is
 * read again. */
static void check_print(const char *name, const struct zn_zone *zone, struct zn_view expected)
{
	ZN_AUTO(zn_buf_release)
	struct zn_buf printed = ZN_BUF_INIT(ZN_TEXT_MAX),
		      again = ZN_BUF_INIT(ZN_TEXT_MAX), part = ZN_BUF_INIT(ZN_TEXT_MAX);
	ZN_AUTO(zn_findings_release) struct zn_findings findings = {0};
	struct zn_parsed parsed;

	ck_assert_int_eq(zn_print_zone(zone, &printed, NULL, NULL, NULL), ZN_OK);
	ck_assert_msg(zn_view_equal(zn_buf_view(&printed), expected),
			"%s.out is not what is printed now:\n%s", name, zn_buf_str(&printed));
	if (parse(zn_buf_view(&printed), zn_zone_apex(zone), &findings, &parsed) != ZN_OK) {
		zn_findings_render(&findings, name, zn_buf_view(&printed), &again);
		ck_abort_msg("what was printed is refused:\n%s", zn_buf_str(&again));
	}
	ck_assert_msg(zn_digest_equal(zn_zone_digest(parsed.zone), zn_zone_digest(zone)),
			"%s prints another zone:\n%s", name, zn_buf_str(&printed));
	ck_assert_int_eq(zn_print_zone(parsed.zone, &part, collect, &again, NULL), ZN_OK);
	ck_assert_uint_eq(part.len, 0);
	ck_assert_str_eq(zn_buf_str(&again), zn_buf_str(&printed));
	zn_parsed_release(&parsed);
}

START_TEST(goldens)
{
	struct dirent **entries;
	struct zn_name apex = name_of("example.com.");
	char path[600];
	int printed = 0;

	snprintf(path, sizeof path, "%s/text", getenv("ZN_TEST_DATA"));
	int count = scandir(path, &entries, is_input, alphasort);
	ck_assert_int_ge(count, 20);
	for (int i = 0; i < count; i++) {
		ZN_AUTO(zn_buf_release)
		struct zn_buf text = ZN_BUF_INIT(ZN_TEXT_MAX),
			      expected = ZN_BUF_INIT(ZN_TEXT_MAX);
		ZN_AUTO(zn_findings_release) struct zn_findings findings = {0};
		struct zn_parsed parsed;
		char *name = entries[i]->d_name;
		name[strlen(name) - 3] = 0;
		snprintf(path, sizeof path, "%s/text/%s.in", getenv("ZN_TEST_DATA"), name);
		ck_assert(read_file(path, &text));
		snprintf(path, sizeof path, "%s/text/%s.out", getenv("ZN_TEST_DATA"), name);
		if (parse(zn_buf_view(&text), &apex, &findings, &parsed) == ZN_OK) {
			if (getenv("ZN_TEST_UPDATE")) {
				ck_assert_int_eq(zn_print_zone(parsed.zone, &expected, NULL, NULL,
								 NULL),
						ZN_OK);
				FILE *out = fopen(path, "we");
				ck_assert_ptr_nonnull(out);
				fputs(zn_buf_str(&expected), out);
				fclose(out);
				zn_buf_clear(&expected);
			}
			ck_assert_msg(read_file(path, &expected), "%s is missing", path);
			check_print(name, parsed.zone, zn_buf_view(&expected));
			zn_parsed_release(&parsed);
			printed++;
		} else {
			ck_assert_msg(!read_file(path, &expected), "%s: its text is refused", path);
		}
		free(entries[i]);
	}
	free(entries);
	ck_assert_int_ge(printed, 8);
}
END_TEST

static enum zn_code full(void *context, struct zn_buf *out)
{
	(*(size_t *)context) += out->len;
	zn_buf_clear(out);
	return ZN_EQUOTA;
}

/* In bounded memory, and a sink that fails ends it. */
START_TEST(flushes)
{
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *zone = zone_of("example.com.");
	ZN_AUTO(zn_buf_release)
	struct zn_buf part = ZN_BUF_INIT(ZN_TEXT_MAX),
		      all = ZN_BUF_INIT(ZN_TEXT_MAX), whole = ZN_BUF_INIT(ZN_TEXT_MAX);
	size_t taken = 0;

	add(zone, "@", ZN_TYPE_SOA, 3600, SOA);
	for (unsigned i = 0; i < 50000; i++) {
		char name[40], hex[20];
		snprintf(name, sizeof name, "h%u", i);
		snprintf(hex, sizeof hex, "0a%06x", i);
		add(zone, name, ZN_TYPE_A, i % 100 ? 3600 : i, hex);
	}
	ck_assert_int_eq(zn_zone_finish(zone, NULL, NULL), ZN_OK);
	ck_assert_int_eq(zn_print_zone(zone, &part, collect, &all, NULL), ZN_OK);
	ck_assert_uint_lt(part.capacity, 1 << 20);
	ck_assert_int_eq(zn_print_zone(zone, &whole, NULL, NULL, NULL), ZN_OK);
	ck_assert(zn_view_equal(zn_buf_view(&all), zn_buf_view(&whole)));
	ck_assert_int_eq(zn_print_zone(zone, &part, full, &taken, NULL), ZN_EQUOTA);
	ck_assert_uint_lt(taken, 1 << 20);
	/* Out of room is told. */
	ZN_AUTO(zn_buf_release) struct zn_buf small = ZN_BUF_INIT(1000);
	ck_assert_int_eq(zn_print_zone(zone, &small, NULL, NULL, NULL), ZN_ETOOBIG);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("print");
	TCase *tests = tcase_create("print");

	tcase_set_timeout(tests, 120);
	tcase_add_loop_test(tests, prints_rdata, 0, (int)(sizeof(rdatas) / sizeof(rdatas[0])));
	tcase_add_loop_test(tests, reads_back, 0, (int)(sizeof(rdatas) / sizeof(rdatas[0])));
	tcase_add_loop_test(tests, random_rdata, 0, 10);
	tcase_add_loop_test(tests, origins, 0, 8);
	tcase_add_test(tests, whole_zone);
	tcase_add_test(tests, goldens);
	tcase_add_test(tests, flushes);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
