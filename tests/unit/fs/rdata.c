/* RDATA: rows of text and bytes, by whichever reader; and where both our reader and libzscanner read a form, the same. */
#include "fs/text/encoding.h"
#include "fs/text/rdata_read.h"
#include "fs/text/scanner.h"
#include "fs/text/ttl.h"
#include "store/dns/rdata.h"
#include "tests/unit/suite.h"

#define A255 \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HEX_A255 \
	"616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161" \
	"616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161" \
	"616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161" \
	"616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161" \
	"616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161616161"

/* NULL: refused. The origin is example. */
static const struct {
	const char *text, *hex;
} rows[] = {
	{"A 192.0.2.1", "c0000201"},
	{"A 0.0.0.0", "00000000"},
	{"A 255.255.255.255", "ffffffff"},
	{"A 192.0.2.256", NULL},
	{"A 192.0.2", NULL},
	{"A 192.0.2.1.", NULL},
	{"A 192.0.2.01", NULL},
	{"A 192..2.1", NULL},
	{"A \"192.0.2.1\"", NULL},
	{"A \\# 4 c0000201", "c0000201"},
	{"A \\# 4 c0 00 02 01", "c0000201"},
	{"A \\# 4 c 0 0 0 0 2 0 1", "c0000201"},
	{"A \\# 3 c00002", NULL},
	{"A \\# 5 c000020101", NULL},
	{"A \\# 0", NULL},
	{"AAAA ::", "00000000000000000000000000000000"},
	{"AAAA ::1", "00000000000000000000000000000001"},
	{"AAAA 2001:DB8::1", "20010db8000000000000000000000001"},
	{"AAAA 1::", "00010000000000000000000000000000"},
	{"AAAA 1:2:3:4:5:6:7:8", "00010002000300040005000600070008"},
	{"AAAA 1:2:3:4:5:6:7::", "00010002000300040005000600070000"},
	{"AAAA ::2:3:4:5:6:7:8", "00000002000300040005000600070008"},
	{"AAAA ::ffff:192.0.2.1", "00000000000000000000ffffc0000201"},
	{"AAAA 1:2:3:4:5:6:7:8:9", NULL},
	{"AAAA 1::2::3", NULL},
	{"AAAA 12345::", NULL},
	{"AAAA :1:2:3:4:5:6:7", NULL},
	{"AAAA 1:2:3:4:5:6:7:", NULL},
	{"AAAA fe80::1%eth0", NULL},
	{"NS ns.example.net.", "026e73076578616d706c65036e657400"},
	{"NS ns", "026e73076578616d706c6500"},
	{"NS @", "076578616d706c6500"},
	{"NS .", "00"},
	{"NS a\\.b\\032c.", "05612e62206300"},
	{"NS a!b@c.", "0561216240630" "0"},
	{"CNAME Www.EXAMPLE.", "0357777707" "4558414d504c4500"},
	{"SOA a b 1 2 3 4 5", "0161076578616d706c65000162076578616d706c65000000000100000002000000030000000400000005"},
	{"SOA a b 4294967295 1m 1h 1d 1w", "0161076578616d706c65000162076578616d706c6500ffffffff0000003c00000e100001518000093a80"},
	{"SOA a b 4294967296 2 3 4 5", NULL},
	{"SOA a b 1 2 3 4", NULL},
	{"SOA a b 1 2 3 4 5 6", NULL},
	{"PTR a.", "016100"},
	{"DNAME a.", "016100"},
	{"ALIAS a.", "016100"},
	{"ALIAS a. b.", NULL},
	{"ALIAS", NULL},
	{"MX 10 a.", "000a016100"},
	{"MX 65535 .", "ffff00"},
	{"MX 65536 .", NULL},
	{"MX -1 .", NULL},
	{"TXT a", "0161"},
	{"TXT \"a b\" c", "03612062" "0163"},
	{"TXT \"\"", "00"},
	{"TXT a\\;b\\\"c\\\\\\065", "07613b6222635c41"},
	{"TXT \"\xc3\xbc\"", "02c3bc"},
	{"TXT \"\\195\\188\"", "02c3bc"},
	{"TXT " A255, "ff" HEX_A255},
	{"TXT \"" A255 "b\" c", "ff" HEX_A255 "0162" "0163"},
	{"TXT \\256", NULL},
	{"TXT \"a\"\"b\"", NULL},
	{"SPF \"a\"", "0161"},
	{"HINFO a \"b c\"", "0161" "03622063"},
	{"HINFO \"\xc3\xbc\" b", "02c3bc" "0162"},
	{"HINFO a", NULL},
	{"HINFO " A255 "b c", NULL},
	{"RP a. b.", "016100" "016200"},
	{"MINFO a. b.", "016100" "016200"},
	{"AFSDB 1 a.", "0001016100"},
	{"RT 1 a.", "0001016100"},
	{"KX 1 a.", "0001016100"},
	{"LP 1 a.", "0001016100"},
	{"SRV 1 2 3 a.", "000100020003016100"},
	{"NAPTR 1 2 S SIP+D2U \"\" a.", "00010002" "0153" "075349502b443255" "00" "016100"},
	{"NAPTR 1 2 \"\xc3\xbc\" s r a@b.", "00010002" "02c3bc" "0173" "0172" "0361406200"},
	{"DS 12345 13 2 abCD", "30390d02abcd"},
	{"DS 12345 13 2 a bCd", "30390d02abcd"},
	{"DS 12345 ECDSAP256SHA256 2 a bCd", "30390d02abcd"},
	{"DS 12345 13 2 abC", NULL},
	{"DS 12345 13 2", NULL},
	{"DS 12345 256 2 abcd", NULL},
	{"CDS 0 0 0 00", "0000000000"},
	{"DLV 1 2 3 ab", "00010203ab"},
	{"DNSKEY 257 3 13 AQIDBA==", "0101030d01020304"},
	{"DNSKEY 257 3 13 AQ IDBA ==", "0101030d01020304"},
	{"DNSKEY 257 3 ED25519 AQ IDBA ==", "0101030f01020304"},
	{"DNSKEY 257 3 13 AQIDBA=", NULL},
	{"DNSKEY 257 3 13 AQIDBA===", NULL},
	{"DNSKEY 257 3 13 AQI!", NULL},
	{"CDNSKEY 0 3 0 AA==", "0000030000"},
	{"RKEY 0 0 1 AQID", "00000001010203"},
	{"RRSIG A 13 2 3600 20300101000000 20200229235959 12345 a. AQID", "00010d0200000e1070dbd8805e5afaff3039016100010203"},
	{"RRSIG TYPE65534 13 2 3600 1893456000 1 12345 a. AQID", "fffe0d0200000e1070dbd880000000013039016100010203"},
	{"RRSIG A 13 2 3600 20300001000000 20200101000000 12345 a. AQID", NULL},
	{"SIG A 13 2 3600 20300101000000 20200101000000 12345 a. AQID", "00010d0200000e1070dbd8805e0be1003039016100010203"},
	{"SIG A 13 2 3600 20300101000000 20190229000000 12345 a. AQID", NULL},
	{"NSEC a. A NS CAA TYPE1234", "016100" "000160" "010140" "041b000000000000000000000000000000000000000000000000000020"},
	{"NSEC a. A MX RRSIG NSEC TYPE256", "016100" "0006400100000003" "010180"},
	{"NSEC a.", "016100"},
	{"NSEC a. FOO", NULL},
	{"NSEC3 1 1 10 aabb 2t7b4g4vsa5smi47k61mv5bv1a22bojr A RRSIG", "0101000a02aabb14174eb2409fe28bcb4887a1836f957f0a8425e27b" "0006400000000002"},
	{"NSEC3 1 0 0 - 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR", "010000000014174eb2409fe28bcb4887a1836f957f0a8425e27b"},
	{"NSEC3 1 0 0 - 2T7B4G4VSA5SMI47K61MV5BV1A22BOJX", NULL},
	{"NSEC3PARAM 1 0 10 aabb", "0100000a02aabb"},
	{"NSEC3PARAM 1 0 10 -", "0100000a00"},
	{"NSEC3PARAM 1 0 10 aab", NULL},
	{"TLSA 3 1 1 abcd", "030101abcd"},
	{"SMIMEA 3 1 1 abcd", "030101abcd"},
	{"SSHFP 4 2 abcd", "0402abcd"},
	{"CAA 0 issue \"ca.example\"", "0005697373756563612e6578616d706c65"},
	{"CAA 128 issue \";\"", "800569737375653b"},
	{"CAA 0 issue \"\xc3\xbc\"", "00056973737565c3bc"},
	{"CAA 256 issue \"a\"", NULL},
	{"URI 1 2 \"http://a/\"", "00010002687474703a2f2f612f"},
	{"OPENPGPKEY AQID", "010203"},
	{"DHCID AQID", "010203"},
	{"CSYNC 1 3 A NS AAAA", "000000010003" "000460000008"},
	{"ZONEMD 1 1 241 0102030405060708090a0b0c", "0000000101f10102030405060708090a0b0c"},
	{"KEY 256 3 1 AQID", "01000301010203"},
	{"LOC 1 N 2 E 3m", "001216138036ee80806ddd00009897ac"},
	{"CERT 1 2 3 AQID", "0001000203010203"},
	{"CERT PKIX 2 RSASHA256 AQ ID", "0001000208010203"},
	{"IPSECKEY 10 1 2 192.0.2.1 AQ ID", "0a0102c0000201010203"},
	{"IPSECKEY 10 3 2 a. AQID", "0a0302016100010203"},
	{"APL 1:192.0.2.0/24", "00011803c00002"},
	{"APL", ""},
	{"NID 10 0014:4fff:ff20:ee64", "000a00144fffff20ee64"},
	{"L32 10 10.1.2.0", "000a0a010200"},
	{"L64 10 2001:0DB8:1140:1000", "000a20010db811401000"},
	{"EUI48 00-00-5e-00-53-2a", "00005e00532a"},
	{"EUI64 00-00-5e-ef-10-00-00-2a", "00005eef1000002a"},
	{"MB a.", "016100"},
	{"MG a.", "016100"},
	{"MR a.", "016100"},
	{"HIP 2 aabb AQID rvs.", "020200" "03aabb010203" "0372767300"},
	{"HIP 2 aabb AQID", "02020003aabb010203"},
	{"HIP 2 aabb", NULL},
	{"HIP 2 aab AQID", NULL},
	{"LUA A \"return 1\"", "0001" "0872657475726e2031"},
	{"LUA A", NULL},
	{"LUA \"return 1\"", NULL},
	{"SVCB 0 a.", "0000016100"},
	{"SVCB 1 . alpn=h2,h3 port=53", "000100" "0001000602683202" "6833" "00030002" "0035"},
	{"SVCB 1 . dohpath=/q{?dns}", "000100" "000700082f717b3f646e737d"},
	{"SVCB 1 . dohpath=\"/q{?dns}\"", "000100" "000700082f717b3f646e737d"},
	{"SVCB 1 . mandatory=dohpath,alpn dohpath=/q alpn=h2", "000100" "0000000400010007" "00010003026832" "000700022f71"},
	{"SVCB 1 . mandatory=\"alpn\" alpn=h2", "000100" "000000020001" "00010003026832"},
	{"SVCB 1 . ohttp", "000100" "00080000"},
	{"SVCB 1 . ipv4hint=auto", "000100" "00040000"},
	{"HTTPS 1 . ipv6hint=auto alpn=h2 ipv4hint=auto", "000100" "00010003026832" "00040000" "00060000"},
	{"SVCB 1 . key65=\"\xc3\xbc\"", "000100" "00410002c3bc"},
	{"SVCB 1 . ipv4hint=auto ipv4hint=192.0.2.1", NULL},
	{"SVCB 1 . alpn", NULL},
	{"TYPE731 \\# 3 ABC DEF", "abcdef"},
	{"TYPE731 \\# 0", ""},
	{"TYPE731 \\# 0 ab", NULL},
	{"TYPE731 \\# 2 abc", NULL},
	{"TYPE731 \\# 70000 ab", NULL},
	{"TYPE731 \\#", NULL},
	{"TYPE731 abc", NULL},
	{"TYPE1 192.0.2.1", "c0000201"},
	{"AMTRELAY 10 0 1 192.0.2.1", NULL},
	{"AMTRELAY \\# 6 0a01c0000201", "0a01c0000201"},
};

