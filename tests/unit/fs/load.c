#include "fs/save/load.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "fs/text/parse.h"
#include "fs/text/pieces.h"
#include "fs/text/print.h"
#include "store/base/limits.h"
#include "store/dns/presigned.h"
#include "store/text.h"
#include "tests/unit/suite.h"
#include "tests/unit/support.h"

#define ID 77

static struct scratch scratch;
static struct zn_env *env;
static struct zn_loader *loader;
static struct zn_zone_info zone;
static uint32_t counter;

static void setup(void)
{
	struct zn_txn txn;

	scratch_make(&scratch);
	env = scratch_open(&scratch);
	ck_assert_int_eq(zn_loader_new(env, NULL, true, &loader), ZN_OK);
	zone = (struct zn_zone_info){.id = ID};
	ck_ok(zn_name_from_text(ZN_VIEW("example.com."), NULL, &zone.zone.name, &err));
	ck_ok(zn_txn_begin(&txn, env, ZN_MAIN, ZN_TXN_WRITE, &err));
	ck_ok(zn_zones_create(&txn, ID, &zone.zone, ZN_KIND_NATIVE, &err));
	ck_ok(zn_txn_commit(&txn, &err));
	counter = 0;
}

static void teardown(void)
{
	zn_clock_set((struct zn_stamp){0});
	zn_loader_free(loader);
	zn_env_close(env);
	scratch_remove(&scratch);
}

static struct zn_txn write_records(void)
{
	struct zn_txn txn;

	ck_ok(zn_txn_begin(&txn, env, ZN_RECORDS, ZN_TXN_WRITE, &err));
	return txn;
}

static void parse(struct zn_view text, struct zn_parse_sink *sink, struct zn_parsed *parsed)
{
	ZN_AUTO(zn_findings_release) struct zn_findings findings = {0};
	struct zn_parse_options options = {.apex = &zone.zone.name, .sink = sink};

	ck_ok(zn_parse(text, &options, &findings, parsed, &err));
}

static void put_rows(struct zn_txn *txn, const struct zn_zone *records)
{
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *stored = NULL;
	struct zn_zone_mode mode = {.presigned = zn_zone_is_presigned(records)};
	struct zn_records_change change;

	ck_assert_int_eq(zn_presigned_strip(records, &stored), ZN_OK);
	ck_ok(zn_records_apply(txn, ID, stored, &mode, &change, &err));
}

static enum zn_code each_stored(
		void *context, struct zn_view order, struct zn_stamp stamp, struct zn_view payload)
{
	struct zn_cut *cut = context;
	struct zn_piece *piece = (struct zn_piece *)&cut->stored[cut->stored_count++];

	(void)stamp;
	ck_assert_int_eq(zn_piece_read(payload, piece), ZN_OK);
	piece->order = order;
	return ZN_OK;
}

/* What a save does, in few words. */
static void save_at(const char *text, struct zn_stamp mtime)
{
	ZN_AUTO_PTR(zn_cutter_free) struct zn_cutter *cutter = NULL;
	ZN_AUTO_FREE struct zn_piece *stored = calloc(1000, sizeof *stored);
	ZN_AUTO(zn_buf_release) struct zn_buf payload = ZN_BUF_INIT(1 << 20);
	struct zn_piece_changes changes;
	struct zn_parsed parsed;
	struct zn_txn txn = write_records();

	ck_assert_int_eq(zn_cutter_new(&zone.zone.name, &cutter), ZN_OK);
	struct zn_parse_sink sink = zn_cutter_sink(cutter);
	parse(zn_view_str(text), &sink, &parsed);
	put_rows(&txn, parsed.zone);
	struct zn_record soa = zn_zone_at(parsed.zone, 0);
	for (size_t i = 0; soa.type != ZN_TYPE_SOA; i++)
		soa = zn_zone_at(parsed.zone, i);
	struct zn_cut cut = {.text = zn_view_str(text),
			.parsed_len = strlen(text),
			.serial_offset = parsed.serial_offset,
			.stored = stored,
			.site = 1,
			.soa_hash = zn_record_hash(&zone.zone.name, &soa),
			.counter = ++counter};
	ck_ok(zn_text_each(&txn, ID, each_stored, &cut, &err));
	ck_ok(zn_cutter_finish(cutter, &cut, &changes, &err));
	for (size_t i = 0; i < changes.bury_count; i++)
		ck_ok(zn_text_bury(&txn, ID, zn_order_view(&changes.bury[i]), &err));
	for (size_t i = 0; i < changes.put_count; i++) {
		ck_ok(zn_cutter_payload(cutter, i, &payload, &err));
		ck_ok(zn_text_put(&txn, ID, zn_order_view(&changes.put[i]), zn_buf_view(&payload),
				&err));
	}
	struct zn_text_head head = {.mtime = mtime,
			.digest = zn_zone_digest(parsed.zone),
			.site = 1,
			.counter = counter};
	ck_ok(zn_text_head_put(&txn, ID, &head, &err));
	ck_ok(zn_txn_commit(&txn, &err));
	zn_parsed_release(&parsed);
}

