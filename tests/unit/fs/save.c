#include "fs/save/save.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include "fs/save/refused.h"
#include "fs/text/parse.h"
#include "store/records.h"
#include "store/text.h"
#include "tests/unit/fs/saver.h"
#include "tests/unit/suite.h"

#define ZONE "example.com"
#define HEAD "$TTL 3600 ; an hour\n@ SOA ns hostmaster "
#define TAIL " 7200 1800 1209600 300\n  NS ns\nns A 192.0.2.1\n"
#define TEXT(serial, more) HEAD #serial TAIL more

static struct world world;

static void setup(void)
{
	world_make(&world);
}

static void teardown(void)
{
	world_remove(&world);
}

static void restart_with(struct zn_saver_options options)
{
	world_close(&world);
	options.spool = world.scratch.dir;
	world.options = options;
	world_open(&world);
}

/* --- what a save makes of a text over another --- */

static const struct {
	const char *name;
	const char *before, *saved, *after;
	uint32_t serial;
	bool rows, text;
} saves[] = {
	{"the same again", TEXT(7, ""), TEXT(7, ""), TEXT(7, ""), 7, false, false},
	{"an older serial and nothing else", TEXT(7, ""), TEXT(6, ""), TEXT(7, ""), 7, false, false},
	{"only the serial raised", TEXT(7, ""), TEXT(9, ""), TEXT(9, ""), 9, true, true},
	{"a record more", TEXT(7, ""), TEXT(7, "www A 192.0.2.2\n"), TEXT(8, "www A 192.0.2.2\n"), 8, true, true},
	{"a record more under a serial of its own", TEXT(7, ""), TEXT(70, "www A 192.0.2.2\n"), TEXT(70, "www A 192.0.2.2\n"), 70, true, true},
	{"a record less", TEXT(7, "www A 192.0.2.2\n"), TEXT(7, ""), TEXT(8, ""), 8, true, true},
	{"a value changed", TEXT(7, "www A 192.0.2.2\n"), TEXT(7, "www A 192.0.2.3\n"), TEXT(8, "www A 192.0.2.3\n"), 8, true, true},
	{"a TTL changed", TEXT(7, "www A 192.0.2.2\n"), TEXT(7, "www 60 A 192.0.2.2\n"), TEXT(8, "www 60 A 192.0.2.2\n"), 8, true, true},
	{"a comment more", TEXT(7, ""), TEXT(7, "; hello\n"), TEXT(7, "; hello\n"), 7, false, true},
	{"a comment more under an older serial", TEXT(7, ""), TEXT(5, "; hello\n"), TEXT(7, "; hello\n"), 7, false, true},
	{"lines change places", TEXT(7, "a A 192.0.2.2\nb A 192.0.2.3\n"), TEXT(7, "b A 192.0.2.3\na A 192.0.2.2\n"),
		TEXT(7, "b A 192.0.2.3\na A 192.0.2.2\n"), 7, false, true},
	{"the serial grows a digit into the blanks", TEXT(9, ""), "$TTL 3600\n@ SOA ns hostmaster (\n 9    ; serial\n 7200 1800 1209600 300 )\n NS ns\nns A 192.0.2.9\n",
		"$TTL 3600\n@ SOA ns hostmaster (\n 10   ; serial\n 7200 1800 1209600 300 )\n NS ns\nns A 192.0.2.9\n", 10, true, true},
	{"no newline at the end", TEXT(7, ""), TEXT(7, "www A 192.0.2.2"), TEXT(8, "www A 192.0.2.2"), 8, true, true},
	{"a date", TEXT(2026112699, ""), TEXT(2026112699, "www A 192.0.2.2\n"), TEXT(2026112701, "www A 192.0.2.2\n"), 2026112701, true, true},
};

START_TEST(saves_over)
{
	struct zn_save_result result = save_good(&world, ZONE, saves[_i].before);
	struct zn_zone_info info;
	const char *name = saves[_i].name;

	ck_assert(result.created && result.changed && result.text_changed);
	ck_ok(find(&world, ZONE, &info));
	uint64_t main = txnid_of(&world, ZN_MAIN), records = txnid_of(&world, ZN_RECORDS);
	unsigned told = world.told;
	struct zn_stamp mtime = result.loaded.stat.mtime;

	zn_clock_set((struct zn_stamp){UINT64_C(1795737600) * ZN_NS_PER_S}); /* 2026-11-27 */
	result = save_good(&world, ZONE, saves[_i].saved);
	zn_clock_set((struct zn_stamp){0});
	ck_assert_msg(!result.created && result.changed == saves[_i].rows && result.text_changed == saves[_i].text, "%s", name);
	ck_assert_msg(result.loaded.serial == saves[_i].serial, "%s: serial %u", name, result.loaded.serial);
	ck_assert_uint_eq(result.zone.id, info.id);
	ck_assert_uint_eq(result.loaded.stat.size, strlen(saves[_i].after));
	ck_assert_msg(txnid_of(&world, ZN_MAIN) == main, "%s: the zone list was written", name);
	ck_assert_msg((txnid_of(&world, ZN_RECORDS) == records + 1) == saves[_i].text, "%s: transactions", name);
	ck_assert_msg((world.told == told + 1) == saves[_i].text, "%s: listeners", name);
	if (saves[_i].text)
		ck_assert_uint_eq(world.last_change.txnid[ZN_RECORDS], records + 1);
	ck_assert_msg((result.loaded.stat.mtime.ns > mtime.ns) == saves[_i].text, "%s: mtime", name);
	expect_text(&world, ZONE, saves[_i].after);

	/* What was written is what is read after a restart, and saving it again is nothing. */
	world_close(&world);
	world_open(&world);
	expect_text(&world, ZONE, saves[_i].after);
	records = txnid_of(&world, ZN_RECORDS);
	result = save_good(&world, ZONE, saves[_i].after);
	ck_assert(!result.changed && !result.text_changed);
	ck_assert_uint_eq(txnid_of(&world, ZN_RECORDS), records);
}
END_TEST