static struct zn_name origin;
static struct zn_scanner *scanner;

static void setup(void)
{
	ck_assert_int_eq(zn_name_from_text(zn_view_str("example."), NULL, &origin, NULL), ZN_OK);
	ck_assert_int_eq(zn_scanner_new(&scanner), ZN_OK);
}

static void teardown(void)
{
	zn_scanner_free(scanner);
}

struct reading {
	struct zn_splitter splitter;
	struct zn_entry entry;
	struct zn_rdata_words words;
	uint8_t bytes[ZN_RR_MAX];
	size_t len;
	struct zn_rdata_notes notes;
	struct zn_rdata_fault fault;
};

/* "TYPE data". false: no words at all. */
static bool begin(struct reading *reading, struct zn_view text)
{
	zn_splitter_init(&reading->splitter, text);
	reading->notes = (struct zn_rdata_notes){0};
	if (!zn_splitter_next(&reading->splitter, &reading->entry) || reading->entry.fault || reading->entry.count == 0)
		return false;
	reading->words = (struct zn_rdata_words){
		.tokens = reading->entry.tokens + 1, .count = reading->entry.count - 1, .origin = &origin,
	};
	return zn_rrtype_from_text(zn_token_view(&reading->entry.tokens[0]), &reading->words.type);
}

