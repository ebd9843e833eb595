#include "store/meta.h"

#include <stdio.h>

#include "tests/unit/suite.h"
#include "tests/unit/support.h"

static struct scratch scratch;
static struct zn_env *env;

static void setup(void)
{
	scratch_make(&scratch);
}

static void teardown(void)
{
	zn_env_close(env);
	env = NULL;
	scratch_remove(&scratch);
}

static struct zn_zone_id zone_of(const char *name)
{
	struct zn_zone_id zone = {0};

	ck_ok(zn_name_from_text(zn_view_str(name), NULL, &zone.name, &err));
	return zone;
}

/* The values of a kind, joined by '|', sorted as stored. */
static const char *values_of(struct zn_txn *txn, const char *name, const char *kind)
{
	static char text[1024];
	ZN_AUTO(zn_buf_release) struct zn_buf out = ZN_BUF_INIT(1 << 16);
	struct zn_zone_id zone = zone_of(name);
	size_t count;

	enum zn_code code = zn_meta_get(txn, &zone, kind, &out, &count, NULL);
	if (code == ZN_ENOTFOUND)
		return "(none)";
	ck_assert_int_eq(code, ZN_OK);
	for (size_t i = 0; i + 1 < out.len; i++)
		if (!out.data[i])
			out.data[i] = '|';
	snprintf(text, sizeof text, "%s", zn_buf_str(&out));
	return text;
}

static const struct {
	const char *version, *zone, *kind, *value;
} stored[] = {
	{"v5", "plain.example.", "X-CUSTOM", "hello world"},
	{"v6", "plain.example.", "X-CUSTOM", "hello world"},
	{"v6", "nsec3.example.", "NSEC3PARAM", "1 0 0 -"},
	{"v6", "nsec.example.", "NSEC3PARAM", "(none)"},
	{"v6", "nowhere.example.", "X-CUSTOM", "(none)"},
	{"v5/presigned", "nsec.example.", "PRESIGNED", "1"},
};

START_TEST(values_of_powerdns)
{
	struct zn_txn txn;

	scratch_load(&scratch, stored[_i].version);
	env = scratch_open(&scratch);
	ck_ok(zn_txn_begin(&txn, env, ZN_MAIN, ZN_TXN_READ, &err));
	ck_assert_str_eq(values_of(&txn, stored[_i].zone, stored[_i].kind), stored[_i].value);
	zn_txn_end(&txn);
}
END_TEST

static const struct {
	const char *version, *zone;
	enum zn_dnssec dnssec;
	bool presigned, keys;
	uint8_t flags;
	uint16_t iterations;
} modes[] = {
	{"v5", "plain.example.", ZN_DNSSEC_UNSIGNED, false, false, 0, 0},
	{"v5", "nsec.example.", ZN_DNSSEC_NSEC, false, true, 0, 0},
	{"v5", "nsec3.example.", ZN_DNSSEC_NSEC3, false, true, 0, 0},
	{"v5", "narrow.example.", ZN_DNSSEC_NARROW, false, true, 0, 0},
	{"v6", "optout.example.", ZN_DNSSEC_NSEC3, false, true, 1, 2},
	{"v6/presigned", "nsec.example.", ZN_DNSSEC_NSEC, true, false, 0, 0},
	{"v6/presigned", "nsec3.example.", ZN_DNSSEC_NSEC3, true, false, 0, 0},
};

START_TEST(modes_of_powerdns)
{
	struct zn_zone_id zone = zone_of(modes[_i].zone);
	struct zn_zone_mode mode;
	struct zn_txn txn;

	scratch_load(&scratch, modes[_i].version);
	env = scratch_open(&scratch);
	ck_ok(zn_txn_begin(&txn, env, ZN_MAIN, ZN_TXN_READ, &err));
	ck_ok(zn_meta_mode(&txn, &zone, &mode, &err));
	ck_assert_msg(mode.dnssec == modes[_i].dnssec, "%s: %d", modes[_i].zone, mode.dnssec);
	ck_assert_int_eq(mode.presigned, modes[_i].presigned);
	ck_assert_int_eq(mode.has_keys, modes[_i].keys);
	ck_assert_uint_eq(mode.nsec3.flags, modes[_i].flags);
	ck_assert_uint_eq(mode.nsec3.iterations, modes[_i].iterations);
	zn_txn_end(&txn);
}
END_TEST