/* --- what is refused --- */

static const struct {
	const char *name, *saved, *why;
	enum zn_code code;
} refusals[] = {
	{"empty", "", "error", ZN_ESYNTAX},
	{"nonsense", "nonsense\n", ZONE ".zone:1:", ZN_ESYNTAX},
	{"a bad address", TEXT(8, "www A 192.0.2.300\n"), ZONE ".zone:5:7: error:", ZN_ESYNTAX},
	{"two faults, both told", TEXT(8, "a A 192.0.2.300\nb AAAA x\n"), ZONE ".zone:6:", ZN_ESYNTAX},
	{"no SOA", "@ 60 NS ns\nns 60 A 192.0.2.1\n", "SOA", ZN_ESYNTAX},
	{"most of it gone", TEXT(8, ""), "echo once > .zonefs/allow", ZN_EGUARD},
};

START_TEST(refuses)
{
	char good[4096];
	int len = snprintf(good, sizeof good, "%s", TEXT(7, ""));

	for (int i = 0; i < 30; i++)
		len += snprintf(good + len, sizeof good - (size_t)len, "h%d A 192.0.2.9\n", i);
	save_good(&world, ZONE, good);
	uint64_t records = txnid_of(&world, ZN_RECORDS);
	struct zn_save_result result;

	enum zn_code code = save_as(&world, ZONE, refusals[_i].saved, 0, &result);
	ck_assert_msg(code == refusals[_i].code, "%s: %s", refusals[_i].name, zn_code_text(code));
	ck_assert_msg(result.err.text[0] != '\0', "%s: no reason", refusals[_i].name);
	ck_assert_uint_eq(txnid_of(&world, ZN_RECORDS), records);
	expect_text(&world, ZONE, good);
	expect_refused(&world, ZONE, refusals[_i].saved, refusals[_i].why);
	expect_refused(&world, ZONE, refusals[_i].saved, "user: ");
	expect_refused(&world, ZONE, refusals[_i].saved, "program: test (pid 77)");
	ck_assert_ptr_nonnull(strstr(events_of(&world), refusals[_i].code == ZN_EGUARD ? "\"event\":\"guard\"" : "\"event\":\"refuse\""));

	/* An editor that puts its backup back changes nothing, and what was refused stays to be found; a good save takes it away. */
	save_good(&world, ZONE, good);
	expect_refused(&world, ZONE, refusals[_i].saved, refusals[_i].why);
	snprintf(good + len, sizeof good - (size_t)len, "; mended\n");
	save_good(&world, ZONE, good);
	expect_refused(&world, ZONE, NULL, NULL);
}
END_TEST

START_TEST(a_new_name_is_refused_too)
{
	ck_assert_int_eq(save_text(&world, ZONE, "nonsense\n"), ZN_ESYNTAX);
	expect_text(&world, ZONE, NULL);
	expect_refused(&world, ZONE, "nonsense\n", "error");
	save_good(&world, ZONE, TEXT(1, ""));
	expect_refused(&world, ZONE, NULL, NULL);
}
END_TEST

START_TEST(allowed_once)
{
	char good[4096];
	int len = snprintf(good, sizeof good, "%s", TEXT(7, ""));

	for (int i = 0; i < 30; i++)
		len += snprintf(good + len, sizeof good - (size_t)len, "h%d A 192.0.2.9\n", i);
	save_good(&world, ZONE, good);
	zn_saver_allow(world.saver);
	/* A refusal for another reason does not use it up. */
	ck_assert_int_eq(save_text(&world, ZONE, "nonsense\n"), ZN_ESYNTAX);
	save_good(&world, ZONE, TEXT(8, ""));
	save_good(&world, ZONE, good);
	ck_assert_int_eq(save_text(&world, ZONE, TEXT(20, "")), ZN_EGUARD);
}
END_TEST

/* --- serials --- */

static const struct {
	const char *name;
	enum zn_serial_policy policy;
	const char *before, *after;
} policies[] = {
	{"auto", ZN_SERIAL_AUTO, TEXT(7, ""), TEXT(8, "www A 192.0.2.2\n")},
	{"increase", ZN_SERIAL_INCREASE, TEXT(2026112601, ""), TEXT(2026112602, "www A 192.0.2.2\n")},
	{"date", ZN_SERIAL_DATE, TEXT(7, ""), TEXT(2026112701, "www A 192.0.2.2\n")},
	{"epoch", ZN_SERIAL_EPOCH, TEXT(7, ""), TEXT(1795737600, "www A 192.0.2.2\n")},
};

START_TEST(serial_policies)
{
	char changed[1000];
	struct zn_saver_options options = world.options;

	options.serial = policies[_i].policy;
	restart_with(options);
	save_good(&world, ZONE, policies[_i].before);
	snprintf(changed, sizeof changed, "%swww A 192.0.2.2\n", policies[_i].before);
	zn_clock_set((struct zn_stamp){UINT64_C(1795737600) * ZN_NS_PER_S}); /* 2026-11-27 */
	save_good(&world, ZONE, changed);
	zn_clock_set((struct zn_stamp){0});
	expect_text(&world, ZONE, policies[_i].after);
}
END_TEST

START_TEST(policy_keep)
{
	struct zn_saver_options options = world.options;

	options.serial = ZN_SERIAL_KEEP;
	restart_with(options);
	save_good(&world, ZONE, TEXT(7, ""));
	save_good(&world, ZONE, TEXT(7, "www A 192.0.2.2\n"));
	expect_text(&world, ZONE, TEXT(7, "www A 192.0.2.2\n"));
	save_good(&world, ZONE, TEXT(8, "www A 192.0.2.3\n"));
	save_good(&world, ZONE, TEXT(6, "www A 192.0.2.4\n"));
	expect_text(&world, ZONE, TEXT(8, "www A 192.0.2.4\n"));
}
END_TEST

/* --- conflicts --- */

