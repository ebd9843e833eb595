#include "store/records.h"

#include <lmdb.h>

#include "store/dns/check.h"
#include "store/rectify.h"
#include "tests/unit/dns/support.h"
#include "tests/unit/store/zone_rows.h"
#include "tests/unit/suite.h"

#define ID 0x13403d19

/* The n-th write of a walk fails; 0: none does. */
static unsigned fail_at;
int __real_mdb_cursor_put(MDB_cursor *cursor, MDB_val *key, MDB_val *data, unsigned flags);
int __wrap_mdb_cursor_put(MDB_cursor *cursor, MDB_val *key, MDB_val *data, unsigned flags);
int __wrap_mdb_cursor_put(MDB_cursor *cursor, MDB_val *key, MDB_val *data, unsigned flags)
{
	if (fail_at > 0 && --fail_at == 0)
		return MDB_MAP_FULL;
	return __real_mdb_cursor_put(cursor, key, data, flags);
}

/* The n-th allocation fails, and all behind it: memory is gone. */
static unsigned memory_until;
static bool out_of_memory(void)
{
	return memory_until > 0 && (memory_until == 1 || --memory_until == 0);
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_malloc(size_t size)
{
	return out_of_memory() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return out_of_memory() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return out_of_memory() ? NULL : __real_realloc(old, size);
}

static struct scratch scratch, other;
static struct zn_env *env, *fresh;
static struct zn_name apex;

static const struct zn_zone_mode plain = {.dnssec = ZN_DNSSEC_UNSIGNED}, nsec = {.dnssec = ZN_DNSSEC_NSEC, .has_keys = true};

static void setup(void)
{
	scratch_make(&scratch);
	scratch_make(&other);
	env = scratch_open(&scratch);
	fresh = scratch_open(&other);
	apex = name_of("example.org");
	fail_at = memory_until = 0;
}

static void teardown(void)
{
	zn_clock_set((struct zn_stamp){0});
	zn_env_close(env);
	zn_env_close(fresh);
	scratch_remove(&scratch);
	scratch_remove(&other);
}

static struct zn_zone *finished(const char *const *lines)
{
	struct zn_zone *zone = zone_of("example.org", lines);

	ck_assert_int_eq(zn_zone_finish(zone, NULL, NULL), ZN_OK);
	return zone;
}

static struct zn_records_change apply_in(struct zn_env *where, const struct zn_zone *zone, const struct zn_zone_mode *mode)
{
	struct zn_txn txn = begin_records(where, ZN_TXN_WRITE);
	struct zn_records_change change, before;

	ck_ok(zn_records_compare(&txn, ID, zone, &before, &err));
	ck_ok(zn_records_apply(&txn, ID, zone, mode, &change, &err));
	ck_ok(zn_txn_commit(&txn, &err));
	ck_assert_uint_eq(before.rows_written, 0);
	ck_assert(before.added == change.added && before.removed == change.removed && before.deleted == change.deleted);
	return change;
}

static struct zn_records_change apply(const char *const *lines, const struct zn_zone_mode *mode)
{
	struct zn_zone *zone = finished(lines);
	struct zn_records_change change = apply_in(env, zone, mode);

	zn_zone_free(zone);
	return change;
}

static struct zn_zone *stored(struct zn_records_summary *summary)
{
	struct zn_txn txn = begin_records(env, ZN_TXN_READ);
	struct zn_digest digest;
	struct zn_zone *zone = NULL;

	ck_ok(zn_records_read(&txn, ID, &apex, &zone, summary, &err));
	ck_ok(zn_records_digest(&txn, ID, &apex, &digest, NULL, &err));
	ck_assert(zn_digest_equal(digest, zn_zone_digest(zone)));
	zn_txn_end(&txn);
	return zone;
}

/* A row as it stands in the test: owner, type, payload in hex, bits of the header aside. */
static void put_row(const char *owner, uint16_t type, const char *hex)
{
	struct zn_txn txn = begin_records(env, ZN_TXN_WRITE);
	ZN_AUTO(zn_buf_release) struct zn_buf payload = bytes_of(hex);
	struct zn_key owner_key = key_of(owner, &apex);
	struct zn_row_key key;

	zn_row_key_make(&key, ID, zn_key_view(&owner_key), type);
	ck_ok(zn_txn_put(&txn, ZN_DBI_RECORDS, zn_row_key_view(&key), zn_buf_view(&payload), ZN_USER, (struct zn_stamp){0}, NULL, &err));
	ck_ok(zn_txn_commit(&txn, &err));
}

/* The live payload of a row, in hex; "" when there is none. Its stamp, alive or buried. */
static const char *get_row(const char *owner, uint16_t type, struct zn_stamp *ret_stamp)
{
	struct zn_txn txn = begin_records(env, ZN_TXN_READ);
	struct zn_key owner_key = key_of(owner, &apex);
	struct zn_row_key key;
	struct zn_header header = {0};
	struct zn_view payload = {NULL, 0};
	const char *hex;

	zn_row_key_make(&key, ID, zn_key_view(&owner_key), type);
	enum zn_code code = zn_txn_get_live(&txn, ZN_DBI_RECORDS, zn_row_key_view(&key), &header, &payload, NULL);
	ck_assert(code == ZN_OK || code == ZN_ENOTFOUND);
	hex = code ? "" : hex_of(payload);
	zn_txn_end(&txn);
	if (ret_stamp)
		*ret_stamp = header.stamp;
	return hex;
}

#define HEAD "@ SOA 3600 ns1.other. hostmaster.other.", "@ NS 3600 ns1.other."

static const char *const small[] = {HEAD, "www A 60 192.0.2.2", "www A 60 192.0.2.1", "a.b.c TXT 60 0161", "sub NS 60 ns.sub", "ns.sub A 60 192.0.2.3", NULL};

START_TEST(what_is_written_is_read)
{
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *zone = finished(small);
	struct zn_records_summary summary;
	struct zn_records_change change = apply_in(env, zone, &plain);
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *read = stored(&summary);

	ck_assert(zn_digest_equal(zn_zone_digest(zone), zn_zone_digest(read)));
	ck_assert_uint_eq(change.added, 7);
	ck_assert_uint_eq(change.removed + change.deleted, 0);
	ck_assert_uint_eq(change.rows_written, 6 + 2); /* and two empty non-terminals */
	ck_assert_uint_eq(summary.rows, 6);
	ck_assert_uint_eq(change.newest.ns, summary.newest.ns);
	ck_assert_str_eq(get_row("www", ZN_TYPE_A, NULL), "0400c00002013c0000000100000400c00002023c000000010000");
	ck_assert_str_eq(get_row("c", ZN_TYPE_ENT, NULL), "000000000000010000");
	ck_assert_str_eq(get_row("ns.sub", ZN_TYPE_A, NULL), "0400c00002033c000000000000");
	change = apply_in(env, zone, &plain);
	ck_assert_uint_eq(change.rows_written + change.added + change.removed, 0);
	ck_assert_uint_eq(change.newest.ns, summary.newest.ns);
}
END_TEST

START_TEST(nothing_stored)
{
	struct zn_txn txn = begin_records(env, ZN_TXN_READ);
	struct zn_zone *zone = NULL;
	struct zn_digest digest;
	uint32_t serial;

	ck_code(zn_records_read(&txn, ID, &apex, &zone, NULL, &err), ZN_ENOTFOUND);
	ck_code(zn_records_digest(&txn, ID, &apex, &digest, NULL, &err), ZN_ENOTFOUND);
	ck_code(zn_records_serial(&txn, ID, &serial, NULL, &err), ZN_ENOTFOUND);
	ck_assert_ptr_null(zone);
	zn_txn_end(&txn);
}
END_TEST

/* Stamps: what a person changed is of now, what follows from it is not. */
START_TEST(stamps)
{
	static const char *const later[] = {HEAD, "www A 60 192.0.2.2", "www A 61 192.0.2.1", "b.c TXT 60 0161", "sub NS 60 ns.sub", "ns.sub A 60 192.0.2.3", NULL};
	struct zn_stamp stamp;

	zn_clock_set((struct zn_stamp){1000000});
	apply(small, &plain);
	get_row("c", ZN_TYPE_ENT, &stamp);
	ck_assert_uint_eq(stamp.ns, 1000001);
	zn_clock_set((struct zn_stamp){2000000});
	struct zn_records_change change = apply(later, &plain);
	ck_assert_uint_eq(change.added, 2);
	ck_assert_uint_eq(change.removed, 2);
	ck_assert_uint_eq(change.deleted, 1); /* a.b.c; the other has another TTL */
	get_row("www", ZN_TYPE_A, &stamp);
	ck_assert_uint_eq(stamp.ns, 2000000);
	get_row("sub", ZN_TYPE_NS, &stamp);
	ck_assert_uint_eq(stamp.ns, 1000000);
	ck_assert_str_eq(get_row("b.c", ZN_TYPE_ENT, &stamp), "");
	ck_assert_uint_eq(stamp.ns, 1000003); /* buried: its own + 2 */
	ck_assert_str_eq(get_row("a.b.c", ZN_TYPE_TXT, &stamp), "");
	ck_assert_uint_eq(stamp.ns, 2000000);
	/* The clock went back: a later change is still the later one. */
	zn_clock_set((struct zn_stamp){5});
	apply(small, &plain);
	get_row("www", ZN_TYPE_A, &stamp);
	ck_assert_uint_eq(stamp.ns, 2001024);
	/* A delegation above old data: the flags change with the old stamp, not with the clock. */
	static const char *const cut[] = {HEAD, "www A 60 192.0.2.2", "www A 60 192.0.2.1", "a.b.c TXT 60 0161", "c NS 60 ns.other.", "sub NS 60 ns.sub", "ns.sub A 60 192.0.2.3", NULL};
	get_row("a.b.c", ZN_TYPE_TXT, &stamp);
	uint64_t before = stamp.ns;
	zn_clock_set((struct zn_stamp){9000000});
	apply(cut, &plain);
	ck_assert_str_eq(get_row("a.b.c", ZN_TYPE_TXT, &stamp), "020001613c000000000000");
	ck_assert_uint_eq(stamp.ns, before + 1);
	ck_assert_str_eq(get_row("b.c", ZN_TYPE_ENT, NULL), "000000000000000000");
}
END_TEST

/* A new empty non-terminal in an old zone follows from the rows below it. */
START_TEST(stamp_of_a_new_ent)
{
	static const char *const more[] = {HEAD, "www A 60 192.0.2.2", "www A 60 192.0.2.1", "a.b.c TXT 60 0161", "x.y.z TXT 60 0162", "sub NS 60 ns.sub", "ns.sub A 60 192.0.2.3", NULL};
	struct zn_stamp stamp;

	zn_clock_set((struct zn_stamp){1000000});
	apply(small, &plain);
	zn_clock_set((struct zn_stamp){7000000});
	apply(more, &plain);
	ck_assert_str_eq(get_row("z", ZN_TYPE_ENT, &stamp), "000000000000010000");
	ck_assert_uint_eq(stamp.ns, 7000001);
}
END_TEST

/* The same records in another order, compressed, with flags that answer nothing: left alone to the byte. */
START_TEST(equal_rows_stay)
{
	static const char *const lines[] = {HEAD, "www NS 60 ns1", "www NS 60 ns2", "ns1 A 60 192.0.2.1", "ns2 A 60 192.0.2.1", NULL};
	const char *row = "0600036e7332c0153c0000000000010600036e7331c0153c000000000001";

	put_row("www", ZN_TYPE_NS, row);
	struct zn_records_change change = apply(lines, &nsec);
	ck_assert_uint_eq(change.rows_written, 4);
	ck_assert_str_eq(get_row("www", ZN_TYPE_NS, NULL), row);
}
END_TEST

START_TEST(disabled_stay)
{
	static const char *const lines[] = {HEAD, "d A 60 192.0.2.7", NULL}, *const without[] = {HEAD, NULL};
	struct zn_records_summary summary;

	/* disabled before enabled, as the API writes; and a name that has disabled ones alone */
	put_row("d", ZN_TYPE_A, "0400c00002c93c0000000101000400c00002ca3c000000010000");
	put_row("e", ZN_TYPE_A, "0400c00002cb3c000000010100");
	apply(lines, &plain);
	ck_assert_str_eq(get_row("d", ZN_TYPE_A, NULL), "0400c00002073c0000000100000400c00002c93c000000010100");
	ck_assert_str_eq(get_row("e", ZN_TYPE_A, NULL), "0400c00002cb3c000000010100");
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *zone = stored(&summary);
	ck_assert_uint_eq(zn_zone_count(zone), 3);
	ck_assert_uint_eq(summary.disabled, 2);
	struct zn_records_change change = apply(without, &plain);
	ck_assert_uint_eq(change.deleted, 1);
	ck_assert_str_eq(get_row("d", ZN_TYPE_A, NULL), "0400c00002c93c000000010100");
	/* Signed with NSEC the server would take such names into its chain. */
	change = apply(without, &nsec);
	ck_assert_uint_eq(change.rows_written, 2);
	ck_assert_str_eq(get_row("d", ZN_TYPE_A, NULL), "0400c00002c93c000000000100");
	ck_assert_str_eq(get_row("e", ZN_TYPE_A, NULL), "0400c00002cb3c000000000100");
	ck_assert_uint_eq(apply(without, &nsec).rows_written, 0);
}
END_TEST

static const struct {
	const char *owner;
	uint16_t type;
	const char *hex;
} bad_rows[] = {
	{"bad", ZN_TYPE_A, "0400c00002"}, {"bad", ZN_TYPE_A, ""}, {"bad", ZN_TYPE_A, "0300c000023c000000010000"},
	{"bad", ZN_TYPE_NS, "0200c0ff3c000000010000"}, {"bad", ZN_TYPE_TXT, "020005613c000000010000"},
};

/* A row that does not decode hides itself and nothing else; a save leaves it unless it says something there. */
START_TEST(undecodable_rows)
{
	static const char *const lines[] = {HEAD, "b A 60 192.0.2.7", NULL};
	static const char *const over[] = {HEAD, "bad A 60 192.0.2.7", "bad NS 60 ns.other.", "bad TXT 60 0161", NULL};
	struct zn_records_summary summary;
	uint64_t written;

	apply(lines, &plain);
	put_row(bad_rows[_i].owner, bad_rows[_i].type, bad_rows[_i].hex);
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *zone = stored(&summary);
	ck_assert_uint_eq(zn_zone_count(zone), 3);
	ck_assert_uint_eq(summary.undecodable, 1);
	ck_assert_ptr_nonnull(strstr(summary.first_bad, "bad.example.org"));
	ck_assert_uint_eq(apply_in(env, zone, &nsec).rows_written, 0);
	struct zn_txn txn = begin_records(env, ZN_TXN_WRITE);
	ck_ok(zn_rectify_zone(&txn, ID, &apex, &nsec, &written, &err));
	zn_txn_end(&txn);
	ck_assert_uint_eq(written, 0);
	ck_assert_str_eq(get_row(bad_rows[_i].owner, bad_rows[_i].type, NULL), bad_rows[_i].hex);
	apply(over, &plain);
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *healed = stored(&summary);
	ck_assert_uint_eq(summary.undecodable, 0);
	ck_assert_uint_eq(zn_zone_count(healed), 5);
}
END_TEST

START_TEST(unreadable_rows_are_buried_with_the_zone)
{
	struct zn_stamp stamp;

	apply(small, &plain);
	put_row("bad", ZN_TYPE_A, "0400c00002");
	put_row("hash", ZN_TYPE_NSEC3, "0100");
	struct zn_txn txn = begin_records(env, ZN_TXN_WRITE);
	struct zn_row_key key;
	zn_row_key_make(&key, ID + 1, zn_view("", 1), ZN_TYPE_SOA);
	ck_ok(zn_txn_put(&txn, ZN_DBI_RECORDS, zn_row_key_view(&key), ZN_VIEW("other"), ZN_USER, (struct zn_stamp){0}, NULL, &err));
	ck_ok(zn_txn_put(&txn, ZN_DBI_TEXT, zn_view("\x13\x40\x3d\x19", 4), ZN_VIEW("head"), ZN_USER, (struct zn_stamp){0}, NULL, &err));
	ck_ok(zn_txn_put(&txn, ZN_DBI_COMMENTS, zn_row_key_view(&key), ZN_VIEW("its"), ZN_USER, (struct zn_stamp){0}, NULL, &err));
	zn_row_key_make(&key, ID, zn_view("", 1), ZN_TYPE_SOA);
	ck_ok(zn_txn_put(&txn, ZN_DBI_COMMENTS, zn_row_key_view(&key), ZN_VIEW("mine"), ZN_USER, (struct zn_stamp){0}, NULL, &err));
	ck_ok(zn_records_bury(&txn, ID, &err));
	ck_ok(zn_txn_commit(&txn, &err));
	struct row_texts left = row_texts_read(env, ID, &apex, ROWS_DISABLED | ROWS_LEFTOVERS);
	ck_assert_uint_eq(left.count, 0);
	row_texts_release(&left);
	ck_assert_str_eq(get_row("bad", ZN_TYPE_A, &stamp), "");
	ck_assert_uint_ne(stamp.ns, 0);
	txn = begin_records(env, ZN_TXN_READ);
	struct zn_view payload;
	ck_code(zn_txn_get_live(&txn, ZN_DBI_COMMENTS, zn_row_key_view(&key), NULL, &payload, &err), ZN_ENOTFOUND);
	ck_code(zn_txn_get_live(&txn, ZN_DBI_TEXT, zn_view("\x13\x40\x3d\x19", 4), NULL, &payload, &err), ZN_ENOTFOUND);
	zn_row_key_make(&key, ID + 1, zn_view("", 1), ZN_TYPE_SOA);
	ck_ok(zn_txn_get_live(&txn, ZN_DBI_RECORDS, zn_row_key_view(&key), NULL, &payload, &err));
	ck_ok(zn_txn_get_live(&txn, ZN_DBI_COMMENTS, zn_row_key_view(&key), NULL, &payload, &err));
	zn_txn_end(&txn);
	/* Under the same id it comes again, after all of that. */
	ck_assert_uint_eq(apply(small, &plain).added, 7);
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *zone = stored(NULL);
	ck_assert_uint_eq(zn_zone_count(zone), 7);
}
END_TEST

START_TEST(serials)
{
	struct zn_txn txn;
	struct zn_stamp stamp;
	uint32_t serial = 0;

	/* compressed, and a disabled one before it */
	put_row("@", ZN_TYPE_SOA, "1800c011c01100000009000000020000000300000004000000050a0000000101001800c011c0110000004d000000020000000300000004000000050a000000010000");
	txn = begin_records(env, ZN_TXN_READ);
	ck_ok(zn_records_serial(&txn, ID, &serial, &stamp, &err));
	ck_assert_uint_eq(serial, 0x4d);
	ck_assert_uint_ne(stamp.ns, 0);
	zn_txn_end(&txn);
	put_row("@", ZN_TYPE_SOA, "1800c011c01100000009");
	txn = begin_records(env, ZN_TXN_READ);
	ck_code(zn_records_serial(&txn, ID, &serial, &stamp, &err), ZN_ENOTFOUND);
	zn_txn_end(&txn);
}
END_TEST

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

/* A zone of up to forty records, out of few names so that they meet: cuts, what is below them, empty non-terminals. */
static struct zn_zone *random_zone(uint32_t *state)
{
	static const char *const owners[] = {"@", "a", "b", "a.a", "b.a", "a.b", "c.b.a", "*", "*.b", "d.c.b.a", "x.y", "z.x.y"};
	static const struct {
		const char *type, *rdata;
	} data[] = {{"A", "192.0.2.1"}, {"A", "192.0.2.2"}, {"NS", "ns.other."}, {"NS", "a"}, {"DS", "00010d02aa"}, {"TXT", "0161"},
		{"MX", "b"}, {"TYPE731", "00ff"}};
	static const char *const head[] = {HEAD, NULL};
	struct zn_zone *zone = zone_of("example.org", head);
	uint32_t count = next_random(state) % 40;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t d = next_random(state) % 8;
		add_record(zone, owners[next_random(state) % 12], data[d].type, 60 + next_random(state) % 2, data[d].rdata, 10 + i);
	}
	ck_assert_int_eq(zn_zone_finish(zone, NULL, NULL), ZN_OK);
	return zone;
}

