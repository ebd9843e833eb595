#include "store/object.h"

#include "store/base/wire.h"

static enum zn_dbi index_of(enum zn_dbi table)
{
	return (enum zn_dbi)(table + 1);
}

enum zn_code zn_object_get(struct zn_txn *main, enum zn_dbi table, uint32_t id, struct zn_header *ret_header, struct zn_view *ret_payload,
	struct zn_err *err)
{
	uint8_t key[4];

	zn_put_u32(key, id);
	return zn_txn_get_live(main, table, zn_view(key, sizeof key), ret_header, ret_payload, err);
}

/* The newest stamp of the two rows, and whether both live. */
static enum zn_code look(struct zn_txn *main, enum zn_dbi table, struct zn_view id, const struct zn_index_key *key,
	uint64_t *ret_newest, bool *ret_any, bool *ret_object, bool *ret_index, struct zn_view *ret_payload, struct zn_err *err)
{
	struct zn_header header = {0};
	struct zn_view empty;

	*ret_newest = 0;
	enum zn_code code = zn_txn_get_live(main, table, id, &header, ret_payload, err);
	*ret_object = code == ZN_OK;
	*ret_any = code == ZN_OK || zn_header_deleted(&header);
	if (code && code != ZN_ENOTFOUND)
		return code;
	*ret_newest = header.stamp.ns;
	header = (struct zn_header){0};
	code = zn_txn_get_live(main, index_of(table), zn_index_key_view(key), &header, &empty, err);
	*ret_index = code == ZN_OK;
	*ret_any = *ret_any || code == ZN_OK || zn_header_deleted(&header);
	if (code && code != ZN_ENOTFOUND)
		return code;
	if (header.stamp.ns > *ret_newest)
		*ret_newest = header.stamp.ns;
	return ZN_OK;
}

static enum zn_code write_both(struct zn_txn *main, enum zn_dbi table, const struct zn_index_key *key, bool bury, struct zn_view payload,
	enum zn_author author, struct zn_err *err)
{
	struct zn_view id = zn_view(key->bytes + key->len - 4, 4), was = {0};
	bool any, object, index;
	uint64_t newest;

	enum zn_code code = look(main, table, id, key, &newest, &any, &object, &index, &was, err);
	if (code)
		return code;
	if (bury ? !object && !index : object && index && zn_view_equal(was, payload))
		return ZN_OK;
	struct zn_stamp stamp = {newest + (bury ? 2 : 1)};
	if (author == ZN_USER) {
		stamp.ns = any ? newest + 1024 : 0;
		if (stamp.ns < main->now.ns)
			stamp = main->now;
	}
	uint8_t flags = bury ? ZN_HEADER_DELETED : 0;
	code = zn_txn_put_raw(main, table, id, stamp, flags, payload, err);
	return code ? code : zn_txn_put_raw(main, index_of(table), zn_index_key_view(key), stamp, flags, zn_view(NULL, 0), err);
}

enum zn_code zn_object_put(struct zn_txn *main, enum zn_dbi table, const struct zn_index_key *key, struct zn_view payload,
	enum zn_author author, struct zn_err *err)
{
	return write_both(main, table, key, false, payload, author, err);
}

enum zn_code zn_object_bury(struct zn_txn *main, enum zn_dbi table, const struct zn_index_key *key, enum zn_author author, struct zn_err *err)
{
	return write_both(main, table, key, true, zn_view(NULL, 0), author, err);
}

enum zn_code zn_objects_open(struct zn_objects *objects, struct zn_txn *main, enum zn_dbi table, const struct zn_zone_id *zone,
	struct zn_err *err)
{
	*objects = (struct zn_objects){.main = main, .table = table};
	if (zn_index_key_make(zone, 0, &objects->key))
		return zn_fail(err, ZN_EINVAL, "a name with a NUL byte");
	return zn_cursor_open(&objects->cursor, main, index_of(table), err);
}

enum zn_code zn_objects_next(struct zn_objects *objects, struct zn_err *err)
{
	struct zn_index_key *key = &objects->key;
	struct zn_view prefix, empty;
	struct zn_header header;

	for (;;) {
		/* Sought anew each time, so that writes in between do not matter. */
		enum zn_code code = zn_cursor_seek(&objects->cursor, zn_index_key_view(key));
		if (!code && objects->id && zn_view_equal(objects->cursor.key, zn_index_key_view(key)))
			code = zn_cursor_next(&objects->cursor);
		if (code)
			return code;
		struct zn_view found = objects->cursor.key;
		if (!zn_view_starts_with(found, zn_index_key_prefix(key)))
			return ZN_ENOTFOUND;
		if (!zn_index_key_split(found, &prefix, &objects->id))
			return zn_fail(err, ZN_ECORRUPT, "an index key that is none");
		memcpy(key->bytes, found.data, found.len);
		if (zn_header_read(objects->cursor.value, &header, &empty))
			return zn_fail(err, ZN_ECORRUPT, "an index row without a valid header");
		if (zn_header_deleted(&header))
			continue;
		code = zn_object_get(objects->main, objects->table, objects->id, &objects->header, &objects->payload, err);
		if (code != ZN_ENOTFOUND)
			return code;
	}
}

void zn_objects_close(struct zn_objects *objects)
{
	zn_cursor_close(&objects->cursor);
}