START_TEST(an_older_text_over_somebody_elses_edit)
{
	struct zn_save_result result;

	save_good(&world, ZONE, TEXT(7, ""));
	ck_assert_int_eq(save_as(&world, ZONE, TEXT(7, "a A 192.0.2.2\n"), 1000, &result), ZN_OK);
	ck_assert_int_eq(save_as(&world, ZONE, TEXT(7, "b A 192.0.2.2\n"), 1001, &result), ZN_ECONFLICT);
	expect_refused(&world, ZONE, TEXT(7, "b A 192.0.2.2\n"), "somebody else");
	ck_assert_ptr_nonnull(strstr(events_of(&world), "\"event\":\"conflict\""));
	expect_text(&world, ZONE, TEXT(8, "a A 192.0.2.2\n"));
	/* The first writer saves its buffer again; the second one has read, and replaces. */
	ck_assert_int_eq(save_as(&world, ZONE, TEXT(7, "a A 192.0.2.3\n"), 1000, &result), ZN_OK);
	ck_assert_int_eq(save_as(&world, ZONE, TEXT(9, "b A 192.0.2.2\n"), 1001, &result), ZN_OK);
	expect_text(&world, ZONE, TEXT(10, "b A 192.0.2.2\n"));
}
END_TEST

START_TEST(a_basis_that_is_known_decides)
{
	struct zn_save_result first = save_good(&world, ZONE, TEXT(7, ""));
	struct zn_save_result result;
	struct zn_save save = {
		.zone = zone_of(ZONE), .text = zn_view_str(TEXT(7, "b A 192.0.2.2\n")), .actor = {.program = "test"}, .way = ZN_SAVE_CLOSE,
		.basis = {true, 7, {first.loaded.stat.digest.count, first.loaded.stat.digest.sum}},
	};

	struct zn_save_result second = save_good(&world, ZONE, TEXT(7, "a A 192.0.2.2\n"));
	zn_saver_run(world.saver, &save, &result);
	ck_assert_int_eq(result.code, ZN_ECONFLICT);
	save.basis.digest = (struct zn_digest){second.loaded.stat.digest.count, second.loaded.stat.digest.sum};
	zn_saver_run(world.saver, &save, &result);
	ck_assert_int_eq(result.code, ZN_OK);
	expect_text(&world, ZONE, TEXT(9, "b A 192.0.2.2\n"));
}
END_TEST

/* --- kinds, lists, deletions --- */

static enum zn_code make_secondary(struct zn_job *job, struct zn_txn *main, struct zn_err *err)
{
	struct zn_zone_id zone = zone_of("secondary.example");
	(void)job;

	return zn_zones_create(main, 77, &zone, ZN_KIND_SECONDARY, err);
}

START_TEST(a_secondary_zone_belongs_to_its_primary)
{
	struct zn_zone_id zone = zone_of("secondary.example");
	struct zn_actor actor = {0};

	write_rows(&world, ZN_MAIN, make_secondary);
	ck_assert_int_eq(save_text(&world, "secondary.example", TEXT(1, "")), ZN_EACCES);
	ck_code(zn_saver_bury(world.saver, &zone, &actor, &err), ZN_EACCES);
}
END_TEST

START_TEST(a_buried_zone_comes_back_as_a_new_one)
{
	struct zn_zone_id zone = zone_of(ZONE);
	struct zn_actor actor = {.program = "test"};
	struct zn_save_result first = save_good(&world, ZONE, TEXT(7, ""));

	ck_ok(zn_saver_bury(world.saver, &zone, &actor, &err));
	expect_text(&world, ZONE, NULL);
	ck_assert_ptr_nonnull(strstr(events_of(&world), "\"event\":\"delete\""));
	ck_code(zn_saver_bury(world.saver, &zone, &actor, &err), ZN_ENOTFOUND);
	struct zn_save_result second = save_good(&world, ZONE, TEXT(3, ""));
	ck_assert(second.created);
	ck_assert_uint_ne(first.zone.id, second.zone.id);
	expect_text(&world, ZONE, TEXT(3, ""));
}
END_TEST

START_TEST(kind_of_new_zones)
{
	struct zn_saver_options options = world.options;
	struct zn_zone_info info;

	options.kind = ZN_KIND_PRIMARY;
	restart_with(options);
	save_good(&world, ZONE, TEXT(7, ""));
	ck_ok(find(&world, ZONE, &info));
	ck_assert_int_eq(info.kind, ZN_KIND_PRIMARY);
}
END_TEST

START_TEST(read_only)
{
	struct zn_saver_options options = world.options;
	struct zn_zone_id zone = zone_of(ZONE);
	struct zn_actor actor = {0};

	save_good(&world, ZONE, TEXT(7, ""));
	options.read_only = true;
	restart_with(options);
	ck_assert_int_eq(save_text(&world, ZONE, TEXT(8, "")), ZN_EROFS);
	ck_code(zn_saver_bury(world.saver, &zone, &actor, &err), ZN_EROFS);
	ck_code(zn_saver_may_vacate(world.saver, &zone, &err), ZN_EROFS);
	expect_text(&world, ZONE, TEXT(7, ""));
}
END_TEST

/* --- signed elsewhere --- */

#define SIG(type, labels) " RRSIG " #type " 13 " #labels " 3600 20300101000000 20200101000000 12345 example.com. AAAA\n"
#define SIGNED(serial, address)                                                                                                      \
	"$TTL 3600\n@ SOA ns hostmaster " #serial " 7200 1800 1209600 3600\n@ NS ns\n@ DNSKEY 257 3 13 AAAA\n@" SIG(SOA, 2) "@" SIG(NS, 2) \
	"@" SIG(DNSKEY, 2) "@ NSEC ns NS SOA RRSIG NSEC DNSKEY\n@" SIG(NSEC, 2) "ns A " address "\nns" SIG(A, 3) "ns NSEC @ A RRSIG NSEC\nns" SIG(NSEC, 3)
#define SIGNED_STORED 10 /* records of it without the chain */

