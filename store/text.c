#include "store/text.h"

#include "store/base/wire.h"

enum { HEAD_FORMAT = 1, HEAD_KEY = 4, ORDER_MIN = 9 };

struct text_key {
	size_t len;
	uint8_t bytes[HEAD_KEY + ZN_ORDER_KEY_MAX];
};

static struct zn_view key_view(const struct text_key *key)
{
	return zn_view(key->bytes, key->len);
}

static void head_key(uint32_t id, struct text_key *ret_key)
{
	ret_key->len = HEAD_KEY;
	zn_put_u32(ret_key->bytes, id);
}

static bool is_order(struct zn_view order)
{
	return order.len >= ORDER_MIN && order.len <= ZN_ORDER_KEY_MAX;
}

static enum zn_code piece_key(
		uint32_t id, struct zn_view order, struct text_key *ret_key, struct zn_err *err)
{
	if (!is_order(order))
		return zn_fail(err, ZN_EINVAL, "text of zone %u: an order key of %zu bytes", id,
				order.len);
	head_key(id, ret_key);
	memcpy(ret_key->bytes + HEAD_KEY, order.data, order.len);
	ret_key->len += order.len;
	return ZN_OK;
}

enum zn_code zn_text_head_get(struct zn_txn *records, uint32_t id, struct zn_text_head *ret_head,
		struct zn_stamp *ret_stamp, struct zn_err *err)
{
	struct text_key key;
	struct zn_header header;
	struct zn_view payload;
	struct zn_text_head head;
	enum zn_code code;

	head_key(id, &key);
	code = zn_txn_get_live(records, ZN_DBI_TEXT, key_view(&key), &header, &payload, err);
	if (code)
		return code;
	if (payload.len == 0 || payload.data[0] == 0)
		return zn_fail(err, ZN_ECORRUPT, "text of zone %u: the head does not decode", id);
	if (payload.data[0] != HEAD_FORMAT)
		return zn_fail(err, ZN_EFORMAT,
				"text of zone %u: the head is of format %u, which is newer than "
				"this program",
				id, payload.data[0]);
	struct zn_reader r = zn_reader_init(zn_view_sub(payload, 1, SIZE_MAX));
	head.mtime.ns = zn_read_u64(&r);
	head.digest.count = zn_read_u64(&r);
	head.digest.sum = zn_read_u48(&r);
	head.site = zn_read_u32(&r);
	head.counter = zn_read_u32(&r);
	if (r.failed)
		return zn_fail(err, ZN_ECORRUPT, "text of zone %u: the head does not decode", id);
	*ret_head = head;
	if (ret_stamp)
		*ret_stamp = header.stamp;
	return ZN_OK;
}

enum zn_code zn_text_head_put(struct zn_txn *records, uint32_t id, const struct zn_text_head *head,
		struct zn_err *err)
{
	ZN_AUTO(zn_buf_release) struct zn_buf payload = ZN_BUF_INIT(64);
	struct text_key key;
	enum zn_code code;

	head_key(id, &key);
	zn_write_u8(&payload, HEAD_FORMAT);
	zn_write_u64(&payload, head->mtime.ns);
	zn_write_u64(&payload, head->digest.count);
	zn_write_u48(&payload, head->digest.sum);
	zn_write_u32(&payload, head->site);
	zn_write_u32(&payload, head->counter);
	code = zn_buf_check(&payload, "text head", err);
	if (code)
		return code;
	return zn_txn_put(records, ZN_DBI_TEXT, key_view(&key), zn_buf_view(&payload), ZN_USER,
			(struct zn_stamp){0}, NULL, err);
}