static struct zn_zone_mode random_mode(uint32_t *state)
{
	static const struct zn_zone_mode modes[] = {{.dnssec = ZN_DNSSEC_UNSIGNED}, {.dnssec = ZN_DNSSEC_NSEC}, {.dnssec = ZN_DNSSEC_NSEC3},
		{.dnssec = ZN_DNSSEC_NSEC3, .nsec3 = {.flags = 1, .iterations = 1}}, {.dnssec = ZN_DNSSEC_NARROW}};

	return modes[next_random(state) % 5];
}

/* However a zone came to be: its rows are those of a zone written at once. */
START_TEST(edits_are_like_a_fresh_zone)
{
	uint32_t state = (uint32_t)_i * 2654435761u + 1;

	for (unsigned edit = 0; edit < 12; edit++) {
		ZN_AUTO_PTR(zn_zone_free) struct zn_zone *zone = random_zone(&state);
		struct zn_zone_mode mode = random_mode(&state);
		struct zn_txn txn;

		apply_in(env, zone, &mode);
		ck_assert_uint_eq(apply_in(env, zone, &mode).rows_written, 0);
		txn = begin_records(fresh, ZN_TXN_WRITE);
		ck_ok(zn_records_bury(&txn, ID, &err));
		ck_ok(zn_txn_commit(&txn, &err));
		apply_in(fresh, zone, &mode);
		ZN_AUTO_PTR(zn_zone_free) struct zn_zone *read = stored(NULL);
		ck_assert(zn_digest_equal(zn_zone_digest(zone), zn_zone_digest(read)));
		int what = ROWS_LEFTOVERS | (mode.dnssec == ZN_DNSSEC_NSEC3 ? ROWS_ORDER_NAME : 0);
		struct row_texts got = row_texts_read(env, ID, &apex, what), want = row_texts_read(fresh, ID, &apex, what);
		row_texts_compare("after edits", &want, &got);
		row_texts_release(&got);
		row_texts_release(&want);
	}
}
END_TEST