static struct zn_zone_mode mode_of_zone(void)
{
	ZN_AUTO(zn_txn_end) struct zn_txn main = {0};
	struct zn_zone_id zone = zone_of(ZONE);
	struct zn_zone_mode mode;

	ck_ok(zn_txn_begin(&main, world.env, ZN_MAIN, ZN_TXN_READ, &err));
	ck_ok(zn_meta_mode(&main, &zone, &mode, &err));
	return mode;
}

static size_t stored_records(void)
{
	ZN_AUTO(zn_txn_end) struct zn_txn records = {0};
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *zone = NULL;
	struct zn_zone_id id = zone_of(ZONE);
	struct zn_zone_info info;

	ck_ok(find(&world, ZONE, &info));
	ck_ok(zn_txn_begin(&records, world.env, ZN_RECORDS, ZN_TXN_READ, &err));
	ck_ok(zn_records_read(&records, info.id, &id.name, &zone, NULL, &err));
	return zn_zone_count(zone);
}

START_TEST(signed_elsewhere)
{
	struct zn_save_result result;

	save_good(&world, ZONE, SIGNED(7, "192.0.2.1"));
	ck_assert(mode_of_zone().presigned);
	ck_assert_uint_eq(stored_records(), SIGNED_STORED);
	expect_text(&world, ZONE, SIGNED(7, "192.0.2.1"));
	result = save_good(&world, ZONE, SIGNED(7, "192.0.2.1"));
	ck_assert(!result.changed && !result.text_changed);

	/* Its serial is its signer's. */
	ck_assert_int_eq(save_text(&world, ZONE, SIGNED(7, "192.0.2.2")), ZN_EZONE);
	expect_refused(&world, ZONE, SIGNED(7, "192.0.2.2"), "signer");
	save_good(&world, ZONE, SIGNED(8, "192.0.2.2"));
	expect_text(&world, ZONE, SIGNED(8, "192.0.2.2"));

	/* A chain that is not the zone's. */
	ck_assert_int_eq(save_text(&world, ZONE, SIGNED(9, "192.0.2.2") "www A 192.0.2.3\n"), ZN_ESYNTAX);

	world_close(&world);
	world_open(&world);
	expect_text(&world, ZONE, SIGNED(8, "192.0.2.2"));
	result = save_good(&world, ZONE, SIGNED(8, "192.0.2.2"));
	ck_assert(!result.changed && !result.text_changed);

	/* A text without signatures ends it. */
	save_good(&world, ZONE, TEXT(8, ""));
	ck_assert(!mode_of_zone().presigned);
	ck_assert_uint_eq(stored_records(), 3);
	expect_text(&world, ZONE, TEXT(9, ""));
	save_good(&world, ZONE, SIGNED(10, "192.0.2.1"));
	ck_assert(mode_of_zone().presigned);
}
END_TEST

START_TEST(signed_elsewhere_is_not_wanted)
{
	struct zn_saver_options options = world.options;

	options.presigned_refused = true;
	restart_with(options);
	ck_assert_int_eq(save_text(&world, ZONE, SIGNED(7, "192.0.2.1")), ZN_ESYNTAX);
}
END_TEST

/* --- text --- */

START_TEST(without_kept_text)
{
	struct zn_saver_options options = world.options;
	struct zn_zone_info info;
	struct zn_loaded loaded;

	save_good(&world, ZONE, TEXT(7, "; a comment\n"));
	options.keep_text = false;
	restart_with(options);
	struct zn_save_result result = save_good(&world, ZONE, TEXT(7, "; a comment\nwww A 192.0.2.2\n"));
	ck_ok(find(&world, ZONE, &info));
	ck_ok(zn_load_stat(world.loader, &info, &loaded, &err));
	ck_assert_uint_eq(result.loaded.stat.size, loaded.stat.size);
	ck_assert(!loaded.stat.text_fits);

	/* Nothing of ours is left in the records. */
	ZN_AUTO(zn_txn_end) struct zn_txn records = {0};
	struct zn_text_head head;
	struct zn_stamp stamp;
	ck_ok(zn_txn_begin(&records, world.env, ZN_RECORDS, ZN_TXN_READ, &err));
	ck_code(zn_text_head_get(&records, info.id, &head, &stamp, &err), ZN_ENOTFOUND);
}
END_TEST

/* As PowerDNS does it: rows without a text. */
static enum zn_code change_rows(struct zn_job *job, struct zn_txn *records, struct zn_err *err)
{
	struct zn_zone_info info;
	struct zn_zone_mode mode = {0};
	struct zn_records_change change;
	struct zn_name apex = zone_of(ZONE).name;
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *zone = NULL, *changed = NULL;
	struct zn_key owner;
	struct zn_name name;
	(void)job;

	if (find(&world, ZONE, &info) != ZN_OK)
		return ZN_ENOTFOUND;
	enum zn_code code = zn_records_read(records, info.id, &apex, &zone, NULL, err);
	if (code == ZN_OK)
		code = zn_zone_new(&apex, &changed);
	if (code != ZN_OK)
		return code;
	for (size_t i = 0; i < zn_zone_count(zone); i++) {
		struct zn_record record = zn_zone_at(zone, i);
		zn_zone_add(changed, record.owner, record.type, record.ttl, record.rdata, 0);
	}
	ck_assert_int_eq(zn_name_from_text(ZN_VIEW("api.example.com"), NULL, &name, NULL), ZN_OK);
	ck_assert_int_eq(zn_key_from_name(&name, &apex, &owner), ZN_OK);
	zn_zone_add(changed, zn_key_view(&owner), ZN_TYPE_A, 60, ZN_VIEW("\xc0\x00\x02\x63"), 0);
	ck_assert_int_eq(zn_zone_finish(changed, NULL, NULL), ZN_OK);
	zn_zone_set_serial(changed, 50);
	return zn_records_apply(records, info.id, changed, &mode, &change, err);
}

static enum zn_code add_bytes(void *context, struct zn_view bytes)
{
	zn_buf_add(context, bytes);
	return ZN_OK;
}

