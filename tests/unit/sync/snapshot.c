#include "tests/unit/suite.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "store/base/auto.h"
#include "store/base/wire.h"
#include "sync/protobuf.h"
#include "sync/snapshot.h"

/* docs/format.md, the worked example: one live and one deleted entry. */
#define EXAMPLE                                                                                              \
	"08 03 20 01 12 1f 0a 02 47 58 12 03 6e 73 31 1a 02 68 31 3a 05 73 68 61 72 64 20 2a"               \
	"29 06 32 01 30 b7 68 a6 17"                                                                        \
	"1a 4b 0a 0a 72 65 63 6f 72 64 73 5f 76 35"                                                         \
	"12 24 0a 0a 00 00 00 01 77 77 77 00 00 01 12 0d 04 00 c0 00 02 01 3c 00 00 00 01 00 00"           \
	"19 06 32 01 30 b7 68 a6 17"                                                                        \
	"12 17 0a 0a 00 00 00 01 77 77 77 00 00 1c 20 01 19 05 32 01 30 b7 68 a6 17"
#define EXAMPLE_STAMP UINT64_C(1704164645000000006)

static enum zn_code to_buf(void *arg, struct zn_view bytes, struct zn_err *err)
{
	(void)err;
	zn_buf_add(arg, bytes);
	return ZN_OK;
}

/* A source that gives `bite` bytes at a time. */
struct bites {
	struct zn_view left;
	size_t bite;
};

static enum zn_code from_view(void *arg, uint8_t *to, size_t size, size_t *ret_len, struct zn_err *err)
{
	struct bites *b = arg;

	(void)err;
	size = size < b->bite ? size : b->bite;
	*ret_len = size < b->left.len ? size : b->left.len;
	if (*ret_len)
		memcpy(to, b->left.data, *ret_len);
	b->left = zn_view_sub(b->left, *ret_len, b->left.len);
	return ZN_OK;
}

static enum zn_code scan(struct zn_view message, struct zn_snapshot_info *info, struct zn_err *err)
{
	struct bites b = {message, 5};

	return zn_snapshot_scan((struct zn_source){from_view, &b}, info, err);
}

/* Every entry as one line: dbi key value stamp, "-" for deleted; hex. */
static enum zn_code print_entry(void *arg, const struct zn_snapshot_dbi *dbi,
		const struct zn_snapshot_entry *entry, struct zn_err *err)
{
	struct zn_buf *out = arg;

	(void)err;
	zn_buf_addf(out, "%s ", dbi->name);
	zn_buf_add_hex(out, entry->key);
	zn_buf_add_str(out, entry->deleted ? " - " : " =");
	zn_buf_add_hex(out, entry->value);
	zn_buf_addf(out, entry->deleted ? "%llu\n" : " %llu\n", (unsigned long long)entry->stamp.ns);
	return ZN_OK;
}

/* Scans and prints a message given in hex; the code, or ZN_OK and its lines in `out`. */
static enum zn_code print(struct zn_view message, struct zn_buf *out, struct zn_err *err)
{
	struct zn_snapshot_info info = {0};
	enum zn_code code = scan(message, &info, err);

	if (code)
		return code;
	struct bites b = {message, 3};
	code = zn_snapshot_walk((struct zn_source){from_view, &b}, &info, print_entry, out, err);
	zn_snapshot_info_release(&info);
	return code;
}

