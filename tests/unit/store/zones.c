#include "store/zones.h"

#include <stdio.h>

#include "store/base/wire.h"
#include "store/object.h"
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
	zn_clock_set((struct zn_stamp){0});
	zn_env_close(env);
	env = NULL;
	scratch_remove(&scratch);
}

static struct zn_zone_id zone_of(const char *name, const char *variant)
{
	struct zn_zone_id zone = {0};

	ck_ok(zn_name_from_text(zn_view_str(name), NULL, &zone.name, &err));
	snprintf(zone.variant, sizeof zone.variant, "%s", variant);
	return zone;
}

static void begin(struct zn_txn *txn, enum zn_txn_mode mode)
{
	ck_ok(zn_txn_begin(txn, env, ZN_MAIN, mode, &err));
}

/* "name[..variant] kind", sorted as the index is, one a line. */
static char *listing(void)
{
	static char text[4096];
	struct zn_index_key after = {0};
	struct zn_zone_info info;
	struct zn_txn txn;
	size_t len = 0;
	enum zn_code code;

	begin(&txn, ZN_TXN_READ);
	while ((code = zn_zones_next(&txn, &after, &info, NULL)) == ZN_OK) {
		char name[ZN_NAME_TEXT_MAX];
		len += (size_t)snprintf(text + len, sizeof text - len, "%s%s%s %s\n", zn_name_plain(&info.zone.name, name),
			info.zone.variant[0] ? ".." : "", info.zone.variant, zn_kind_text(info.kind));
		/* What the walk finds, the look-up finds. */
		struct zn_zone_info found;
		ck_ok(zn_zones_find(&txn, &info.zone, &found, &err));
		ck_assert_uint_eq(found.id, info.id);
	}
	ck_assert_int_eq(code, ZN_ENOTFOUND);
	zn_txn_end(&txn);
	text[len] = 0;
	return text;
}

static const struct {
	const char *version, *list;
} databases[] = {
	{"v5", "cat.example producer\nsec.example secondary\nccat.example consumer\ndead.example native\nnsec.example native\nroot.test native\n"
		"again.example native\nnsec3.example native\nplain.example primary\nnarrow.example native\noptout.example native\n"},
	{"v6", "cat.example producer\nsec.example secondary\nvar.example native\nccat.example consumer\ndead.example native\n"
		"nsec.example native\nroot.test native\nagain.example native\nnsec3.example native\nplain.example primary\n"
		"narrow.example native\noptout.example native\nvar.example..internal native\n"},
};

