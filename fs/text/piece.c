/* The bytes of a stored piece. docs/format.md, pieces. */
#include "fs/text/piece.h"

#include "fs/text/pieces.h"
#include "store/base/limits.h"

enum { DEFAULT_TTL_KNOWN = 1, LAST_TTL_KNOWN = 2 };

static void write_name(struct zn_buf *out, const struct zn_name *name)
{
	zn_write_u8(out, name->len);
	zn_buf_add(out, zn_name_view(name));
}

void zn_piece_write_state(struct zn_buf *out, const struct zn_text_state *state)
{
	zn_write_u8(out, (uint8_t)((state->default_ttl_known ? DEFAULT_TTL_KNOWN : 0) |
					 (state->last_ttl_known ? LAST_TTL_KNOWN : 0)));
	zn_write_u32(out, state->default_ttl_known ? state->default_ttl : 0);
	zn_write_u32(out, state->last_ttl_known ? state->last_ttl : 0);
	write_name(out, &state->origin);
	write_name(out, &state->owner);
}

void zn_piece_write_item(struct zn_buf *out, size_t skipped, size_t len, const struct zn_item *item)
{
	zn_write_varint(out, skipped);
	zn_write_varint(out, len);
	zn_write_u8(out, (uint8_t)item->kind);
	if (item->kind != ZN_ITEM_RECORD)
		zn_write_varint(out, item->records);
	zn_write_u48(out, item->hash);
}

static size_t varint_size(uint64_t value)
{
	size_t size = 1;

	for (; value > 0x7f; value >>= 7)
		size++;
	return size;
}

size_t zn_piece_item_size(size_t skipped, size_t len, const struct zn_item *item)
{
	return varint_size(skipped) + varint_size(len) + 1 + 6 +
	       (item->kind == ZN_ITEM_RECORD ? 0 : varint_size(item->records));
}

/* A name of the state on entry, or none. */
static void read_name(struct zn_reader *r, struct zn_name *ret_name)
{
	struct zn_view wire = zn_read_view(r, zn_read_u8(r));

	*ret_name = (struct zn_name){0};
	if (wire.len && zn_name_from_wire(wire, ret_name))
		r->failed = true;
}

static void read_state(struct zn_reader *r, struct zn_text_state *ret_state)
{
	uint8_t flags = zn_read_u8(r);

	ret_state->default_ttl_known = flags & DEFAULT_TTL_KNOWN;
	ret_state->last_ttl_known = flags & LAST_TTL_KNOWN;
	ret_state->default_ttl = zn_read_u32(r);
	ret_state->last_ttl = zn_read_u32(r);
	read_name(r, &ret_state->origin);
	read_name(r, &ret_state->owner);
	if (ret_state->origin.len == 0)
		r->failed = true;
}

/* A record of less than 128 bytes behind less than 128 of something else: what nearly all items are. A zone of a million records is read
 * as many times a million of these, so they do not go field by field. false: nothing was read. */
static inline bool read_plain_item(struct zn_reader *r, size_t *end, struct zn_item *ret_item)
{
	const uint8_t *at = r->in.data + r->at;

	if (r->failed || r->in.len - r->at < 9 || ((at[0] | at[1]) & 0x80) || at[2] != ZN_ITEM_RECORD)
		return false;
	r->at += 9;
	ret_item->offset = *end + at[0];
	ret_item->len = at[1];
	ret_item->kind = ZN_ITEM_RECORD;
	ret_item->records = 1;
	ret_item->hash = (uint64_t)zn_get_u16(at + 3) << 32 | zn_get_u32(at + 5);
	*end = ret_item->offset + ret_item->len;
	return true;
}

static void read_item(struct zn_reader *r, size_t *end, struct zn_item *ret_item)
{
	if (read_plain_item(r, end, ret_item))
		return;
	uint64_t skipped = zn_read_varint(r), len = zn_read_varint(r);
	uint8_t kind = zn_read_u8(r);

	if (skipped > ZN_TEXT_MAX || len > ZN_TEXT_MAX || kind > ZN_ITEM_INCLUDE)
		r->failed = true;
	ret_item->offset = *end + (size_t)skipped;
	ret_item->len = (size_t)len;
	ret_item->kind = r->failed ? ZN_ITEM_RECORD : (enum zn_item_kind)kind;
	ret_item->records = kind == ZN_ITEM_RECORD ? 1 : zn_read_varint(r);
	ret_item->hash = zn_read_u48(r);
	*end = ret_item->offset + ret_item->len;
	if (*end > ZN_TEXT_MAX)
		r->failed = true;
}

enum zn_code zn_piece_read(struct zn_view payload, struct zn_piece *ret_piece)
{
	struct zn_reader r = zn_reader_init(payload);
	struct zn_piece piece = {.payload = payload};
	struct zn_text_state state;
	struct zn_item item;
	size_t start, end = 0;

	if (payload.len == 0)
		return ZN_ECORRUPT;
	if (zn_read_u8(&r) != ZN_PIECE_FORMAT)
		return ZN_EFORMAT;
	piece.vector = zn_read_view(&r, 8 * (size_t)zn_read_u8(&r));
	start = r.at;
	read_state(&r, &state);
	if (r.failed)
		return ZN_ECORRUPT;
	piece.state = zn_view_sub(payload, start, r.at - start);
	piece.item_count = zn_read_varint(&r);
	start = r.at;
	for (uint64_t i = 0; i < piece.item_count && !r.failed; i++) {
		read_item(&r, &end, &item);
		piece.digest.count += item.records;
		piece.digest.sum += item.hash;
	}
	if (r.failed)
		return ZN_ECORRUPT;
	piece.digest.sum &= ZN_HASH_MASK;
	piece.items = zn_view_sub(payload, start, r.at - start);
	piece.text = zn_read_rest(&r);
	if (end > piece.text.len)
		return ZN_ECORRUPT;
	*ret_piece = piece;
	return ZN_OK;
}

void zn_piece_state(const struct zn_piece *piece, struct zn_text_state *ret_state)
{
	struct zn_reader r = zn_reader_init(piece->state);

	read_state(&r, ret_state);
}

struct zn_piece_items zn_piece_items(const struct zn_piece *piece)
{
	return (struct zn_piece_items){
			.in = zn_reader_init(piece->items), .left = piece->item_count};
}

bool zn_piece_next(struct zn_piece_items *items, struct zn_item *ret_item)
{
	if (items->left == 0)
		return false;
	items->left--;
	read_item(&items->in, &items->end, ret_item);
	return !items->in.failed;
}
