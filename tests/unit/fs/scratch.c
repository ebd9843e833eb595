#include "fs/mount/scratch.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/suite.h"
#include "tests/unit/support.h"

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;

struct place {
	struct scratch home;
	struct zn_spool *spool;
	struct zn_scratches table;
};

static void begin(struct place *place, uint64_t quota)
{
	ck_assert_int_eq(zn_spool_open(place->home.dir, quota, &place->spool, NULL), ZN_OK);
	ck_assert_int_eq(zn_scratches_open(&place->table, place->spool, &guard, NULL), ZN_OK);
}

static void end(struct place *place)
{
	zn_scratches_close(&place->table);
	zn_spool_close(place->spool);
}

static struct zn_scratch *add(struct place *place, enum zn_scratch_type type, uint32_t parent, const char *name, const char *target)
{
	struct zn_scratch *scratch;

	ck_assert_int_eq(zn_scratch_add(&place->table, type, parent, name, target, 0640, 1000, 100, &scratch), ZN_OK);
	return scratch;
}

static void write_text(struct place *place, struct zn_scratch *scratch, const char *text)
{
	struct zn_content *content;

	ck_assert_int_eq(zn_scratch_content(&place->table, scratch->number, true, &content, NULL), ZN_OK);
	ck_assert_int_eq(zn_scratch_resize(&place->table, scratch, strlen(text)), ZN_OK);
	ck_assert_int_eq(zn_content_append(content, zn_view_str(text), NULL), ZN_OK);
	zn_content_unref(content);
	zn_scratch_persist(&place->table, scratch->number);
}

static void check_text(struct place *place, uint32_t number, const char *want)
{
	struct zn_content *content;
	struct zn_loan loan;

	ck_assert_int_eq(zn_scratch_content(&place->table, number, false, &content, NULL), ZN_OK);
	ck_assert_int_eq(zn_content_lend(content, &loan, NULL), ZN_OK);
	ck_assert(zn_view_is(loan.view, want));
	zn_loan_end(&loan);
	zn_content_unref(content);
}

/* Swap files and backups are there for bad days. */
START_TEST(survives)
{
	struct place place;

	scratch_make(&place.home);
	begin(&place, 1000);
	struct zn_scratch *swap = add(&place, ZN_SCRATCH_FILE, 0, ".a.zone.swp", NULL);
	struct zn_scratch *link = add(&place, ZN_SCRATCH_LINK, 0, ".#a.zone", "root@host.1:2 / and more");
	struct zn_scratch *directory = add(&place, ZN_SCRATCH_DIR, 0, ".~tmp~", NULL);
	struct zn_scratch *inner = add(&place, ZN_SCRATCH_FILE, directory->number, "name with blanks", NULL);
	uint32_t numbers[] = {swap->number, link->number, directory->number, inner->number};

	write_text(&place, swap, "recover me");
	inner->mtime = (struct zn_stamp){1700000000123456789};
	inner->mtime_given = true;
	write_text(&place, inner, "inside");
	zn_scratch_persist(&place.table, link->number);
	zn_scratch_persist(&place.table, directory->number);
	end(&place);

	begin(&place, 1000);
	ck_assert_uint_eq(place.table.count, 4);
	swap = zn_scratch_find(&place.table, 0, ".a.zone.swp");
	ck_assert_ptr_nonnull(swap);
	ck_assert_uint_eq(swap->number, numbers[0]);
	ck_assert(swap->mode == 0640 && swap->uid == 1000 && swap->gid == 100 && swap->size == 10);
	check_text(&place, swap->number, "recover me");
	link = zn_scratch_find(&place.table, 0, ".#a.zone");
	ck_assert(link && link->type == ZN_SCRATCH_LINK && link->number == numbers[1]);
	ck_assert_str_eq(link->target, "root@host.1:2 / and more");
	directory = zn_scratch_get(&place.table, numbers[2]);
	ck_assert(directory && directory->type == ZN_SCRATCH_DIR && directory->children == 1);
	inner = zn_scratch_find(&place.table, directory->number, "name with blanks");
	ck_assert(inner && inner->mtime_given && inner->mtime.ns == 1700000000123456789);
	ck_assert_uint_eq(zn_spool_used(place.spool), 16);
	end(&place);
	scratch_remove(&place.home);
}
END_TEST

