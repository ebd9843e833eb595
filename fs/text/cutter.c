/* Cutting a text into pieces. docs/format.md, cut. align.c finds which stored piece stands where,
 * log.c knows where entries end; here both meet. */
#include "fs/text/pieces.h"

#include <stdlib.h>

#include "fs/text/align.h"
#include "fs/text/log.h"
#include "fs/text/piece.h"

enum {
	SIZE_MIN = 1500, /* bytes of a stored value, its header included */
	SIZE_LIMIT = 4000,
	SIZE_PAIR = SIZE_LIMIT + SIZE_MIN, /* what is no larger than this and too large for one
					      piece makes two halves */
	SPREAD = 2470, /* a cut every so many bytes beyond the least size: 3 KiB on average */
	HEADER = 24,   /* of a stored value */
	VECTOR_MAX = 255,
};

/* A piece of the new text. */
struct planned {
	size_t start, end;                               /* in the text */
	size_t state_at, state_len, items_at, items_len; /* in `arena` */
	uint64_t item_count;
	size_t segment;
	struct zn_order_key order; /* len 0: not yet made */
	bool keep;                 /* as it is stored */
};

struct zn_cutter {
	struct zn_entry_log log;

	/* of the last finish */
	struct zn_cut cut;
	struct zn_segments segments;
	struct planned *plan;
	size_t plan_count, plan_capacity;
	struct zn_buf arena;   /* states and items, encoded */
	struct zn_buf vectors; /* of the pieces put, one after the other, u8 V in front of each */
	struct zn_buf scratch;
	struct zn_order_key *put, *bury;
	size_t put_count, bury_count;
	struct put_of {
		size_t plan, vector;
	} * put_of;
};

enum zn_code zn_cutter_new(const struct zn_name *apex, struct zn_cutter **ret_cutter)
{
	struct zn_cutter *cutter = calloc(1, sizeof(*cutter));

	if (!cutter)
		return ZN_ENOMEM;
	zn_entry_log_init(&cutter->log, apex);
	zn_buf_init(&cutter->arena, SIZE_MAX / 2);
	zn_buf_init(&cutter->vectors, SIZE_MAX / 2);
	zn_buf_init(&cutter->scratch, SIZE_MAX / 2);
	*ret_cutter = cutter;
	return ZN_OK;
}

static void forget(struct zn_cutter *cutter)
{
	free(zn_steal(&cutter->segments.list));
	cutter->segments.count = 0;
	free(zn_steal(&cutter->put));
	free(zn_steal(&cutter->bury));
	free(zn_steal(&cutter->put_of));
	cutter->put_count = cutter->bury_count = cutter->plan_count = 0;
	zn_buf_clear(&cutter->arena);
	zn_buf_clear(&cutter->vectors);
}

void zn_cutter_free(struct zn_cutter *cutter)
{
	if (!cutter)
		return;
	forget(cutter);
	zn_entry_log_release(&cutter->log);
	zn_buf_release(&cutter->arena);
	zn_buf_release(&cutter->vectors);
	zn_buf_release(&cutter->scratch);
	free(cutter->plan);
	free(cutter);
}

static void hear(void *context, const struct zn_item *item, size_t end,
		const struct zn_text_state *after)
{
	struct zn_cutter *cutter = context;

	zn_entry_log_add(&cutter->log, item, end, after);
}

struct zn_parse_sink zn_cutter_sink(struct zn_cutter *cutter)
{
	return (struct zn_parse_sink){.context = cutter, .entry = hear};
}

/* Text that was put between two pieces goes into the one before it while there is room, else into
 * the one behind it, else makes pieces of its own. */
static void join_insertions(struct zn_cutter *cutter)
{
	struct zn_segments *segments = &cutter->segments;
	size_t kept = 0;

	for (size_t i = 0; i < segments->count; i++) {
		struct zn_segment segment = segments->list[i];
		struct zn_segment *before = kept ? &segments->list[kept - 1] : NULL;
		struct zn_segment *behind = i + 1 < segments->count ? &segments->list[i + 1] : NULL;
		size_t room = SIZE_LIMIT - HEADER - 8, len = segment.end - segment.start;

		if (segment.stored == ZN_NOT_STORED) {
			/* As a rule of thumb a line is an item of 12 bytes. */
			for (size_t at = segment.start; at < segment.end && len <= SIZE_LIMIT; at++)
				len += cutter->cut.text.data[at] == '\n' ? 12 : 0;
			if (before && before->stored != ZN_NOT_STORED &&
					cutter->cut.stored[before->last].payload.len + len <=
							room) {
				before->end = segment.end;
				before->whole = false;
				continue;
			}
			if (behind && behind->stored != ZN_NOT_STORED &&
					cutter->cut.stored[behind->stored].payload.len + len <=
							room) {
				behind->start = segment.start;
				behind->whole = false;
				continue;
			}
		}
		segments->list[kept++] = segment;
	}
	segments->count = kept;
}