static void save(const char *text)
{
	save_at(text, (struct zn_stamp){0});
}

/* Rows changed behind the text, as PowerDNS would. */
static void rows_say(const char *text)
{
	struct zn_parsed parsed;
	struct zn_txn txn = write_records();

	parse(zn_view_str(text), NULL, &parsed);
	put_rows(&txn, parsed.zone);
	ck_ok(zn_txn_commit(&txn, &err));
	zn_parsed_release(&parsed);
}

static enum zn_code keep(void *context, struct zn_view bytes)
{
	zn_buf_add(context, bytes);
	return ZN_OK;
}

static struct zn_loaded load(struct zn_buf *text)
{
	struct zn_sink sink = {text, keep};
	struct zn_loaded loaded, stat;

	zn_buf_clear(text);
	ck_ok(zn_load_text(loader, &zone, &sink, &loaded, &err));
	ck_assert(loaded.stat.known);
	ck_assert_uint_eq(loaded.stat.size, text->len);
	ck_assert_uint_eq(loaded.txnid[ZN_RECORDS], zn_env_last_txnid(env, ZN_RECORDS));
	ck_assert_uint_eq(loaded.txnid[ZN_MAIN], zn_env_last_txnid(env, ZN_MAIN));
	/* The same without the bytes. */
	ck_ok(zn_load_stat(loader, &zone, &stat, &err));
	ck_assert_uint_eq(stat.stat.size, loaded.stat.size);
	ck_assert_uint_eq(stat.stat.mtime.ns, loaded.stat.mtime.ns);
	ck_assert_uint_eq(stat.serial, loaded.serial);
	ck_assert(stat.stat.text_fits == loaded.stat.text_fits);
	return loaded;
}

#define TEXT(name) ZN_AUTO(zn_buf_release) struct zn_buf name = ZN_BUF_INIT(ZN_TEXT_MAX)

#define BASE                                                                                       \
	"$TTL 1h ; an hour\n@ SOA ns1 hostmaster 1 4h 1h 2w 5m\n\n NS ns1\nns1 A 192.0.2.1 ; "     \
	"here\n"
#define CANONICAL "$ORIGIN example.com.\n$TTL 3600\n"

static void ck_canonical(const struct zn_buf *text, const char *records)
{
	struct zn_parsed parsed, expected;

	ck_assert_msg(strncmp(zn_buf_str(text), CANONICAL, strlen(CANONICAL)) == 0,
			"not canonical: %s", zn_buf_str(text));
	parse(zn_buf_view(text), NULL, &parsed);
	parse(zn_view_str(records), NULL, &expected);
	ck_assert(zn_digest_equal(zn_zone_digest(parsed.zone), zn_zone_digest(expected.zone)));
	zn_parsed_release(&parsed);
	zn_parsed_release(&expected);
}

START_TEST(kept_text)
{
	TEXT(text);
	save(BASE);
	struct zn_loaded loaded = load(&text);

	ck_assert_str_eq(zn_buf_str(&text), BASE);
	ck_assert(loaded.stat.text_fits);
	ck_assert(!loaded.damaged);
	ck_assert_uint_eq(loaded.stat.digest.count, 3);
	ck_assert_uint_eq(loaded.serial, 1);
}
END_TEST

START_TEST(rows_changed_behind_the_text)
{
	TEXT(text);
	save(BASE);
	rows_say(BASE "www A 192.0.2.2\n");
	struct zn_loaded loaded = load(&text);
	ck_canonical(&text, BASE "www A 192.0.2.2\n");
	ck_assert(!loaded.stat.text_fits);
	ck_assert_uint_eq(loaded.stat.digest.count, 4);

	rows_say(BASE); /* taken back: the text is true again */
	loaded = load(&text);
	ck_assert_str_eq(zn_buf_str(&text), BASE);
	ck_assert(loaded.stat.text_fits);
}
END_TEST

