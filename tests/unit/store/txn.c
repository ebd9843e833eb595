#include "store/txn.h"

#include "tests/unit/suite.h"
#include "tests/unit/support.h"

static struct scratch scratch;
static struct zn_env *env;

static void setup(void)
{
	scratch_make(&scratch);
	env = scratch_open(&scratch);
}

static void teardown(void)
{
	zn_clock_set((struct zn_stamp){0});
	zn_env_close(env);
	env = NULL;
	scratch_remove(&scratch);
}

static void begin(struct zn_txn *txn, enum zn_which which, enum zn_txn_mode mode)
{
	ck_ok(zn_txn_begin(txn, env, which, mode, &err));
}

static void commit(struct zn_txn *txn)
{
	ck_ok(zn_txn_commit(txn, &err));
}

/* Stamp and flags of the row at "k" of the records, as a reader sees them. */
static struct zn_header stored(void)
{
	struct zn_txn txn;
	struct zn_view value, payload;
	struct zn_header header;

	begin(&txn, ZN_RECORDS, ZN_TXN_READ);
	ck_ok(zn_txn_get(&txn, ZN_DBI_RECORDS, ZN_VIEW("k"), &value, &err));
	ck_assert_int_eq(zn_header_read(value, &header, &payload), ZN_OK);
	zn_txn_end(&txn);
	return header;
}

/* One step on the row "k": what is done, by whom, and the stamp and flag afterwards. */
START_TEST(stamps)
{
	enum { PUT, BURY };
	static const struct {
		const char *name;
		int what;
		const char *payload;
		enum zn_author author;
		uint64_t clock, after, stamp;
		bool deleted, written;
	} steps[] = {
		{"nothing to bury", BURY, "", ZN_USER, 1000, 0, 0, false, false},
		{"a user's first row has the clock", PUT, "a", ZN_USER, 1000000, 0, 1000000, false, true},
		{"the same payload is nothing", PUT, "a", ZN_USER, 5000000, 0, 1000000, false, false},
		{"a clock behind: + 1024", PUT, "b", ZN_USER, 999, 0, 1001024, false, true},
		{"a machine never uses the clock", PUT, "c", ZN_MACHINE, 9000000, 0, 1001025, false, true},
		{"a machine's tombstone: + 2", BURY, "", ZN_MACHINE, 9000000, 0, 1001027, true, true},
		{"buried already", BURY, "", ZN_USER, 9000000, 0, 1001027, true, false},
		{"a machine's row over a tombstone", PUT, "d", ZN_MACHINE, 9000000, 55, 1001028, false, true},
		{"a user's tombstone has the clock", BURY, "", ZN_USER, 9000000, 0, 9000000, true, true},
		{"a user's row over a tombstone", PUT, "d", ZN_USER, 9000001, 0, 9001024, false, true},
	};

	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		struct zn_txn txn;
		bool written;
		zn_clock_set((struct zn_stamp){steps[i].clock});
		begin(&txn, ZN_RECORDS, ZN_TXN_WRITE);
		if (steps[i].what == PUT)
			ck_ok(zn_txn_put(&txn, ZN_DBI_RECORDS, ZN_VIEW("k"), zn_view_str(steps[i].payload), steps[i].author,
				(struct zn_stamp){steps[i].after}, &written, &err));
		else
			ck_ok(zn_txn_bury(&txn, ZN_DBI_RECORDS, ZN_VIEW("k"), steps[i].author, (struct zn_stamp){steps[i].after},
				&written, &err));
		uint64_t txnid = zn_txn_id(&txn);
		commit(&txn);
		ck_assert_msg(written == steps[i].written, "%s", steps[i].name);
		if (i == 0)
			continue;
		struct zn_header header = stored();
		ck_assert_msg(header.stamp.ns == steps[i].stamp, "%s: %llu", steps[i].name, (unsigned long long)header.stamp.ns);
		ck_assert_msg(zn_header_deleted(&header) == steps[i].deleted, "%s", steps[i].name);
		if (written)
			ck_assert_uint_eq(header.txnid, txnid);
	}
}
END_TEST

