#include "fs/save/guard.h"

#include <stdio.h>

#include "tests/unit/suite.h"
#include "tests/unit/support.h"

static struct zn_guard *guard_of(unsigned percent, unsigned min)
{
	struct zn_guard *guard;

	ck_assert_int_eq(zn_guard_new((struct zn_guard_limits){percent, min}, (struct zn_guard_limits){percent, min}, &guard), ZN_OK);
	return guard;
}

static const struct {
	const char *name;
	unsigned percent;
	uint64_t deleted, stored;
	bool stopped;
} saves[] = {
	{"half of it", 50, 20, 40, false},
	{"more than half", 50, 21, 40, true},
	{"everything, but little", 50, 19, 19, false},
	{"everything", 50, 20, 20, true},
	{"nothing", 50, 0, 0, false},
	{"off", 0, 1000, 1000, false},
	{"a million of two", 50, 1000001, 2000000, true},
};

START_TEST(records)
{
	struct zn_guard *guard = guard_of(saves[_i].percent, 20);
	struct zn_err why = {0};
	bool taken;

	enum zn_code code = zn_guard_records(guard, saves[_i].deleted, saves[_i].stored, &taken, &why);
	ck_assert_msg((code == ZN_EGUARD) == saves[_i].stopped, "%s", saves[_i].name);
	if (saves[_i].stopped) {
		ck_assert_ptr_nonnull(strstr(why.text, "echo once > .zonefs/allow"));
		zn_guard_allow(guard);
		ck_ok(zn_guard_records(guard, saves[_i].deleted, saves[_i].stored, &taken, &err));
		ck_assert(taken);
		ck_code(zn_guard_records(guard, saves[_i].deleted, saves[_i].stored, &taken, &err), ZN_EGUARD);
	}
	zn_guard_free(guard);
}
END_TEST

START_TEST(allowance_is_left_when_not_needed)
{
	struct zn_guard *guard = guard_of(50, 20);
	bool taken;

	zn_guard_allow(guard);
	ck_ok(zn_guard_records(guard, 1, 40, &taken, &err));
	ck_assert(!taken);
	ck_assert(zn_guard_allowed(guard));
	zn_guard_free(guard);
}
END_TEST

static struct zn_zone_id zone_number(unsigned number)
{
	struct zn_zone_id zone = {0};
	char text[32];

	snprintf(text, sizeof text, "z%u.example", number);
	ck_ok(zn_name_from_text(zn_view_str(text), NULL, &zone.name, &err));
	return zone;
}

/* A world of zones, of which `buried` are gone already. */
struct world {
	uint64_t zones, buried;
	unsigned asked;
};

static enum zn_code count(void *context, const struct zn_vacated *list, size_t list_count, uint64_t enough, uint64_t *ret_count)
{
	struct world *world = context;
	(void)list;

	ck_assert_uint_ge(list_count, world->buried);
	world->asked++;
	*ret_count = world->zones < enough ? world->zones : enough;
	return ZN_OK;
}

static enum zn_code vacate(struct zn_guard *guard, unsigned number, uint64_t now, struct world *world)
{
	struct zn_zone_id zone = zone_number(number);

	return zn_guard_vacate(guard, &zone, now, count, world, NULL);
}

/* How many of `zones` may go at once. */
static const struct {
	unsigned zones, go;
} bursts[] = {{5, 5}, {9, 9}, {12, 9}, {30, 9}, {33, 9}, {34, 10}, {100, 30}, {1000, 300}};

START_TEST(zones)
{
	struct zn_guard *guard = guard_of(30, 10);
	struct world world = {.zones = bursts[_i].zones};

	for (unsigned i = 0; i < bursts[_i].zones; i++) {
		enum zn_code code = vacate(guard, i, 1, &world);
		ck_assert_msg((code == ZN_OK) == (i < bursts[_i].go), "%u of %u", i + 1, bursts[_i].zones);
		if (code != ZN_OK)
			break;
	}
	zn_guard_free(guard);
}
END_TEST

START_TEST(a_long_burst_counts_seldom)
{
	struct zn_guard *guard = guard_of(30, 10);
	struct world world = {.zones = 1000000};

	for (unsigned i = 0; i < 2000; i++)
		ck_ok(vacate(guard, i, 1, &world));
	ck_assert_uint_le(world.asked, 12);
	zn_guard_free(guard);
}
END_TEST

START_TEST(what_comes_back_does_not_count)
{
	struct zn_guard *guard = guard_of(30, 10);
	struct world world = {.zones = 12};

	/* git checkout: unlink and create each. */
	for (unsigned i = 0; i < 100; i++) {
		struct zn_zone_id zone = zone_number(i % 12);
		ck_ok(vacate(guard, i % 12, 1, &world));
		zn_guard_returned(guard, &zone);
	}
	zn_guard_free(guard);
}
END_TEST

START_TEST(a_minute_forgets)
{
	struct zn_guard *guard = guard_of(30, 10);
	struct world world = {.zones = 12};

	for (unsigned i = 0; i < 9; i++)
		ck_ok(vacate(guard, i, 1, &world));
	ck_code(vacate(guard, 9, ZN_GUARD_WINDOW, &world), ZN_EGUARD);
	ck_ok(vacate(guard, 9, ZN_GUARD_WINDOW + 2, &world));
	zn_guard_free(guard);
}
END_TEST

START_TEST(an_allowance_is_for_one_deletion)
{
	struct zn_guard *guard = guard_of(30, 10);
	struct world world = {.zones = 12};

	for (unsigned i = 0; i < 9; i++)
		ck_ok(vacate(guard, i, 1, &world));
	ck_code(vacate(guard, 9, 1, &world), ZN_EGUARD);
	zn_guard_allow(guard);
	ck_ok(vacate(guard, 9, 1, &world));
	ck_assert(!zn_guard_allowed(guard));
	ck_code(vacate(guard, 10, 1, &world), ZN_EGUARD);
	zn_guard_free(guard);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("guard");
	TCase *tcase = tcase_create("guard");

	tcase_add_loop_test(tcase, records, 0, sizeof saves / sizeof *saves);
	tcase_add_test(tcase, allowance_is_left_when_not_needed);
	tcase_add_loop_test(tcase, zones, 0, sizeof bursts / sizeof *bursts);
	tcase_add_test(tcase, a_long_burst_counts_seldom);
	tcase_add_test(tcase, what_comes_back_does_not_count);
	tcase_add_test(tcase, a_minute_forgets);
	tcase_add_test(tcase, an_allowance_is_for_one_deletion);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