/* PowerDNS rectifies a zone that has parameters but no active key as if it were unsigned. */
START_TEST(parameters_alone_sign_nothing)
{
	struct zn_zone_id zone = zone_of("plain.example.");
	const char *param = "1 0 0 -";
	struct zn_zone_mode mode;
	struct zn_txn txn;

	scratch_load(&scratch, "v5");
	env = scratch_open(&scratch);
	ck_ok(zn_txn_begin(&txn, env, ZN_MAIN, ZN_TXN_WRITE, &err));
	ck_ok(zn_meta_set(&txn, &zone, "NSEC3PARAM", &param, 1, ZN_USER, &err));
	ck_ok(zn_meta_mode(&txn, &zone, &mode, &err));
	ck_assert_int_eq(mode.dnssec, ZN_DNSSEC_UNSIGNED);
	zn_txn_end(&txn);
}
END_TEST

static const struct {
	const char *values[4];
	size_t count;
} steps[] = {
	{{"a", "b", "c"}, 3},
	{{"c", "a"}, 2},
	{{"a", "d", "c", "e"}, 4},
	{{"x"}, 1},
	{{"x", "x"}, 2},
	{{0}, 0},
	{{"a"}, 1},
};

START_TEST(sets_replace_each_other)
{
	struct zn_zone_id zone = zone_of("plain.example.");

	scratch_load(&scratch, "v6");
	env = scratch_open(&scratch);
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		struct zn_txn txn;
		ZN_AUTO(zn_buf_release) struct zn_buf out = ZN_BUF_INIT(1 << 16);
		size_t count = 0;
		ck_ok(zn_txn_begin(&txn, env, ZN_MAIN, ZN_TXN_WRITE, &err));
		ck_ok(zn_meta_set(&txn, &zone, "X-TEST", steps[i].values, steps[i].count, ZN_USER, &err));
		enum zn_code code = zn_meta_get(&txn, &zone, "X-TEST", &out, &count, NULL);
		ck_assert_int_eq(code, steps[i].count ? ZN_OK : ZN_ENOTFOUND);
		ck_assert_uint_eq(count, steps[i].count);
		size_t found = 0;
		for (const char *at = (const char *)out.data; found < count; at += strlen(at) + 1, found++) {
			bool wanted = false;
			for (size_t k = 0; k < count; k++)
				wanted = wanted || strcmp(at, steps[i].values[k]) == 0;
			ck_assert_msg(wanted, "step %zu: %s", i, at);
		}
		ck_assert_str_eq(values_of(&txn, "plain.example.", "X-CUSTOM"), "hello world");
		ck_ok(zn_txn_commit(&txn, &err));
	}
}
END_TEST

START_TEST(the_same_set_is_no_write)
{
	struct zn_zone_id zone = zone_of("plain.example.");
	const char *const values[] = {"hello world"};
	struct zn_txn txn;

	scratch_load(&scratch, "v5");
	env = scratch_open(&scratch);
	uint64_t before = zn_env_last_txnid(env, ZN_MAIN);
	ck_ok(zn_txn_begin(&txn, env, ZN_MAIN, ZN_TXN_WRITE, &err));
	ck_ok(zn_meta_set(&txn, &zone, "X-CUSTOM", values, 1, ZN_USER, &err));
	ck_ok(zn_txn_commit(&txn, &err));
	ck_assert_uint_eq(zn_env_last_txnid(env, ZN_MAIN), before);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store/meta");
	TCase *tcase = tcase_create("meta");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, values_of_powerdns, 0, sizeof stored / sizeof *stored);
	tcase_add_loop_test(tcase, modes_of_powerdns, 0, sizeof modes / sizeof *modes);
	tcase_add_test(tcase, parameters_alone_sign_nothing);
	tcase_add_test(tcase, sets_replace_each_other);
	tcase_add_test(tcase, the_same_set_is_no_write);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
