#include "tests/unit/suite.h"

#include <stdlib.h>

#include "store/base/auto.h"
#include "sync/retain.h"

#define MINUTE (UINT64_C(60) * 1000000000)
#define NAME(instance, day) "main__" instance "__202401" day "-000000-000000000__GX.pb.gz"

/* Steps of one story: what is listed when, and what may then go. */
struct step {
	uint64_t minute;
	const char *listed[8];
	const char *gone;	/* names joined by spaces */
};

static const struct {
	const char *name;
	struct step steps[5];
} stories[] = {
		{"the only one stays for ever",
				{{0, {NAME("ns1", "01")}, ""}, {10000, {NAME("ns1", "01")}, ""}}},
		{"a superseded one goes when its successor is ten minutes old",
				{{0, {NAME("ns1", "01")}, ""},
						{30, {NAME("ns1", "01"), NAME("ns1", "02")}, ""},
						{39, {NAME("ns1", "01"), NAME("ns1", "02")}, ""},
						{40, {NAME("ns1", "01"), NAME("ns1", "02")}, NAME("ns1", "01")}}},
		{"of many the last two stay until the last has been seen",
				{{0, {NAME("ns1", "01"), NAME("ns1", "02")}, ""},
						{11, {NAME("ns1", "01"), NAME("ns1", "02"), NAME("ns1", "03")},
								NAME("ns1", "01")}}},
		{"all there at the first look: ten minutes, then all but the newest",
				{{0, {NAME("ns1", "01"), NAME("ns1", "02"), NAME("ns1", "03")}, ""},
						{10, {NAME("ns1", "01"), NAME("ns1", "02"), NAME("ns1", "03")},
								NAME("ns1", "01") " " NAME("ns1", "02")}}},
		{"L14: an older stamp that appears late never costs the newest",
				{{0, {NAME("ns1", "03")}, ""},
						{20, {NAME("ns1", "02"), NAME("ns1", "03")}, ""},
						{31, {NAME("ns1", "02"), NAME("ns1", "03")}, NAME("ns1", "02")}}},
		{"others, other databases and strange names are left alone",
				{{0, {NAME("ns2", "01"), NAME("ns2", "02"), NAME("ns1", "01"), "main__ns1__x__GX.pb.gz",
					     "main__ns1__20240101-000000-000000000__GX.pb.zst",
					     "shard__ns1__20240101-000000-000000000__GX.pb.gz", "update-marker"}, ""},
						{60, {NAME("ns2", "01"), NAME("ns2", "02"), NAME("ns1", "01"),
								     "main__ns1__x__GX.pb.gz",
								     "shard__ns1__20240101-000000-000000000__GX.pb.gz"}, ""}}},
		{"a name that vanished for a while is new again",
				{{0, {NAME("ns1", "01"), NAME("ns1", "02")}, ""},
						{9, {NAME("ns1", "01")}, ""},
						{11, {NAME("ns1", "01"), NAME("ns1", "02")}, ""},
						{21, {NAME("ns1", "01"), NAME("ns1", "02")}, NAME("ns1", "01")}}},
};

static void collect(void *arg, const char *name)
{
	struct zn_buf *out = arg;

	zn_buf_addf(out, "%s%s", out->len ? " " : "", name);
}

START_TEST(story)
{
	ZN_AUTO(zn_retain_release) struct zn_retain retain = {0};

	for (size_t s = 0; s < 5 && stories[_i].steps[s].gone; s++) {
		const struct step *step = &stories[_i].steps[s];
		ZN_AUTO(zn_listing_release) struct zn_listing listing = {0};
		ZN_AUTO(zn_buf_release) struct zn_buf gone = ZN_BUF_INIT(4096);

		for (size_t i = 0; i < 8 && step->listed[i]; i++)
			ck_assert_int_eq(zn_listing_add(&listing, step->listed[i], 1, NULL), ZN_OK);
		ck_assert_int_eq(zn_retain_plan(&retain, &listing, ZN_VIEW("main"), ZN_VIEW("ns1"),
						 step->minute * MINUTE, collect, &gone), ZN_OK);
		ck_assert_msg(strcmp(zn_buf_str(&gone), step->gone) == 0, "%s, minute %u: %s", stories[_i].name,
				(unsigned)step->minute, zn_buf_str(&gone));
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sync/retain");
	TCase *tests = tcase_create("all");

	tcase_add_loop_test(tests, story, 0, sizeof stories / sizeof stories[0]);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