static enum zn_code load(struct world *w, const char *zone, struct zn_buf *out)
{
	struct zn_sink sink = {out, add_bytes};
	struct zn_zone_info info;
	struct zn_loaded loaded;

	ck_ok(find(w, zone, &info));
	return zn_load_text(w->loader, &info, &sink, &loaded, NULL);
}

START_TEST(changed_behind_its_text)
{
	ZN_AUTO(zn_buf_release) struct zn_buf printed = ZN_BUF_INIT(1 << 20);
	struct zn_save_result result;

	save_good(&world, ZONE, TEXT(7, "; a comment\n"));
	write_rows(&world, ZN_RECORDS, change_rows);
	zn_watch_tell(world.watch, &(struct zn_change){.origin = ZN_OWN_MERGE, .all = true, .txnid = {[ZN_RECORDS] = txnid_of(&world, ZN_RECORDS)}});
	ck_ok(load(&world, ZONE, &printed));
	ck_assert_msg(strstr(zn_buf_str(&printed), "api") != NULL, "%s", zn_buf_str(&printed));

	/* What was read, saved again: nothing happens, no row is touched. */
	uint64_t records = txnid_of(&world, ZN_RECORDS);
	result = save_good(&world, ZONE, zn_buf_str(&printed));
	ck_assert(!result.changed && !result.text_changed);
	ck_assert_uint_eq(txnid_of(&world, ZN_RECORDS), records);

	/* The same user's text of before: somebody else changed the zone. */
	ck_assert_int_eq(save_text(&world, ZONE, TEXT(7, "; a comment\nwww A 192.0.2.2\n")), ZN_ECONFLICT);

	/* With a comment it is kept as written from then on. */
	zn_buf_add_str(&printed, "; kept\n");
	result = save_good(&world, ZONE, zn_buf_str(&printed));
	ck_assert(!result.changed && result.text_changed);
	expect_text(&world, ZONE, zn_buf_str(&printed));
}
END_TEST

static bool forgive_all(void *context, struct zn_view entry, const char *sentence)
{
	(void)context;
	(void)entry;
	(void)sentence;
	return true;
}

/* As PowerDNS's API or a merge may leave it: data beside a CNAME. */
static enum zn_code add_fault(struct zn_job *job, struct zn_txn *records, struct zn_err *err)
{
	static const char text[] = TEXT(7, "www CNAME ns\nwww A 192.0.2.2\n");
	ZN_AUTO(zn_findings_release) struct zn_findings findings = {0};
	struct zn_zone_info info;
	struct zn_zone_mode mode = {0};
	struct zn_records_change change;
	struct zn_name apex = zone_of(ZONE).name;
	struct zn_parse_options options = {.apex = &apex, .known_fault = forgive_all};
	struct zn_parsed parsed = {0};
	(void)job;

	enum zn_code code = zn_parse(ZN_VIEW(text), &options, &findings, &parsed, err);
	if (code == ZN_OK)
		code = find(&world, ZONE, &info);
	if (code == ZN_OK)
		code = zn_records_apply(records, info.id, parsed.zone, &mode, &change, err);
	zn_parsed_release(&parsed);
	return code;
}

START_TEST(an_old_fault_refuses_no_new_edit)
{
	ZN_AUTO(zn_buf_release) struct zn_buf printed = ZN_BUF_INIT(1 << 20);
	struct zn_save_result result;

	save_good(&world, ZONE, TEXT(7, ""));
	write_rows(&world, ZN_RECORDS, add_fault);
	zn_watch_tell(world.watch, &(struct zn_change){.origin = ZN_OWN_MERGE, .all = true, .txnid = {[ZN_RECORDS] = txnid_of(&world, ZN_RECORDS)}});
	ck_ok(load(&world, ZONE, &printed));
	zn_buf_add_str(&printed, "more A 192.0.2.9\n");
	result = save_good(&world, ZONE, zn_buf_str(&printed));
	ck_assert(result.changed);
	ck_assert_uint_gt(result.warnings, 0);

	/* One more of the same kind is new, and refused; so is the old one once its line is touched. */
	zn_buf_clear(&printed);
	ck_ok(load(&world, ZONE, &printed));
	size_t len = printed.len;
	zn_buf_add_str(&printed, "more CNAME ns\n");
	ck_assert_int_eq(save_text(&world, ZONE, zn_buf_str(&printed)), ZN_ESYNTAX);
	zn_buf_splice(&printed, len, printed.len - len, ZN_VIEW(""));
	zn_buf_splice(&printed, (size_t)(strstr(zn_buf_str(&printed), "CNAME") - zn_buf_str(&printed)), 0, ZN_VIEW(" "));
	ck_assert_int_eq(save_text(&world, ZONE, zn_buf_str(&printed)), ZN_ESYNTAX);
}
END_TEST

START_TEST(warnings_stay_until_the_next_save)
{
	ZN_AUTO(zn_buf_release) struct zn_buf warnings = ZN_BUF_INIT(1 << 20);
	struct zn_zone_id zone = zone_of(ZONE);
	struct zn_save_result result = save_good(&world, ZONE, TEXT(7, "sub NS ns.sub\n"));

	ck_assert_uint_gt(result.warnings, 0);
	ck_ok(zn_saver_warnings(world.saver, &zone, &warnings, &err));
	ck_assert_ptr_nonnull(strstr(zn_buf_str(&warnings), ZONE ".zone:5:"));
	ck_assert_ptr_nonnull(strstr(zn_buf_str(&warnings), ": warning: "));
	zn_buf_clear(&warnings);
	save_good(&world, ZONE, TEXT(7, ""));
	ck_code(zn_saver_warnings(world.saver, &zone, &warnings, &err), ZN_ENOTFOUND);
}
END_TEST

/* --- times --- */

