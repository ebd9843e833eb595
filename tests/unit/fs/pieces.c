#include "fs/text/pieces.h"

#include <ctype.h>
#include <stdlib.h>
#include <xxhash.h>

#include "tests/unit/suite.h"

#define VALUE_HEADER 24
#define VALUE_MAX 4000

/* A parser as small as these tests need: a record a line, or as many lines as its parentheses span;
 * $ORIGIN, $TTL; everything else is in between. */

static struct zn_name name_of(const char *text)
{
	struct zn_name name;

	ck_assert_int_eq(zn_name_from_text(zn_view_str(text), NULL, &name, NULL), ZN_OK);
	return name;
}

static size_t entry_end(struct zn_view text, size_t at)
{
	bool open = false;

	while (at < text.len) {
		uint8_t byte = text.data[at++];
		open = (open || byte == '(') && byte != ')';
		if (byte == '\n' && !open)
			break;
	}
	return at;
}

static struct zn_view word_at(struct zn_view text, size_t at, size_t end)
{
	size_t len = 0;

	while (at + len < end && !isspace(text.data[at + len]))
		len++;
	return zn_view_sub(text, at, len);
}

static void mini_parse(
		struct zn_view text, struct zn_text_state *state, const struct zn_parse_sink *sink)
{
	for (size_t at = 0, end; at < text.len; at = end) {
		struct zn_item item = {.kind = ZN_ITEM_RECORD, .records = 1, .offset = at};
		struct zn_view word = word_at(text, at, text.len);

		end = entry_end(text, at);
		if (zn_view_is(word, "$ORIGIN")) {
			struct zn_name origin = state->origin;
			ck_assert_int_eq(zn_name_from_text(word_at(text, at + 8, end), &origin,
							 &state->origin, NULL),
					ZN_OK);
		} else if (zn_view_is(word, "$TTL")) {
			state->default_ttl_known = true;
			state->default_ttl = (uint32_t)strtoul(
					(const char *)text.data + at + 5, NULL, 10);
		}
		while (item.offset < end && isspace(text.data[item.offset]))
			item.offset++;
		if (item.offset == end || text.data[item.offset] == ';' || text.data[at] == '$') {
			sink->entry(sink->context, NULL, end, state);
			continue;
		}
		if (word.len) {
			struct zn_name origin = state->origin;
			ck_assert_int_eq(zn_name_from_text(word, &origin, &state->owner, NULL),
					ZN_OK);
		}
		item.len = end - item.offset;
		if (word.len && text.data[at] == 'g') {
			item.kind = ZN_ITEM_GENERATE;
			item.records = item.len * 100;
		}
		XXH64_hash_t seed = XXH3_64bits(state->owner.wire, state->owner.len) +
				    state->default_ttl;
		item.hash = XXH3_64bits_withSeed(text.data + item.offset, item.len, seed) >> 16;
		state->last_ttl_known = true;
		state->last_ttl = (uint32_t)item.len;
		sink->entry(sink->context, &item, end, state);
	}
}

/* What is stored: rows in order of their keys. */

struct row {
	struct zn_order_key order;
	struct zn_buf payload;
	unsigned written; /* how often */
};
struct store {
	struct row *rows;
	size_t count;
	uint32_t counter;
	size_t put, buried; /* by the last save */
};

static void store_release(struct store *store)
{
	for (size_t i = 0; i < store->count; i++)
		zn_buf_release(&store->rows[i].payload);
	free(store->rows);
	*store = (struct store){0};
}

