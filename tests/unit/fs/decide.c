#include "fs/save/decide.h"

#include "fs/save/last.h"
#include "tests/unit/suite.h"

#define AUTO ZN_SERIAL_AUTO
#define KEEP ZN_SERIAL_KEEP

static const struct {
	const char *name;
	bool differs;
	uint32_t stored, offered;
	bool signed_elsewhere;
	enum zn_serial_policy policy;
	enum zn_since since;
	enum zn_verdict verdict;
	uint32_t serial;
} saves[] = {
	{"nothing new", false, 7, 7, false, AUTO, ZN_SINCE_NOBODY, ZN_VERDICT_SAME, 7},
	{"pushed again with its old serial", false, 7, 3, false, AUTO, ZN_SINCE_NOBODY, ZN_VERDICT_SAME, 7},
	{"pushed again, somebody else saved the same meanwhile", false, 7, 3, false, AUTO, ZN_SINCE_SOMEBODY, ZN_VERDICT_SAME, 7},
	{"only the serial raised", false, 7, 8, false, AUTO, ZN_SINCE_NOBODY, ZN_VERDICT_ROWS, 8},
	{"changed, the serial raised by hand", true, 7, 20, false, AUTO, ZN_SINCE_NOBODY, ZN_VERDICT_ROWS, 20},
	{"raised by hand under the policy keep", true, 7, 8, false, KEEP, ZN_SINCE_NOBODY, ZN_VERDICT_ROWS, 8},
	{"changed, the serial as it was", true, 7, 7, false, AUTO, ZN_SINCE_NOBODY, ZN_VERDICT_ROWS, 8},
	{"changed, an older serial: an editor saves its buffer again", true, 7, 6, false, AUTO, ZN_SINCE_NOBODY, ZN_VERDICT_ROWS, 8},
	{"nobody remembers who was last", true, 7, 6, false, AUTO, ZN_SINCE_UNKNOWN, ZN_VERDICT_ROWS, 8},
	{"an older text over somebody else's edit", true, 7, 6, false, AUTO, ZN_SINCE_SOMEBODY, ZN_VERDICT_CONFLICT, 7},
	{"the same serial over somebody else's edit", true, 7, 7, false, AUTO, ZN_SINCE_SOMEBODY, ZN_VERDICT_CONFLICT, 7},
	{"a raised serial replaces somebody else's edit", true, 7, 8, false, AUTO, ZN_SINCE_SOMEBODY, ZN_VERDICT_ROWS, 8},
	{"changed under the policy keep", true, 7, 7, false, KEEP, ZN_SINCE_NOBODY, ZN_VERDICT_ROWS, 7},
	{"changed under the policy keep and an older serial: never backwards", true, 7, 5, false, KEEP, ZN_SINCE_NOBODY, ZN_VERDICT_ROWS, 7},
	{"a presigned zone under its old serial", true, 7, 7, true, AUTO, ZN_SINCE_NOBODY, ZN_VERDICT_OLD_SERIAL, 7},
	{"a presigned zone under a new one", true, 7, 9, true, AUTO, ZN_SINCE_NOBODY, ZN_VERDICT_ROWS, 9},
	{"a presigned zone saved again", false, 7, 7, true, AUTO, ZN_SINCE_NOBODY, ZN_VERDICT_SAME, 7},
	{"wraps around (RFC 1982)", true, 0xffffffff, 1, false, AUTO, ZN_SINCE_NOBODY, ZN_VERDICT_ROWS, 1},
	{"never backwards by half the circle", false, 0, 0x80000000, false, AUTO, ZN_SINCE_NOBODY, ZN_VERDICT_SAME, 0},
	{"increase", true, 2026112701, 2026112701, false, ZN_SERIAL_INCREASE, ZN_SINCE_NOBODY, ZN_VERDICT_ROWS, 2026112702},
};

START_TEST(decides)
{
	struct zn_weighed weighed = {
		.differs = saves[_i].differs, .stored = saves[_i].stored, .offered = saves[_i].offered,
		.signed_elsewhere = saves[_i].signed_elsewhere, .policy = saves[_i].policy, .since = saves[_i].since,
		.now = {UINT64_C(1795402319) * ZN_NS_PER_S},
	};
	uint32_t serial;

	ck_assert_msg(zn_decide(&weighed, &serial) == saves[_i].verdict, "%s: another verdict", saves[_i].name);
	ck_assert_msg(serial == saves[_i].serial, "%s: serial %u, not %u", saves[_i].name, serial, saves[_i].serial);
}
END_TEST

/* What is remembered: user 1000 saved. */
static const struct {
	const char *name;
	uint64_t stored_sum;
	uint32_t uid;
	enum zn_since since;
} writers[] = {
	{"the same user", 99, 1000, ZN_SINCE_NOBODY},
	{"another user", 99, 1001, ZN_SINCE_SOMEBODY},
	{"the zone was changed elsewhere", 98, 1000, ZN_SINCE_SOMEBODY},
};

START_TEST(remembers)
{
	struct zn_last *last;
	struct zn_last_save save = {.digest = {3, 99}, .uid = 1000};

	ck_assert_int_eq(zn_last_new(&last), ZN_OK);
	ck_assert(!zn_last_get(last, 77, &save));
	zn_last_remember(last, 77, &save);
	ck_assert(!zn_last_get(last, 78, &save));
	ck_assert(!zn_last_get(last, 77 + 4096, &save));
	ck_assert(zn_last_get(last, 77, &save));
	enum zn_since since = zn_last_since(&save, (struct zn_digest){3, writers[_i].stored_sum}, writers[_i].uid);
	ck_assert_msg(since == writers[_i].since, "%s", writers[_i].name);
	zn_last_free(last);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("decide");
	TCase *tcase = tcase_create("decide");

	tcase_add_loop_test(tcase, decides, 0, sizeof saves / sizeof *saves);
	tcase_add_loop_test(tcase, remembers, 0, sizeof writers / sizeof *writers);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
