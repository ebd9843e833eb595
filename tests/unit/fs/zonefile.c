#include "fs/text/zonefile.h"

#include "tests/unit/suite.h"

#define LABEL_60 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* Wire form as a C string literal, its closing NUL being the root byte. */
#define WIRE(literal) {(const uint8_t *)(literal), sizeof(literal)}

/* Zones: what a file name means, and the canonical name of the same zone (NULL: it is canonical). */
static const struct {
	const char *filename;
	struct zn_view wire;
	const char *variant, *canonical;
} zones[] = {
	{"example.com.zone", WIRE("\7example\3com"), "", NULL},
	{"EXAMPLE.com.zone", WIRE("\7example\3com"), "", "example.com.zone"},
	{"example.zone", WIRE("\7example"), "", NULL},
	{"zone.zone", WIRE("\4zone"), "", NULL},
	{"=2E.zone", WIRE(""), "", NULL},
	{"=2e.zone", WIRE(""), "", "=2E.zone"},
	{"2.0.192.in-addr.arpa.zone", WIRE("\0012\0010\003192\7in-addr\4arpa"), "", NULL},
	{"0=2F25.2.0.192.in-addr.arpa.zone", WIRE("\0040/25\0012\0010\003192\7in-addr\4arpa"), "", NULL},
	{"0=2f25.2.0.192.in-addr.arpa.zone", WIRE("\0040/25\0012\0010\003192\7in-addr\4arpa"), "",
		"0=2F25.2.0.192.in-addr.arpa.zone"},
	{"_msdcs.corp.example.zone", WIRE("\6_msdcs\4corp\7example"), "", NULL},
	{"=5Fmsdcs.corp.example.zone", WIRE("\6_msdcs\4corp\7example"), "", "_msdcs.corp.example.zone"},
	{"=61.example.zone", WIRE("\1a\7example"), "", "a.example.zone"},
	{"=41.example.zone", WIRE("\1a\7example"), "", "a.example.zone"},
	{"a=2Eb.zone", WIRE("\1a\1b"), "", "a.b.zone"},
	{"=23x.zone", WIRE("\2#x"), "", NULL},
	{"=40.zone", WIRE("\1@"), "", NULL},
	{"a=3Db.zone", WIRE("\3a=b"), "", NULL},
	{"=5C032.example.zone", WIRE("\1 \7example"), "", NULL},
	{"a=5C=2Eb.example.zone", WIRE("\3a.b\7example"), "", NULL},
	{"a=5C.b.example.zone", WIRE("\3a.b\7example"), "", "a=5C=2Eb.example.zone"},
	{"a=5C=5Cb.example.zone", WIRE("\3a\\b\7example"), "", NULL},
	{"=5C255.example.zone", WIRE("\1\xff\7example"), "", NULL},
	{"example.org..internal.zone", WIRE("\7example\3org"), "internal", NULL},
	{"Example.org..INTERNAL.zone", WIRE("\7example\3org"), "internal", "example.org..internal.zone"},
	{"=2E..view-1_a.zone", WIRE(""), "view-1_a", NULL},
	{LABEL_60 "." LABEL_60 "." LABEL_60 "." LABEL_60 ".zone", WIRE("\74" LABEL_60 "\74" LABEL_60 "\74" LABEL_60 "\74" LABEL_60), "", NULL},
};

/* Scratch: no zone. */
static const char *const scratch[] = {
	"", ".zone", "..zone", "zone", "x", "example.com", "example.com.ZONE", "example.com.zone~", "example.com.zone.new",
	".example.com.zone.swp", ".example.com.zone", ".example.com.zone.Xa81kZ", "#example.com.zone#", "#x.zone",
	"example..zone", "example.com...zone", "a..b..c.zone", "a.b...c.zone", "example.org..a.b.zone", "example.org..a=2Eb.zone",
	"two words.zone", "m\xc3\xbcnchen.zone", "a=.zone", "a=2.zone", "a=2G.zone", "a=00b.zone", "=2Ea.zone", "a=2E.zone", "=2E=2E.zone",
	"a=5C.zone", "a=5C25.zone", "a=5C256.zone", "a=5C000.zone", "example.com (copy).zone", "a*b.zone", "a~.zone", "4913",
	LABEL_60 "aaaa.zone",
};