static struct planned *add_planned(struct zn_cutter *cutter)
{
	if (cutter->plan_count == cutter->plan_capacity) {
		size_t capacity = cutter->plan_capacity ? 2 * cutter->plan_capacity : 16;
		struct planned *plan = realloc(cutter->plan, capacity * sizeof(*plan));
		if (!plan)
			return NULL;
		cutter->plan = plan;
		cutter->plan_capacity = capacity;
	}
	cutter->plan[cutter->plan_count] = (struct planned){0};
	return &cutter->plan[cutter->plan_count++];
}

/* Saves whose bytes a segment's pieces hold, this one included, by site. Returns how many. */
static size_t add_vector(const struct zn_cutter *cutter, const struct zn_segment *segment,
		struct zn_buf *out)
{
	size_t start = out->len, count = 1;

	zn_write_u32(out, cutter->cut.site);
	zn_write_u32(out, cutter->cut.counter);
	for (size_t i = segment->stored; segment->stored != ZN_NOT_STORED && i <= segment->last;
			i++) {
		struct zn_view vector = cutter->cut.stored[i].vector;
		for (size_t v = 0; v + 8 <= vector.len && !out->failed; v += 8) {
			uint32_t site = zn_get_u32(vector.data + v),
				 counter = zn_get_u32(vector.data + v + 4);
			size_t at = start;
			while (at < out->len && zn_get_u32(out->data + at) < site)
				at += 8;
			if (at < out->len && zn_get_u32(out->data + at) == site) {
				if (zn_get_u32(out->data + at + 4) < counter)
					zn_put_u32(out->data + at + 4, counter);
			} else if (count < VECTOR_MAX) {
				zn_buf_splice(out, at, 0, zn_view(vector.data + v, 8));
				count++;
			}
		}
	}
	return count;
}

/* Bytes of a stored value before its items and text. */
static size_t head_size(
		struct zn_cutter *cutter, const struct zn_segment *segment, size_t state_len)
{
	size_t count;

	zn_buf_clear(&cutter->scratch);
	count = add_vector(cutter, segment, &cutter->scratch);
	return HEADER + 2 + 8 * count + state_len + 2;
}

/* What the rest of a segment takes as one piece; looked at no further than needed to know that it
 * is more than two. */
static size_t size_as_one(const struct zn_entry_reader *from, size_t head, size_t end)
{
	struct zn_entry_reader reader = *from;
	size_t start = from->end, item_end = start, items = 0;

	if (end - start > SIZE_PAIR)
		return SIZE_PAIR + 1;
	while (reader.end < end && head + items + (reader.end - start) <= SIZE_PAIR &&
			zn_entry_next(&reader)) {
		if (!reader.is_item)
			continue;
		items += zn_piece_item_size(
				reader.item.offset - item_end, reader.item.len, &reader.item);
		item_end = reader.end;
	}
	return head + items + (reader.end - start);
}

/* Plans the piece that begins where the reader stands and adds its entries, up to the end of its
 * segment or less. An entry that goes on beyond the end of the segment is taken whole. `as_one`:
 * whatever its size. ret_size: bytes of the stored value. */
static enum zn_code plan_piece(struct zn_cutter *cutter, struct zn_entry_reader *reader,
		struct zn_text_state *state, size_t s, bool as_one, size_t *ret_size)
{
	const struct zn_segment *segment = &cutter->segments.list[s];
	struct planned *piece = add_planned(cutter);
	struct zn_buf *arena = &cutter->arena;
	size_t item_end = reader->end, head, total;
	bool more = true;

	if (!piece)
		return ZN_ENOMEM;
	piece->start = reader->end;
	piece->segment = s;
	piece->state_at = arena->len;
	zn_piece_write_state(arena, state);
	piece->state_len = arena->len - piece->state_at;
	piece->items_at = arena->len;
	head = head_size(cutter, segment, piece->state_len);
	total = as_one ? 0 : size_as_one(reader, head, segment->end);
	*ret_size = head;
	while (reader->end < segment->end && more) {
		struct zn_entry_reader next = *reader;
		size_t added;

		if (!zn_entry_next(&next))
			return ZN_EINVAL;
		added = next.end - reader->end;
		if (next.is_item)
			added += zn_piece_item_size(
					next.item.offset - item_end, next.item.len, &next.item);
		if (total > SIZE_LIMIT && *ret_size > head && *ret_size + added > SIZE_LIMIT)
			break;
		*reader = next;
		zn_entry_change_state(&next, state);
		*ret_size += added;
		if (next.is_item) {
			zn_piece_write_item(arena, next.item.offset - item_end, next.item.len,
					&next.item);
			item_end = next.end;
			piece->item_count++;
		}
		if (total > SIZE_PAIR)
			more = *ret_size < SIZE_MIN || !next.is_item ||
			       next.item.hash % SPREAD >= added;
		else if (total > SIZE_LIMIT)
			more = *ret_size < total / 2;
	}
	piece->end = reader->end;
	piece->items_len = arena->len - piece->items_at;
	return arena->failed;
}