START_TEST(a_time_given_is_kept_with_the_text)
{
	struct zn_save_result result;
	struct zn_save save = {
		.zone = zone_of(ZONE), .text = zn_view_str(TEXT(7, "")), .mtime = {UINT64_C(1600000000123456789)}, .way = ZN_SAVE_CLOSE,
	};
	struct zn_zone_info info;
	struct zn_loaded loaded;

	zn_saver_run(world.saver, &save, &result);
	ck_assert_int_eq(result.code, ZN_OK);
	ck_assert_uint_eq(result.loaded.stat.mtime.ns, UINT64_C(1600000000123456789));
	ck_ok(find(&world, ZONE, &info));
	ck_ok(zn_load_stat(world.loader, &info, &loaded, &err));
	ck_assert_uint_eq(loaded.stat.mtime.ns, UINT64_C(1600000000123456789));

	/* The same text with another time: only that is taken over. */
	save.mtime.ns = UINT64_C(1500000000000000000);
	zn_saver_run(world.saver, &save, &result);
	ck_assert(result.code == ZN_OK && !result.changed && !result.text_changed);
	ck_assert_uint_eq(result.loaded.stat.mtime.ns, UINT64_C(1500000000000000000));
	world_close(&world);
	world_open(&world);
	ck_ok(zn_load_stat(world.loader, &info, &loaded, &err));
	ck_assert_uint_eq(loaded.stat.mtime.ns, UINT64_C(1500000000000000000));

	result = save_good(&world, ZONE, TEXT(7, "www A 192.0.2.2\n"));
	ck_assert_uint_gt(result.loaded.stat.mtime.ns, UINT64_C(1700000000000000000));
}
END_TEST

struct answer {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	unsigned count;
	enum zn_code code;
};
#define ANSWER_INIT {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, ZN_OK}

static void answered(void *context, enum zn_code code, const struct zn_err *err)
{
	struct answer *answer = context;
	(void)err;

	pthread_mutex_lock(&answer->lock);
	answer->count++;
	answer->code = code;
	pthread_cond_signal(&answer->cond);
	pthread_mutex_unlock(&answer->lock);
}

static void wait_for_answers(struct answer *answer, unsigned count)
{
	pthread_mutex_lock(&answer->lock);
	while (answer->count < count)
		pthread_cond_wait(&answer->cond, &answer->lock);
	pthread_mutex_unlock(&answer->lock);
}

START_TEST(a_time_set_on_a_zone)
{
	struct answer answer = ANSWER_INIT;
	struct zn_zone_id zone = zone_of(ZONE);
	struct zn_zone_info info;
	struct zn_loaded loaded;

	save_good(&world, ZONE, TEXT(7, "; text\n"));
	zn_saver_set_mtime(world.saver, &zone, (struct zn_stamp){UINT64_C(1600000000000000001)}, answered, &answer);
	wait_for_answers(&answer, 1);
	ck_assert_int_eq(answer.code, ZN_OK);
	expect_text(&world, ZONE, TEXT(7, "; text\n"));
	ck_ok(find(&world, ZONE, &info));
	ck_ok(zn_load_stat(world.loader, &info, &loaded, &err));
	ck_assert_uint_eq(loaded.stat.mtime.ns, UINT64_C(1600000000000000001));
}
END_TEST

/* --- many at once --- */

struct pending {
	struct zn_save save; /* first */
	struct answer *answer;
	enum zn_code code;
	bool changed;
};

static void pending_done(struct zn_save *save, const struct zn_save_result *result)
{
	struct pending *pending = (struct pending *)save;

	pending->code = result->code;
	pending->changed = result->changed;
	answered(pending->answer, result->code, &result->err);
}

static struct pending pending_save(struct answer *answer, const char *zone, const char *text)
{
	return (struct pending){
		.save = {.zone = zone_of(zone), .text = zn_view_str(text), .way = ZN_SAVE_CLOSE, .done = pending_done}, .answer = answer,
	};
}

static void wait_until_waiting(size_t jobs)
{
	struct zn_commit_usage usage;

	do {
		zn_commit_usage(world.commit, &usage);
		sched_yield();
	} while (usage.waiting < jobs);
}

START_TEST(each_is_accepted_or_refused_alone)
{
	struct answer answer = ANSWER_INIT;
	ZN_AUTO(zn_txn_end) struct zn_txn lock = {0};
	char many[4096];
	int len = snprintf(many, sizeof many, "%s", TEXT(7, ""));

	for (int i = 0; i < 30; i++)
		len += snprintf(many + len, sizeof many - (size_t)len, "h%d A 192.0.2.9\n", i);
	save_good(&world, "b.example", many);
	ck_ok(zn_txn_begin(&lock, world.env, ZN_RECORDS, ZN_TXN_WRITE, &err));
	struct pending pending[] = {
		pending_save(&answer, "a.example", TEXT(1, "")),
		pending_save(&answer, "b.example", TEXT(8, "")), /* too much gone */
		pending_save(&answer, "c.example", TEXT(1, "")),
	};
	for (size_t i = 0; i < 3; i++)
		zn_saver_submit(world.saver, &pending[i].save);
	wait_until_waiting(3);
	zn_txn_end(&lock);
	wait_for_answers(&answer, 3);
	ck_assert_int_eq(pending[0].code, ZN_OK);
	ck_assert_int_eq(pending[1].code, ZN_EGUARD);
	ck_assert_int_eq(pending[2].code, ZN_OK);
	expect_text(&world, "a.example", TEXT(1, ""));
	expect_text(&world, "b.example", many);
	expect_text(&world, "c.example", TEXT(1, ""));
}
END_TEST

START_TEST(no_variant_where_4_9_may_serve)
{
	struct answer answer = ANSWER_INIT;
	struct pending pending = pending_save(&answer, ZONE, TEXT(1, ""));

	ck_assert_uint_eq(zn_env_schema(world.env), 5);
	snprintf(pending.save.zone.variant, sizeof pending.save.zone.variant, "inside");
	zn_saver_submit(world.saver, &pending.save);
	wait_for_answers(&answer, 1);
	ck_assert_int_eq(pending.code, ZN_EINVAL);
}
END_TEST

