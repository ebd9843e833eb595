#include "fs/text/log.h"

/* An entry in the log: a byte of flags, varint length; of an item varint skipped, 6 bytes hash,
 * varint records unless it is a record; then what of the state is not as behind the entry before
 * it. */
enum {
	KIND = 3, /* enum zn_item_kind */
	NOT_AN_ITEM = 3,
	OWNER = 4,       /* u8 length, wire */
	WITHIN_APEX = 8, /* the apex follows the owner's bytes */
	LAST_TTL = 16,   /* u32; the last TTL is known */
	ALL = 32,        /* u8 flags, u32 and u32 TTL, u8 length and wire of the origin */
};

#define ENTRY_BYTES_MAX (1 + 10 + 10 + 6 + 10 + 1 + ZN_NAME_MAX + 4 + 9 + 1 + ZN_NAME_MAX)

void zn_entry_log_init(struct zn_entry_log *log, const struct zn_name *apex)
{
	*log = (struct zn_entry_log){.apex = *apex,
			.bytes = ZN_BUF_INIT(SIZE_MAX / 2),
			.state = {.origin = *apex}};
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
	return owner->len - at == log->apex.len &&
	       memcmp(owner->wire + at, log->apex.wire, log->apex.len) == 0;
}

static uint8_t state_flags(const struct zn_entry_log *log, const struct zn_text_state *after)
{
	const struct zn_text_state *before = &log->state;
	uint8_t flags = 0;

	if (!same_name(&before->owner, &after->owner))
		flags |= OWNER;
	if (before->default_ttl_known != after->default_ttl_known ||
			before->default_ttl != after->default_ttl ||
			before->last_ttl_known > after->last_ttl_known ||
			!same_name(&before->origin, &after->origin))
		return flags | ALL;
	if (before->last_ttl_known != after->last_ttl_known || before->last_ttl != after->last_ttl)
		flags |= LAST_TTL;
	return flags;
}

static uint8_t *put_varint(uint8_t *at, uint64_t value)
{
	for (; value > 0x7f; value >>= 7)
		*at++ = (uint8_t)(value | 0x80);
	*at++ = (uint8_t)value;
	return at;
}

static uint8_t *put_bytes(uint8_t *at, const uint8_t *bytes, size_t len)
{
	*at++ = (uint8_t)len;
	memcpy(at, bytes, len);
	return at + len;
}

static uint8_t *put_u32(uint8_t *at, uint32_t value)
{
	zn_put_u32(at, value);
	return at + 4;
}

/* Writes what is new in the state, and keeps it. */
static uint8_t *put_state(struct zn_text_state *kept, uint8_t *at, uint8_t flags, size_t owner_len,
		const struct zn_text_state *after)
{
	if (flags & OWNER) {
		at = put_bytes(at, after->owner.wire, owner_len);
		kept->owner.len = after->owner.len;
		memcpy(kept->owner.wire, after->owner.wire, after->owner.len);
	}
	if (flags & LAST_TTL) {
		at = put_u32(at, after->last_ttl);
		kept->last_ttl_known = true;
		kept->last_ttl = after->last_ttl;
	}
	if (flags & ALL) {
		*at++ = (uint8_t)(after->default_ttl_known | after->last_ttl_known << 1);
		at = put_u32(at, after->default_ttl);
		at = put_u32(at, after->last_ttl);
		at = put_bytes(at, after->origin.wire, after->origin.len);
		*kept = *after;
	}
	return at;
}