START_TEST(example)
{
	ZN_AUTO(zn_buf_release) struct zn_buf want = ZN_BUF_INIT(1 << 20);
	ZN_AUTO(zn_buf_release) struct zn_buf have = ZN_BUF_INIT(1 << 20);
	struct zn_snapshot_writer writer;
	struct zn_err err;
	struct zn_snapshot_meta meta = {
			.instance = ZN_VIEW("ns1"),
			.host = ZN_VIEW("h1"),
			.db = ZN_VIEW("shard"),
			.txnid = 42,
			.stamp = {EXAMPLE_STAMP},
	};
	struct zn_snapshot_entry live = {
			.key = ZN_VIEW("\0\0\0\1www\0\0\1"),
			.value = ZN_VIEW("\4\0\xc0\0\2\1\x3c\0\0\0\1\0\0"),
			.stamp = {EXAMPLE_STAMP},
	};
	struct zn_snapshot_entry gone = {
			.key = ZN_VIEW("\0\0\0\1www\0\0\x1c"),
			.stamp = {EXAMPLE_STAMP - 1},
			.deleted = true,
	};

	ck_assert_int_eq(zn_buf_add_from_hex(&want, EXAMPLE), ZN_OK);
	ck_assert_uint_eq(want.len, 114);
	zn_snapshot_writer_init(&writer, (struct zn_sink){to_buf, &have});
	ck_assert_int_eq(zn_snapshot_write_meta(&writer, &meta, &err), ZN_OK);
	ck_assert_int_eq(zn_snapshot_write_dbi(&writer, ZN_VIEW("records_v5"), 0, &err), ZN_OK);
	ck_assert_int_eq(zn_snapshot_write_entry(&writer, &live, &err), ZN_OK);
	ck_assert_int_eq(zn_snapshot_write_entry(&writer, &gone, &err), ZN_OK);
	ck_assert_int_eq(zn_snapshot_write_end(&writer, &err), ZN_OK);
	zn_snapshot_writer_release(&writer);
	ck_assert(zn_view_equal(zn_buf_view(&have), zn_buf_view(&want)));
}
END_TEST

START_TEST(example_read)
{
	ZN_AUTO(zn_buf_release) struct zn_buf message = ZN_BUF_INIT(1 << 20);
	ZN_AUTO(zn_buf_release) struct zn_buf out = ZN_BUF_INIT(1 << 20);
	struct zn_snapshot_info info;
	struct zn_err err;

	ck_assert_int_eq(zn_buf_add_from_hex(&message, EXAMPLE), ZN_OK);
	ck_assert_int_eq(scan(zn_buf_view(&message), &info, &err), ZN_OK);
	ck_assert_uint_eq(info.format, 3);
	ck_assert_uint_eq(info.compat, 1);
	ck_assert_uint_eq(info.entries, 2);
	ck_assert_uint_eq(info.dbi_count, 1);
	ck_assert(zn_view_is(info.meta.generation, "GX"));
	ck_assert(zn_view_is(info.meta.instance, "ns1"));
	ck_assert(zn_view_is(info.meta.host, "h1"));
	ck_assert(zn_view_is(info.meta.db, "shard"));
	ck_assert_uint_eq(info.meta.txnid, 42);
	ck_assert_uint_eq(info.meta.stamp.ns, EXAMPLE_STAMP);
	zn_snapshot_info_release(&info);
	ck_assert_int_eq(print(zn_buf_view(&message), &out, &err), ZN_OK);
	ck_assert_str_eq(zn_buf_str(&out),
			"records_v5 00000001777777000001 =0400c00002013c000000010000 1704164645000000006\n"
			"records_v5 0000000177777700001c - 1704164645000000005\n");
}
END_TEST

/* Pieces of messages, to be put together in the table. */
#define FORMAT3 "08 03 20 01"
#define DBI_A "0a 01 61"	    /* name "a" */
#define KV_K_V "12 06 0a 01 6b 12 01 76"	/* k = v, time 0 */