START_TEST(without_text)
{
	TEXT(text);
	struct zn_loaded loaded;

	rows_say(BASE);
	loaded = load(&text);
	ck_canonical(&text, BASE);
	ck_assert(!loaded.stat.text_fits);

	/* text=off does not look at what was kept. */
	save(BASE);
	zn_loader_free(loader);
	ck_assert_int_eq(zn_loader_new(env, NULL, false, &loader), ZN_OK);
	loaded = load(&text);
	ck_canonical(&text, BASE);
	ck_assert(!loaded.stat.text_fits);
}
END_TEST

START_TEST(not_listed)
{
	struct zn_zone_info other = zone, found;
	struct zn_loaded loaded;
	struct zn_txn txn;

	/* In the list, but without a SOA. */
	ck_code(zn_load_stat(loader, &zone, &loaded, &err), ZN_ENOTFOUND);
	ck_code(zn_load_find(loader, &zone.zone, &found, &err), ZN_ENOTFOUND);
	save(BASE);
	ck_ok(zn_load_find(loader, &zone.zone, &found, &err));
	ck_assert_uint_eq(found.id, ID);
	/* An id that is another zone's. */
	ck_ok(zn_name_from_text(ZN_VIEW("example.net."), NULL, &other.zone.name, &err));
	ck_code(zn_load_stat(loader, &other, &loaded, &err), ZN_ENOTFOUND);
	ck_code(zn_load_find(loader, &other.zone, &found, &err), ZN_ENOTFOUND);
	other = zone;
	other.id++;
	ck_code(zn_load_stat(loader, &other, &loaded, &err), ZN_ENOTFOUND);
	/* Buried. */
	ck_ok(zn_txn_begin(&txn, env, ZN_MAIN, ZN_TXN_WRITE, &err));
	ck_ok(zn_zones_bury(&txn, ID, &err));
	ck_ok(zn_txn_commit(&txn, &err));
	ck_code(zn_load_stat(loader, &zone, &loaded, &err), ZN_ENOTFOUND);
}
END_TEST

/* A record given twice is kept in the text and once in the rows. */
START_TEST(duplicates)
{
	TEXT(text);
	save(BASE "ns1 A 192.0.2.1 ; again\n$GENERATE 1-2 h$ A 192.0.2.$\nh1 A 192.0.2.1\n");
	struct zn_loaded loaded = load(&text);

	ck_assert(loaded.stat.text_fits);
	ck_assert_uint_eq(loaded.stat.digest.count, 5);
	ck_assert(strstr(zn_buf_str(&text), "again"));
	rows_say(BASE "h1 A 192.0.2.1\n");
	loaded = load(&text);
	ck_assert(!loaded.stat.text_fits);
	ck_canonical(&text, BASE "h1 A 192.0.2.1\n");
}
END_TEST

/* Text that does not decode, or that a newer program wrote: the rows are shown, it is told, nothing
 * is lost. */
START_TEST(damaged)
{
	static const struct {
		const char *key, *payload, *sentence;
	} rows[] = {
			{"0000004d 80 00000001 00000001", "01", "does not decode"},
			{"0000004d 80 00000001 00000001", "02aabb", "newer"},
			{"0000004d 80 00000001 00000001", "", "does not decode"},
			{"0000004d", "01aabb", "head"},
			{"0000004d", "02", "newer"},
			{"0000004d aa", "01", "decode"},
	};
	TEXT(text);
	struct zn_buf key = bytes_of(rows[_i].key), payload = bytes_of(rows[_i].payload);
	struct zn_txn txn;
	struct zn_view there;

	save(BASE);
	txn = write_records();
	ck_ok(zn_txn_put(&txn, ZN_DBI_TEXT, zn_buf_view(&key), zn_buf_view(&payload), ZN_USER,
			(struct zn_stamp){0}, NULL, &err));
	ck_ok(zn_txn_commit(&txn, &err));
	struct zn_loaded loaded = load(&text);
	ck_canonical(&text, BASE);
	ck_assert(loaded.damaged);
	ck_assert_msg(strstr(loaded.damage, rows[_i].sentence) != NULL, "%s", loaded.damage);
	ck_assert(!loaded.stat.text_fits);
	ck_ok(zn_txn_begin(&txn, env, ZN_RECORDS, ZN_TXN_READ, &err));
	ck_ok(zn_txn_get_live(&txn, ZN_DBI_TEXT, zn_buf_view(&key), NULL, &there, &err));
	ck_assert(zn_view_equal(there, zn_buf_view(&payload)));
	zn_txn_end(&txn);
	zn_buf_release(&key);
	zn_buf_release(&payload);
}
END_TEST