/* Whichever write fails: the zone of before, or the new one. */
START_TEST(nth_write_fails)
{
	uint32_t state = 99;
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *old = random_zone(&state);
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *new = random_zone(&state);
	struct zn_zone_mode mode = {.dnssec = ZN_DNSSEC_NSEC3};
	enum zn_code code = ZN_EFULL;

	apply_in(env, old, &mode);
	struct row_texts before = row_texts_read(env, ID, &apex, ROWS_ORDER_NAME | ROWS_LEFTOVERS);
	for (unsigned n = 1; code; n++) {
		struct zn_txn txn = begin_records(env, ZN_TXN_WRITE);
		struct zn_err why = {0};
		fail_at = n;
		code = zn_records_apply(&txn, ID, new, &mode, NULL, &why);
		ck_assert(code == ZN_OK || (code == ZN_EFULL && why.text[0]));
		if (!code) {
			ck_assert_uint_gt(n, 10);
			ck_ok(zn_txn_commit(&txn, &err));
		}
		zn_txn_end(&txn);
		fail_at = 0;
		if (code) {
			struct row_texts after = row_texts_read(env, ID, &apex, ROWS_ORDER_NAME | ROWS_LEFTOVERS);
			row_texts_compare("a failed save", &before, &after);
			row_texts_release(&after);
		}
	}
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *read = stored(NULL);
	ck_assert(zn_digest_equal(zn_zone_digest(new), zn_zone_digest(read)));
	row_texts_release(&before);
}
END_TEST