/* Every row of the zone's text in order of keys, the head first, tombstones included. */
static enum zn_code walk(struct zn_txn *records, uint32_t id,
		enum zn_code (*each)(void *context, struct zn_view key, struct zn_view value),
		void *context, struct zn_err *err)
{
	struct zn_cursor cursor;
	struct text_key from;
	enum zn_code code = zn_cursor_open(&cursor, records, ZN_DBI_TEXT, err);

	if (code)
		return code;
	head_key(id, &from);
	for (code = zn_cursor_seek(&cursor, key_view(&from)); code == ZN_OK;
			code = zn_cursor_next(&cursor)) {
		if (!zn_view_starts_with(cursor.key, key_view(&from))) {
			code = ZN_ENOTFOUND;
			break;
		}
		code = each(context, cursor.key, cursor.value);
		if (code)
			break;
	}
	zn_cursor_close(&cursor);
	return code;
}

struct piece_walk {
	uint32_t id;
	enum zn_code (*each)(void *context, struct zn_view order, struct zn_stamp stamp,
			struct zn_view payload);
	void *context;
	bool stopped; /* by each() */
	struct zn_err *err;
};

static enum zn_code each_piece(void *context, struct zn_view key, struct zn_view value)
{
	struct piece_walk *walk = context;
	struct zn_view order = zn_view_sub(key, HEAD_KEY, SIZE_MAX), payload;
	struct zn_header header;
	enum zn_code code;

	if (order.len == 0)
		return ZN_OK;
	if (!is_order(order) || zn_header_read(value, &header, &payload))
		return zn_fail(walk->err, ZN_ECORRUPT,
				"text of zone %u: a row of it does not decode", walk->id);
	if (zn_header_deleted(&header))
		return ZN_OK;
	code = walk->each(walk->context, order, header.stamp, payload);
	walk->stopped = code != ZN_OK;
	return code;
}

enum zn_code zn_text_each(struct zn_txn *records, uint32_t id,
		enum zn_code (*each)(void *context, struct zn_view order, struct zn_stamp stamp,
				struct zn_view payload),
		void *context, struct zn_err *err)
{
	struct piece_walk pieces = {id, each, context, false, err};
	enum zn_code code = walk(records, id, each_piece, &pieces, err);

	return code == ZN_ENOTFOUND && !pieces.stopped ? ZN_OK : code;
}

enum zn_code zn_text_put(struct zn_txn *records, uint32_t id, struct zn_view order,
		struct zn_view payload, struct zn_err *err)
{
	struct text_key key;
	enum zn_code code = piece_key(id, order, &key, err);

	if (code)
		return code;
	return zn_txn_put(records, ZN_DBI_TEXT, key_view(&key), payload, ZN_USER,
			(struct zn_stamp){0}, NULL, err);
}

enum zn_code zn_text_bury(
		struct zn_txn *records, uint32_t id, struct zn_view order, struct zn_err *err)
{
	struct text_key key;
	enum zn_code code = piece_key(id, order, &key, err);

	if (code)
		return code;
	return zn_txn_bury(records, ZN_DBI_TEXT, key_view(&key), ZN_USER, (struct zn_stamp){0},
			NULL, err);
}

/* Keys one after the other, u16 length in front: what is to be buried, gathered before the first
 * row is written. */
static enum zn_code gather(void *context, struct zn_view key, struct zn_view value)
{
	struct zn_buf *keys = context;

	(void)value;
	zn_write_u16(keys, (uint16_t)key.len);
	zn_buf_add(keys, key);
	return keys->failed;
}

enum zn_code zn_text_bury_all(struct zn_txn *records, uint32_t id, struct zn_err *err)
{
	ZN_AUTO(zn_buf_release) struct zn_buf keys = ZN_BUF_INIT(SIZE_MAX / 2);
	enum zn_code code = walk(records, id, gather, &keys, err);

	if (code != ZN_ENOTFOUND && code != ZN_OK)
		return keys.failed ? zn_buf_check(&keys, "text", err) : code;
	struct zn_reader r = zn_reader_init(zn_buf_view(&keys));
	while (zn_reader_left(&r)) {
		struct zn_view key = zn_read_view(&r, zn_read_u16(&r));
		code = zn_txn_bury(records, ZN_DBI_TEXT, key, ZN_USER, (struct zn_stamp){0}, NULL,
				err);
		if (code)
			return code;
	}
	return ZN_OK;
}