START_TEST(machine_row_that_replaces_none)
{
	struct zn_txn txn;

	begin(&txn, ZN_RECORDS, ZN_TXN_WRITE);
	ck_ok(zn_txn_put(&txn, ZN_DBI_RECORDS, ZN_VIEW("k"), ZN_VIEW("x"), ZN_MACHINE, (struct zn_stamp){77}, NULL, &err));
	commit(&txn);
	ck_assert_uint_eq(stored().stamp.ns, 78);
}
END_TEST

START_TEST(end_drops_and_a_child_drops_alone)
{
	struct zn_txn txn, child;
	struct zn_view value;

	begin(&txn, ZN_RECORDS, ZN_TXN_WRITE);
	ck_ok(zn_txn_put(&txn, ZN_DBI_RECORDS, ZN_VIEW("a"), ZN_VIEW("1"), ZN_USER, (struct zn_stamp){0}, NULL, &err));
	ck_ok(zn_txn_begin_child(&child, &txn, &err));
	ck_ok(zn_txn_put(&child, ZN_DBI_RECORDS, ZN_VIEW("b"), ZN_VIEW("2"), ZN_USER, (struct zn_stamp){0}, NULL, &err));
	ck_ok(zn_txn_get(&child, ZN_DBI_RECORDS, ZN_VIEW("a"), &value, &err));
	zn_txn_end(&child);
	ck_ok(zn_txn_begin_child(&child, &txn, &err));
	ck_ok(zn_txn_put(&child, ZN_DBI_RECORDS, ZN_VIEW("c"), ZN_VIEW("3"), ZN_USER, (struct zn_stamp){0}, NULL, &err));
	commit(&child);
	commit(&txn);
	begin(&txn, ZN_RECORDS, ZN_TXN_READ);
	ck_ok(zn_txn_get(&txn, ZN_DBI_RECORDS, ZN_VIEW("a"), &value, &err));
	ck_code(zn_txn_get(&txn, ZN_DBI_RECORDS, ZN_VIEW("b"), &value, &err), ZN_ENOTFOUND);
	ck_ok(zn_txn_get(&txn, ZN_DBI_RECORDS, ZN_VIEW("c"), &value, &err));
	zn_txn_end(&txn);
	zn_txn_end(&txn);
}
END_TEST

START_TEST(a_reader_keeps_its_snapshot)
{
	struct zn_txn old, txn;
	struct zn_view value;

	begin(&old, ZN_RECORDS, ZN_TXN_READ);
	begin(&txn, ZN_RECORDS, ZN_TXN_WRITE);
	ck_ok(zn_txn_put(&txn, ZN_DBI_RECORDS, ZN_VIEW("a"), ZN_VIEW("1"), ZN_USER, (struct zn_stamp){0}, NULL, &err));
	uint64_t id = zn_txn_id(&txn);
	commit(&txn);
	ck_code(zn_txn_get(&old, ZN_DBI_RECORDS, ZN_VIEW("a"), &value, &err), ZN_ENOTFOUND);
	zn_txn_end(&old);
	begin(&txn, ZN_RECORDS, ZN_TXN_READ);
	ck_assert_uint_eq(zn_txn_id(&txn), id);
	ck_assert_uint_eq(zn_env_last_txnid(env, ZN_RECORDS), id);
	ck_ok(zn_txn_get(&txn, ZN_DBI_RECORDS, ZN_VIEW("a"), &value, &err));
	zn_txn_end(&txn);
}
END_TEST

