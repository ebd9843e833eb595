#include "fs/control/control.h"

#include <stdio.h>

#include "fs/save/events.h"
#include "store/base/limits.h"
#include "tests/unit/fs/saver.h"
#include "tests/unit/suite.h"

#define ZONE "example.com"
#define TEXT(serial, more) "$TTL 3600\n@ SOA ns hostmaster " #serial " 7200 1800 1209600 300\n  NS ns\nns A 192.0.2.1\n" more

static struct world world;
static struct zn_control *control;

static void add_members(void *context, struct zn_buf *out)
{
	(void)context;
	zn_buf_add_str(out, ",\"mount\":{\"vacated\":0}");
}

static void add_lines(void *context, struct zn_buf *out)
{
	(void)context;
	zn_buf_add_str(out, "scratch     nothing\n");
}

static void setup(void)
{
	world_make(&world);
	struct zn_control_options options = {
		.env = world.env, .local = world.local, .loader = world.loader, .saver = world.saver, .commit = world.commit, .events = world.events,
		.spool = world.scratch.dir, .config_text = "db = here\n", .source = {.status = add_members, .status_text = add_lines},
	};
	ck_assert_int_eq(zn_control_new(&options, &control), ZN_OK);
}

static void teardown(void)
{
	zn_control_free(control);
	world_remove(&world);
}

/* The file, checked to be of the size that stat says; borrowed until the next call. */
static const char *content(const char *path)
{
	static struct zn_buf out = ZN_BUF_INIT(1 << 20);
	struct zn_control_stat stat;

	zn_buf_release(&out);
	ck_assert_msg(zn_control_stat(control, path, &stat) == ZN_OK, "%s is missing", path);
	ck_assert_int_eq(stat.type, ZN_CONTROL_FILE);
	ck_ok(zn_control_read(control, path, &out, &err));
	ck_assert_msg(stat.size == out.len, "%s: %zu bytes, stat says %llu", path, out.len, (unsigned long long)stat.size);
	return zn_buf_str(&out);
}

static enum zn_code put(const char *path, const char *text)
{
	struct zn_actor actor = {.program = "test"};

	return zn_control_write(control, path, zn_view_str(text), &actor, NULL);
}

static enum zn_code add_name(void *context, const char *name, enum zn_control_type type)
{
	zn_buf_addf(context, "%s%s ", name, type == ZN_CONTROL_DIR ? "/" : "");
	return ZN_OK;
}

static void expect_list(const char *path, const char *names)
{
	ZN_AUTO(zn_buf_release) struct zn_buf out = ZN_BUF_INIT(1 << 20);

	ck_ok(zn_control_list(control, path, add_name, &out));
	ck_assert_str_eq(zn_buf_str(&out), names);
}

START_TEST(lists)
{
	save_good(&world, ZONE, TEXT(1, ""));
	save_good(&world, "0/25.2.0.192.in-addr.arpa", "@ 60 SOA ns.example. h.example. 1 1 1 1 1\n@ 60 NS ns.example.\n");
	expect_list("", "allow config events rejected/ status status.json zones/ ");
	expect_list("zones", "example.com/ 0=2F25.2.0.192.in-addr.arpa/ "); /* as the index has them */
	expect_list("zones/example.com", "info kind serial warnings ");
	expect_list("zones/0=2F25.2.0.192.in-addr.arpa", "info kind serial warnings ");
	expect_list("rejected", "");
}
END_TEST

static const char *const missing[] = {"x", "zones/nobody.example", "zones/" ZONE "/x", "rejected/" ZONE ".zone", "rejected/..", "zones/..", "status/x"};

START_TEST(what_is_not_there)
{
	struct zn_control_stat stat;
	ZN_AUTO(zn_buf_release) struct zn_buf out = ZN_BUF_INIT(1 << 20);

	save_good(&world, ZONE, TEXT(1, ""));
	ck_assert_msg(zn_control_stat(control, missing[_i], &stat) == ZN_ENOTFOUND, "%s", missing[_i]);
	ck_assert_msg(zn_control_read(control, missing[_i], &out, NULL) == ZN_ENOTFOUND, "%s", missing[_i]);
}
END_TEST

START_TEST(status)
{
	save_good(&world, ZONE, TEXT(1, ""));
	const char *text = content("status");
	ck_assert_ptr_nonnull(strstr(text, "zonefs      ok"));
	ck_assert_ptr_nonnull(strstr(text, "zones       1\n"));
	ck_assert_ptr_nonnull(strstr(text, "scratch     nothing\n"));
	text = content("status.json");
	ck_assert_ptr_nonnull(strstr(text, "\"health\":\"ok\""));
	ck_assert_ptr_nonnull(strstr(text, "\"zones\":1,"));
	ck_assert_ptr_nonnull(strstr(text, ",\"mount\":{\"vacated\":0}}\n"));

	ck_assert_int_eq(save_text(&world, ZONE, "nonsense\n"), ZN_ESYNTAX);
	text = content("status");
	ck_assert_ptr_nonnull(strstr(text, "needs attention"));
	ck_assert_ptr_nonnull(strstr(text, "rejected    example.com.zone\n"));
	ck_assert_ptr_nonnull(strstr(content("status.json"), "\"rejected\":[\"example.com.zone\"]"));
}
END_TEST

