#include "tests/unit/dns/support.h"
#include "tests/unit/suite.h"

/* Compressed as PowerDNS writes it; the owner stands at 17, the RDATA at 27 + its length. `plain` NULL: refused. */
static const struct {
	const char *name, *owner;
	unsigned type;
	const char *rdata, *plain;
} expansions[] = {
	{"pointer to the owner", "plain.example", ZN_TYPE_NS, "036e7331c011", "036e733105706c61696e076578616d706c6500"},
	{"pointer into the owner", "plain.example", ZN_TYPE_NS, "036e7332056f74686572c017", "036e7332056f74686572076578616d706c6500"},
	{"two names", "plain.example", ZN_TYPE_SOA, "036e7331c0110a686f73746d6173746572c0110000000100000002000000030000000400000005",
		"036e733105706c61696e076578616d706c65000a686f73746d617374657205706c61696e076578616d706c6500"
		"0000000100000002000000030000000400000005"},
	{"pointer into the RDATA", "mi.auto.example", ZN_TYPE_MINFO, "0161016201 63c014c02e",
		"01610162016304617574 6f076578616d706c6500 0162016304617574 6f076578616d706c6500"},
	{"nothing to do", "plain.example", ZN_TYPE_MX, "000a0161016200", "000a0161016200"},
	{"to itself", "plain.example", ZN_TYPE_NS, "c02a", NULL},
	{"forward", "plain.example", ZN_TYPE_NS, "c02c0000", NULL},
	{"into the header", "plain.example", ZN_TYPE_NS, "c000", NULL},
	{"between owner and RDATA", "plain.example", ZN_TYPE_NS, "c020", NULL},
	{"half a pointer", "plain.example", ZN_TYPE_NS, "c0", NULL},
	{"bytes behind", "plain.example", ZN_TYPE_NS, "c01100", NULL},
	{"unknown type", "plain.example", 731, "c011", "c011"},
	{"an address too short", "plain.example", ZN_TYPE_A, "c00002", NULL},
};

START_TEST(expand)
{
	ZN_AUTO(zn_buf_release) struct zn_buf rdata = ZN_BUF_INIT(1000), want = ZN_BUF_INIT(1000), out = ZN_BUF_INIT(1000), hex = ZN_BUF_INIT(4000);
	struct zn_name owner = name_of(expansions[_i].owner);
	uint16_t type = (uint16_t)expansions[_i].type;
	enum zn_code code;

	ck_assert_int_eq(zn_buf_add_from_hex(&rdata, expansions[_i].rdata), ZN_OK);
	zn_buf_add_str(&out, "x");
	code = zn_rdata_expand(type, zn_buf_view(&rdata), &owner, &out);
	if (!expansions[_i].plain) {
		ck_assert_msg(code == ZN_ECORRUPT && out.len == 1, "%s", expansions[_i].name);
		return;
	}
	ck_assert_msg(code == ZN_OK, "%s", expansions[_i].name);
	ck_assert_int_eq(zn_buf_add_from_hex(&want, expansions[_i].plain), ZN_OK);
	zn_buf_add_hex(&hex, zn_buf_view(&out));
	ck_assert_msg(zn_view_equal(zn_view_sub(zn_buf_view(&out), 1, out.len), zn_buf_view(&want)), "%s: %s", expansions[_i].name, zn_buf_str(&hex));
	ck_assert_msg(zn_rdata_is_plain(type, zn_buf_view(&rdata)) == zn_view_equal(zn_buf_view(&rdata), zn_buf_view(&want)), "%s", expansions[_i].name);
	ck_assert(zn_rdata_well_formed(type, zn_buf_view(&want)));
}
END_TEST

