#include "tests/unit/suite.h"

#include "sync/object.h"

#define GOOD "shard__ns1__20240102-030405-000000006__GX.pb.gz"

static const struct {
	const char *name;
	bool valid;
	const char *db, *instance, *generation, *extra;
	uint64_t ns;
} names[] = {
		{GOOD, true, "shard", "ns1", "GX", "", 1704164645000000006},
		{"main__a__19700101-000000-000000000__G-0000000000000000.pb.gz", true, "main", "a",
				"G-0000000000000000", "", 0},
		{"main__a__20240102-030405-000000006__GX__Zabc.pb.gz", true, "main", "a", "GX", "Zabc",
				1704164645000000006},
		{"main__a__20240102-030405-000000006__GX__Z1__Y2.pb.gz", true, "main", "a", "GX", "Z1__Y2",
				1704164645000000006},
		{"main__a__20240229-235959-999999999__anything.pb.gz", true, "main", "a", "anything", "",
				1709251199999999999},
		{"main___x__20240102-030405-000000006__GX.pb.gz", true, "main", "_x", "GX", "",
				1704164645000000006},
		{"main__a__25531231-235959-999999999__GX.pb.gz", true, "main", "a", "GX", "",
				UINT64_C(18429292799999999999)},
		/* what LS ignores */
		{"update-marker", false, "", "", "", "", 0},
		{"", false, "", "", "", "", 0},
		{"shard__ns1__20240102-030405-000000006__GX.pb.zst", false, "", "", "", "", 0},
		{"shard__ns1__20240102-030405-000000006__GX.delta.pb.gz", false, "", "", "", "", 0},
		{"shard__ns1__20240102-030405-000000006__GX.pb.gz.tmp", false, "", "", "", "", 0},
		{"shard__ns1__20240102-030405-000000006__GX", false, "", "", "", "", 0},
		{"a.b__ns1__20240102-030405-000000006__GX.pb.gz", false, "", "", "", "", 0},
		{"shard__ns1__20240102-030405-000000006.pb.gz", false, "", "", "", "", 0},
		{"shard__ns1__20240102-030405-00000006__GX.pb.gz", false, "", "", "", "", 0},
		{"shard__ns1__20240102_030405-000000006__GX.pb.gz", false, "", "", "", "", 0},
		{"shard__ns1__20240102-030405.000000006__GX.pb.gz", false, "", "", "", "", 0},
		{"shard__ns1__20240102-030405-00000000a__GX.pb.gz", false, "", "", "", "", 0},
		{"shard__ns1__20241302-030405-000000006__GX.pb.gz", false, "", "", "", "", 0},
		{"shard__ns1__20240002-030405-000000006__GX.pb.gz", false, "", "", "", "", 0},
		{"shard__ns1__20240230-030405-000000006__GX.pb.gz", false, "", "", "", "", 0},
		{"shard__ns1__20230229-030405-000000006__GX.pb.gz", false, "", "", "", "", 0},
		{"shard__ns1__20240100-030405-000000006__GX.pb.gz", false, "", "", "", "", 0},
		{"shard__ns1__20240102-240405-000000006__GX.pb.gz", false, "", "", "", "", 0},
		{"shard__ns1__20240102-036005-000000006__GX.pb.gz", false, "", "", "", "", 0},
		{"shard__ns1__20240102-030460-000000006__GX.pb.gz", false, "", "", "", "", 0},
		{"shard__ns1__19691231-235959-000000000__GX.pb.gz", false, "", "", "", "", 0},
		{"shard__ns1__99990102-030405-000000006__GX.pb.gz", false, "", "", "", "", 0},
		{"__ns1__20240102-030405-000000006__GX.pb.gz", false, "", "", "", "", 0},
		{"shard____20240102-030405-000000006__GX.pb.gz", false, "", "", "", "", 0},
};

START_TEST(parse)
{
	struct zn_object object;
	bool valid = zn_object_parse(zn_view_str(names[_i].name), &object);

	ck_assert_msg(valid == names[_i].valid, "%s", names[_i].name);
	if (!valid)
		return;
	ck_assert_msg(zn_view_is(object.db, names[_i].db), "%s", names[_i].name);
	ck_assert_msg(zn_view_is(object.instance, names[_i].instance), "%s", names[_i].name);
	ck_assert_msg(zn_view_is(object.generation, names[_i].generation), "%s", names[_i].name);
	ck_assert_msg(zn_view_is(object.extra, names[_i].extra), "%s", names[_i].name);
	ck_assert_msg(object.stamp.ns == names[_i].ns, "%s", names[_i].name);
}
END_TEST

/* What we write we read, and the order of names is the order of stamps. */
START_TEST(write)
{
	char name[ZN_OBJECT_NAME_MAX + 1], before[ZN_OBJECT_NAME_MAX + 1] = "";
	uint64_t ns = 1;

	zn_object_name(ZN_VIEW("shard"), ZN_VIEW("ns1"), (struct zn_stamp){1704164645000000006}, name);
	ck_assert_str_eq(name, GOOD);
	for (unsigned i = 0; i < 60; i++, ns = ns * 2 + i) {
		struct zn_object object;

		zn_object_name(ZN_VIEW("main"), ZN_VIEW("ns1"), (struct zn_stamp){ns}, name);
		ck_assert_msg(zn_object_parse(zn_view_str(name), &object), "%s", name);
		ck_assert_uint_eq(object.stamp.ns, ns);
		ck_assert_str_gt(name, before);
		memcpy(before, name, sizeof before);
	}
}
END_TEST

static const struct {
	const char *name;
	const char *instance;
	bool clean;
} instances[] = {
		{"ns1", "ns1", true},
		{"NS-1a", "NS-1a", true},
		{"ns1.example.org", "ns1-example-org", false},
		{"ns1_a", "ns1-a", false},
		{"n\xc3\xa4me", "n-me", false}, /* one character, one "-" */
		{"", "", false},
		{"0123456789012345678901234567890123456789012345678901234567890123456789",
				"012345678901234567890123456789012345678901234567890123456789012", false},
};

START_TEST(sanitise)
{
	char instance[ZN_INSTANCE_MAX + 1];

	ck_assert_int_eq(zn_instance_sanitise(instances[_i].name, instance), instances[_i].clean);
	ck_assert_str_eq(instance, instances[_i].instance);
}
END_TEST

START_TEST(databases)
{
	ck_assert(zn_object_db_valid(ZN_VIEW("main")));
	ck_assert(zn_object_db_valid(ZN_VIEW("shard-0")));
	ck_assert(!zn_object_db_valid(ZN_VIEW("a.b")));
	ck_assert(!zn_object_db_valid(ZN_VIEW("a__b")));
	ck_assert(!zn_object_db_valid(ZN_VIEW("main_")));
	ck_assert(!zn_object_db_valid(ZN_VIEW("Main")));
	ck_assert(!zn_object_db_valid(ZN_VIEW("")));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sync/object");
	TCase *tests = tcase_create("all");

	tcase_add_loop_test(tests, parse, 0, sizeof names / sizeof names[0]);
	tcase_add_test(tests, write);
	tcase_add_loop_test(tests, sanitise, 0, sizeof instances / sizeof instances[0]);
	tcase_add_test(tests, databases);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
