#include "store/entries.h"

#include "store/zones.h"
#include "tests/unit/suite.h"
#include "tests/unit/support.h"

static struct scratch scratch;
static struct zn_env *env;

static void setup(void)
{
	scratch_make(&scratch);
}

static void teardown(void)
{
	zn_env_close(env);
	env = NULL;
	scratch_remove(&scratch);
}

static const struct {
	const char *dbi, *key;
	uint32_t zone_id;
	bool derived, local;
} roles[] = {
	{"records_v5", "13403d19 00 00 0006", 0x13403d19, false, false},
	{"records_v5", "13403d19 656e7400 6300 00 0000", 0x13403d19, true, false},
	{"records_v5", "0a66bb52 77656200 00 0032", 0x0a66bb52, true, false},
	{"records_v5", "0a66bb52 77656200 00 002e", 0x0a66bb52, false, false},
	{"records_v5", "0a66bb52", 0, false, false},
	{"comments_v7", "2fccbce8 77656200 00 0001 3d17e145", 0x2fccbce8, false, false},
	{"zonefs_text_v1", "2fccbce8", 0x2fccbce8, false, false},
	{"zonefs_text_v1", "2fccbce8 80 00000001 00000001", 0x2fccbce8, false, false},
	{"domains_v5", "0809a429", 0x0809a429, false, false},
	{"domains_v5_0", "000c 6578616d706c6500 73656300 3b4cc774", 0x3b4cc774, false, false},
	{"metadata_v5", "75616f52", 0, false, false},
	{"pdns", "7368617264", 0, false, true},
	{"_sync_zonefs", "00", 0, false, true},
	{"guest_v1", "00000001", 0, false, false},
};

START_TEST(what_a_key_tells)
{
	ZN_AUTO(zn_buf_release) struct zn_buf key = bytes_of(roles[_i].key);
	struct zn_entry_role role;

	zn_entry_role(roles[_i].dbi, zn_buf_view(&key), zn_view(NULL, 0), &role);
	ck_assert_uint_eq(role.zone_id, roles[_i].zone_id);
	ck_assert_int_eq(role.derived, roles[_i].derived);
	ck_assert_int_eq(role.local, roles[_i].local);
}
END_TEST

/* A row of nsec.example. */
static struct zn_buf domain(bool v6, int64_t last_check, const char *account, uint32_t id, uint32_t notified, uint32_t kind)
{
	struct zn_buf out = ZN_BUF_INIT(4096);
	struct zn_domain d = {
		.form = v6 ? (struct zn_form){2, 1} : (struct zn_form){1, 0}, .last_check = last_check, .account = zn_view_str(account), .id = id,
		.notified_serial = notified, .kind = kind,
	};

	ck_ok(zn_name_from_text(ZN_VIEW("nsec.example."), NULL, &d.zone.name, &err));
	zn_domain_encode(&d, &out);
	return out;
}

static const struct {
	const char *name;
	bool v6;
	int64_t last_check;
	const char *account;
	uint32_t id, notified, kind;
	bool same;
} rewrites[] = {
	{"nothing", false, 0, "a", 0, 0, ZN_KIND_NATIVE, true},
	{"last_check", false, 1795402327, "a", 0, 0, ZN_KIND_NATIVE, true},
	{"notified_serial and the id", false, 0, "a", 7, 2026112701, ZN_KIND_NATIVE, true},
	{"the form", true, 0, "a", 0, 0, ZN_KIND_NATIVE, true},
	{"the account", false, 0, "b", 0, 0, ZN_KIND_NATIVE, false},
	{"the account's length", false, 0, "", 0, 0, ZN_KIND_NATIVE, false},
	{"the kind", false, 5, "a", 0, 0, ZN_KIND_PRIMARY, false},
};

START_TEST(churn_is_no_change)
{
	ZN_AUTO(zn_buf_release) struct zn_buf a = domain(false, 0, "a", 0, 0, ZN_KIND_NATIVE);
	ZN_AUTO(zn_buf_release) struct zn_buf b = domain(rewrites[_i].v6, rewrites[_i].last_check, rewrites[_i].account, rewrites[_i].id,
		rewrites[_i].notified, rewrites[_i].kind);

	ck_assert_msg(zn_entry_same_but_churn("domains_v5", zn_buf_view(&a), zn_buf_view(&b)) == rewrites[_i].same, "%s", rewrites[_i].name);
	ck_assert_msg(zn_entry_same_but_churn("metadata_v5", zn_buf_view(&a), zn_buf_view(&b)) == zn_view_equal(zn_buf_view(&a), zn_buf_view(&b)),
		"%s elsewhere", rewrites[_i].name);
}
END_TEST

struct walk {
	const char *dbi;
	struct zn_txn *main;
	size_t entries, deleted, named;
	uint64_t newest;
};

/* Every row of a table that names its zone names one that is, or was, in the list. */
static enum zn_code each(void *context, const struct zn_entry *entry)
{
	struct walk *walk = context;
	struct zn_zone_id zone;

