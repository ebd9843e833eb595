#include "tests/unit/suite.h"

#include "store/dns/nsec3.h"

/* RFC 5155 appendix A, and zones of the PowerDNS fixtures. */
static const struct {
	const char *param, *name, *hash;
} hashes[] = {
	{"1 0 12 aabbccdd", "example", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"},
	{"1 0 12 AABBCCDD", "A.example", "35mthgpgcu1qg68fab165klnsnk3dpvl"},
	{"1 0 12 aabbccdd", "*.w.example", "r53bq7cc2uvmubfu5ocmm6pers9tk9en"},
	{"1 0 0 -", "ent.nsec3.example", "32bq3o4mvvp5m41hoen0s23p1au5h10g"},
	{"1 1 0 -", "nsec3.example", "krsatb3pjbkrjutskf89t5ms899d2udp"},
};

START_TEST(hash)
{
	struct zn_nsec3param param;
	struct zn_name name;
	char text[ZN_NSEC3_HASH_LEN + 1];

	ck_assert_int_eq(zn_nsec3param_parse(zn_view_str(hashes[_i].param), &param, NULL), ZN_OK);
	ck_assert_int_eq(zn_name_from_text(zn_view_str(hashes[_i].name), NULL, &name, NULL), ZN_OK);
	zn_nsec3_hash(&param, &name, text);
	ck_assert_str_eq(text, hashes[_i].hash);
}
END_TEST

START_TEST(params)
{
	static const char *const bad[] = {"", "1", "1 0 0", "2 0 0 -", "1 0 65536 -", "1 256 0 -", "1 0 0 abc", "1 0 0 zz", "1 0 0 - x", "1 -1 0 -"};
	struct zn_nsec3param param;
	struct zn_err err = {0};

	ck_assert_int_eq(zn_nsec3param_parse(ZN_VIEW("1 1 2 abCD"), &param, &err), ZN_OK);
	ck_assert_uint_eq(param.flags, 1);
	ck_assert_uint_eq(param.iterations, 2);
	ck_assert_uint_eq(param.salt_len, 2);
	ck_assert_int_eq(memcmp(param.salt, "\xab\xcd", 2), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(zn_nsec3param_parse(zn_view_str(bad[i]), &param, &err) == ZN_EINVAL, "%s", bad[i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dns/nsec3");
	TCase *tc = tcase_create("nsec3");

	tcase_add_loop_test(tc, hash, 0, sizeof(hashes) / sizeof(hashes[0]));
	tcase_add_test(tc, params);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