START_TEST(two_that_make_the_same_zone)
{
	struct answer answer = ANSWER_INIT;
	struct pending pending[8];
	struct zn_zone_info info;
	unsigned zones = 0;

	for (size_t i = 0; i < 8; i++)
		pending[i] = pending_save(&answer, ZONE, i % 2 ? TEXT(1, "a A 192.0.2.1\n") : TEXT(1, "b A 192.0.2.1\n"));
	for (size_t i = 0; i < 8; i++)
		zn_saver_submit(world.saver, &pending[i].save);
	wait_for_answers(&answer, 8);
	for (size_t i = 0; i < 8; i++)
		ck_assert_int_eq(pending[i].code, ZN_OK);
	ZN_AUTO(zn_txn_end) struct zn_txn main = {0};
	struct zn_index_key at = {0};
	ck_ok(zn_txn_begin(&main, world.env, ZN_MAIN, ZN_TXN_READ, &err));
	while (zn_zones_next(&main, &at, &info, NULL) == ZN_OK)
		zones++;
	ck_assert_uint_eq(zones, 1);
}
END_TEST

START_TEST(a_lock_that_is_not_to_be_had)
{
	struct zn_saver_options options = world.options;
	ZN_AUTO(zn_txn_end) struct zn_txn lock = {0};

	save_good(&world, ZONE, TEXT(7, ""));
	options.lock_wait = 20 * ZN_NS_PER_MS;
	restart_with(options);
	ck_ok(zn_txn_begin(&lock, world.env, ZN_RECORDS, ZN_TXN_WRITE, &err));
	ck_assert_int_eq(save_text(&world, ZONE, TEXT(7, "www A 192.0.2.2\n")), ZN_EBUSY);
	expect_refused(&world, ZONE, TEXT(7, "www A 192.0.2.2\n"), "busy");
	expect_text(&world, ZONE, TEXT(7, ""));
	/* Saving what is there needs no lock. */
	save_good(&world, ZONE, TEXT(7, ""));
	zn_txn_end(&lock);
	save_good(&world, ZONE, TEXT(7, "www A 192.0.2.2\n"));
}
END_TEST

/* A rename holds its directory's lock: it is not made to wait as long as the save before it may. */
START_TEST(a_lock_is_waited_for_by_each_for_itself)
{
	struct zn_saver_options options = world.options;
	struct answer answer = ANSWER_INIT, behind = ANSWER_INIT;
	ZN_AUTO(zn_txn_end) struct zn_txn lock = {0};

	options.lock_wait = 3600 * ZN_NS_PER_S;
	restart_with(options);
	struct pending first = pending_save(&answer, ZONE, TEXT(7, "")), rename = pending_save(&behind, ZONE, TEXT(8, ""));

	ck_ok(zn_txn_begin(&lock, world.env, ZN_RECORDS, ZN_TXN_WRITE, &err));
	zn_saver_submit(world.saver, &first.save);
	wait_until_waiting(1);
	rename.save.way = ZN_SAVE_RENAME;
	rename.save.asked = 1; /* and has waited for his turn since the machine began */
	zn_saver_submit(world.saver, &rename.save);
	wait_for_answers(&behind, 1);
	ck_assert_int_eq(rename.code, ZN_EBUSY);
	ck_assert_uint_eq(answer.count, 0);
	zn_txn_end(&lock);
	wait_for_answers(&answer, 1);
	ck_assert_int_eq(first.code, ZN_OK);
}
END_TEST

START_TEST(withdrawn_while_it_waits)
{
	struct answer answer = ANSWER_INIT;
	ZN_AUTO(zn_txn_end) struct zn_txn lock = {0};
	struct pending pending = pending_save(&answer, ZONE, TEXT(7, "")), behind = pending_save(&answer, ZONE, TEXT(8, ""));

	ck_ok(zn_txn_begin(&lock, world.env, ZN_RECORDS, ZN_TXN_WRITE, &err));
	zn_saver_submit(world.saver, &pending.save);
	wait_until_waiting(1);
	zn_saver_submit(world.saver, &behind.save);
	ck_assert(zn_saver_withdraw(world.saver, &pending.save));
	ck_assert(!zn_saver_withdraw(world.saver, &pending.save));
	wait_until_waiting(1);
	zn_txn_end(&lock);
	wait_for_answers(&answer, 1);
	ck_assert_int_eq(behind.code, ZN_OK);
	expect_text(&world, ZONE, TEXT(8, ""));
}
END_TEST

START_TEST(ending_keeps_what_could_not_be_saved)
{
	struct answer answer = ANSWER_INIT;
	ZN_AUTO(zn_txn_end) struct zn_txn lock = {0};
	struct pending pending[] = {pending_save(&answer, ZONE, TEXT(7, "")), pending_save(&answer, ZONE, TEXT(8, ""))};

	ck_ok(zn_txn_begin(&lock, world.env, ZN_RECORDS, ZN_TXN_WRITE, &err));
	for (size_t i = 0; i < 2; i++)
		zn_saver_submit(world.saver, &pending[i].save);
	wait_until_waiting(1);
	zn_saver_stop(world.saver, zn_clock_mono());
	ck_assert_uint_eq(answer.count, 2);
	ck_assert_int_eq(pending[0].code, ZN_EBUSY);
	zn_txn_end(&lock);
	ck_ok(zn_saver_start(world.env, world.local, world.commit, world.watch, world.loader, world.events, &world.options, &world.saver, &err));
	struct zn_refused_stat stat;
	ck_ok(zn_refused_stat(zn_saver_refused(world.saver), ZONE ".zone", &stat));
	ck_ok(zn_refused_stat(zn_saver_refused(world.saver), ZONE ".zone.1", &stat));
	expect_text(&world, ZONE, NULL);
}
END_TEST