/* A zone is put together, written, read back and rectified with less and less memory missing. */
static enum zn_code whole_life(struct zn_txn *txn, const struct zn_zone *from, const struct zn_zone_mode *mode, struct zn_digest *ret_digest,
	struct zn_err *err)
{
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *zone = NULL;
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *read = NULL;

	enum zn_code code = zn_zone_new(&apex, &zone);
	for (size_t i = zn_zone_count(from); !code && i-- > 0;) {
		struct zn_record record = zn_zone_at(from, i);
		zn_zone_add(zone, record.owner, record.type, record.ttl, record.rdata, record.tag);
	}
	if (!code)
		code = zn_zone_finish(zone, NULL, NULL);
	if (!code)
		code = zn_records_apply(txn, ID, zone, mode, NULL, err);
	if (!code)
		code = zn_records_read(txn, ID, &apex, &read, NULL, err);
	if (!code)
		code = zn_records_digest(txn, ID, &apex, ret_digest, NULL, err);
	return code ? code : zn_rectify_zone(txn, ID, &apex, mode, NULL, err);
}

START_TEST(nth_allocation_fails)
{
	uint32_t state = 7;
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *old = random_zone(&state);
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *new = random_zone(&state);
	struct zn_zone_mode mode = {.dnssec = ZN_DNSSEC_NSEC3};
	struct zn_digest digest = {0};
	enum zn_code code = ZN_ENOMEM;
	unsigned n = 0;

	put_row("www", ZN_TYPE_NS, "0600036e7332c0153c0000000000010600036e7331c0153c000000000001"); /* so that something is expanded */
	apply_in(env, old, &mode);
	struct row_texts before = row_texts_read(env, ID, &apex, ROWS_ORDER_NAME | ROWS_LEFTOVERS);
	while (code) {
		struct zn_txn txn = begin_records(env, ZN_TXN_WRITE);
		struct zn_err why = {0};
		memory_until = ++n + 1;
		code = whole_life(&txn, new, &mode, &digest, &why); /* Check allocates too: nothing is asserted until memory is back */
		memory_until = 0;
		ck_assert_msg(code == ZN_OK || code == ZN_ENOMEM, "allocation %u: %s", n, zn_code_text(code));
		zn_txn_end(&txn);
		struct row_texts after = row_texts_read(env, ID, &apex, ROWS_ORDER_NAME | ROWS_LEFTOVERS);
		row_texts_compare("without memory", &before, &after);
		row_texts_release(&after);
	}
	ck_assert_uint_gt(n, 10);
	ck_assert(zn_digest_equal(digest, zn_zone_digest(new)));
	row_texts_release(&before);
}
END_TEST