static enum zn_rdata_result read_both(struct reading *reading)
{
	enum zn_rdata_result result = zn_rdata_read(&reading->words, reading->bytes, &reading->len, &reading->notes, &reading->fault);

	if (result != ZN_RDATA_DOUBT)
		return result;
	return zn_scanner_read(scanner, &reading->words, reading->bytes, &reading->len, &reading->fault) == ZN_OK ? ZN_RDATA_OK : ZN_RDATA_FAULT;
}

START_TEST(reads)
{
	static struct reading reading;
	ZN_AUTO(zn_buf_release) struct zn_buf hex = ZN_BUF_INIT(1 << 20);
	const char *text = rows[_i].text;

	ck_assert_msg(begin(&reading, zn_view_str(text)), "%s", text);
	enum zn_rdata_result result = read_both(&reading);
	bool generic = zn_rdata_is_generic(&reading.words);
	if (result == ZN_RDATA_OK && generic && !zn_rdata_well_formed(reading.words.type, zn_view(reading.bytes, reading.len)))
		result = ZN_RDATA_FAULT;
	zn_buf_add_hex(&hex, zn_view(reading.bytes, result == ZN_RDATA_OK ? reading.len : 0));
	if (rows[_i].hex)
		ck_assert_msg(result == ZN_RDATA_OK && strcmp(zn_buf_str(&hex), rows[_i].hex) == 0, "%s: %s%s", text, zn_buf_str(&hex),
			result == ZN_RDATA_OK ? "" : reading.fault.sentence);
	else
		ck_assert_msg(result != ZN_RDATA_OK, "%s is read: %s", text, zn_buf_str(&hex));
	ck_assert_msg(!rows[_i].hex || generic || zn_rdata_well_formed(reading.words.type, zn_view(reading.bytes, reading.len)),
		"%s: dns/rdata.c does not think so", text);
	zn_splitter_release(&reading.splitter);
}
END_TEST