START_TEST(judged_ahead)
{
	struct zn_save_result result;
	struct zn_save save = {
		.zone = zone_of(ZONE), .text = zn_view_str(TEXT(7, "sub NS ns.sub\n")), .way = ZN_SAVE_RENAME, .validate_only = true, .ahead = true,
	};

	zn_saver_run(world.saver, &save, &result);
	ck_assert_int_eq(result.code, ZN_OK);
	expect_text(&world, ZONE, NULL);
	save.validate_only = save.ahead = false;
	zn_saver_run(world.saver, &save, &result);
	ck_assert_int_eq(result.code, ZN_OK);
	ck_assert_uint_gt(result.warnings, 0);
	expect_text(&world, ZONE, TEXT(7, "sub NS ns.sub\n"));

	/* What is wrong is not kept: nobody saved it. */
	save.validate_only = save.ahead = true;
	save.text = zn_view_str("nonsense\n");
	zn_saver_run(world.saver, &save, &result);
	ck_assert_int_eq(result.code, ZN_ESYNTAX);
	expect_refused(&world, ZONE, NULL, NULL);
	save.ahead = false;
	zn_saver_run(world.saver, &save, &result);
	ck_assert_int_eq(result.code, ZN_ESYNTAX);
	expect_refused(&world, ZONE, "nonsense\n", "error");
}
END_TEST

START_TEST(a_killed_writers_text)
{
	struct zn_zone_id zone = zone_of(ZONE);
	struct zn_actor actor = {.pid = 5, .program = "vim"};

	zn_saver_keep_refused(world.saver, &zone, ZN_VIEW("half a te"), &actor, "interrupted: killed while writing");
	expect_refused(&world, ZONE, "half a te", "interrupted");
}
END_TEST

/* The watch sees a commit before it is on the disk, and so before it can be told of. */
START_TEST(own_saves_are_not_foreign)
{
	char text[300], zone[32];

	for (int i = 0; i < 40; i++) {
		snprintf(zone, sizeof zone, "z%d.example", i % 8);
		snprintf(text, sizeof text, TEXT(1, "a%d A 192.0.2.2\n"), i);
		save_good(&world, zone, text);
	}
	ck_assert_ptr_null(strstr(events_of(&world), "\"event\":\"foreign\""));
}
END_TEST

START_TEST(others_are_told_of)
{
	save_good(&world, ZONE, TEXT(7, ""));
	write_rows(&world, ZN_RECORDS, change_rows);
	for (uint64_t deadline = zn_clock_mono() + 60 * ZN_NS_PER_S; zn_clock_mono() < deadline; sched_yield())
		if (strstr(events_of(&world), "\"event\":\"foreign\",\"zone\":\"" ZONE "\""))
			return;
	ck_abort_msg("no event: %s", events_of(&world));
}
END_TEST

/* --- the guard over zones --- */

START_TEST(a_burst_of_deletions)
{
	struct zn_actor actor = {.program = "rm"};
	char name[32];
	unsigned gone = 0;

	for (unsigned i = 0; i < 12; i++) {
		snprintf(name, sizeof name, "z%u.example", i);
		save_good(&world, name, TEXT(1, ""));
	}
	for (unsigned i = 0; i < 12; i++) {
		snprintf(name, sizeof name, "z%u.example", i);
		struct zn_zone_id zone = zone_of(name);
		if (zn_saver_may_vacate(world.saver, &zone, NULL) != ZN_OK)
			break;
		ck_ok(zn_saver_bury(world.saver, &zone, &actor, &err));
		gone++;
	}
	ck_assert_uint_eq(gone, 9);
	ck_assert_ptr_nonnull(strstr(events_of(&world), "\"event\":\"guard\""));
	zn_saver_allow(world.saver);
	struct zn_zone_id zone = zone_of("z11.example");
	ck_ok(zn_saver_may_vacate(world.saver, &zone, &err));
	ck_code(zn_saver_may_vacate(world.saver, &zone, &err), ZN_EGUARD);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("save");
	TCase *tcase = tcase_create("save");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, saves_over, 0, sizeof saves / sizeof *saves);
	tcase_add_loop_test(tcase, refuses, 0, sizeof refusals / sizeof *refusals);
	tcase_add_test(tcase, a_new_name_is_refused_too);
	tcase_add_test(tcase, allowed_once);
	tcase_add_loop_test(tcase, serial_policies, 0, sizeof policies / sizeof *policies);
	tcase_add_test(tcase, policy_keep);
	tcase_add_test(tcase, an_older_text_over_somebody_elses_edit);
	tcase_add_test(tcase, a_basis_that_is_known_decides);
	tcase_add_test(tcase, a_secondary_zone_belongs_to_its_primary);
	tcase_add_test(tcase, a_buried_zone_comes_back_as_a_new_one);
	tcase_add_test(tcase, kind_of_new_zones);
	tcase_add_test(tcase, read_only);
	tcase_add_test(tcase, signed_elsewhere);
	tcase_add_test(tcase, signed_elsewhere_is_not_wanted);
	tcase_add_test(tcase, without_kept_text);
	tcase_add_test(tcase, changed_behind_its_text);
	tcase_add_test(tcase, an_old_fault_refuses_no_new_edit);
	tcase_add_test(tcase, warnings_stay_until_the_next_save);
	tcase_add_test(tcase, a_time_given_is_kept_with_the_text);
	tcase_add_test(tcase, a_time_set_on_a_zone);
	tcase_add_test(tcase, each_is_accepted_or_refused_alone);
	tcase_add_test(tcase, no_variant_where_4_9_may_serve);
	tcase_add_test(tcase, two_that_make_the_same_zone);
	tcase_add_test(tcase, a_lock_that_is_not_to_be_had);
	tcase_add_test(tcase, a_lock_is_waited_for_by_each_for_itself);
	tcase_add_test(tcase, withdrawn_while_it_waits);
	tcase_add_test(tcase, ending_keeps_what_could_not_be_saved);
	tcase_add_test(tcase, judged_ahead);
	tcase_add_test(tcase, a_killed_writers_text);
	tcase_add_test(tcase, own_saves_are_not_foreign);
	tcase_add_test(tcase, others_are_told_of);
	tcase_add_test(tcase, a_burst_of_deletions);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