START_TEST(reads)
{
	struct zn_name name = {0};
	char variant[ZN_VARIANT_TEXT_MAX], canonical[ZN_FILENAME_MAX + 1];
	const char *filename = zones[_i].filename, *expected = zones[_i].canonical ? zones[_i].canonical : filename;

	ck_assert_msg(zn_zone_from_filename(zn_view_str(filename), &name, variant), "%s is a zone", filename);
	ck_assert_msg(zn_view_equal(zn_name_view(&name), zones[_i].wire), "%s: wrong name", filename);
	ck_assert_str_eq(variant, zones[_i].variant);
	ck_assert_int_eq(zn_zone_to_filename(&name, variant, canonical), ZN_OK);
	ck_assert_str_eq(canonical, expected);
	ck_assert_msg(zn_zone_filename_is_canonical(zn_view_str(filename)) == !zones[_i].canonical, "%s", filename);
	ck_assert(zn_zone_filename_is_canonical(zn_view_str(expected)));
}
END_TEST

START_TEST(refuses)
{
	struct zn_name name = {.len = 77};
	char variant[ZN_VARIANT_TEXT_MAX] = "untouched";

	ck_assert_msg(!zn_zone_from_filename(zn_view_str(scratch[_i]), &name, variant), "\"%s\" is no zone", scratch[_i]);
	ck_assert_msg(name.len == 77 && strcmp(variant, "untouched") == 0, "\"%s\": outputs touched", scratch[_i]);
	ck_assert(!zn_zone_filename_is_canonical(zn_view_str(scratch[_i])));
}
END_TEST

/* Every byte that a label may hold comes back. */
START_TEST(every_byte)
{
	for (unsigned byte = 1; byte < 256; byte++) {
		struct zn_name name = {.len = 3, .wire = {1, (uint8_t)byte, 0}}, back;
		char filename[ZN_FILENAME_MAX + 1], variant[ZN_VARIANT_TEXT_MAX];

		if (byte >= 'A' && byte <= 'Z')
			name.wire[1] |= 0x20;
		ck_assert_int_eq(zn_zone_to_filename(&name, "", filename), ZN_OK);
		ck_assert_msg(zn_zone_from_filename(zn_view_str(filename), &back, variant), "byte %u: %s", byte, filename);
		ck_assert_msg(zn_view_equal(zn_name_view(&name), zn_name_view(&back)), "byte %u: %s", byte, filename);
	}
}
END_TEST

/* The longest name there is, plain, fits no file name with its suffix; neither does one that needs many escapes. */
START_TEST(too_long)
{
	struct zn_name name = {.len = 255};
	char filename[ZN_FILENAME_MAX + 1];

	for (unsigned at = 0; at < 254; at++)
		name.wire[at] = at % 64 == 0 ? (uint8_t)(at < 192 ? 63 : 61) : 'x';
	ck_assert_int_eq(zn_zone_to_filename(&name, "", filename), ZN_ETOOBIG);
	name = (struct zn_name){.len = 65, .wire = {63}};
	memset(name.wire + 1, ' ', 63);
	ck_assert_int_eq(zn_zone_to_filename(&name, "", filename), ZN_ETOOBIG);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zonefile");
	TCase *tests = tcase_create("file names");

	tcase_add_loop_test(tests, reads, 0, (int)(sizeof(zones) / sizeof(zones[0])));
	tcase_add_loop_test(tests, refuses, 0, (int)(sizeof(scratch) / sizeof(scratch[0])));
	tcase_add_test(tests, every_byte);
	tcase_add_test(tests, too_long);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