/* Signed elsewhere: the rows have no chain, the text has it, kept or printed. */
START_TEST(presigned)
{
#define SIG(types) " RRSIG " types " 13 2 3600 20300101000000 20200101000000 12345 @ AQIDBA==\n"
	static const char signed_text[] = "$TTL 3600\n@ SOA ns1.example.net. hostmaster 1 2 3 4 5 "
					  "; signed\n" SIG("SOA") " NS ns1.example.net.\n" SIG("NS") " DNSKEY 256 3 13 AQIDBA==\n" SIG(
							  "DNSKEY") " NSEC www NS SOA RRSIG NSEC "
								    "DNSKEY\n" SIG("NSEC") "www A "
											   "192.0."
											   "2.1\n"
											   " RRSIG "
											   "A 13 3 "
											   "3600 "
											   "2030010"
											   "1000000"
											   " 202001"
											   "0100000"
											   "0 "
											   "12345 "
											   "@ "
											   "AQIDBA="
											   "=\n "
											   "NSEC @ "
											   "A "
											   "RRSIG "
											   "NSEC\n"
											   " RRSIG "
											   "NSEC "
											   "13 3 "
											   "3600 "
											   "2030010"
											   "1000000"
											   " 202001"
											   "0100000"
											   "0 "
											   "12345 "
											   "@ "
											   "AQIDBA="
											   "=\n";
	static const char *const yes[] = {"1"};
	struct zn_loaded loaded;
	struct zn_txn txn;
	TEXT(text);

	ck_ok(zn_txn_begin(&txn, env, ZN_MAIN, ZN_TXN_WRITE, &err));
	ck_ok(zn_meta_set(&txn, &zone.zone, "PRESIGNED", yes, 1, ZN_USER, &err));
	ck_ok(zn_txn_commit(&txn, &err));
	rows_say(signed_text);
	loaded = load(&text);
	ck_canonical(&text, signed_text);
	ck_assert(!loaded.stat.text_fits);
	ck_assert_uint_eq(loaded.stat.digest.count, 12);
	save(signed_text);
	loaded = load(&text);
	ck_assert_str_eq(zn_buf_str(&text), signed_text);
	ck_assert(loaded.stat.text_fits);
	ck_assert_uint_eq(loaded.stat.digest.count, 12);
}
END_TEST

static void at(uint64_t seconds)
{
	zn_clock_set((struct zn_stamp){seconds * ZN_NS_PER_S});
}

static uint64_t mtime(void)
{
	struct zn_loaded loaded;

	ck_ok(zn_load_stat(loader, &zone, &loaded, &err));
	return loaded.stat.mtime.ns;
}

START_TEST(times)
{
	at(1000);
	save(BASE);
	ck_assert_uint_eq(mtime(), 1000 * ZN_NS_PER_S);
	/* A comment alone is a change of the text. */
	at(2000);
	save("; new\n" BASE);
	ck_assert_uint_eq(mtime(), 2000 * ZN_NS_PER_S);
	/* What utimens gave, be it older or in the future. */
	save_at("; new\n" BASE, (struct zn_stamp){500 * ZN_NS_PER_S});
	ck_assert_uint_eq(mtime(), 500 * ZN_NS_PER_S);
	save_at("; new\n" BASE, (struct zn_stamp){9000 * ZN_NS_PER_S});
	ck_assert_uint_eq(mtime(), 9000 * ZN_NS_PER_S);
	/* Rows changed elsewhere under that time: forward all the same. */
	at(3000);
	rows_say(BASE "www A 192.0.2.2\n");
	ck_assert_uint_eq(mtime(), 9000 * ZN_NS_PER_S + 1);
	ck_assert_uint_eq(mtime(), 9000 * ZN_NS_PER_S + 1);
	at(10000);
	rows_say(BASE "www A 192.0.2.3\n");
	ck_assert_uint_eq(mtime(), 10000 * ZN_NS_PER_S);
	/* Given again, it counts again. */
	save_at(BASE, (struct zn_stamp){700 * ZN_NS_PER_S});
	ck_assert_uint_eq(mtime(), 700 * ZN_NS_PER_S);
}
END_TEST

static enum zn_code full(void *context, struct zn_view bytes)
{
	(void)context;
	(void)bytes;
	return ZN_EQUOTA;
}

START_TEST(sink_fails)
{
	struct zn_sink sink = {NULL, full};
	struct zn_loaded loaded;

	save(BASE);
	ck_code(zn_load_text(loader, &zone, &sink, &loaded, &err), ZN_EQUOTA);
	rows_say(BASE "www A 192.0.2.2\n");
	ck_code(zn_load_text(loader, &zone, &sink, &loaded, &err), ZN_EQUOTA);
}
END_TEST

