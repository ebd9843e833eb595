#include "tests/unit/suite.h"

#include "store/dns/rrtype.h"

/* type 0: refused */
static const struct {
	const char *text;
	unsigned type;
	const char *printed;
} rows[] = {
	{"A", 1, "A"}, {"aaaa", 28, "AAAA"}, {"Nsec3Param", 51, "NSEC3PARAM"}, {"TYPE1", 1, "A"},
	{"type65534", 65534, "TYPE65534"}, {"TYPE731", 731, "TYPE731"}, {"ALIAS", 65401, "ALIAS"}, {"LUA", 65402, "LUA"},
	{"NSAP-PTR", 23, "NSAP-PTR"}, {"DSYNC", 66, "TYPE66"}, {"AMTRELAY", 260, "TYPE260"}, {"DLV", 32769, "DLV"},
	{"ANY", 0, NULL}, {"AXFR", 0, NULL}, {"OPT", 0, NULL}, {"TYPE255", 0, NULL}, {"TYPE41", 0, NULL}, {"TYPE0", 0, NULL},
	{"TYPE65536", 0, NULL}, {"TYPE", 0, NULL}, {"TYPE1x", 0, NULL}, {"", 0, NULL}, {"NOSUCHTYPEATALLHERE", 0, NULL},
	{"ENT", 0, NULL}, {"IN", 0, NULL},
};

START_TEST(types)
{
	uint16_t type = 0;
	char text[ZN_TYPE_TEXT_MAX];
	bool known = zn_rrtype_from_text(zn_view_str(rows[_i].text), &type);

	ck_assert_msg(known == (rows[_i].type != 0) && type == rows[_i].type, "%s", rows[_i].text);
	if (known)
		ck_assert_str_eq(zn_rrtype_text(type, text), rows[_i].printed);
}
END_TEST

START_TEST(every_text_reads_back)
{
	char text[ZN_TYPE_TEXT_MAX];
	uint16_t back;

	for (unsigned type = 1; type <= UINT16_MAX; type++) {
		if (type == 41 || (type >= 128 && type <= 255))
			continue;
		ck_assert_msg(zn_rrtype_from_text(zn_view_str(zn_rrtype_text((uint16_t)type, text)), &back) && back == type, "%u", type);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dns/rrtype");
	TCase *tc = tcase_create("types");

	tcase_add_loop_test(tc, types, 0, sizeof(rows) / sizeof(rows[0]));
	tcase_add_test(tc, every_text_reads_back);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
