#include "tests/unit/suite.h"

#include <stdlib.h>

#include "sync/merge.h"

#define LIVE(ns, text) {{ns}, false, ZN_VIEW(text)}
#define GONE(ns) {{ns}, true, {NULL, 0}}

/* lightning-stream.md 3.1 row by row, and M1. */
static const struct {
	const char *name;
	bool present;
	struct zn_merge_entry local, incoming;
	uint64_t cutoff;
	bool takes;
} rows[] = {
		{"missing, live", false, GONE(0), LIVE(5, "a"), 0, true},
		{"missing, live and old", false, GONE(0), LIVE(5, "a"), 9, true},
		{"missing, live and empty", false, GONE(0), LIVE(5, ""), 0, true},
		{"missing, deleted", false, GONE(0), GONE(5), 0, true},
		{"missing, deleted before the cutoff", false, GONE(0), GONE(5), 6, false},
		{"missing, deleted at the cutoff", false, GONE(0), GONE(5), 5, true},
		{"older", true, LIVE(6, "b"), LIVE(5, "a"), 0, false},
		{"older deletion", true, LIVE(6, "b"), GONE(5), 0, false},
		{"newer", true, LIVE(5, "a"), LIVE(6, "b"), 0, true},
		{"newer, the same value", true, LIVE(5, "a"), LIVE(6, "a"), 0, true},
		{"newer deletion", true, LIVE(5, "a"), GONE(6), 0, true},
		{"newer deletion before the cutoff", true, LIVE(5, "a"), GONE(6), 9, true},
		{"newer life", true, GONE(5), LIVE(6, "a"), 0, true},
		{"same time, same value", true, LIVE(5, "a"), LIVE(5, "a"), 0, false},
		{"same time, smaller value", true, LIVE(5, "b"), LIVE(5, "a"), 0, true},
		{"same time, greater value", true, LIVE(5, "a"), LIVE(5, "b"), 0, false},
		{"same time, a prefix is smaller", true, LIVE(5, "aa"), LIVE(5, "a"), 0, true},
		{"same time, deleted beats a value", true, LIVE(5, "a"), GONE(5), 0, true},
		{"same time, a value against deleted", true, GONE(5), LIVE(5, "a"), 0, false},
		{"same time, deleted twice", true, GONE(5), GONE(5), 0, false},
		{"M1: deleted beats live and empty", true, LIVE(5, ""), GONE(5), 0, true},
		{"M1: and stays", true, GONE(5), LIVE(5, ""), 0, false},
		{"time 0, other value", true, LIVE(5, "b"), LIVE(0, "a"), 0, false},
		{"time 0, same value", true, LIVE(0, "a"), LIVE(0, "a"), 0, false},
		{"time 0, smaller value", true, LIVE(0, "b"), LIVE(0, "a"), 0, true},
};

START_TEST(table)
{
	bool takes = zn_merge_takes(rows[_i].present ? &rows[_i].local : NULL, &rows[_i].incoming,
			(struct zn_stamp){rows[_i].cutoff});

	ck_assert_msg(takes == rows[_i].takes, "%s", rows[_i].name);
}
END_TEST

/* The laws: whatever the order, and however often each comes, the same entry is left. */
static const struct zn_merge_entry *fold(const struct zn_merge_entry *entries, const int *order, size_t count)
{
	const struct zn_merge_entry *held = NULL;

	for (size_t i = 0; i < count; i++)
		if (zn_merge_takes(held, &entries[order[i]], (struct zn_stamp){0}))
			held = &entries[order[i]];
	return held;
}

static bool same(const struct zn_merge_entry *a, const struct zn_merge_entry *b)
{
	return a->stamp.ns == b->stamp.ns && a->deleted == b->deleted &&
	       (a->deleted || zn_view_equal(a->value, b->value));
}

START_TEST(laws)
{
	static const char *const values[] = {"", "a", "b", "ab", "\xff"};
	enum { COUNT = 6 };

	srand(3);
	for (int round = 0; round < 50000; round++) {
		struct zn_merge_entry entries[COUNT];
		int order[2 * COUNT], again[2 * COUNT];

		for (int i = 0; i < COUNT; i++) {
			entries[i].stamp.ns = (uint64_t)rand() % 3;
			entries[i].deleted = rand() % 3 == 0;
			/* A deletion that carries a value is one without. */
			entries[i].value = zn_view_str(values[(size_t)rand() % 5]);
			order[i] = order[COUNT + i] = again[i] = again[COUNT + i] = i;
		}
		for (int i = 2 * COUNT - 1; i > 0; i--) {
			int a = rand() % (i + 1), t = order[i];
			order[i] = order[a];
			order[a] = t;
		}
		ck_assert(same(fold(entries, order, 2 * COUNT), fold(entries, again, 2 * COUNT)));
		ck_assert(same(fold(entries, order, 2 * COUNT), fold(entries, again, COUNT)));
	}
}
END_TEST

/* Total: of two different entries exactly one replaces the other. */
START_TEST(total)
{
	static const struct zn_merge_entry all[] = {LIVE(1, ""), LIVE(1, "a"), LIVE(1, "b"), GONE(1), LIVE(2, ""),
			LIVE(2, "a"), GONE(2), LIVE(0, "a")};

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		for (size_t j = 0; j < sizeof all / sizeof all[0]; j++)
			ck_assert_int_eq(zn_merge_takes(&all[i], &all[j], (struct zn_stamp){0}) +
							 zn_merge_takes(&all[j], &all[i], (struct zn_stamp){0}),
					i != j);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sync/merge");
	TCase *tests = tcase_create("all");

	tcase_add_loop_test(tests, table, 0, sizeof rows / sizeof rows[0]);
	tcase_add_test(tests, laws);
	tcase_add_test(tests, total);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