START_TEST(refused_texts)
{
	ck_assert_int_eq(save_text(&world, ZONE, "nonsense\n"), ZN_ESYNTAX);
	ck_assert_str_eq(content("rejected/" ZONE ".zone"), "nonsense\n");
	ck_assert_ptr_nonnull(strstr(content("rejected/" ZONE ".zone.error"), ZONE ".zone:1:"));
	ck_ok(zn_control_remove(control, "rejected/" ZONE ".zone", &err));
	ck_ok(zn_control_remove(control, "rejected/" ZONE ".zone.error", &err));
	expect_list("rejected", "");
	ck_code(zn_control_remove(control, "rejected/" ZONE ".zone", &err), ZN_ENOTFOUND);
}
END_TEST

START_TEST(serial_policy)
{
	save_good(&world, ZONE, TEXT(7, ""));
	ck_assert_str_eq(content("zones/" ZONE "/serial"), "auto\n");
	ck_assert_int_eq(put("zones/" ZONE "/serial", "nonsense\n"), ZN_EINVAL);
	ck_assert_int_eq(put("zones/" ZONE "/serial", "keep\n"), ZN_OK);
	ck_assert_str_eq(content("zones/" ZONE "/serial"), "keep\n");
	save_good(&world, ZONE, TEXT(7, "www A 192.0.2.1\n"));
	expect_text(&world, ZONE, TEXT(7, "www A 192.0.2.1\n"));
	uint64_t main = txnid_of(&world, ZN_MAIN);
	ck_assert_int_eq(put("zones/" ZONE "/serial", "keep\n"), ZN_OK);
	ck_assert_uint_eq(txnid_of(&world, ZN_MAIN), main);
	ck_ok(zn_control_remove(control, "zones/" ZONE "/serial", &err));
	ck_assert_str_eq(content("zones/" ZONE "/serial"), "auto\n");
	save_good(&world, ZONE, TEXT(7, "www A 192.0.2.2\n"));
	expect_text(&world, ZONE, TEXT(8, "www A 192.0.2.2\n"));
}
END_TEST

START_TEST(about_a_zone)
{
	save_good(&world, ZONE, TEXT(7, "sub NS ns.sub\n"));
	const char *info = content("zones/" ZONE "/info");
	ck_assert_ptr_nonnull(strstr(info, "kind        native\nserial      7\nrecords     4\ndnssec      unsigned\n"));
	ck_assert_ptr_nonnull(strstr(info, "text        as written\n"));
	ck_assert_str_eq(content("zones/" ZONE "/kind"), "native\n");
	ck_assert_ptr_nonnull(strstr(content("zones/EXAMPLE.com/warnings"), ZONE ".zone:5:"));
	ck_assert_ptr_nonnull(strstr(content("status"), "findings    1 zone was saved with warnings"));
	save_good(&world, ZONE, TEXT(7, ""));
	ck_assert_str_eq(content("zones/" ZONE "/warnings"), "");
}
END_TEST

static const char *const fixed[] = {"", "status", "config", "events", "rejected/x", "x", "zones", "zones/" ZONE, "zones/" ZONE "/info", "zones/" ZONE "/kind"};

START_TEST(what_is_not_to_be_written)
{
	save_good(&world, ZONE, TEXT(7, ""));
	enum zn_code code = put(fixed[_i], "x\n");
	ck_assert_msg(code == ZN_EACCES, "%s: %s", fixed[_i], zn_code_text(code));
}
END_TEST

START_TEST(allow)
{
	ck_assert_str_eq(content("allow"), "");
	ck_assert_int_eq(put("allow", "twice\n"), ZN_EINVAL);
	ck_assert(!zn_saver_allowed(world.saver));
	ck_assert_int_eq(put("allow", "once\n"), ZN_OK);
	ck_assert(zn_saver_allowed(world.saver));
	ck_assert_ptr_nonnull(strstr(content("status"), "may pass the guard"));
}
END_TEST

START_TEST(config_and_events)
{
	struct zn_control_stat stat;

	ck_assert_str_eq(content("config"), "db = here\n");
	save_good(&world, ZONE, TEXT(7, ""));
	ck_ok(zn_control_stat(control, "events", &stat));
	ck_assert_int_eq(stat.type, ZN_CONTROL_EVENTS);
	ck_assert_uint_eq(stat.size, zn_events_end(world.events));
	ck_assert_uint_gt(stat.size, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control");
	TCase *tcase = tcase_create("control");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, lists);
	tcase_add_loop_test(tcase, what_is_not_there, 0, sizeof missing / sizeof *missing);
	tcase_add_test(tcase, status);
	tcase_add_test(tcase, refused_texts);
	tcase_add_test(tcase, serial_policy);
	tcase_add_test(tcase, about_a_zone);
	tcase_add_loop_test(tcase, what_is_not_to_be_written, 0, sizeof fixed / sizeof *fixed);
	tcase_add_test(tcase, allow);
	tcase_add_test(tcase, config_and_events);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