/* The last planned piece says what its segment's stored piece says. */
static bool is_as_stored(const struct zn_cutter *cutter)
{
	const struct planned *piece = &cutter->plan[cutter->plan_count - 1];
	const struct zn_segment *segment = &cutter->segments.list[piece->segment];
	const struct zn_piece *stored = &cutter->cut.stored[segment->stored];
	struct zn_view arena = zn_buf_view(&cutter->arena);

	return piece->item_count == stored->item_count && piece->start == segment->start &&
	       piece->end == segment->end &&
	       zn_view_equal(zn_view_sub(arena, piece->state_at, piece->state_len),
			       stored->state) &&
	       zn_view_equal(zn_view_sub(arena, piece->items_at, piece->items_len), stored->items);
}

static enum zn_code plan_segment(struct zn_cutter *cutter, struct zn_entry_reader *reader,
		struct zn_text_state *state, size_t s)
{
	const struct zn_segment *segment = &cutter->segments.list[s];
	enum zn_code code = ZN_OK;
	size_t first = cutter->plan_count, size;

	if (segment->whole && reader->end == segment->start) {
		/* Unchanged in all likelihood, whatever its size. */
		struct zn_entry_reader before = *reader;
		struct zn_text_state state_before = *state;
		size_t arena = cutter->arena.len;

		code = plan_piece(cutter, reader, state, s, true, &size);
		if (code)
			return code;
		cutter->plan[first].keep = is_as_stored(cutter);
		if (!cutter->plan[first].keep && size > SIZE_LIMIT) {
			*reader = before;
			*state = state_before;
			cutter->arena.len = arena;
			cutter->plan_count = first;
		}
	}
	while (!code && reader->end < segment->end)
		code = plan_piece(cutter, reader, state, s, false, &size);
	if (!code && segment->stored != ZN_NOT_STORED && cutter->plan_count > first) {
		struct zn_view order = cutter->cut.stored[segment->stored].order;
		cutter->plan[first].order.len = (uint8_t)order.len;
		memcpy(cutter->plan[first].order.bytes, order.data, order.len);
	}
	return code;
}

static enum zn_code plan_all(struct zn_cutter *cutter, struct zn_err *err)
{
	const struct zn_cut *cut = &cutter->cut;
	struct zn_serial_shift shift = {
			cut->serial_offset, cut->text.len - cut->parsed_len, cut->soa_hash};
	struct zn_text_state state = {.origin = cutter->log.apex};
	struct zn_entry_reader reader = zn_entry_log_read(&cutter->log, &shift);

	for (size_t s = 0; s < cutter->segments.count; s++) {
		enum zn_code code = plan_segment(cutter, &reader, &state, s);
		if (code)
			return zn_fail(err, code, "cut: %s",
					code == ZN_EINVAL ? "not the text that was parsed"
							  : zn_code_text(code));
	}
	if (reader.end != cut->text.len)
		return zn_fail(err, ZN_EINVAL, "cut: not the text that was parsed");
	return ZN_OK;
}

static struct zn_view order_at(const struct zn_cutter *cutter, size_t plan)
{
	return plan < cutter->plan_count ? zn_order_view(&cutter->plan[plan].order)
					 : zn_view(NULL, 0);
}

/* Gives the pieces that have none an order key. A gap that is used up takes its neighbours along
 * until there is room. */
static enum zn_code number(struct zn_cutter *cutter)
{
	for (size_t i = 0; i < cutter->plan_count; i++) {
		size_t from = i, to = i;
		struct zn_order_key *keys = NULL;

		while (to < cutter->plan_count && cutter->plan[to].order.len == 0)
			to++;
		if (from == to)
			continue;
		for (;;) {
			free(keys);
			keys = calloc(to - from, sizeof(*keys));
			if (!keys)
				return ZN_ENOMEM;
			if (zn_order_between(from ? order_at(cutter, from - 1) : zn_view(NULL, 0),
					    order_at(cutter, to), to - from, cutter->cut.site,
					    cutter->cut.counter, keys))
				break;
			from -= from > 0;
			to += to < cutter->plan_count;
		}
		for (size_t k = from; k < to; k++) {
			cutter->plan[k].order = keys[k - from];
			cutter->plan[k].keep = false;
		}
		free(keys);
		i = to - 1;
	}
	return ZN_OK;
}