START_TEST(renames)
{
	struct place place;

	scratch_make(&place.home);
	begin(&place, 1000);
	struct zn_scratch *directory = add(&place, ZN_SCRATCH_DIR, 0, "d", NULL), *file = add(&place, ZN_SCRATCH_FILE, 0, "f", NULL);

	write_text(&place, file, "text");
	zn_scratch_persist(&place.table, directory->number);
	zn_scratch_rename(&place.table, file, directory->number, "g");
	zn_scratch_persist(&place.table, file->number);
	ck_assert_ptr_null(zn_scratch_find(&place.table, 0, "f"));
	ck_assert_ptr_eq(zn_scratch_find(&place.table, directory->number, "g"), file);
	ck_assert_uint_eq(directory->children, 1);
	uint32_t number = file->number;

	end(&place);
	begin(&place, 1000);
	check_text(&place, number, "text");
	file = zn_scratch_get(&place.table, number);
	ck_assert_str_eq(file->name, "g");

	/* Unlinked while it is open: gone from the table when the node is. */
	file->node = &place;
	ck_assert(!zn_scratch_unlink(&place.table, file));
	zn_scratch_persist(&place.table, number);
	ck_assert_ptr_eq(zn_scratch_get(&place.table, number), file);
	file->node = NULL;
	zn_scratch_free(&place.table, file);
	ck_assert_uint_eq(zn_spool_used(place.spool), 0);
	end(&place);
	begin(&place, 1000);
	ck_assert_ptr_null(zn_scratch_get(&place.table, number));
	ck_assert_uint_eq(place.table.count, 1);
	end(&place);
	scratch_remove(&place.home);
}
END_TEST

START_TEST(quota)
{
	struct place place;

	scratch_make(&place.home);
	begin(&place, 100);
	struct zn_scratch *one = add(&place, ZN_SCRATCH_FILE, 0, "one", NULL), *two = add(&place, ZN_SCRATCH_FILE, 0, "two", NULL);

	ck_assert_int_eq(zn_scratch_resize(&place.table, one, 60), ZN_OK);
	ck_assert_int_eq(zn_scratch_resize(&place.table, two, 41), ZN_EQUOTA);
	ck_assert_uint_eq(two->size, 0);
	ck_assert_int_eq(zn_scratch_resize(&place.table, one, 50), ZN_OK);
	ck_assert_int_eq(zn_scratch_resize(&place.table, two, 50), ZN_OK);
	ck_assert(zn_scratch_unlink(&place.table, one));
	ck_assert_int_eq(zn_scratch_resize(&place.table, two, 100), ZN_OK);
	end(&place);
	scratch_remove(&place.home);
}
END_TEST

/* A listing goes on behind any number, also one that is gone. */
START_TEST(listing)
{
	struct place place;

	scratch_make(&place.home);
	begin(&place, 100);
	struct zn_scratch *a = add(&place, ZN_SCRATCH_FILE, 0, "a", NULL), *b = add(&place, ZN_SCRATCH_FILE, 0, "b", NULL);
	struct zn_scratch *directory = add(&place, ZN_SCRATCH_DIR, 0, "d", NULL), *inner = add(&place, ZN_SCRATCH_FILE, directory->number, "c", NULL);
	uint32_t gone = b->number;

	ck_assert_ptr_eq(zn_scratch_after(&place.table, 0, 0), a);
	ck_assert_ptr_eq(zn_scratch_after(&place.table, 0, a->number), b);
	ck_assert(zn_scratch_unlink(&place.table, b));
	ck_assert_ptr_eq(zn_scratch_after(&place.table, 0, gone), directory);
	ck_assert_ptr_null(zn_scratch_after(&place.table, 0, directory->number));
	ck_assert_ptr_eq(zn_scratch_after(&place.table, directory->number, 0), inner);
	end(&place);
	scratch_remove(&place.home);
}
END_TEST

START_TEST(expiry)
{
	const uint64_t day = 24 * 3600 * ZN_NS_PER_S;
	struct place place;

	scratch_make(&place.home);
	begin(&place, 100);
	struct zn_scratch *old = add(&place, ZN_SCRATCH_FILE, 0, "old", NULL), *open = add(&place, ZN_SCRATCH_FILE, 0, "open", NULL);
	struct zn_stamp now = zn_clock_now();

	open->node = &place;
	ck_assert_ptr_null(zn_scratch_expired(&place.table, now));
	ck_assert_ptr_eq(zn_scratch_expired(&place.table, (struct zn_stamp){now.ns + (ZN_SCRATCH_DAYS + 1) * day}), old);
	ck_assert(zn_scratch_unlink(&place.table, old));
	ck_assert_ptr_null(zn_scratch_expired(&place.table, (struct zn_stamp){now.ns + (ZN_SCRATCH_DAYS + 1) * day}));
	end(&place);
	scratch_remove(&place.home);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("scratch");
	TCase *tests = tcase_create("scratch files");

	tcase_add_test(tests, survives);
	tcase_add_test(tests, renames);
	tcase_add_test(tests, quota);
	tcase_add_test(tests, listing);
	tcase_add_test(tests, expiry);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