/* Many records, before and behind other zones in the file; then an edit in their middle. */
START_TEST(many_records)
{
	static const char *const head[] = {HEAD, NULL};
	static const uint32_t ids[] = {ID, ID + 5, ID - 5};

	for (size_t z = 0; z < 3; z++) {
		ZN_AUTO_PTR(zn_zone_free) struct zn_zone *zone = zone_of("example.org", head);
		struct zn_records_change change;
		for (uint32_t i = 0; i < 20000; i++) {
			uint8_t key[16], rdata[4];
			size_t len = (size_t)snprintf((char *)key, sizeof(key), "n%05u", i * 7919 % 20000) + 1;
			zn_put_u32(rdata, i);
			zn_zone_add(zone, zn_view(key, len), ZN_TYPE_A, 60, zn_view(rdata, 4), i);
		}
		ck_assert_int_eq(zn_zone_finish(zone, NULL, NULL), ZN_OK);
		struct zn_txn txn = begin_records(env, ZN_TXN_WRITE);
		ck_ok(zn_records_apply(&txn, ids[z], zone, &plain, &change, &err));
		ck_assert_uint_eq(change.rows_written, 20002);
		ck_ok(zn_txn_commit(&txn, &err));
	}
	for (size_t z = 0; z < 3; z++) {
		ZN_AUTO_PTR(zn_zone_free) struct zn_zone *zone = NULL;
		struct zn_txn txn = begin_records(env, ZN_TXN_WRITE);
		ck_ok(zn_records_read(&txn, ids[z], &apex, &zone, NULL, &err));
		ck_assert_uint_eq(zn_zone_count(zone), 20002);
		zn_zone_set_serial(zone, 5);
		struct zn_records_change change;
		ck_ok(zn_records_apply(&txn, ids[z], zone, &plain, &change, &err));
		ck_assert_uint_eq(change.rows_written, 1);
		ck_assert_uint_eq(change.deleted, 0);
		zn_txn_end(&txn);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store/records");
	TCase *tc = tcase_create("records");

	tcase_set_timeout(tc, 300);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, what_is_written_is_read);
	tcase_add_test(tc, nothing_stored);
	tcase_add_test(tc, stamps);
	tcase_add_test(tc, stamp_of_a_new_ent);
	tcase_add_test(tc, equal_rows_stay);
	tcase_add_test(tc, disabled_stay);
	tcase_add_loop_test(tc, undecodable_rows, 0, sizeof(bad_rows) / sizeof(bad_rows[0]));
	tcase_add_test(tc, unreadable_rows_are_buried_with_the_zone);
	tcase_add_test(tc, serials);
	tcase_add_loop_test(tc, edits_are_like_a_fresh_zone, 0, 40);
	tcase_add_test(tc, nth_write_fails);
	tcase_add_test(tc, nth_allocation_fails);
	tcase_add_test(tc, many_records);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
