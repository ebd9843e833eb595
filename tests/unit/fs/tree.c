#include "fs/mount/tree.h"

#include <stdlib.h>

#include "store/base/clock.h"
#include "tests/unit/suite.h"

/* clang-format off */
static const struct {
	const char *name;
	enum zn_name_kind kind;
	bool canonical;
} names[] = {
	{"example.org.zone", ZN_NAME_ZONE, true},
	{"EXAMPLE.org.zone", ZN_NAME_ZONE, false},
	{"=2E.zone", ZN_NAME_ZONE, true},
	{"example.org..internal.zone", ZN_NAME_ZONE, true},
	{".zonefs", ZN_NAME_CONTROL, false},
	{".example.org.zone.swp", ZN_NAME_SCRATCH, false},
	{".ansible_tmpxyzexample.org.zone", ZN_NAME_SCRATCH, false},
	{".#example.org.zone", ZN_NAME_SCRATCH, false},
	{"#example.org.zone#", ZN_NAME_SCRATCH, false},
	{"#example.org.zone", ZN_NAME_SCRATCH, false},
	{"example.org.zone~", ZN_NAME_SCRATCH, false},
	{"4913", ZN_NAME_SCRATCH, false},
	{".zone", ZN_NAME_SCRATCH, false},
	{"zone", ZN_NAME_SCRATCH, false},
};
/* clang-format on */

START_TEST(kinds)
{
	struct zn_zone_id zone;
	bool canonical = false;

	ck_assert_msg(zn_name_kind(names[_i].name, &zone, &canonical) == names[_i].kind, "%s", names[_i].name);
	ck_assert_msg(canonical == names[_i].canonical, "%s", names[_i].name);
}
END_TEST

/* clang-format off */
static const struct {
	const char *name, *zone;
} foretold[] = {
	{".example.org.zone.Xy12ab", "example.org"}, {"example.org.zone.new", "example.org"}, {"example.org.zone.gawk.a1b2c3", "example.org"},
	{".example.org.zone.swp", NULL}, {"example.org.zone.bak", NULL}, {"example.org.zone.orig", NULL}, {"example.org.zone~", NULL},
	{"example.org.zone.1.2026~", NULL}, {"sedXy12ab", NULL}, {"4913", NULL}, {".zone.x", NULL},
};
/* clang-format on */

START_TEST(tells)
{
	struct zn_zone_id zone = {.variant = ""};
	char text[ZN_NAME_TEXT_MAX];
	bool tells_zone = zn_name_foretells(foretold[_i].name, &zone);

	ck_assert_msg(tells_zone == (foretold[_i].zone != NULL), "%s", foretold[_i].name);
	if (tells_zone)
		ck_assert_str_eq(zn_name_plain(&zone.name, text), foretold[_i].zone);
}
END_TEST

static struct zn_zone_id zone_id(const char *text)
{
	struct zn_zone_id zone = {.variant = ""};

	ck_assert_int_eq(zn_name_from_text(zn_view_str(text), NULL, &zone.name, NULL), ZN_OK);
	return zone;
}

/* What happens to a name, and whether it is seen afterwards. */
enum event { END, VACATE, CREATE, CLOSE, SAVED, REFUSED, LATER, DUE };
/* clang-format off */
static const struct {
	const char *name;
	uint64_t grace;
	struct { enum event event; bool seen; } events[8];
} lives[] = {
	{"unlinked and gone", 3 * ZN_NS_PER_S, {{VACATE, false}, {LATER, false}, {DUE, false}}},
	{"unlinked and made anew", 3 * ZN_NS_PER_S, {{VACATE, false}, {CREATE, true}, {SAVED, true}, {LATER, true}}},
	{"made anew and refused: the committed zone is there again", 3 * ZN_NS_PER_S, {{VACATE, false}, {CREATE, true}, {REFUSED, true}, {CLOSE, true}, {LATER, true}}},
	{"while it is being written nothing runs", 3 * ZN_NS_PER_S, {{VACATE, false}, {CREATE, true}, {LATER, true}, {CLOSE, false}, {LATER, false}, {DUE, false}}},
	{"vacated again while a writer is at it", 3 * ZN_NS_PER_S, {{VACATE, false}, {CREATE, true}, {VACATE, false}, {LATER, false}, {DUE, false}}},
	{"at once", 0, {{VACATE, false}, {DUE, false}}},
	{"never: it comes back by itself", UINT64_MAX, {{VACATE, false}, {LATER, true}}},
};
/* clang-format on */