static const struct {
	const char *name;
	const char *hex;
	enum zn_code code;
	const char *lines;
} messages[] = {
		{"nothing at all", "", ZN_OK, ""},
		{"no DBI and no format", "12 00", ZN_OK, ""},
		{"no DBI", FORMAT3, ZN_OK, ""},
		{"an empty DBI", FORMAT3 "1a 03" DBI_A, ZN_OK, ""},
		{"one entry", FORMAT3 "1a 0b" DBI_A KV_K_V, ZN_OK, "a 6b =76 0\n"},
		{"format 9 with compat 3", "08 09 20 03 1a 0b" DBI_A KV_K_V, ZN_OK, "a 6b =76 0\n"},
		{"no compat", "08 03 1a 0b" DBI_A KV_K_V, ZN_OK, "a 6b =76 0\n"},
		{"the head behind the DBIs", "1a 0b" DBI_A KV_K_V FORMAT3, ZN_OK, "a 6b =76 0\n"},
		{"name behind the entries", FORMAT3 "1a 0b" KV_K_V DBI_A, ZN_OK, "a 6b =76 0\n"},
		{"one name twice", FORMAT3 "1a 0b" DBI_A KV_K_V "1a 0b" DBI_A KV_K_V, ZN_OK,
				"a 6b =76 0\na 6b =76 0\n"},
		{"unknown fields everywhere",
				"7a 02 ff ff" FORMAT3 "12 05 98 3f 05 7a 00 f8 3f 01 1a 15" DBI_A
				"2a 01 00 12 0b 0a 01 6b 28 07 12 01 76 3a 01 00 30 01", ZN_OK, "a 6b =76 0\n"},
		{"format 1: empty is deleted", "08 01 1a 08" DBI_A "12 03 0a 01 6b", ZN_OK, "a 6b - 0\n"},
		{"format 3: empty is empty", "08 03 1a 08" DBI_A "12 03 0a 01 6b", ZN_OK, "a 6b = 0\n"},
		{"deleted drops its value", FORMAT3 "1a 0d" DBI_A "12 08 0a 01 6b 12 01 76 20 01", ZN_OK,
				"a 6b - 0\n"},
		{"only bit 0 of the flags counts", FORMAT3 "1a 0d" DBI_A "12 08 0a 01 6b 12 01 76 20 06", ZN_OK,
				"a 6b =76 0\n"},
		{"a field twice: the last one", FORMAT3 "1a 0e" DBI_A "12 09 0a 01 6b 12 01 75 12 01 76", ZN_OK,
				"a 6b =76 0\n"},
		/* What would stop Lightning Stream, or is damaged */
		{"no format version", "1a 0b" DBI_A KV_K_V, ZN_ECORRUPT, NULL},
		{"compat 4", "08 03 20 04 1a 0b" DBI_A KV_K_V, ZN_EFORMAT, NULL},
		{"a transform", FORMAT3 "1a 06" DBI_A "22 01 78", ZN_EFORMAT, NULL},
		{"DUPSORT", FORMAT3 "1a 05" DBI_A "18 04", ZN_EFORMAT, NULL},
		{"integer keys", FORMAT3 "1a 05" DBI_A "18 08", ZN_EFORMAT, NULL},
		{"a DBI without name", FORMAT3 "1a 08" KV_K_V, ZN_ECORRUPT, NULL},
		{"a NUL in the name", FORMAT3 "1a 04 0a 02 61 00", ZN_ECORRUPT, NULL},
		{"an empty entry", FORMAT3 "1a 05" DBI_A "12 00", ZN_ECORRUPT, NULL},
		{"an empty key", FORMAT3 "1a 08" DBI_A "12 03 12 01 76", ZN_ECORRUPT, NULL},
		{"an entry beyond its DBI", FORMAT3 "1a 06" DBI_A "12 09 0a", ZN_ECORRUPT, NULL},
		{"a DBI beyond the end", FORMAT3 "1a 7f" DBI_A, ZN_ECORRUPT, NULL},
		{"a length of 2^63", FORMAT3 "1a ff ff ff ff ff ff ff ff 7f" DBI_A, ZN_ECORRUPT, NULL},
		{"a length of 2^64-1", FORMAT3 "1a ff ff ff ff ff ff ff ff ff 01" DBI_A, ZN_ECORRUPT, NULL},
		{"a varint that does not end", FORMAT3 "1a ff ff ff ff ff ff ff ff ff ff 01", ZN_ECORRUPT, NULL},
		{"a value of 2^40 bytes", FORMAT3 "1a ff ff ff ff ff 7f" DBI_A "12 80 80 80 80 80 20 0a",
				ZN_ETOOBIG, NULL},
		{"field number 0", FORMAT3 "00 00", ZN_ECORRUPT, NULL},
		{"a group", FORMAT3 "7b 7c", ZN_ECORRUPT, NULL},
		{"format as bytes", "0a 01 03", ZN_ECORRUPT, NULL},
		{"a key that is a number", FORMAT3 "1a 07" DBI_A "12 02 08 01", ZN_ECORRUPT, NULL},
		{"metadata that is cut off", FORMAT3 "12 02 12 05", ZN_ECORRUPT, NULL},
};