/* Whatever is read can be written in RFC 3597 form and read again. */
START_TEST(generic)
{
	static struct reading reading, again;
	ZN_AUTO(zn_buf_release) struct zn_buf text = ZN_BUF_INIT(1 << 20);
	char type[ZN_TYPE_TEXT_MAX];

	if (!rows[_i].hex)
		return;
	ck_assert(begin(&reading, zn_view_str(rows[_i].text)));
	ck_assert_int_eq(read_both(&reading), ZN_RDATA_OK);
	zn_buf_addf(&text, "%s \\# %zu ", zn_rrtype_text(reading.words.type, type), reading.len);
	zn_buf_add_hex(&text, zn_view(reading.bytes, reading.len));
	ck_assert(begin(&again, zn_buf_view(&text)));
	ck_assert_msg(zn_rdata_read(&again.words, again.bytes, &again.len, &again.notes, &again.fault) == ZN_RDATA_OK, "%s", zn_buf_str(&text));
	ck_assert(zn_view_equal(zn_view(again.bytes, again.len), zn_view(reading.bytes, reading.len)));
	zn_splitter_release(&reading.splitter);
	zn_splitter_release(&again.splitter);
}
END_TEST

static uint64_t seed;

static uint32_t random_below(uint32_t bound)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 20) % bound;
}