START_TEST(names_vacated)
{
	struct zn_tree tree = {.grace = lives[_i].grace};
	struct zn_zone_id zone = zone_id("example.org.");
	struct zn_file *file = zn_tree_hold(&tree, &zone, 9, true), *due;
	uint64_t now = 1000, next;

	for (int i = 0; lives[_i].events[i].event != END; i++) {
		switch (lives[_i].events[i].event) {
		case VACATE:
			zn_file_vacate(&tree, file, now);
			break;
		case CREATE:
			zn_file_creation_begin(file);
			break;
		case CLOSE:
			zn_file_creation_end(&tree, file, now);
			break;
		case SAVED:
		case REFUSED:
			ck_assert(zn_file_return(&tree, file));
			break;
		case LATER:
			now += 4 * ZN_NS_PER_S;
			if (lives[_i].grace == UINT64_MAX)
				ck_assert_ptr_null(zn_tree_due(&tree, now, false, &next));
			break;
		case DUE:
			due = zn_tree_due(&tree, now, false, &next);
			ck_assert_msg(due == file, "%s: it is not due", lives[_i].name);
			ck_assert_ptr_null(zn_tree_due(&tree, now, false, &next)); /* once */
			zn_tree_drop(&tree, due);
			break;
		case END:
			break;
		}
		ck_assert_msg(zn_file_visible(file, true) == lives[_i].events[i].seen, "%s, event %d", lives[_i].name, i);
	}
	zn_tree_drop(&tree, file);
	zn_tree_release(&tree);
}
END_TEST

START_TEST(period)
{
	struct zn_tree tree = {.grace = 3 * ZN_NS_PER_S};
	struct zn_zone_id zone = zone_id("example.org.");
	struct zn_file *file = zn_tree_hold(&tree, &zone, 9, true);
	uint64_t next;

	zn_file_vacate(&tree, file, 1000);
	ck_assert_ptr_null(zn_tree_due(&tree, 1000 + 2 * ZN_NS_PER_S, false, &next));
	ck_assert_uint_eq(next, 1000 + 3 * ZN_NS_PER_S);
	file->saving = true; /* a save of it is on its way: it will tell */
	ck_assert_ptr_null(zn_tree_due(&tree, 1000, true, &next));
	file->saving = false;
	ck_assert_ptr_eq(zn_tree_due(&tree, 1000, true, &next), file); /* unmount does not wait */
	zn_tree_drop(&tree, file);
	zn_tree_drop(&tree, file);
	zn_tree_release(&tree);
}
END_TEST

/* Of a zone that nobody touches nothing is remembered. */
START_TEST(forgotten)
{
	struct zn_tree tree = {0};
	struct zn_zone_id zone = zone_id("example.org."), other = zone_id("example.net.");
	struct zn_file *file = zn_tree_hold(&tree, &zone, 9, true);

	ck_assert_ptr_eq(zn_tree_hold(&tree, &zone, 9, true), file);
	ck_assert_ptr_eq(zn_tree_find_id(&tree, 9), file);
	ck_assert_ptr_null(zn_tree_find(&tree, &other));
	zn_tree_drop(&tree, file);
	ck_assert_ptr_eq(zn_tree_find(&tree, &zone), file);
	zn_tree_drop(&tree, file);
	ck_assert_ptr_null(zn_tree_find(&tree, &zone));
	ck_assert_ptr_null(zn_tree_find_id(&tree, 9));

	/* A name that was made stays until it is a zone, which may get another id than was reserved. */
	file = zn_tree_hold(&tree, &zone, 9, false);
	file->made = true;
	ck_assert(zn_file_visible(file, false));
	zn_tree_drop(&tree, file);
	ck_assert_ptr_eq(zn_tree_find(&tree, &zone), file);
	zn_tree_hold(&tree, &zone, 9, false);
	zn_tree_stored(&tree, file, true, 10);
	ck_assert_ptr_eq(zn_tree_find_id(&tree, 10), file);
	ck_assert_ptr_null(zn_tree_find_id(&tree, 9));
	zn_tree_drop(&tree, file);
	ck_assert_ptr_null(zn_tree_find(&tree, &zone));
	zn_tree_release(&tree);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tree");
	TCase *tests = tcase_create("names");

	tcase_add_loop_test(tests, kinds, 0, (int)(sizeof names / sizeof *names));
	tcase_add_loop_test(tests, tells, 0, (int)(sizeof foretold / sizeof *foretold));
	tcase_add_loop_test(tests, names_vacated, 0, (int)(sizeof lives / sizeof *lives));
	tcase_add_test(tests, period);
	tcase_add_test(tests, forgotten);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