void zn_entry_log_add(struct zn_entry_log *log, const struct zn_item *item, size_t end,
		const struct zn_text_state *after)
{
	uint8_t flags = state_flags(log, after), *at;
	size_t stop = item ? item->offset + item->len : end, owner_len = after->owner.len, stripped;

	if (end <= log->end || !zn_buf_reserve(&log->bytes, ENTRY_BYTES_MAX))
		return;
	if ((flags & OWNER) && strip_apex(log, &after->owner, &stripped)) {
		flags |= WITHIN_APEX;
		owner_len = stripped;
	}
	at = log->bytes.data + log->bytes.len;
	*at++ = (uint8_t)(flags | (item ? item->kind : NOT_AN_ITEM));
	at = put_varint(at, stop - log->end);
	if (item) {
		at = put_varint(at, item->offset - log->end);
		zn_put_u16(at, (uint16_t)(item->hash >> 32));
		zn_put_u32(at + 2, (uint32_t)item->hash);
		at += 6;
		if (item->kind != ZN_ITEM_RECORD)
			at = put_varint(at, item->records);
	}
	at = put_state(&log->state, at, flags, owner_len, after);
	log->bytes.len = (size_t)(at - log->bytes.data);
	log->end = stop;
	if (stop < end) /* the entry ends behind its item */
		zn_entry_log_add(log, NULL, end, after);
}

struct zn_entry_reader zn_entry_log_read(
		const struct zn_entry_log *log, const struct zn_serial_shift *shift)
{
	return (struct zn_entry_reader){.log = log,
			.shift = *shift,
			.in = zn_reader_init(zn_buf_view(&log->bytes))};
}

bool zn_entry_next(struct zn_entry_reader *reader)
{
	struct zn_reader *r = &reader->in;
	size_t start = reader->end, parsed_start = reader->parsed_end;

	if (zn_reader_left(r) == 0)
		return false;
	uint8_t flags = zn_read_u8(r);
	size_t len = (size_t)zn_read_varint(r);
	bool serial = reader->shift.offset >= parsed_start &&
		      reader->shift.offset < parsed_start + len;

	reader->parsed_end = parsed_start + len;
	reader->end = start + len + (serial ? reader->shift.grown : 0);
	reader->is_item = (flags & KIND) != NOT_AN_ITEM;
	if (reader->is_item) {
		reader->item.kind = (enum zn_item_kind)(flags & KIND);
		reader->item.offset = start + (size_t)zn_read_varint(r);
		reader->item.len = reader->end - reader->item.offset;
		reader->item.hash = zn_read_u48(r);
		reader->item.records = reader->item.kind == ZN_ITEM_RECORD ? 1 : zn_read_varint(r);
		if (serial)
			reader->item.hash = reader->shift.soa_hash;
	}
	reader->flags = flags;
	reader->changes = r->at;
	if (flags & OWNER)
		zn_read_view(r, zn_read_u8(r));
	if (flags & LAST_TTL)
		zn_read_u32(r);
	if (flags & ALL) {
		zn_read_view(r, 1 + 4 + 4);
		zn_read_view(r, zn_read_u8(r));
	}
	return !r->failed;
}

static void set_name(struct zn_name *name, struct zn_view wire, const struct zn_name *behind)
{
	memcpy(name->wire, wire.data, wire.len);
	if (behind)
		memcpy(name->wire + wire.len, behind->wire, behind->len);
	name->len = (uint8_t)(wire.len + (behind ? behind->len : 0));
}

void zn_entry_change_state(const struct zn_entry_reader *reader, struct zn_text_state *state)
{
	struct zn_reader r = {.in = reader->in.in, .at = reader->changes};
	struct zn_view name;

	if (reader->flags & OWNER) {
		name = zn_read_view(&r, zn_read_u8(&r));
		set_name(&state->owner, name,
				reader->flags & WITHIN_APEX ? &reader->log->apex : NULL);
	}
	if (reader->flags & LAST_TTL) {
		state->last_ttl_known = true;
		state->last_ttl = zn_read_u32(&r);
	}
	if (reader->flags & ALL) {
		uint8_t known = zn_read_u8(&r);
		state->default_ttl_known = known & 1;
		state->last_ttl_known = known >> 1;
		state->default_ttl = zn_read_u32(&r);
		state->last_ttl = zn_read_u32(&r);
		name = zn_read_view(&r, zn_read_u8(&r));
		set_name(&state->origin, name, NULL);
	}
}