START_TEST(read_table)
{
	ZN_AUTO(zn_buf_release) struct zn_buf message = ZN_BUF_INIT(1 << 20);
	ZN_AUTO(zn_buf_release) struct zn_buf out = ZN_BUF_INIT(1 << 20);
	struct zn_err err = {0};

	ck_assert_int_eq(zn_buf_add_from_hex(&message, messages[_i].hex), ZN_OK);
	enum zn_code code = print(zn_buf_view(&message), &out, &err);
	ck_assert_msg(code == messages[_i].code, "%s: code %d, %s", messages[_i].name, code, err.text);
	if (!code)
		ck_assert_msg(strcmp(zn_buf_str(&out), messages[_i].lines) == 0, "%s:\n%s", messages[_i].name,
				zn_buf_str(&out));
	else
		ck_assert_msg(err.text[0], "%s: without a sentence", messages[_i].name);
}
END_TEST

/* A key of 511 bytes is the longest; one of 512 would end a Lightning Stream, and is refused both ways. */
START_TEST(long_keys)
{
	ZN_AUTO(zn_buf_release) struct zn_buf message = ZN_BUF_INIT(1 << 20);
	ZN_AUTO(zn_buf_release) struct zn_buf out = ZN_BUF_INIT(1 << 20);
	uint8_t key[512] = {1};
	struct zn_snapshot_entry entry = {.key = zn_view(key, 511)};
	struct zn_snapshot_writer writer;
	struct zn_err err;

	zn_snapshot_writer_init(&writer, (struct zn_sink){to_buf, &message});
	ck_assert_int_eq(zn_snapshot_write_meta(&writer, &(struct zn_snapshot_meta){0}, &err), ZN_OK);
	ck_assert_int_eq(zn_snapshot_write_dbi(&writer, zn_view(key, 512), 0, &err), ZN_EINVAL);
	ck_assert_int_eq(zn_snapshot_write_dbi(&writer, zn_view(NULL, 0), 0, &err), ZN_EINVAL);
	ck_assert_int_eq(zn_snapshot_write_dbi(&writer, ZN_VIEW("a"), 0, &err), ZN_OK);
	ck_assert_int_eq(zn_snapshot_write_entry(&writer, &entry, &err), ZN_OK);
	entry.key.len = 512;
	ck_assert_int_eq(zn_snapshot_write_entry(&writer, &entry, &err), ZN_EINVAL);
	entry.key.len = 0;
	ck_assert_int_eq(zn_snapshot_write_entry(&writer, &entry, &err), ZN_EINVAL);
	ck_assert_int_eq(zn_snapshot_write_end(&writer, &err), ZN_OK);
	zn_snapshot_writer_release(&writer);
	ck_assert_int_eq(print(zn_buf_view(&message), &out, &err), ZN_OK);

	zn_buf_clear(&message);
	ck_assert_int_eq(zn_buf_add_from_hex(&message, FORMAT3 "1a 89 04" DBI_A "12 83 04 0a 80 04"), ZN_OK);
	zn_buf_add_fill(&message, 'k', 512);
	ck_assert_int_eq(print(zn_buf_view(&message), &out, &err), ZN_ECORRUPT);
}
END_TEST

/* A DBI larger than one message goes out in several; every entry comes back once and in order. */
struct count {
	uint32_t next;
	size_t dbis;
};

static enum zn_code count_entry(void *arg, const struct zn_snapshot_dbi *dbi,
		const struct zn_snapshot_entry *entry, struct zn_err *err)
{
	struct count *count = arg;

	(void)err;
	ck_assert_str_eq(dbi->name, "big");
	ck_assert_uint_eq(dbi->flags, 2);
	ck_assert_uint_eq(entry->key.len, 4);
	ck_assert_uint_eq(zn_get_u32(entry->key.data), count->next++);
	ck_assert_uint_eq(entry->value.len, 900);
	return ZN_OK;
}

