#include "fs/save/events.h"

#include "tests/unit/suite.h"
#include "tests/unit/support.h"

static const struct {
	const char *name;
	const char *text;
	const char *json;
} strings[] = {
	{"plain", "example.com", "\"example.com\""},
	{"quotes", "a \"b\" \\ c", "\"a \\\"b\\\" \\\\ c\""},
	{"control bytes", "a\nb\tc\x01", "\"a\\nb\\tc\\u0001\""},
	{"UTF-8", "m\xc3\xbcnchen \xf0\x9f\x98\x80", "\"m\xc3\xbcnchen \xf0\x9f\x98\x80\""},
	{"bytes that are no UTF-8", "a\xff\xc3(\xed\xa0\x80\xc0\x80", "\"a\\u00ff\\u00c3(\\u00ed\\u00a0\\u0080\\u00c0\\u0080\""},
	{"cut UTF-8", "\xe2\x82", "\"\\u00e2\\u0082\""},
};

START_TEST(json)
{
	ZN_AUTO(zn_buf_release) struct zn_buf out = ZN_BUF_INIT(1000);

	zn_json_string(&out, zn_view_str(strings[_i].text));
	ck_assert_msg(strcmp(zn_buf_str(&out), strings[_i].json) == 0, "%s: %s", strings[_i].name, zn_buf_str(&out));
}
END_TEST

static enum zn_code read_all(struct zn_events *events, uint64_t *offset, struct zn_buf *out)
{
	zn_buf_clear(out);
	return zn_events_read(events, offset, 1 << 20, out);
}

static void on_post(void *context)
{
	++*(unsigned *)context;
}

START_TEST(reads_what_was_posted)
{
	struct zn_events *events;
	ZN_AUTO(zn_buf_release) struct zn_buf out = ZN_BUF_INIT(1 << 20);
	uint64_t offset = 0;
	unsigned posts = 0;

	ck_assert_int_eq(zn_events_new(4096, &events), ZN_OK);
	zn_events_on_post(events, on_post, &posts);
	zn_clock_set((struct zn_stamp){UINT64_C(1795402319) * ZN_NS_PER_S});
	ck_code(read_all(events, &offset, &out), ZN_EAGAIN);
	zn_events_post(events, "save", "example.com", ",\"serial\":7");
	zn_events_post(events, "allow", NULL, "");
	zn_clock_set((struct zn_stamp){0});
	ck_assert_uint_eq(posts, 2);
	ck_ok(read_all(events, &offset, &out));
	ck_assert_str_eq(zn_buf_str(&out),
		"{\"time\":\"2026-11-23T02:51:59.000000000Z\",\"event\":\"save\",\"zone\":\"example.com\",\"serial\":7}\n"
		"{\"time\":\"2026-11-23T02:51:59.000000000Z\",\"event\":\"allow\"}\n");
	ck_assert_uint_eq(offset, zn_events_end(events));
	ck_code(read_all(events, &offset, &out), ZN_EAGAIN);
	zn_events_free(events);
}
END_TEST

/* Whoever reads too slowly misses whole lines, never parts of one. */
START_TEST(forgets_whole_lines)
{
	struct zn_events *events;
	ZN_AUTO(zn_buf_release) struct zn_buf out = ZN_BUF_INIT(1 << 20);
	uint64_t offset = 0;

	ck_assert_int_eq(zn_events_new(1000, &events), ZN_OK);
	for (int i = 0; i < 100; i++)
		zn_events_post(events, "save", "example.com", ",\"serial\":7");
	ck_ok(read_all(events, &offset, &out));
	ck_assert_uint_le(out.len, 1000);
	ck_assert_uint_gt(out.len, 800);
	ck_assert_int_eq(out.data[0], '{');
	ck_assert_int_eq(out.data[out.len - 1], '\n');
	zn_events_free(events);
}
END_TEST

START_TEST(reads_in_small_parts)
{
	struct zn_events *events;
	ZN_AUTO(zn_buf_release) struct zn_buf whole = ZN_BUF_INIT(1 << 20);
	ZN_AUTO(zn_buf_release) struct zn_buf parts = ZN_BUF_INIT(1 << 20);
	ZN_AUTO(zn_buf_release) struct zn_buf part = ZN_BUF_INIT(1 << 20);
	uint64_t offset = 0;

	ck_assert_int_eq(zn_events_new(512, &events), ZN_OK);
	for (int i = 0; i < 9; i++)
		zn_events_post(events, "save", "example.com", "");
	ck_ok(read_all(events, &offset, &whole));
	offset = 0;
	while (zn_events_read(events, &offset, 7, &part) == ZN_OK) {
		zn_buf_add(&parts, zn_buf_view(&part));
		zn_buf_clear(&part);
	}
	ck_assert_str_eq(zn_buf_str(&parts), zn_buf_str(&whole));
	zn_events_free(events);
}
END_TEST

START_TEST(drops_what_no_ring_could_hold)
{
	struct zn_events *events;
	uint64_t end;

	ck_assert_int_eq(zn_events_new(64, &events), ZN_OK);
	end = zn_events_end(events);
	zn_events_post(events, "save", "a.very.long.name.that.does.not.fit.into.a.ring.of.64.bytes.example", "");
	ck_assert_uint_eq(zn_events_end(events), end);
	zn_events_free(events);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("events");
	TCase *tcase = tcase_create("events");

	tcase_add_loop_test(tcase, json, 0, sizeof strings / sizeof *strings);
	tcase_add_test(tcase, reads_what_was_posted);
	tcase_add_test(tcase, forgets_whole_lines);
	tcase_add_test(tcase, reads_in_small_parts);
	tcase_add_test(tcase, drops_what_no_ring_could_hold);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
