#include "fs/text/log.h"

/* An entry in the log: a byte of flags, varint length; of an item varint skipped, 6 bytes hash, varint records unless it is a record; then what of the
 * state is not as behind the entry before it. */
enum {
	KIND = 3,	   /* enum zn_item_kind */
	NOT_AN_ITEM = 3,
	OWNER = 4,	   /* u8 length, wire */
	WITHIN_APEX = 8,   /* the apex follows the owner's bytes */
	LAST_TTL = 16,	   /* u32; the last TTL is known */
	ALL = 32,	   /* u8 flags, u32 and u32 TTL, u8 length and wire of the origin */
};

#define ENTRY_BYTES_MAX (1 + 10 + 10 + 6 + 10 + 1 + ZN_NAME_MAX + 4 + 9 + 1 + ZN_NAME_MAX)

void zn_entry_log_init(struct zn_entry_log *log, const struct zn_name *apex)
{
	*log = (struct zn_entry_log){.apex = *apex, .bytes = ZN_BUF_INIT(SIZE_MAX / 2), .state = {.origin = *apex}};
}

void zn_entry_log_release(struct zn_entry_log *log)
{
	zn_buf_release(&log->bytes);
}

static bool same_name(const struct zn_name *a, const struct zn_name *b)
{
	return a->len == b->len && memcmp(a->wire, b->wire, a->len) == 0;
}

/* Bytes of the owner before the apex, when it ends with the apex in the same case. */
static bool strip_apex(const struct zn_entry_log *log, const struct zn_name *owner, size_t *ret_len)
{
	size_t at = 0;

	while (at < owner->len && owner->len - at > log->apex.len)
		at += 1u + owner->wire[at];
	*ret_len = at;
	return owner->len - at == log->apex.len && memcmp(owner->wire + at, log->apex.wire, log->apex.len) == 0;
}

static uint8_t state_flags(const struct zn_entry_log *log, const struct zn_text_state *after)
{
	const struct zn_text_state *before = &log->state;
	uint8_t flags = 0;

	if (!same_name(&before->owner, &after->owner))
		flags |= OWNER;
	if (before->default_ttl_known != after->default_ttl_known || before->default_ttl != after->default_ttl ||
		before->last_ttl_known > after->last_ttl_known || !same_name(&before->origin, &after->origin))
		return flags | ALL;
	if (before->last_ttl_known != after->last_ttl_known || before->last_ttl != after->last_ttl)
		flags |= LAST_TTL;
	return flags;
}

static void add_state(struct zn_entry_log *log, struct zn_buf *out, uint8_t flags, const struct zn_text_state *after)
{
	if (flags & OWNER) {
		size_t len = after->owner.len;
		if (flags & WITHIN_APEX)
			strip_apex(log, &after->owner, &len);
		zn_write_u8(out, (uint8_t)len);
		zn_buf_add(out, zn_view(after->owner.wire, len));
		log->state.owner = after->owner;
	}
	if (flags & LAST_TTL) {
		zn_write_u32(out, after->last_ttl);
		log->state.last_ttl_known = true;
		log->state.last_ttl = after->last_ttl;
	}
	if (flags & ALL) {
		zn_write_u8(out, (uint8_t)(after->default_ttl_known | after->last_ttl_known << 1));
		zn_write_u32(out, after->default_ttl);
		zn_write_u32(out, after->last_ttl);
		zn_write_u8(out, after->origin.len);
		zn_buf_add(out, zn_name_view(&after->origin));
		log->state = *after;
	}
}

void zn_entry_log_add(struct zn_entry_log *log, const struct zn_item *item, size_t end, const struct zn_text_state *after)
{
	uint8_t flags = state_flags(log, after);
	size_t stop = item ? item->offset + item->len : end, stripped;

	if (end <= log->end || !zn_buf_reserve(&log->bytes, ENTRY_BYTES_MAX))
		return;
	if ((flags & OWNER) && strip_apex(log, &after->owner, &stripped))
		flags |= WITHIN_APEX;
	zn_write_u8(&log->bytes, (uint8_t)(flags | (item ? item->kind : NOT_AN_ITEM)));
	zn_write_varint(&log->bytes, stop - log->end);
	if (item) {
		zn_write_varint(&log->bytes, item->offset - log->end);
		zn_write_u48(&log->bytes, item->hash);
		if (item->kind != ZN_ITEM_RECORD)
			zn_write_varint(&log->bytes, item->records);
	}
	add_state(log, &log->bytes, flags, after);
	log->end = stop;
	if (stop < end) /* the entry ends behind its item */
		zn_entry_log_add(log, NULL, end, after);
}

struct zn_entry_reader zn_entry_log_read(const struct zn_entry_log *log, const struct zn_serial_shift *shift, struct zn_text_state *state)
{
	if (state)
		*state = (struct zn_text_state){.origin = log->apex};
	return (struct zn_entry_reader){.log = log, .shift = *shift, .in = zn_reader_init(zn_buf_view(&log->bytes)), .state = state};
}

static void read_state(struct zn_entry_reader *reader, uint8_t flags)
{
	struct zn_reader *r = &reader->in;
	struct zn_text_state *state = reader->state;

	if (flags & OWNER) {
		struct zn_view wire = zn_read_view(r, zn_read_u8(r)), apex = {0};
		if (flags & WITHIN_APEX)
			apex = zn_name_view(&reader->log->apex);
		if (state && !r->failed) {
			memcpy(state->owner.wire, wire.data, wire.len);
			if (apex.len)
				memcpy(state->owner.wire + wire.len, apex.data, apex.len);
			state->owner.len = (uint8_t)(wire.len + apex.len);
		}
	}
	if (flags & LAST_TTL) {
		uint32_t last_ttl = zn_read_u32(r);
		if (state) {
			state->last_ttl_known = true;
			state->last_ttl = last_ttl;
		}
	}
	if (flags & ALL) {
		uint8_t known = zn_read_u8(r);
		uint32_t default_ttl = zn_read_u32(r), last_ttl = zn_read_u32(r);
		struct zn_view origin = zn_read_view(r, zn_read_u8(r));
		if (state && !r->failed) {
			state->default_ttl_known = known & 1;
			state->last_ttl_known = known >> 1;
			state->default_ttl = default_ttl;
			state->last_ttl = last_ttl;
			memcpy(state->origin.wire, origin.data, origin.len);
			state->origin.len = (uint8_t)origin.len;
		}
	}
}

bool zn_entry_next(struct zn_entry_reader *reader)
{
	struct zn_reader *r = &reader->in;
	size_t start = reader->end, parsed_start = reader->parsed_end, skipped = 0;

	if (zn_reader_left(r) == 0)
		return false;
	uint8_t flags = zn_read_u8(r);
	size_t len = (size_t)zn_read_varint(r);
	bool serial = reader->shift.offset >= parsed_start && reader->shift.offset < parsed_start + len;

	reader->parsed_end = parsed_start + len;
	reader->end = start + len + (serial ? reader->shift.grown : 0);
	reader->is_item = (flags & KIND) != NOT_AN_ITEM;
	if (reader->is_item) {
		skipped = (size_t)zn_read_varint(r);
		reader->item.kind = (enum zn_item_kind)(flags & KIND);
		reader->item.offset = start + skipped;
		reader->item.len = reader->end - reader->item.offset;
		reader->item.hash = zn_read_u48(r);
		reader->item.records = reader->item.kind == ZN_ITEM_RECORD ? 1 : zn_read_varint(r);
		if (serial)
			reader->item.hash = reader->shift.soa_hash;
	}
	read_state(reader, flags);
	return !r->failed;
}