START_TEST(large_dbi)
{
	enum { COUNT = 20000 };
	ZN_AUTO(zn_buf_release) struct zn_buf message = ZN_BUF_INIT(64 << 20);
	struct zn_snapshot_info info;
	struct zn_snapshot_writer writer;
	struct count count = {0};
	uint8_t key[4], value[900] = {1};
	struct zn_err err;

	zn_snapshot_writer_init(&writer, (struct zn_sink){to_buf, &message});
	ck_assert_int_eq(zn_snapshot_write_meta(&writer, &(struct zn_snapshot_meta){0}, &err), ZN_OK);
	ck_assert_int_eq(zn_snapshot_write_dbi(&writer, ZN_VIEW("empty"), 0, &err), ZN_OK);
	ck_assert_int_eq(zn_snapshot_write_dbi(&writer, ZN_VIEW("big"), 2, &err), ZN_OK);
	for (uint32_t i = 0; i < COUNT; i++) {
		zn_put_u32(key, i);
		struct zn_snapshot_entry entry = {zn_view(key, 4), zn_view(value, 900), {i}, false};
		ck_assert_int_eq(zn_snapshot_write_entry(&writer, &entry, &err), ZN_OK);
		ck_assert_uint_le(writer.entries.len, ZN_SNAPSHOT_DBI_BYTES + 1000);
	}
	ck_assert_int_eq(zn_snapshot_write_end(&writer, &err), ZN_OK);
	zn_snapshot_writer_release(&writer);

	struct bites b = {zn_buf_view(&message), 1 << 16};
	ck_assert_int_eq(zn_snapshot_scan((struct zn_source){from_view, &b}, &info, &err), ZN_OK);
	ck_assert_uint_eq(info.entries, COUNT);
	ck_assert_uint_eq(info.dbi_count, 2);
	ck_assert_uint_gt(info.message_count, 3);
	b.left = zn_buf_view(&message);
	ck_assert_int_eq(zn_snapshot_walk((struct zn_source){from_view, &b}, &info, count_entry, &count, &err),
			ZN_OK);
	ck_assert_uint_eq(count.next, COUNT);
	zn_snapshot_info_release(&info);
}
END_TEST

/* Our own metadata travels in fields that others skip. */
START_TEST(own_meta)
{
	ZN_AUTO(zn_buf_release) struct zn_buf message = ZN_BUF_INIT(1 << 20);
	struct zn_snapshot_meta meta = {
			.vector = ZN_VIEW("\1\0"), .boot = 0x0123456789abcdef, .started = {EXAMPLE_STAMP}};
	struct zn_snapshot_writer writer;
	struct zn_snapshot_info info;
	struct zn_err err;

	zn_snapshot_writer_init(&writer, (struct zn_sink){to_buf, &message});
	ck_assert_int_eq(zn_snapshot_write_meta(&writer, &meta, &err), ZN_OK);
	ck_assert_int_eq(zn_snapshot_write_end(&writer, &err), ZN_OK);
	zn_snapshot_writer_release(&writer);
	ck_assert_int_eq(scan(zn_buf_view(&message), &info, &err), ZN_OK);
	ck_assert(zn_view_equal(info.meta.vector, meta.vector));
	ck_assert_uint_eq(info.meta.boot, meta.boot);
	ck_assert_uint_eq(info.meta.started.ns, EXAMPLE_STAMP);
	zn_snapshot_info_release(&info);
}
END_TEST

/* Random damage never does more than fail: run under sanitizers, that is the test. */
START_TEST(noise)
{
	ZN_AUTO(zn_buf_release) struct zn_buf message = ZN_BUF_INIT(1 << 20);
	ZN_AUTO(zn_buf_release) struct zn_buf copy = ZN_BUF_INIT(1 << 20);
	ZN_AUTO(zn_buf_release) struct zn_buf out = ZN_BUF_INIT(1 << 20);
	struct zn_err err;

	ck_assert_int_eq(zn_buf_add_from_hex(&message, EXAMPLE), ZN_OK);
	srand(7);
	for (int round = 0; round < 20000; round++) {
		zn_buf_clear(&copy);
		zn_buf_clear(&out);
		zn_buf_add(&copy, zn_buf_view(&message));
		for (int n = rand() % 4; n >= 0; n--)
			copy.data[(size_t)rand() % copy.len] = (uint8_t)rand();
		copy.len -= (size_t)rand() % 3;
		enum zn_code code = print(zn_buf_view(&copy), &out, &err);
		ck_assert(code == ZN_OK || code == ZN_ECORRUPT || code == ZN_EFORMAT || code == ZN_ETOOBIG);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sync/snapshot");
	TCase *tests = tcase_create("all");

	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, example);
	tcase_add_test(tests, example_read);
	tcase_add_loop_test(tests, read_table, 0, sizeof messages / sizeof messages[0]);
	tcase_add_test(tests, long_keys);
	tcase_add_test(tests, large_dbi);
	tcase_add_test(tests, own_meta);
	tcase_add_test(tests, noise);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