static size_t row_at(const struct store *store, struct zn_view order)
{
	size_t low = 0, high = store->count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (zn_view_cmp(zn_order_view(&store->rows[middle].order), order) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool row_is(const struct store *store, size_t row, struct zn_view order)
{
	return row < store->count && zn_view_equal(zn_order_view(&store->rows[row].order), order);
}

static void store_put(struct store *store, const struct zn_order_key *order, struct zn_view payload)
{
	size_t row = row_at(store, zn_order_view(order));

	if (!row_is(store, row, zn_order_view(order))) {
		store->rows = realloc(store->rows, (store->count + 1) * sizeof(*store->rows));
		ck_assert_ptr_nonnull(store->rows);
		memmove(store->rows + row + 1, store->rows + row,
				(store->count - row) * sizeof(*store->rows));
		store->rows[row] =
				(struct row){.order = *order, .payload = ZN_BUF_INIT(SIZE_MAX / 2)};
		store->count++;
	}
	zn_buf_clear(&store->rows[row].payload);
	zn_buf_add(&store->rows[row].payload, payload);
	store->rows[row].written++;
}

static void store_bury(struct store *store, const struct zn_order_key *order)
{
	size_t row = row_at(store, zn_order_view(order));

	ck_assert_msg(row_is(store, row, zn_order_view(order)), "buries what is not there");
	zn_buf_release(&store->rows[row].payload);
	memmove(store->rows + row, store->rows + row + 1,
			(store->count - row - 1) * sizeof(*store->rows));
	store->count--;
}

static struct zn_piece piece_of(const struct store *store, size_t row)
{
	struct zn_piece piece;

	ck_assert_int_eq(zn_piece_read(zn_buf_view(&store->rows[row].payload), &piece), ZN_OK);
	piece.order = zn_order_view(&store->rows[row].order);
	return piece;
}

static void apply(struct store *store, struct zn_cutter *cutter,
		const struct zn_piece_changes *changes)
{
	ZN_AUTO(zn_buf_release) struct zn_buf payload = ZN_BUF_INIT(SIZE_MAX / 2);

	for (size_t i = 0; i < changes->bury_count; i++)
		store_bury(store, &changes->bury[i]);
	for (size_t i = 0; i < changes->put_count; i++) {
		ck_assert_int_eq(zn_cutter_payload(cutter, i, &payload, NULL), ZN_OK);
		store_put(store, &changes->put[i], zn_buf_view(&payload));
	}
	store->put = changes->put_count;
	store->buried = changes->bury_count;
}

static void save_as(struct store *store, struct zn_view text, uint32_t site)
{
	ZN_AUTO_PTR(zn_cutter_free) struct zn_cutter *cutter = NULL;
	ZN_AUTO_FREE struct zn_piece *stored = calloc(store->count + 1, sizeof(*stored));
	struct zn_name apex = name_of("example.com.");
	struct zn_text_state state = {.origin = apex};
	struct zn_piece_changes changes;

	ck_assert_ptr_nonnull(stored);
	for (size_t i = 0; i < store->count; i++)
		stored[i] = piece_of(store, i);
	ck_assert_int_eq(zn_cutter_new(&apex, &cutter), ZN_OK);
	struct zn_parse_sink sink = zn_cutter_sink(cutter);
	mini_parse(text, &state, &sink);
	struct zn_cut cut = {.text = text,
			.parsed_len = text.len,
			.serial_offset = SIZE_MAX,
			.stored = stored,
			.stored_count = store->count,
			.site = site,
			.counter = ++store->counter};
	ck_assert_int_eq(zn_cutter_finish(cutter, &cut, &changes, NULL), ZN_OK);
	apply(store, cutter, &changes);
}

static void save(struct store *store, struct zn_view text)
{
	save_as(store, text, 0x01020304);
}

/* Compares the items that a parse of one piece alone yields with those in its index. */
struct compare {
	struct zn_piece_items items;
	size_t entries;
};

static void compare_entry(void *context, const struct zn_item *item, size_t end,
		const struct zn_text_state *after)
{
	struct compare *compare = context;
	struct zn_item stored;

	(void)end;
	(void)after;
	compare->entries++;
	if (!item)
		return;
	ck_assert(zn_piece_next(&compare->items, &stored));
	ck_assert_uint_eq(stored.offset, item->offset);
	ck_assert_uint_eq(stored.len, item->len);
	ck_assert_int_eq(stored.kind, item->kind);
	ck_assert_uint_eq(stored.records, item->records);
	ck_assert_uint_eq(stored.hash, item->hash);
}

/* The pieces are the text; each can be read alone; none is larger than it may be, none is empty. */
static void check(const struct store *store, struct zn_view text)
{
	size_t at = 0;

	for (size_t i = 0; i < store->count; i++) {
		struct zn_piece piece = piece_of(store, i);
		struct zn_text_state state;
		struct compare compare = {.items = zn_piece_items(&piece)};
		struct zn_parse_sink sink = {&compare, compare_entry};

		ck_assert_uint_gt(piece.text.len, 0);
		ck_assert_msg(zn_view_equal(zn_view_sub(text, at, piece.text.len), piece.text),
				"piece %zu is not the text", i);
		at += piece.text.len;
		zn_piece_state(&piece, &state);
		mini_parse(piece.text, &state, &sink);
		ck_assert_uint_eq(compare.items.left, 0);
		ck_assert_msg(VALUE_HEADER + piece.payload.len <= VALUE_MAX || compare.entries == 1,
				"piece %zu has %zu bytes and %zu entries", i,
				VALUE_HEADER + piece.payload.len, compare.entries);
	}
	ck_assert_uint_eq(at, text.len);
}

static void add_record(struct zn_buf *text, unsigned number)
{
	unsigned long long mix = number * UINT64_C(0x9e3779b97f4a7c15);

	zn_buf_addf(text, "host%u-%06llx\tA\t192.0.2.%u%s\n", number, mix >> 40, number % 256,
			number % 97 ? "" : " ; now and then a word");
}

static void make_text(struct zn_buf *text, unsigned records)
{
	zn_buf_add_str(text, "$TTL 3600\n@ SOA ns1 hostmaster (\n\t2026010100 ; serial\n\t1 2 3 4 "
			     ")\n\tNS ns1\n");
	for (unsigned i = 0; i < records; i++)
		add_record(text, i);
}

static size_t line_at(const struct zn_buf *text, unsigned line)
{
	const uint8_t *at = text->data;

	for (; line > 0; line--)
		at = (const uint8_t *)memchr(at, '\n', text->len - (size_t)(at - text->data)) + 1;
	return (size_t)(at - text->data);
}

static void insert_line(struct zn_buf *text, unsigned line, const char *what)
{
	zn_buf_splice(text, line_at(text, line), 0, zn_view_str(what));
}

static void replace_line(struct zn_buf *text, unsigned line, const char *what)
{
	size_t at = line_at(text, line);

	zn_buf_splice(text, at, line_at(text, line + 1) - at, zn_view_str(what));
}

#define TEXT(name) ZN_AUTO(zn_buf_release) struct zn_buf name = ZN_BUF_INIT(SIZE_MAX / 2)
#define STORE(name) ZN_AUTO(store_release) struct store name = {0}

/* A text through the real parser, as bytes of its pieces. */
static void save_parsed(struct store *store, const char *text)
{
	ZN_AUTO_PTR(zn_cutter_free) struct zn_cutter *cutter = NULL;
	ZN_AUTO(zn_findings_release) struct zn_findings findings = {0};
	struct zn_name apex = name_of("example.org.");
	struct zn_piece_changes changes;
	struct zn_parsed parsed;
	size_t soa;

	ck_assert_int_eq(zn_cutter_new(&apex, &cutter), ZN_OK);
	struct zn_parse_sink sink = zn_cutter_sink(cutter);
	struct zn_parse_options options = {.apex = &apex, .sink = &sink};
	ck_assert_int_eq(zn_parse(zn_view_str(text), &options, &findings, &parsed, NULL), ZN_OK);
	ck_assert_uint_eq(zn_zone_find(parsed.zone, zn_view("", 1), ZN_TYPE_SOA, &soa), 1);
	struct zn_record record = zn_zone_at(parsed.zone, soa);
	struct zn_cut cut = {.text = zn_view_str(text),
			.parsed_len = strlen(text),
			.serial_offset = parsed.serial_offset,
			.soa_hash = zn_record_hash(&apex, &record),
			.site = 0x01020304,
			.counter = 1};
	ck_assert_int_eq(zn_cutter_finish(cutter, &cut, &changes, NULL), ZN_OK);
	apply(store, cutter, &changes);
	/* Each piece parsed alone would need a SOA; the sum of all is the zone. */
	struct zn_digest whole = zn_zone_digest(parsed.zone), sum = {0};
	for (size_t i = 0; i < store->count; i++) {
		struct zn_piece piece = piece_of(store, i);
		sum.count += piece.digest.count;
		sum.sum = (sum.sum + piece.digest.sum) & 0xffffffffffff;
	}
	ck_assert(zn_digest_equal(whole, sum));
	zn_parsed_release(&parsed);
}

/* docs/format.md without its white space. */
static void read_format(struct zn_buf *out)
{
	const char *data = getenv("ZN_TEST_DATA");
	char path[4096];
	int byte;

	ck_assert_ptr_nonnull(data);
	snprintf(path, sizeof path, "%s/../../docs/format.md", data);
	FILE *file = fopen(path, "re");
	ck_assert_msg(file != NULL, "%s", path);
	while ((byte = getc(file)) != EOF)
		if (!isspace(byte))
			zn_buf_add_byte(out, (uint8_t)byte);
	fclose(file);
}

/* docs/format.md, pieces: the examples there are what we write. */
START_TEST(golden)
{
	static const char text[] = "$TTL 1h\n@ SOA ns1 hm 1 2 3 4 5\n NS ns1 ; who serves\n; the "
				   "web\nns1 A 192.0.2.1\n"
				   "$GENERATE 1-3 h$ 60 A 192.0.2.$\n";
	static const char *const parts[] = {
			"01",
			"01",
			"0102030400000001",
			"00",
			"00000000",
			"00000000",
			"0d076578616d706c65036f726700",
			"00",
			"04",
			"081700d7a8e1d26372",
			"01140047c1d87f2c10",
			"0a10008b7fb35107ca",
			"00200103ce46e6556690",
	};
	STORE(store);
	TEXT(hex);
	TEXT(format);
	TEXT(expected);

	save_parsed(&store, text);
	ck_assert_uint_eq(store.count, 1);
	zn_buf_add_hex(&hex, zn_order_view(&store.rows[0].order));
	ck_assert_str_eq(zn_buf_str(&hex), "7f"
					   "01020304"
					   "00000001");
	zn_buf_clear(&hex);
	zn_buf_add_hex(&hex, zn_buf_view(&store.rows[0].payload));
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		zn_buf_add_str(&expected, parts[i]);
	zn_buf_add_hex(&expected, zn_view_str(text));
	ck_assert_str_eq(zn_buf_str(&hex), zn_buf_str(&expected));
	read_format(&format);
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		ck_assert_msg(strstr(zn_buf_str(&format), parts[i]) != NULL,
				"docs/format.md does not show %s", parts[i]);
}
END_TEST

/* The state that a piece in the middle begins with, and keys of a first save in three pieces. */
START_TEST(golden_state)
{
	static const char *const orders[] = {"3f"
					     "01020304"
					     "00000001",
			"7e"
			"01020304"
			"00000001",
			"bd"
			"01020304"
			"00000001"};
	static const char state[] = "01"
				    "00000e10"
				    "00000000"
				    "1103737562076578616d706c65036f726700"
				    "1806686f7374363203737562076578616d706c65036f726700";
	STORE(store);
	TEXT(text);
	TEXT(hex);
	TEXT(format);

	zn_buf_add_str(&text, "$TTL 1h\n@ SOA ns1 hm 1 2 3 4 5\n NS ns1\n$ORIGIN "
			      "sub.example.org.\nNs1.example.org. 300 A 192.0.2.1\n");
	for (unsigned i = 0; i < 130; i++)
		zn_buf_addf(&text, "host%u 300 A 192.0.2.%u\n AAAA 2001:db8::%u\n", i, i, i);
	save_parsed(&store, zn_buf_str(&text));
	ck_assert_uint_eq(store.count, 3);
	read_format(&format);
	for (size_t i = 0; i < store.count; i++) {
		zn_buf_clear(&hex);
		zn_buf_add_hex(&hex, zn_order_view(&store.rows[i].order));
		ck_assert_str_eq(zn_buf_str(&hex), orders[i]);
		ck_assert_ptr_nonnull(strstr(zn_buf_str(&format), orders[i]));
	}
	zn_buf_clear(&hex);
	zn_buf_add_hex(&hex, piece_of(&store, 1).state);
	ck_assert_str_eq(zn_buf_str(&hex), state);
	ck_assert_ptr_nonnull(strstr(zn_buf_str(&format), state));
}
END_TEST

START_TEST(first_save)
{
	STORE(store);
	TEXT(text);
	size_t stored = 0, least = SIZE_MAX;

	make_text(&text, 20000);
	save(&store, zn_buf_view(&text));
	check(&store, zn_buf_view(&text));
	for (size_t i = 0; i < store.count; i++) {
		size_t size = VALUE_HEADER + store.rows[i].payload.len;
		stored += size;
		if (i + 1 < store.count && size < least)
			least = size;
	}
	ck_assert_uint_ge(least, 1500);
	ck_assert_uint_ge(stored / store.count, 2800);
	ck_assert_uint_le(stored / store.count, 3300);
	/* The same once more is nothing. */
	save(&store, zn_buf_view(&text));
	ck_assert_uint_eq(store.put + store.buried, 0);
}
END_TEST

/* Edits of one place, and how many pieces they put and bury. */
START_TEST(one_piece)
{
	STORE(store);
	TEXT(text);

	make_text(&text, 1000);
	save(&store, zn_buf_view(&text));
	size_t count = store.count;
	ck_assert_uint_gt(count, 10);

	replace_line(&text, 500, "another A 192.0.2.77\n");
	save(&store, zn_buf_view(&text));
	check(&store, zn_buf_view(&text));
	ck_assert_uint_le(store.put,
			2); /* an owner that the next piece begins with may have changed */
	ck_assert_uint_eq(store.buried, 0);

	insert_line(&text, 500, "inserted A 192.0.2.78\n");
	save(&store, zn_buf_view(&text));
	check(&store, zn_buf_view(&text));
	ck_assert_uint_le(store.put, 2);

	/* The serial and one record far behind it: two pieces. */
	replace_line(&text, 2, "\t2026010101 ; serial\n");
	replace_line(&text, 800, "again A 192.0.2.79\n");
	save(&store, zn_buf_view(&text));
	check(&store, zn_buf_view(&text));
	ck_assert_uint_le(store.put, 3);
	ck_assert_uint_eq(store.buried, 0);

	/* Line by line at the end: the last piece fills up before another begins. */
	for (unsigned i = 0; i < 200; i++) {
		count = store.count;
		zn_buf_addf(&text, "appended%u A 192.0.2.%u\n", i, i);
		save(&store, zn_buf_view(&text));
		check(&store, zn_buf_view(&text));
		ck_assert_uint_le(store.put, 2);
		ck_assert_uint_le(store.count, count + 1);
		ck_assert_uint_eq(store.buried, 0);
	}
	ck_assert_uint_le(store.rows[store.count - 1].payload.len, VALUE_MAX);
}
END_TEST

/* Every line changed, none added or removed: every piece keeps its key. */
START_TEST(every_line)
{
	STORE(store);
	TEXT(text);
	TEXT(before);

	make_text(&text, 1000);
	save(&store, zn_buf_view(&text));
	size_t count = store.count;
	for (size_t i = 0; i + 4 < text.len; i++)
		if (memcmp(text.data + i, "\tA\t", 3) == 0)
			memcpy(text.data + i, " A ", 3);
	save(&store, zn_buf_view(&text));
	check(&store, zn_buf_view(&text));
	ck_assert_uint_eq(store.count, count);
	ck_assert_uint_eq(store.put, count);
	ck_assert_uint_eq(store.buried, 0);
}
END_TEST

/* A block moved: what stands still stays. */
START_TEST(moved)
{
	STORE(store);
	TEXT(text);
	TEXT(block);

	make_text(&text, 2000);
	save(&store, zn_buf_view(&text));
	size_t at = line_at(&text, 1700), len = line_at(&text, 1900) - at;
	zn_buf_add(&block, zn_view_sub(zn_buf_view(&text), at, len));
	zn_buf_splice(&text, at, len, zn_view(NULL, 0));
	zn_buf_splice(&text, line_at(&text, 50), 0, zn_buf_view(&block));
	save(&store, zn_buf_view(&text));
	check(&store, zn_buf_view(&text));
	ck_assert_uint_lt(store.put, 12);
}
END_TEST

/* $TTL, $ORIGIN and owner carry on into the pieces behind, and no further than they change them. */
START_TEST(carried_state)
{
	STORE(store);
	TEXT(text);

	make_text(&text, 400);
	insert_line(&text, 200, "$TTL 600\n");
	save(&store, zn_buf_view(&text));
	replace_line(&text, 0, "$TTL 7200\n");
	save(&store, zn_buf_view(&text));
	check(&store, zn_buf_view(&text));
	ck_assert_uint_gt(store.put, 2);
	ck_assert_uint_lt(store.put, store.count);
	ck_assert_uint_eq(store.buried, 0);
	for (size_t i = store.count - 2; i < store.count; i++)
		ck_assert_uint_eq(store.rows[i].written, 1);
}
END_TEST

/* Who wrote a piece stands in it: one entry a site, the newest. */
START_TEST(vectors)
{
	STORE(store);
	TEXT(text);

	make_text(&text, 10);
	save_as(&store, zn_buf_view(&text), 5);
	replace_line(&text, 7, "x A 192.0.2.1\n");
	save_as(&store, zn_buf_view(&text), 3);
	replace_line(&text, 8, "y A 192.0.2.1\n");
	save_as(&store, zn_buf_view(&text), 5);
	ck_assert_uint_eq(store.count, 1);
	struct zn_piece piece = piece_of(&store, 0);
	ck_assert_uint_eq(piece.vector.len, 16);
	ck_assert_mem_eq(piece.vector.data, "\0\0\0\3\0\0\0\2\0\0\0\5\0\0\0\3", 16);
}
END_TEST

/* The serial is put in behind the parse, longer or shorter: the pieces are those of the final text.
 */
START_TEST(serial)
{
	static const struct {
		const char *line;
		uint32_t serial;
		const char *after;
	} lines[] = {
			{"\t2026010100 ; serial\n", 2026010101, "\t2026010101 ; serial\n"},
			{"\t9 ; serial\n", 10, "\t10 ; serial\n"},
			{"\t9    ; serial\n", 10, "\t10   ; serial\n"},
			{"\t9  ; serial\n", 100, "\t100 ; serial\n"},
			{"\t99\n", 100, "\t100\n"},
			{"\t4294967295 ; serial\n", 1, "\t1          ; serial\n"},
			{"\t4294967295\n", 1, "\t1\n"},
	};
	struct zn_name apex = name_of("example.com.");
	struct zn_text_state state = {.origin = apex};
	ZN_AUTO_PTR(zn_cutter_free) struct zn_cutter *cutter = NULL;
	STORE(store);
	TEXT(text);
	struct zn_piece_changes changes;
	size_t parsed_len, offset;

	make_text(&text, 500);
	replace_line(&text, 2, lines[_i].line);
	save(&store, zn_buf_view(&text));
	ZN_AUTO_FREE struct zn_piece *stored = calloc(store.count, sizeof(*stored));
	ck_assert_ptr_nonnull(stored);
	for (size_t i = 0; i < store.count; i++)
		stored[i] = piece_of(&store, i);

	ck_assert_int_eq(zn_cutter_new(&apex, &cutter), ZN_OK);
	struct zn_parse_sink sink = zn_cutter_sink(cutter);
	mini_parse(zn_buf_view(&text), &state, &sink);
	parsed_len = text.len;
	offset = line_at(&text, 2) + 1;
	zn_text_set_serial(&text, offset, strspn((char *)text.data + offset, "0123456789"),
			lines[_i].serial);
	size_t line = line_at(&text, 2), line_len = line_at(&text, 3) - line;
	ck_assert(zn_view_is(zn_view_sub(zn_buf_view(&text), line, line_len), lines[_i].after));

	/* The hash that this parser would find. */
	size_t soa = line_at(&text, 1), soa_len = line_at(&text, 4) - soa;
	struct zn_cut cut = {.text = zn_buf_view(&text),
			.parsed_len = parsed_len,
			.serial_offset = offset,
			.soa_hash = XXH3_64bits_withSeed(text.data + soa, soa_len,
						    XXH3_64bits(apex.wire, apex.len) + 3600) >>
				    16,
			.stored = stored,
			.stored_count = store.count,
			.site = 1,
			.counter = 9};
	/* Asked twice, as when a transaction runs again. */
	ck_assert_int_eq(zn_cutter_finish(cutter, &cut, &changes, NULL), ZN_OK);
	ck_assert_int_eq(zn_cutter_finish(cutter, &cut, &changes, NULL), ZN_OK);
	ck_assert_uint_eq(changes.put_count, 1);
	ck_assert_uint_eq(changes.bury_count, 0);
	apply(&store, cutter, &changes);
	/* Its last TTL is the length of the entry, which this parser makes part of the state:
	 * compare the text alone. */
	ZN_AUTO(zn_buf_release) struct zn_buf whole = ZN_BUF_INIT(SIZE_MAX / 2);
	for (size_t i = 0; i < store.count; i++)
		zn_buf_add(&whole, piece_of(&store, i).text);
	ck_assert(zn_view_equal(zn_buf_view(&whole), zn_buf_view(&text)));
}
END_TEST

/* An entry larger than a piece; one that swallows the pieces behind it when its parenthesis is no
 * longer closed. */
START_TEST(large_entries)
{
	STORE(store);
	TEXT(text);
	TEXT(large);

	make_text(&text, 600);
	save(&store, zn_buf_view(&text));
	zn_buf_add_str(&large, "large TXT (");
	for (unsigned i = 0; i < 1000; i++)
		zn_buf_addf(&large, "\n\t\"string %u\"", i);
	zn_buf_add_str(&large, " )\n");
	insert_line(&text, 300, zn_buf_str(&large));
	save(&store, zn_buf_view(&text));
	check(&store, zn_buf_view(&text));
	insert_line(&text, 100, "open TXT ( \"no end\"\n");
	insert_line(&text, 250, "; )\n");
	save(&store, zn_buf_view(&text));
	check(&store, zn_buf_view(&text));
	replace_line(&text, 100, "closed TXT \"end\"\n");
	save(&store, zn_buf_view(&text));
	check(&store, zn_buf_view(&text));
}
END_TEST

static unsigned long long seed_state;

static unsigned roll(unsigned sides)
{
	seed_state = seed_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned)(seed_state >> 33) % sides;
}

static unsigned lines_of(const struct zn_buf *text)
{
	unsigned lines = 0;

	for (size_t i = 0; i < text->len; i++)
		lines += text->data[i] == '\n';
	return lines;
}

static struct store copy_of(const struct store *store)
{
	struct store copy = {
			.rows = calloc(store->count + 1, sizeof *copy.rows), .count = store->count};

	ck_assert_ptr_nonnull(copy.rows);
	for (size_t i = 0; i < store->count; i++) {
		copy.rows[i] = (struct row){.order = store->rows[i].order,
				.payload = ZN_BUF_INIT(SIZE_MAX / 2)};
		zn_buf_add(&copy.rows[i].payload, zn_buf_view(&store->rows[i].payload));
	}
	return copy;
}

/* Of the pieces that kept their key, those that say the same were not touched. */
static void check_untouched(const struct store *before, const struct store *after)
{
	for (size_t i = 0; i < before->count; i++) {
		struct zn_piece old = piece_of(before, i), new;
		size_t row = row_at(after, old.order);
		if (!row_is(after, row, old.order))
			continue;
		new = piece_of(after, row);
		if (zn_view_equal(old.text, new.text) && zn_view_equal(old.state, new.state) &&
				zn_view_equal(old.items, new.items))
			ck_assert(zn_view_equal(old.payload, new.payload));
	}
}

static void random_lines(struct zn_buf *out)
{
	/* before and behind a number */
	static const char *const lines[][2] = {
			{"www A 192.0.2.", "\n"},
			{"\tAAAA 2001:db8::", "\n"},
			{"; comment ", "\n"},
			{"\n; ", "\n\n"},
			{"$TTL ", "\n"},
			{"$ORIGIN sub", ".example.com.\n"},
			{"$ORIGIN example.com.\n; ", "\n"},
			{"g", " generate\n"},
			{"long", " TXT ( \"a\"\n  \"b\" ) ; more\n"},
			{"same A 192.0.2.1\n;", "\n"},
	};
	unsigned count = roll(10) == 0 ? roll(400) : 1 + roll(3);

	for (; count > 0; count--) {
		unsigned line = roll(sizeof(lines) / sizeof(lines[0]));
		zn_buf_addf(out, "%s%u%s", lines[line][0], roll(100), lines[line][1]);
	}
}

/* Random edits of a random text: the pieces are always the text; what did not change is not
 * written; saves of nothing are nothing. */
START_TEST(random_edits)
{
	STORE(store);
	TEXT(text);

	seed_state = (unsigned long long)_i;
	make_text(&text, roll(1500));
	for (unsigned round = 0; round < 60; round++) {
		unsigned edits = roll(8) == 0 ? 20 : roll(4);
		bool only_appends = roll(6) == 0;
		for (; edits > 0; edits--) {
			TEXT(lines);
			unsigned count = lines_of(&text),
				 line = only_appends ? count : roll(count + 1),
				 gone = only_appends ? 0 : roll(3);
			if (roll(20) == 0)
				gone = roll(300);
			if (line + gone > count)
				gone = count - line;
			if (roll(5))
				random_lines(&lines);
			size_t at = line_at(&text, line);
			zn_buf_splice(&text, at, line_at(&text, line + gone) - at,
					zn_buf_view(&lines));
		}
		ZN_AUTO(store_release) struct store before = copy_of(&store);
		save(&store, zn_buf_view(&text));
		check(&store, zn_buf_view(&text));
		check_untouched(&before, &store);
		save(&store, zn_buf_view(&text));
		ck_assert_uint_eq(store.put + store.buried, 0);
	}
}
END_TEST

/* No newline at the end, then one. */
START_TEST(last_line)
{
	STORE(store);
	TEXT(text);

	make_text(&text, 300);
	text.data[--text.len] = 0;
	save(&store, zn_buf_view(&text));
	check(&store, zn_buf_view(&text));
	zn_buf_add_str(&text, "5 ; more\nx A 192.0.2.1");
	save(&store, zn_buf_view(&text));
	check(&store, zn_buf_view(&text));
	zn_buf_add_str(&text, "\n\n");
	save(&store, zn_buf_view(&text));
	check(&store, zn_buf_view(&text));
}
END_TEST

/* Payloads that are none, or newer than we are. */
START_TEST(damaged)
{
	STORE(store);
	TEXT(text);
	struct zn_piece piece;

	make_text(&text, 20);
	save(&store, zn_buf_view(&text));
	struct zn_view payload = zn_buf_view(&store.rows[0].payload);
	ZN_AUTO_FREE uint8_t *bytes = malloc(payload.len);
	ck_assert_ptr_nonnull(bytes);
	size_t head = payload.len - piece_of(&store, 0).text.len;
	for (size_t len = 0; len < head; len++) {
		memcpy(bytes, payload.data,
				len); /* a copy, so that a sanitizer sees reads behind it */
		ck_assert_int_eq(zn_piece_read(zn_view(bytes, len), &piece), ZN_ECORRUPT);
	}
	memcpy(bytes, payload.data, payload.len);
	bytes[0] = 2;
	ck_assert_int_eq(zn_piece_read(zn_view(bytes, payload.len), &piece), ZN_EFORMAT);
	for (size_t at = 1; at < head; at++) {
		memcpy(bytes, payload.data, payload.len);
		for (unsigned bit = 0; bit < 8; bit++) {
			bytes[at] = (uint8_t)(payload.data[at] ^ 1u << bit);
			if (zn_piece_read(zn_view(bytes, payload.len), &piece) == ZN_OK)
				ck_assert_uint_le(piece.text.len, payload.len);
		}
	}
}
END_TEST

/* Allocations of the cutter that still succeed; SIZE_MAX: all. */
static size_t allowance = SIZE_MAX;

static bool allowed(void)
{
	if (allowance == SIZE_MAX)
		return true;
	return allowance > 0 && allowance-- > 0;
}

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_calloc(size_t count, size_t size)
{
	return allowed() ? __real_calloc(count, size) : NULL;
}

void *__wrap_realloc(void *old, size_t size)
{
	return allowed() ? __real_realloc(old, size) : NULL;
}

/* The n-th allocation fails, for every n: it is told, and the next try, with memory, cuts. */
START_TEST(out_of_memory)
{
	ZN_AUTO_FREE struct zn_piece *stored = NULL;
	struct zn_name apex = name_of("example.com.");
	enum zn_code code = ZN_ENOMEM;
	STORE(store);
	TEXT(text);

	make_text(&text, 300);
	save(&store, zn_buf_view(&text));
	stored = calloc(store.count, sizeof *stored);
	ck_assert_ptr_nonnull(stored);
	for (size_t i = 0; i < store.count; i++)
		stored[i] = piece_of(&store, i);
	replace_line(&text, 100, "changed A 192.0.2.1\n");
	insert_line(&text, 200, "inserted A 192.0.2.1\n");
	for (size_t n = 0; code != ZN_OK; n++) {
		ZN_AUTO_PTR(zn_cutter_free) struct zn_cutter *cutter = NULL;
		struct zn_text_state state = {.origin = apex};
		struct zn_piece_changes changes;
		struct zn_cut cut = {.text = zn_buf_view(&text),
				.parsed_len = text.len,
				.serial_offset = SIZE_MAX,
				.stored = stored,
				.stored_count = store.count,
				.site = 1,
				.counter = 1};

		ck_assert_uint_lt(n, 1000);
		allowance = n;
		code = zn_cutter_new(&apex, &cutter);
		if (code == ZN_OK) {
			struct zn_parse_sink sink = zn_cutter_sink(cutter);
			mini_parse(zn_buf_view(&text), &state, &sink);
			bool heard = allowance > 0;
			code = zn_cutter_finish(cutter, &cut, &changes, NULL);
			allowance = SIZE_MAX;
			if (heard) {
				ck_assert_int_eq(zn_cutter_finish(cutter, &cut, &changes, NULL),
						ZN_OK);
				ck_assert_uint_ge(changes.put_count, 2);
			}
		}
		allowance = SIZE_MAX;
		ck_assert(code == ZN_OK || code == ZN_ENOMEM);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pieces");
	TCase *tests = tcase_create("pieces");

	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, golden);
	tcase_add_test(tests, golden_state);
	tcase_add_test(tests, first_save);
	tcase_add_test(tests, one_piece);
	tcase_add_test(tests, every_line);
	tcase_add_test(tests, moved);
	tcase_add_test(tests, carried_state);
	tcase_add_test(tests, vectors);
	tcase_add_loop_test(tests, serial, 0, 7);
	tcase_add_test(tests, large_entries);
	tcase_add_loop_test(tests, random_edits, 0, 12);
	tcase_add_test(tests, last_line);
	tcase_add_test(tests, damaged);
	tcase_add_test(tests, out_of_memory);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
