#include "fs/mount/recent.h"

#include <stdlib.h>

#include "tests/unit/suite.h"
#include "tests/unit/support.h"

static struct scratch home;
static struct zn_spool *spool;
static struct zn_recent recent;

static void setup(void)
{
	scratch_make(&home);
	ck_assert_int_eq(zn_spool_open(home.dir, (uint64_t)1 << 30, &spool, NULL), ZN_OK);
}

static void teardown(void)
{
	zn_recent_release(&recent);
	zn_spool_close(spool);
	scratch_remove(&home);
}

/* A text of `size` bytes, kept under `node`; nobody else has it afterwards. */
static void keep(uint64_t node, size_t size)
{
	struct zn_content *content;
	struct zn_loaded loaded = {.serial = (uint32_t)node};
	char *bytes = calloc(1, size);

	ck_assert_int_eq(zn_content_new(spool, ZN_CONTENT_VERSION, SIZE_MAX, &content), ZN_OK);
	ck_assert_int_eq(zn_content_append(content, zn_view(bytes, size), NULL), ZN_OK);
	zn_content_unref(zn_recent_keep(&recent, node, content, &loaded));
	zn_content_unref(content);
	free(bytes);
}

static bool kept(uint64_t node, size_t size)
{
	struct zn_loaded loaded;
	struct zn_content *content = zn_recent_find(&recent, node, &loaded);
	bool found = content && zn_content_size(content) == size && loaded.serial == node;

	zn_content_unref(content);
	return found;
}

START_TEST(a_big_text_is_there_for_the_next_reader)
{
	keep(7, 100000);
	ck_assert(kept(7, 100000));
	ck_assert(kept(7, 100000));
	ck_assert(!kept(8, 100000));
}
END_TEST

START_TEST(a_small_text_costs_nothing_to_load_again)
{
	keep(7, ZN_CONTENT_IN_MEMORY);
	ck_assert(!kept(7, ZN_CONTENT_IN_MEMORY));
}
END_TEST

START_TEST(the_oldest_makes_room)
{
	for (uint64_t node = 1; node <= ZN_RECENT_COUNT; node++)
		keep(node, 100000 + node);
	keep(1, 200000);	/* known: the first one stays */
	ck_assert(kept(1, 100001));
	keep(9, 100009);
	ck_assert(!kept(1, 100001));
	for (uint64_t node = 2; node <= ZN_RECENT_COUNT; node++)
		ck_assert(kept(node, 100000 + node));
	ck_assert(kept(9, 100009));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("recent");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, setup, teardown);
	tcase_add_test(all, a_big_text_is_there_for_the_next_reader);
	tcase_add_test(all, a_small_text_costs_nothing_to_load_again);
	tcase_add_test(all, the_oldest_makes_room);
	suite_add_tcase(suite, all);
	return run_suite(suite);
}