static int by_line(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static size_t lines_of(char *text, char **lines)
{
	size_t count = 0;

	for (char *save, *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		lines[count++] = line;
	qsort(lines, count, sizeof *lines, by_line);
	return count;
}

START_TEST(zones_of_powerdns)
{
	ZN_AUTO_FREE char *expected = strdup(databases[_i].list);
	char *found[32], *wanted[32];

	scratch_load(&scratch, databases[_i].version);
	env = scratch_open(&scratch);
	size_t count = lines_of(listing(), found);
	ck_assert_uint_eq(count, lines_of(expected, wanted));
	for (size_t i = 0; i < count; i++)
		ck_assert_str_eq(found[i], wanted[i]);
	ck_assert_uint_eq(zn_env_schema(env), _i ? 6 : 5);
}
END_TEST

static void create(uint32_t id, const char *name, const char *variant)
{
	struct zn_zone_id zone = zone_of(name, variant);
	struct zn_txn txn;

	begin(&txn, ZN_TXN_WRITE);
	ck_ok(zn_zones_create(&txn, id, &zone, ZN_KIND_NATIVE, &err));
	ck_ok(zn_txn_commit(&txn, &err));
}

/* Both rows of a zone have one header: hex of it, and the payload of the object in `ret_payload`. */
static struct zn_header row_of(uint32_t id, const char *name, const char *variant, struct zn_buf *payload)
{
	struct zn_zone_id zone = zone_of(name, variant);
	struct zn_header object, index;
	struct zn_index_key key;
	struct zn_view value, body;
	struct zn_txn txn;
	uint8_t id_key[4];

	zn_put_u32(id_key, id);
	ck_assert_int_eq(zn_index_key_make(&zone, id, &key), ZN_OK);
	begin(&txn, ZN_TXN_READ);
	ck_ok(zn_txn_get(&txn, ZN_DBI_DOMAINS_INDEX, zn_index_key_view(&key), &value, &err));
	ck_assert_int_eq(zn_header_read(value, &index, &body), ZN_OK);
	ck_assert_uint_eq(body.len, 0);
	ck_ok(zn_txn_get(&txn, ZN_DBI_DOMAINS, zn_view(id_key, 4), &value, &err));
	ck_assert_int_eq(zn_header_read(value, &object, &body), ZN_OK);
	ck_assert_uint_eq(object.stamp.ns, index.stamp.ns);
	ck_assert_uint_eq(object.flags, index.flags);
	ck_assert_uint_eq(object.txnid, index.txnid);
	if (payload)
		zn_buf_add(payload, body);
	zn_txn_end(&txn);
	return object;
}

START_TEST(create_writes_what_every_server_reads)
{
	ZN_AUTO(zn_buf_release) struct zn_buf plain = ZN_BUF_INIT(4096), variant = ZN_BUF_INIT(4096);

	env = scratch_open(&scratch);
	create(0x1d92a249, "NSEC.example.", "");
	create(7, "nsec.example.", "internal");
	row_of(0x1d92a249, "nsec.example.", "", &plain);
	ck_assert_str_eq(hex_of(zn_buf_view(&plain)), "0001000000" "0000000000" "0e00000000000000046e736563076578616d706c6500" "0000000000000000"
		"0000000000000000" "0000000000" "0000000000000000" "00000000" "00000000" "02000000" "0000000000000000" "0000000000000000");
	row_of(7, "nsec.example.", "internal", &variant);
	ck_assert_uint_eq(variant.data[1], 2);
	ck_assert_str_eq(listing(), "nsec.example native\nnsec.example..internal native\n");
}
END_TEST

START_TEST(a_name_is_taken_once)
{
	struct zn_zone_id zone = zone_of("a.example.", "");
	struct zn_txn txn;

	env = scratch_open(&scratch);
	create(1, "a.example.", "");
	begin(&txn, ZN_TXN_WRITE);
	ck_code(zn_zones_create(&txn, 2, &zone, ZN_KIND_NATIVE, &err), ZN_EEXIST);
	ck_ok(zn_zones_create(&txn, 1, &zone, ZN_KIND_NATIVE, &err));
	zn_txn_end(&txn);
}
END_TEST

START_TEST(bury_leaves_tombstones_and_no_metadata)
{
	struct zn_zone_id zone = zone_of("nsec.example.", "");
	struct zn_zone_info info;
	struct zn_objects objects;
	struct zn_txn txn;

	scratch_load(&scratch, "v5");
	env = scratch_open(&scratch);
	zn_clock_set((struct zn_stamp){5});
	begin(&txn, ZN_TXN_WRITE);
	ck_ok(zn_zones_find(&txn, &zone, &info, &err));
	struct zn_zone_id gone;
	ck_ok(zn_zones_bury(&txn, info.id, &err));
	ck_ok(zn_zones_gone(&txn, info.id, &gone, &err));
	ck_assert(zn_name_equal(&gone.name, &info.zone.name));
	ck_code(zn_zones_gone(&txn, 0x7ffffffe, &gone, &err), ZN_ENOTFOUND);
	ck_code(zn_zones_find(&txn, &zone, &info, &err), ZN_ENOTFOUND);
	static const enum zn_dbi tables[] = {ZN_DBI_METADATA, ZN_DBI_KEYDATA};
	for (size_t i = 0; i < 2; i++) {
		ck_ok(zn_objects_open(&objects, &txn, tables[i], &zone, &err));
		ck_assert_int_eq(zn_objects_next(&objects, NULL), ZN_ENOTFOUND);
		zn_objects_close(&objects);
	}
	ck_ok(zn_txn_commit(&txn, &err));
	struct zn_header header = row_of(info.id, "nsec.example.", "", NULL);
	ck_assert(zn_header_deleted(&header));
	ck_assert_uint_eq(header.stamp.ns, info.stamp.ns + 1024);
}
END_TEST

/* Put a second live copy of a zone in, as replication would. */
static void duplicate(uint32_t id, const char *name, uint64_t stamp)
{
	struct zn_domain domain = {.form = {1, 0}, .zone = zone_of(name, ""), .kind = ZN_KIND_NATIVE};
	ZN_AUTO(zn_buf_release) struct zn_buf value = ZN_BUF_INIT(4096);
	struct zn_index_key key;
	struct zn_txn txn;

	ck_assert_int_eq(zn_index_key_make(&domain.zone, id, &key), ZN_OK);
	zn_domain_encode(&domain, &value);
	begin(&txn, ZN_TXN_WRITE);
	ck_ok(zn_txn_put_raw(&txn, ZN_DBI_DOMAINS, zn_view(key.bytes + key.len - 4, 4), (struct zn_stamp){stamp}, 0, zn_buf_view(&value), &err));
	ck_ok(zn_txn_put_raw(&txn, ZN_DBI_DOMAINS_INDEX, zn_index_key_view(&key), (struct zn_stamp){stamp}, 0, zn_view(NULL, 0), &err));
	ck_ok(zn_txn_commit(&txn, &err));
}

START_TEST(duplicates_by_the_oldest_index_row)
{
	struct zn_zone_id zone = zone_of("dup.example.", "");
	struct zn_zone_info info;
	struct zn_txn txn;
	uint8_t key[4];

	env = scratch_open(&scratch);
	duplicate(5, "dup.example.", 3000);
	duplicate(9, "dup.example.", 1000);
	duplicate(12, "dup.example.", 2000);
	duplicate(4, "other.example.", 100);
	ck_assert_str_eq(listing(), "dup.example native\nother.example native\n");
	begin(&txn, ZN_TXN_WRITE);
	ck_ok(zn_zones_find(&txn, &zone, &info, &err));
	ck_assert_uint_eq(info.id, 9);
	ck_ok(zn_zones_bury_duplicate(&txn, 9, &err));
	ck_ok(zn_zones_find(&txn, &zone, &info, &err));
	ck_assert_uint_eq(info.id, 12);
	/* An index row whose object is gone hides the zone. */
	zn_put_u32(key, 12);
	ck_ok(zn_txn_put_raw(&txn, ZN_DBI_DOMAINS, zn_view(key, 4), (struct zn_stamp){4000}, ZN_HEADER_DELETED, zn_view(NULL, 0), &err));
	ck_code(zn_zones_find(&txn, &zone, &info, &err), ZN_ENOTFOUND);
	ck_ok(zn_txn_commit(&txn, &err));
	ck_assert_uint_eq(row_of(9, "dup.example.", "", NULL).stamp.ns, 1002);
	ck_assert_str_eq(listing(), "other.example native\n");
}
END_TEST

START_TEST(new_ids_skip_whatever_has_a_row)
{
	struct zn_zone_id zone = zone_of("example.org.", "");
	struct zn_txn main, records;
	uint32_t first, second, third;
	uint8_t key[4];

	env = scratch_open(&scratch);
	ck_ok(zn_txn_begin(&records, env, ZN_RECORDS, ZN_TXN_WRITE, &err));
	begin(&main, ZN_TXN_READ);
	ck_ok(zn_zones_new_id(&main, &records, &zone, &first, &err));
	ck_assert_uint_eq(first, 0x7165a9c7);
	/* A tombstone among the records. */
	zn_put_u32(key, first);
	ck_ok(zn_txn_put_raw(&records, ZN_DBI_RECORDS, zn_view(key, 4), (struct zn_stamp){1}, ZN_HEADER_DELETED, zn_view(NULL, 0), &err));
	ck_ok(zn_zones_new_id(&main, &records, &zone, &second, &err));
	ck_assert_uint_eq(second, zn_zone_hash(&zone, 1) & 0x7fffffff);
	zn_txn_end(&main);
	ck_ok(zn_txn_commit(&records, &err));
	/* A former life in main. */
	create(second, "example.org.", "");
	begin(&main, ZN_TXN_WRITE);
	ck_ok(zn_zones_bury(&main, second, &err));
	ck_ok(zn_txn_commit(&main, &err));
	ck_ok(zn_txn_begin(&records, env, ZN_RECORDS, ZN_TXN_READ, &err));
	begin(&main, ZN_TXN_READ);
	ck_ok(zn_zones_new_id(&main, &records, &zone, &third, &err));
	ck_assert_uint_eq(third, zn_zone_hash(&zone, 2) & 0x7fffffff);
	zn_txn_end(&main);
	zn_txn_end(&records);
}
END_TEST

START_TEST(kinds)
{
	enum zn_kind kind;

	ck_assert(zn_kind_from_text(ZN_VIEW("consumer"), &kind) && kind == ZN_KIND_CONSUMER);
	ck_assert(!zn_kind_from_text(ZN_VIEW("slave"), &kind));
	ck_assert_str_eq(zn_kind_text((enum zn_kind)17), "unknown");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store/zones");
	TCase *tcase = tcase_create("zones");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, zones_of_powerdns, 0, sizeof databases / sizeof *databases);
	tcase_add_test(tcase, create_writes_what_every_server_reads);
	tcase_add_test(tcase, a_name_is_taken_once);
	tcase_add_test(tcase, bury_leaves_tombstones_and_no_metadata);
	tcase_add_test(tcase, duplicates_by_the_oldest_index_row);
	tcase_add_test(tcase, new_ids_skip_whatever_has_a_row);
	tcase_add_test(tcase, kinds);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