/* A row with some bytes changed, doubled, dropped or taken from elsewhere. */
static void mutate(struct zn_buf *text, size_t row)
{
	static const uint8_t favourites[] = "\"\\()[]{};.@#-_=+/:% \t0019azAZ\x7f\xc3";

	zn_buf_clear(text);
	zn_buf_add_str(text, rows[row].text);
	for (uint32_t i = random_below(4); i > 0 && text->len > 0; i--) {
		size_t at = random_below((uint32_t)text->len);
		uint8_t byte = favourites[random_below(sizeof(favourites) - 1)];
		switch (random_below(4)) {
		case 0:
			text->data[at] = byte;
			break;
		case 1:
			zn_buf_splice(text, at, 0, zn_view(&byte, 1));
			break;
		case 2:
			zn_buf_splice(text, at, 1, zn_view(NULL, 0));
			break;
		default:
			byte = text->data[random_below((uint32_t)text->len)];
			zn_buf_splice(text, at, 0, zn_view(&byte, 1));
			break;
		}
	}
}

/* Where our reader says yes to a form that is libzscanner's, libzscanner says the same bytes. */
START_TEST(same_as_libzscanner)
{
	static struct reading ours, theirs;
	ZN_AUTO(zn_buf_release) struct zn_buf text = ZN_BUF_INIT(1 << 20);
	size_t compared = 0;

	seed = 0x9e3779b97f4a7c15 + (uint64_t)_i;
	for (int round = 0; round < 20000; round++) {
		mutate(&text, random_below(sizeof(rows) / sizeof(rows[0])));
		if (begin(&ours, zn_buf_view(&text)) && zn_form_of(ours.words.type)->layout && !zn_form_of(ours.words.type)->ours &&
			!zn_rdata_is_generic(&ours.words) &&
			zn_rdata_read(&ours.words, ours.bytes, &ours.len, &ours.notes, &ours.fault) == ZN_RDATA_OK) {
			theirs.words = ours.words;
			bool read = zn_scanner_read(scanner, &theirs.words, theirs.bytes, &theirs.len, &theirs.fault) == ZN_OK;
			/* Our table has more types, which lists of types may name. */
			if (!read && strcmp(theirs.fault.sentence, "unknown record type") == 0) {
				zn_splitter_release(&ours.splitter);
				continue;
			}
			ck_assert_msg(read, "we read \"%s\", libzscanner says: %s", zn_buf_str(&text), theirs.fault.sentence);
			ck_assert_msg(zn_view_equal(zn_view(ours.bytes, ours.len), zn_view(theirs.bytes, theirs.len)), "not the same: \"%s\"",
				zn_buf_str(&text));
			compared++;
		}
		zn_splitter_release(&ours.splitter);
	}
	ck_assert_uint_gt(compared, 3000);
}
END_TEST

START_TEST(times)
{
	static const struct {
		const char *text;
		enum zn_ttl_form form;
		uint32_t seconds;
	} cases[] = {
		{"0", ZN_TTL_OK, 0}, {"3600", ZN_TTL_OK, 3600}, {"1h", ZN_TTL_OK, 3600}, {"1H", ZN_TTL_OK, 3600},
		{"1w2d3h4m5s", ZN_TTL_OK, 788645}, {"2h2h", ZN_TTL_OK, 14400}, {"2147483647", ZN_TTL_OK, 2147483647},
		{"2147483648", ZN_TTL_LARGE, 0}, {"99999999999999999999999", ZN_TTL_LARGE, 0}, {"99999w", ZN_TTL_LARGE, 0},
		{"1h30", ZN_TTL_NONE, 0}, {"h", ZN_TTL_NONE, 0}, {"", ZN_TTL_NONE, 0}, {"1x", ZN_TTL_NONE, 0}, {"1hh", ZN_TTL_NONE, 0},
		{"-1", ZN_TTL_NONE, 0}, {"1.5", ZN_TTL_NONE, 0},
	};
	uint32_t seconds;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_msg(zn_ttl_read(zn_view_str(cases[i].text), &seconds) == cases[i].form, "%s", cases[i].text);
		ck_assert_msg(cases[i].form != ZN_TTL_OK || seconds == cases[i].seconds, "%s", cases[i].text);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rdata");
	TCase *tests = tcase_create("rows");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 120);
	tcase_add_loop_test(tests, reads, 0, (int)(sizeof(rows) / sizeof(rows[0])));
	tcase_add_loop_test(tests, generic, 0, (int)(sizeof(rows) / sizeof(rows[0])));
	tcase_add_loop_test(tests, same_as_libzscanner, 0, 4);
	tcase_add_test(tests, times);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