static const struct {
	unsigned type;
	const char *rdata;
	bool good;
} forms[] = {
	{ZN_TYPE_A, "c0000201", true}, {ZN_TYPE_A, "c000020101", false}, {ZN_TYPE_AAAA, "20010db8000000000000000000000001", true},
	{ZN_TYPE_TXT, "00", true}, {ZN_TYPE_TXT, "", false}, {ZN_TYPE_TXT, "0161 0162", true}, {ZN_TYPE_TXT, "0261", false},
	{ZN_TYPE_SRV, "000100020003 0161 00", true}, {ZN_TYPE_SRV, "00010002000301", false},
	{ZN_TYPE_CAA, "00 0569737375 65 61", true}, {ZN_TYPE_CAA, "0000", false},
	{ZN_TYPE_NSEC, "00 0001 40", true}, {ZN_TYPE_NSEC, "00 0000", false}, {ZN_TYPE_NSEC, "00 000140 000140", false},
	{ZN_TYPE_NSEC3, "01 00 0000 00 01ff 0001 40", true}, {ZN_TYPE_DS, "3039 0d 02 aa", true}, {ZN_TYPE_DS, "30390d02", false},
	{ZN_TYPE_SVCB, "0001 00 0001 0003 026832 0004 0000", true}, {ZN_TYPE_SVCB, "0001 00 0004 0000 0001 0000", false},
	{ZN_TYPE_IPSECKEY, "0a 00 02", true}, {ZN_TYPE_IPSECKEY, "0a 01 02 c0000226 0103", true}, {ZN_TYPE_IPSECKEY, "0a 03 02 0161 00 0103", true},
	{ZN_TYPE_IPSECKEY, "0a 01 02 c000", false}, {ZN_TYPE_HIP, "02 02 0002 2001 0103 0161 00 00", true}, {ZN_TYPE_HIP, "10 02 0002 2001", false},
	{ZN_TYPE_APL, "0001 18 03 c00002", true}, {ZN_TYPE_APL, "0001 18 83 c00002", true}, {ZN_TYPE_APL, "", true}, {ZN_TYPE_APL, "0001", false},
	{ZN_TYPE_EUI48, "010203040506", true}, {ZN_TYPE_EUI64, "01020304050607", false}, {ZN_TYPE_LUA, "0001 0161", true},
	{731, "", true}, {260, "0a 83 0161 00", true}, {ZN_TYPE_CERT, "0001 0002 03 aa", true}, {20, "0161", true}, {20, "0161 0162", true},
};

START_TEST(well_formed)
{
	ZN_AUTO(zn_buf_release) struct zn_buf rdata = ZN_BUF_INIT(1000);

	ck_assert_int_eq(zn_buf_add_from_hex(&rdata, forms[_i].rdata), ZN_OK);
	ck_assert_msg(zn_rdata_well_formed((uint16_t)forms[_i].type, zn_buf_view(&rdata)) == forms[_i].good, "%u %s", forms[_i].type, forms[_i].rdata);
}
END_TEST

/* No bytes, cut anywhere or changed, make a walk leave them (the sanitizers watch). */
START_TEST(any_bytes)
{
	ZN_AUTO(zn_buf_release) struct zn_buf out = ZN_BUF_INIT(70000);
	struct zn_name owner = name_of("plain.example"), names[4];
	uint32_t state = 1;
	uint8_t bytes[64];

	for (unsigned round = 0; round < 200000; round++) {
		size_t len = 0;
		for (; len < sizeof(bytes); len++) {
			state = state * 1664525 + 1013904223;
			bytes[len] = (uint8_t)(state >> 24 & (state >> 20 & 1 ? 255 : 7));
		}
		len = state >> 8 & 63;
		uint16_t type = (uint16_t)(round % 300);
		uint8_t *exact = malloc(len ? len : 1);
		memcpy(exact, bytes, len);
		zn_buf_clear(&out);
		enum zn_code code = zn_rdata_expand(type, zn_view(exact, len), &owner, &out);
		ck_assert(code == ZN_OK || code == ZN_ECORRUPT);
		if (code == ZN_OK)
			ck_assert(zn_rdata_well_formed(type, zn_buf_view(&out)));
		(void)zn_rdata_names(type, zn_view(exact, len), names, 4);
		free(exact);
	}
}
END_TEST

START_TEST(names_within)
{
	ZN_AUTO(zn_buf_release) struct zn_buf rdata = ZN_BUF_INIT(1000);
	struct zn_name names[2];
	char text[ZN_NAME_TEXT_MAX];
	struct zn_soa_times times;

	ck_assert_int_eq(zn_buf_add_from_hex(&rdata, "0161000162000000000100000002000000030000000400000005"), ZN_OK);
	ck_assert_uint_eq(zn_rdata_names(ZN_TYPE_SOA, zn_buf_view(&rdata), names, 2), 2);
	ck_assert_str_eq(zn_name_plain(&names[1], text), "b");
	ck_assert_uint_eq(zn_rdata_names(ZN_TYPE_SOA, zn_buf_view(&rdata), names, 1), 1);
	ck_assert_uint_eq(zn_rdata_names(ZN_TYPE_TXT, zn_buf_view(&rdata), names, 2), 0);
	ck_assert(zn_rdata_soa(zn_buf_view(&rdata), &times));
	ck_assert_uint_eq(times.serial, 1);
	ck_assert_uint_eq(times.minimum, 5);
	ck_assert(!zn_rdata_soa(zn_view_sub(zn_buf_view(&rdata), 0, 19), &times));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dns/rdata");
	TCase *tc = tcase_create("rdata");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, expand, 0, sizeof(expansions) / sizeof(expansions[0]));
	tcase_add_loop_test(tc, well_formed, 0, sizeof(forms) / sizeof(forms[0]));
	tcase_add_test(tc, any_bytes);
	tcase_add_test(tc, names_within);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