/* The cache's word is taken: what it says is shown without a look at the rows, and forgotten when
 * the zone changes. */
START_TEST(cached)
{
	struct zn_watch *watch;
	struct zn_local *local;
	struct zn_loaded loaded;
	struct zn_zone_stat stat;
	uint32_t id = ID;
	TEXT(text);
	struct zn_sink sink = {&text, keep};

	ck_ok(zn_local_open(env, &local, &err));
	ck_ok(zn_watch_start(env, &watch, &err));
	ck_ok(zn_local_watch(local, watch, &err));
	zn_loader_free(loader);
	ck_assert_int_eq(zn_loader_new(env, local, true, &loader), ZN_OK);
	save(BASE);
	zn_watch_tell(watch, &(struct zn_change){.origin = ZN_OWN_SAVE,
					     .ids = &id,
					     .count = 1,
					     .txnid = {0, zn_env_last_txnid(env, ZN_RECORDS)}});
	ck_ok(zn_load_stat(loader, &zone, &loaded, &err));
	ck_assert_int_eq(zn_local_stat_get(local, &zone, &stat), ZN_OK);
	ck_assert_uint_eq(stat.size, strlen(BASE));
	ck_assert(stat.text_fits);
	ck_ok(zn_load_text(loader, &zone, &sink, &loaded, &err));
	ck_assert_str_eq(zn_buf_str(&text), BASE);
	ck_assert_uint_eq(loaded.stat.mtime.ns, stat.mtime.ns);

	rows_say(BASE "www A 192.0.2.2\n");
	zn_watch_tell(watch, &(struct zn_change){.origin = ZN_OWN_SAVE,
					     .ids = &id,
					     .count = 1,
					     .txnid = {0, zn_env_last_txnid(env, ZN_RECORDS)}});
	zn_buf_clear(&text);
	ck_ok(zn_load_text(loader, &zone, &sink, &loaded, &err));
	ck_canonical(&text, BASE "www A 192.0.2.2\n");

	zn_watch_stop(watch);
	zn_local_close(local);
	zn_watch_free(watch);
}
END_TEST

/* Many readers and a writer: what each gets is one committed text, whole. */
static atomic_bool reading;

static void version(struct zn_buf *text, unsigned number)
{
	zn_buf_clear(text);
	zn_buf_addf(text,
			"@ 300 SOA ns1 hostmaster %u 4h 1h 2w 5m\n@ 300 NS ns1\nns1 300 A "
			"192.0.2.1\n",
			number);
	for (unsigned i = 0; i < 300 + number; i++)
		zn_buf_addf(text, "h%u-%u 300 A 192.0.2.%u\n", i, number, i % 256);
}

static void *read_on(void *context)
{
	TEXT(text);
	TEXT(expected);
	struct zn_sink sink = {&text, keep};
	unsigned *reads = context;

	while (atomic_load(&reading)) {
		struct zn_loaded loaded;
		zn_buf_clear(&text);
		ck_ok(zn_load_text(loader, &zone, &sink, &loaded, &err));
		version(&expected, loaded.serial);
		ck_assert(zn_view_equal(zn_buf_view(&text), zn_buf_view(&expected)));
		(*reads)++;
	}
	return NULL;
}

START_TEST(threads)
{
	enum { READERS = 3 };
	pthread_t readers[READERS];
	unsigned reads[READERS] = {0};
	TEXT(text);

	version(&text, 1);
	save(zn_buf_str(&text));
	atomic_store(&reading, true);
	for (int i = 0; i < READERS; i++)
		ck_assert_int_eq(pthread_create(&readers[i], NULL, read_on, &reads[i]), 0);
	for (unsigned number = 2; number < 40; number++) {
		version(&text, number);
		save(zn_buf_str(&text));
	}
	atomic_store(&reading, false);
	for (int i = 0; i < READERS; i++)
		ck_assert_int_eq(pthread_join(readers[i], NULL), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("load");
	TCase *tests = tcase_create("load");

	tcase_set_timeout(tests, 120);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, kept_text);
	tcase_add_test(tests, rows_changed_behind_the_text);
	tcase_add_test(tests, without_text);
	tcase_add_test(tests, not_listed);
	tcase_add_test(tests, duplicates);
	tcase_add_loop_test(tests, damaged, 0, 6);
	tcase_add_test(tests, presigned);
	tcase_add_test(tests, times);
	tcase_add_test(tests, sink_fails);
	tcase_add_test(tests, cached);
	tcase_add_test(tests, threads);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
