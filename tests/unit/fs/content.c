#include "fs/mount/content.h"

#include <fcntl.h>
#include <stdlib.h>

#include "tests/unit/suite.h"
#include "tests/unit/support.h"

#define QUOTA ((uint64_t)1 << 20)

static struct zn_spool *new_spool(const char *directory)
{
	struct zn_spool *spool;

	ck_assert_int_eq(zn_spool_open(directory, QUOTA, &spool, NULL), ZN_OK);
	return spool;
}

static void check_text(struct zn_content *content, const char *want, size_t len)
{
	struct zn_loan loan;

	ck_assert_int_eq(zn_content_lend(content, &loan, NULL), ZN_OK);
	ck_assert(zn_view_equal(loan.view, zn_view(want, len)));
	zn_loan_end(&loan);
}

START_TEST(small)
{
	struct scratch home;
	scratch_make(&home);
	struct zn_spool *spool = new_spool(home.dir);
	struct zn_content *content;

	ck_assert_int_eq(zn_content_new(spool, ZN_CONTENT_DRAFT, 100, &content), ZN_OK);
	ck_assert_int_eq(zn_content_append(content, ZN_VIEW("one"), NULL), ZN_OK);
	ck_assert_int_eq(zn_content_write(content, 5, ZN_VIEW("two"), NULL), ZN_OK);
	check_text(content, "one\0\0two", 8);
	ck_assert_int_eq(zn_content_truncate(content, 2, NULL), ZN_OK);
	ck_assert_int_eq(zn_content_truncate(content, 4, NULL), ZN_OK);
	check_text(content, "on\0\0", 4);
	ck_assert_int_eq(zn_content_write(content, 99, ZN_VIEW("xx"), NULL), ZN_ETOOBIG);
	ck_assert_uint_eq(zn_content_size(content), 4);
	ck_assert_uint_gt(zn_spool_used(spool), 0);
	zn_content_unref(content);
	ck_assert_uint_eq(zn_spool_used(spool), 0);
	zn_spool_close(spool);
	scratch_remove(&home);
}
END_TEST

/* Past the limit the bytes go to a file that has no name, and everything is as before. */
START_TEST(big)
{
	struct scratch home;
	scratch_make(&home);
	struct zn_spool *spool = new_spool(home.dir);
	struct zn_content *content, *shared;
	size_t size = 3 * ZN_CONTENT_IN_MEMORY;
	char *bytes = malloc(size);
	uint8_t into[8];
	int fd;

	for (size_t i = 0; i < size; i++)
		bytes[i] = (char)('a' + i % 26);
	ck_assert_int_eq(zn_content_new(spool, ZN_CONTENT_DRAFT, SIZE_MAX, &content), ZN_OK);
	for (size_t at = 0; at < size; at += 4096)
		ck_assert_int_eq(zn_content_append(content, zn_view(bytes + at, 4096), NULL), ZN_OK);
	check_text(content, bytes, size);
	ck_assert_uint_eq(zn_content_read(content, size - 4, 8, into, &fd), 4);
	ck_assert_int_ge(fd, 0);

	/* What is shared does not move under who has it. */
	shared = zn_content_share(content);
	ck_assert_int_eq(zn_content_own(&content, NULL), ZN_OK);
	ck_assert_ptr_ne(content, shared);
	ck_assert_int_eq(zn_content_write(content, 0, ZN_VIEW("ZZZ"), NULL), ZN_OK);
	check_text(shared, bytes, size);
	zn_content_unref(shared);
	shared = content;
	ck_assert_int_eq(zn_content_own(&content, NULL), ZN_OK);
	ck_assert_ptr_eq(content, shared); /* nobody else has it */

	ck_assert_int_eq(zn_content_write(content, 2 * QUOTA, ZN_VIEW("x"), NULL), ZN_EQUOTA);
	ck_assert_uint_eq(zn_content_size(content), size);
	zn_content_unref(content);
	ck_assert_uint_eq(zn_spool_used(spool), 0);
	free(bytes);
	zn_spool_close(spool);
	scratch_remove(&home);
}
END_TEST

START_TEST(pieces)
{
	struct scratch home;
	scratch_make(&home);
	struct zn_spool *spool = new_spool(home.dir);
	struct zn_content *from, *to;

	ck_assert_int_eq(zn_content_new(spool, ZN_CONTENT_VERSION, 100, &from), ZN_OK);
	ck_assert_int_eq(zn_content_new(spool, ZN_CONTENT_DRAFT, 100, &to), ZN_OK);
	ck_assert_int_eq(zn_content_append(from, ZN_VIEW("0123456789"), NULL), ZN_OK);
	ck_assert_int_eq(zn_content_append(to, ZN_VIEW("text "), NULL), ZN_OK);
	ck_assert_int_eq(zn_content_append_from(to, from, 4, 3, NULL), ZN_OK);
	ck_assert_int_eq(zn_content_append_from(to, from, 8, SIZE_MAX, NULL), ZN_OK);
	ck_assert_int_eq(zn_content_append_from(to, from, 11, 1, NULL), ZN_OK);
	check_text(to, "text 45689", 10);
	zn_content_unref(from);
	zn_content_unref(to);
	zn_spool_close(spool);
	scratch_remove(&home);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("content");
	TCase *tests = tcase_create("contents");

	tcase_add_test(tests, small);
	tcase_add_test(tests, big);
	tcase_add_test(tests, pieces);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
