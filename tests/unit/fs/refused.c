#include "fs/save/refused.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/suite.h"
#include "tests/unit/support.h"

static struct scratch scratch;
static struct zn_refused *refused;

static void setup(void)
{
	scratch_make(&scratch);
	ck_ok(zn_refused_open(scratch.dir, true, &refused, &err));
}

static void teardown(void)
{
	zn_refused_close(refused);
	scratch_remove(&scratch);
}

static struct zn_zone_id zone_of(const char *text)
{
	struct zn_zone_id zone = {0};

	ck_ok(zn_name_from_text(zn_view_str(text), NULL, &zone.name, &err));
	return zone;
}

static void keep(const char *zone_text, const char *text, const char *why)
{
	struct zn_zone_id zone = zone_of(zone_text);

	ck_ok(zn_refused_keep(refused, &zone, zn_view_str(text), zn_view_str(why), &err));
}

static void expect(const char *file, const char *content)
{
	ZN_AUTO(zn_buf_release) struct zn_buf out = ZN_BUF_INIT(1 << 20);
	struct zn_refused_stat stat;

	if (!content) {
		ck_assert_msg(zn_refused_read(refused, file, &out, NULL) == ZN_ENOTFOUND, "%s is there", file);
		ck_code(zn_refused_stat(refused, file, &stat), ZN_ENOTFOUND);
		return;
	}
	ck_assert_msg(zn_refused_read(refused, file, &out, NULL) == ZN_OK, "%s is missing", file);
	ck_assert_str_eq(zn_buf_str(&out), content);
	ck_ok(zn_refused_stat(refused, file, &stat));
	ck_assert_uint_eq(stat.size, strlen(content));
	ck_assert_uint_gt(stat.mtime.ns, 0);
}

START_TEST(keeps_text_and_reason)
{
	struct zn_zone_id zone = zone_of("example.com"), other = zone_of("example.org");

	ck_assert(!zn_refused_has(refused, &zone));
	keep("example.com", "bad\n", "why\n");
	expect("example.com.zone", "bad\n");
	expect("example.com.zone.error", "why\n");
	expect("example.com.zone.1", NULL);
	ck_assert(zn_refused_has(refused, &zone));
	ck_assert(!zn_refused_has(refused, &other));
	ck_assert_uint_eq(zn_refused_count(refused), 1);
}
END_TEST

START_TEST(older_ones_move_on)
{
	char text[16], file[64];

	for (int i = 1; i <= 7; i++) {
		snprintf(text, sizeof text, "text %d", i);
		keep("example.com", text, text);
	}
	expect("example.com.zone", "text 7");
	for (int i = 1; i <= 4; i++) {
		snprintf(text, sizeof text, "text %d", 7 - i);
		snprintf(file, sizeof file, "example.com.zone.%d", i);
		expect(file, text);
		snprintf(file, sizeof file, "example.com.zone.%d.error", i);
		expect(file, text);
	}
	expect("example.com.zone.5", NULL);
	expect("example.com.zone.5.error", NULL);
}
END_TEST

static enum zn_code count_file(void *context, const char *file)
{
	(void)file;
	++*(unsigned *)context;
	return ZN_OK;
}

START_TEST(a_good_save_removes_them_all)
{
	struct zn_zone_id zone = zone_of("example.com");
	unsigned files = 0;

	for (int i = 0; i < 6; i++)
		keep("example.com", "x", "y");
	keep("example.org", "z", "y");
	ck_ok(zn_refused_list(refused, count_file, &files));
	ck_assert_uint_eq(files, 12);
	zn_refused_clear(refused, &zone);
	expect("example.com.zone", NULL);
	expect("example.com.zone.4.error", NULL);
	expect("example.org.zone", "z");
	ck_assert(!zn_refused_has(refused, &zone));
	ck_assert_uint_eq(zn_refused_count(refused), 1);
}
END_TEST

START_TEST(survives_a_restart)
{
	struct zn_zone_id zone = zone_of("example.com");

	keep("example.com", "one", "y");
	keep("example.com", "two", "y");
	zn_refused_close(refused);
	ck_ok(zn_refused_open(scratch.dir, true, &refused, &err));
	ck_assert(zn_refused_has(refused, &zone));
	ck_assert_uint_eq(zn_refused_count(refused), 1);
	keep("example.com", "three", "y");
	expect("example.com.zone.1", "two");
	expect("example.com.zone.2", "one");
}
END_TEST

START_TEST(long_names_are_kept_too)
{
	char text[256];
	size_t len = 0;

	for (int label = 0; label < 4; label++) {
		memset(text + len, 'a', 60);
		len += 60;
		text[len++] = label < 3 ? '.' : '\0';
	}
	keep(text, "bad", "why");
	struct zn_zone_id zone = zone_of(text);
	ck_assert(zn_refused_has(refused, &zone));
	for (int i = 0; i < 5; i++)
		keep(text, "bad", "why");
	zn_refused_clear(refused, &zone);
	unsigned files = 0;
	ck_ok(zn_refused_list(refused, count_file, &files));
	ck_assert_uint_eq(files, 0);
}
END_TEST

START_TEST(no_way_out_of_the_directory)
{
	static const char *const names[] = {"", ".", "..", "../rejected/example.com.zone", "x/y", ".draft"};
	struct zn_refused_stat stat;

	ck_code(zn_refused_stat(refused, names[_i], &stat), ZN_ENOTFOUND);
	ck_code(zn_refused_remove(refused, names[_i], &err), ZN_ENOTFOUND);
}
END_TEST

START_TEST(one_can_be_removed)
{
	struct zn_zone_id zone = zone_of("example.com");

	keep("example.com", "one", "y");
	keep("example.com", "two", "y");
	ck_ok(zn_refused_remove(refused, "example.com.zone.1", &err));
	ck_assert(zn_refused_has(refused, &zone));
	ck_ok(zn_refused_remove(refused, "example.com.zone", &err));
	ck_assert(!zn_refused_has(refused, &zone));
	ck_code(zn_refused_remove(refused, "example.com.zone", &err), ZN_ENOTFOUND);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("refused");
	TCase *tcase = tcase_create("refused");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, keeps_text_and_reason);
	tcase_add_test(tcase, older_ones_move_on);
	tcase_add_test(tcase, a_good_save_removes_them_all);
	tcase_add_test(tcase, survives_a_restart);
	tcase_add_test(tcase, long_names_are_kept_too);
	tcase_add_loop_test(tcase, no_way_out_of_the_directory, 0, 6);
	tcase_add_test(tcase, one_can_be_removed);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