START_TEST(cursors)
{
	struct zn_txn txn;
	struct zn_cursor cursor;
	static const char *const keys[] = {"b", "d", "f"};

	begin(&txn, ZN_RECORDS, ZN_TXN_WRITE);
	for (size_t i = 0; i < 3; i++)
		ck_ok(zn_txn_put(&txn, ZN_DBI_RECORDS, zn_view_str(keys[i]), ZN_VIEW("v"), ZN_USER, (struct zn_stamp){0}, NULL, &err));
	commit(&txn);
	begin(&txn, ZN_RECORDS, ZN_TXN_READ);
	ck_ok(zn_cursor_open(&cursor, &txn, ZN_DBI_RECORDS, &err));
	ck_assert_int_eq(zn_cursor_seek(&cursor, zn_view(NULL, 0)), ZN_OK);
	ck_assert(zn_view_is(cursor.key, "b"));
	ck_assert_int_eq(zn_cursor_seek(&cursor, ZN_VIEW("c")), ZN_OK);
	ck_assert(zn_view_is(cursor.key, "d"));
	ck_assert_int_eq(zn_cursor_next(&cursor), ZN_OK);
	ck_assert(zn_view_is(cursor.key, "f"));
	ck_assert_int_eq(zn_cursor_next(&cursor), ZN_ENOTFOUND);
	ck_assert_int_eq(zn_cursor_seek(&cursor, ZN_VIEW("g")), ZN_ENOTFOUND);
	zn_cursor_close(&cursor);
	/* A table that is not there is an empty one. */
	ck_ok(zn_cursor_open(&cursor, &txn, ZN_DBI_COMMENTS, &err));
	ck_assert_int_eq(zn_cursor_seek(&cursor, zn_view(NULL, 0)), ZN_ENOTFOUND);
	zn_cursor_close(&cursor);
	zn_txn_end(&txn);
}
END_TEST

static bool listed(const struct zn_dbi_info *list, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i].name, name) == 0)
			return true;
	return false;
}

START_TEST(tables_by_name)
{
	struct zn_txn txn;
	struct zn_dbi_info info, *list;
	struct zn_view value;
	size_t count;

	begin(&txn, ZN_RECORDS, ZN_TXN_READ);
	ck_code(zn_txn_dbi(&txn, "from_a_peer", &info, &err), ZN_ENOTFOUND);
	ck_code(zn_txn_dbi(&txn, "_sync_zonefs", &info, &err), ZN_EFORMAT);
	zn_txn_end(&txn);
	/* Made and dropped, made and kept. */
	for (int keep = 0; keep < 2; keep++) {
		begin(&txn, ZN_RECORDS, ZN_TXN_WRITE);
		ck_ok(zn_txn_dbi(&txn, "from_a_peer", &info, &err));
		ck_ok(zn_txn_put_any(&txn, info.handle, ZN_VIEW("k"), (struct zn_stamp){5}, 0, ZN_VIEW("v"), &err));
		if (keep)
			commit(&txn);
		else
			zn_txn_end(&txn);
	}
	begin(&txn, ZN_RECORDS, ZN_TXN_READ);
	ck_ok(zn_txn_dbis(&txn, &list, &count, &err));
	ck_assert(listed(list, count, "from_a_peer"));
	ck_assert(listed(list, count, "records_v5"));
	ck_assert(listed(list, count, "zonefs_text_v1"));
	ck_assert(!listed(list, count, "_sync_zonefs"));
	free(list);
	ck_ok(zn_txn_dbi(&txn, "from_a_peer", &info, &err));
	ck_ok(zn_txn_get_any(&txn, info.handle, ZN_VIEW("k"), &value, &err));
	ck_assert_str_eq(hex_of(zn_view_sub(value, 0, 8)), "0000000000000005");
	zn_txn_end(&txn);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store/txn");
	TCase *tcase = tcase_create("txn");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, stamps);
	tcase_add_test(tcase, machine_row_that_replaces_none);
	tcase_add_test(tcase, end_drops_and_a_child_drops_alone);
	tcase_add_test(tcase, a_reader_keeps_its_snapshot);
	tcase_add_test(tcase, cursors);
	tcase_add_test(tcase, tables_by_name);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