	walk->entries++;
	walk->deleted += entry->deleted;
	ck_assert(!entry->deleted || entry->payload.len == 0);
	if (entry->stamp.ns > walk->newest)
		walk->newest = entry->stamp.ns;
	if (!entry->deleted && zn_entry_zone(walk->dbi, entry->payload, &zone)) {
		struct zn_zone_info info;
		ck_ok(zn_zones_find(walk->main, &zone, &info, &err));
		walk->named++;
	}
	return ZN_OK;
}

static struct walk walk_table(enum zn_which which, const char *dbi, uint64_t since)
{
	struct zn_txn txn, main;
	struct walk walk = {.dbi = dbi, .main = &main};
	struct zn_dbi_info info;

	ck_ok(zn_txn_begin(&txn, env, which, ZN_TXN_READ, &err));
	ck_ok(zn_txn_begin(&main, env, ZN_MAIN, ZN_TXN_READ, &err));
	ck_ok(zn_txn_dbi(&txn, dbi, &info, &err));
	ck_ok(zn_entries_each(&txn, &info, since, each, &walk, &err));
	zn_txn_end(&main);
	zn_txn_end(&txn);
	return walk;
}

/* Lines of rows.jsonl for a table: the other program's count. */
static size_t expected(const char *version, const char *dbi, size_t *ret_deleted)
{
	char path[512], begin[128];
	char *line = NULL;
	size_t capacity = 0, count = 0;

	snprintf(path, sizeof path, "%s/pdns/%s/rows.jsonl", getenv("ZN_TEST_DATA"), version);
	snprintf(begin, sizeof begin, "\"dbi\": \"%s\",", dbi);
	FILE *rows = fopen(path, "re");
	ck_assert_msg(rows != NULL, "%s", path);
	*ret_deleted = 0;
	while (getline(&line, &capacity, rows) >= 0) {
		if (!strstr(line, begin))
			continue;
		count++;
		*ret_deleted += strstr(line, "\"deleted\": true") != NULL;
	}
	free(line);
	fclose(rows);
	return count;
}

static const struct {
	const char *version;
	enum zn_which which;
	const char *dbi;
} tables[] = {
	{"v5", ZN_MAIN, "domains_v5"}, {"v5", ZN_MAIN, "metadata_v5"}, {"v5", ZN_MAIN, "keydata_v5_0"}, {"v5", ZN_RECORDS, "records_v5"},
	{"v6", ZN_MAIN, "domains_v5_0"}, {"v6", ZN_MAIN, "keydata_v5"}, {"v6", ZN_MAIN, "views_v6"}, {"v6", ZN_RECORDS, "records_v5"},
	{"v6", ZN_RECORDS, "comments_v7"}, {"v6/presigned", ZN_MAIN, "metadata_v5"},
};

START_TEST(every_row_of_powerdns)
{
	size_t deleted, count = expected(tables[_i].version, tables[_i].dbi, &deleted);

	scratch_load(&scratch, tables[_i].version);
	env = scratch_open(&scratch);
	struct walk walk = walk_table(tables[_i].which, tables[_i].dbi, 0);
	ck_assert_uint_gt(count, 0);
	ck_assert_uint_eq(walk.entries, count);
	ck_assert_uint_eq(walk.deleted, deleted);
	if (strcmp(tables[_i].dbi, "metadata_v5") == 0 || strcmp(tables[_i].dbi, "keydata_v5") == 0)
		ck_assert_uint_eq(walk.named, count - deleted);
}
END_TEST

START_TEST(put_as_it_came_and_found_by_txnid)
{
	struct zn_entry live = {.key = ZN_VIEW("live"), .stamp = {12}, .payload = ZN_VIEW("x")};
	struct zn_entry dead = {.key = ZN_VIEW("dead"), .stamp = {34}, .deleted = true, .payload = zn_view(NULL, 0)};
	struct zn_dbi_info info;
	struct zn_txn txn;

	env = scratch_open(&scratch);
	ck_ok(zn_txn_begin(&txn, env, ZN_RECORDS, ZN_TXN_WRITE, &err));
	ck_ok(zn_txn_dbi(&txn, "records_v5", &info, &err));
	ck_ok(zn_entries_put(&txn, &info, &live, &err));
	uint64_t first = zn_txn_id(&txn);
	ck_ok(zn_txn_commit(&txn, &err));
	ck_ok(zn_txn_begin(&txn, env, ZN_RECORDS, ZN_TXN_WRITE, &err));
	ck_ok(zn_entries_put(&txn, &info, &dead, &err));
	ck_ok(zn_txn_commit(&txn, &err));
	struct walk all = walk_table(ZN_RECORDS, "records_v5", 0), later = walk_table(ZN_RECORDS, "records_v5", first);
	ck_assert_uint_eq(all.entries, 2);
	ck_assert_uint_eq(all.newest, 34);
	ck_assert_uint_eq(later.entries, 1);
	ck_assert_uint_eq(later.deleted, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store/entries");
	TCase *tcase = tcase_create("entries");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, what_a_key_tells, 0, sizeof roles / sizeof *roles);
	tcase_add_loop_test(tcase, churn_is_no_change, 0, sizeof rewrites / sizeof *rewrites);
	tcase_add_loop_test(tcase, every_row_of_powerdns, 0, sizeof tables / sizeof *tables);
	tcase_add_test(tcase, put_as_it_came_and_found_by_txnid);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