/* Compares the plan with what is stored. */
static enum zn_code list_changes(struct zn_cutter *cutter)
{
	const struct zn_cut *cut = &cutter->cut;
	size_t at = 0;

	cutter->put = calloc(cutter->plan_count + 1, sizeof(*cutter->put));
	cutter->put_of = calloc(cutter->plan_count + 1, sizeof(*cutter->put_of));
	cutter->bury = calloc(cut->stored_count + 1, sizeof(*cutter->bury));
	if (!cutter->put || !cutter->put_of || !cutter->bury)
		return ZN_ENOMEM;
	for (size_t i = 0; i < cutter->plan_count; i++) {
		if (cutter->plan[i].keep)
			continue;
		size_t vector = cutter->vectors.len;
		zn_buf_add_byte(&cutter->vectors, 0);
		size_t count = add_vector(cutter, &cutter->segments.list[cutter->plan[i].segment],
				&cutter->vectors);
		if (cutter->vectors.failed)
			return cutter->vectors.failed;
		cutter->vectors.data[vector] = (uint8_t)count;
		cutter->put_of[cutter->put_count] = (struct put_of){i, vector};
		cutter->put[cutter->put_count++] = cutter->plan[i].order;
	}
	for (size_t i = 0; i < cut->stored_count; i++) {
		struct zn_order_key *key = &cutter->bury[cutter->bury_count];
		while (at < cutter->plan_count &&
				zn_view_cmp(order_at(cutter, at), cut->stored[i].order) < 0)
			at++;
		if (at < cutter->plan_count &&
				zn_view_equal(order_at(cutter, at), cut->stored[i].order))
			continue;
		key->len = (uint8_t)cut->stored[i].order.len;
		memcpy(key->bytes, cut->stored[i].order.data, key->len);
		cutter->bury_count++;
	}
	return ZN_OK;
}

enum zn_code zn_cutter_finish(struct zn_cutter *cutter, const struct zn_cut *cut,
		struct zn_piece_changes *ret_changes, struct zn_err *err)
{
	enum zn_code code;

	forget(cutter);
	cutter->cut = *cut;
	for (size_t i = 0; i < cut->stored_count; i++)
		if (cut->stored[i].order.len == 0 || cut->stored[i].order.len > ZN_ORDER_MAX)
			return zn_fail(err, ZN_EINVAL, "cut: a stored piece without an order key");
	if (cutter->log.end < cut->parsed_len) /* what stands behind the last entry */
		zn_entry_log_add(&cutter->log, NULL, cut->parsed_len, &cutter->log.state);
	if (cutter->log.bytes.failed)
		return zn_buf_check(&cutter->log.bytes, "cut", err);
	code = zn_align(cut->text, cut->stored, cut->stored_count, &cutter->segments);
	if (code)
		return zn_fail(err, code, "cut: %s", zn_code_text(code));
	join_insertions(cutter);
	code = plan_all(cutter, err);
	if (code)
		return code;
	code = number(cutter);
	if (!code)
		code = list_changes(cutter);
	if (code)
		return zn_fail(err, code, "cut: %s", zn_code_text(code));
	*ret_changes = (struct zn_piece_changes){
			cutter->put, cutter->put_count, cutter->bury, cutter->bury_count};
	cutter->cut.stored = NULL; /* lent for the call */
	cutter->cut.stored_count = 0;
	return ZN_OK;
}

enum zn_code zn_cutter_payload(const struct zn_cutter *cutter, size_t index, struct zn_buf *out,
		struct zn_err *err)
{
	const struct put_of *put = &cutter->put_of[index];
	const struct planned *piece = &cutter->plan[put->plan];
	struct zn_view arena = zn_buf_view(&cutter->arena), vectors = zn_buf_view(&cutter->vectors);

	zn_buf_clear(out);
	zn_write_u8(out, ZN_PIECE_FORMAT);
	zn_buf_add(out, zn_view_sub(vectors, put->vector,
					1 + 8 * (size_t)vectors.data[put->vector]));
	zn_buf_add(out, zn_view_sub(arena, piece->state_at, piece->state_len));
	zn_write_varint(out, piece->item_count);
	zn_buf_add(out, zn_view_sub(arena, piece->items_at, piece->items_len));
	zn_buf_add(out, zn_view_sub(cutter->cut.text, piece->start, piece->end - piece->start));
	return zn_buf_check(out, "piece", err);
}
