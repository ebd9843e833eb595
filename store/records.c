#include "store/records.h"

#include "store/rows.h"

/* A walk over the live data rows of one zone, each decoded; what does not decode is counted and left out. */
struct walk {
	struct zn_txn *txn;
	uint32_t id;
	const struct zn_name *apex;
	struct zn_cursor cursor;
	struct zn_rrs rrs;
	struct zn_name owner;		/* of the row at hand */
	struct zn_key last_owner;
	struct zn_view key;
	uint16_t type;
	struct zn_records_summary summary;
};

static void walk_end(struct walk *w)
{
	zn_cursor_close(&w->cursor);
	zn_rrs_release(&w->rrs);
}

static void undecodable(struct walk *w, struct zn_view key)
{
	struct zn_buf hex = ZN_BUF_INIT(sizeof(w->summary.first_bad));
	char type[ZN_TYPE_TEXT_MAX], name[ZN_NAME_TEXT_MAX];
	struct zn_name owner;

	if (w->summary.undecodable++ > 0)
		return;
	if (key.len >= 7 && zn_key_to_name(zn_view_sub(key, 4, key.len - 7), w->apex, &owner) == ZN_OK) {
		snprintf(w->summary.first_bad, sizeof(w->summary.first_bad), "%.120s %s", zn_name_plain(&owner, name),
			zn_rrtype_text(zn_get_u16(key.data + key.len - 2), type));
		return;
	}
	zn_buf_add_hex(&hex, zn_view_sub(key, 0, 64));
	snprintf(w->summary.first_bad, sizeof(w->summary.first_bad), "the key %s", zn_buf_str(&hex));
	zn_buf_release(&hex);
}

/* The row at the cursor into w->rrs. ZN_ENOTFOUND: nothing there for a reader. */
static enum zn_code take_row(struct walk *w)
{
	struct zn_header header;
	struct zn_view payload;

	if (zn_header_read(w->cursor.value, &header, &payload) != ZN_OK) {
		undecodable(w, w->cursor.key);
		return ZN_ENOTFOUND;
	}
	if (header.stamp.ns > w->summary.newest.ns)
		w->summary.newest = header.stamp;
	if (zn_header_deleted(&header))
		return ZN_ENOTFOUND;
	if (!zn_row_key_split(w->cursor.key, w->id, &w->key, &w->type)) {
		undecodable(w, w->cursor.key);
		return ZN_ENOTFOUND;
	}
	if (w->type == ZN_TYPE_ENT || w->type == ZN_TYPE_NSEC3)
		return ZN_ENOTFOUND;
	if (w->last_owner.len == 0 || !zn_view_equal(zn_key_view(&w->last_owner), w->key)) {
		w->last_owner.len = 0;
		if (zn_key_to_name(w->key, w->apex, &w->owner) != ZN_OK) {
			undecodable(w, w->cursor.key);
			return ZN_ENOTFOUND;
		}
		memcpy(w->last_owner.bytes, w->key.data, w->key.len);
		w->last_owner.len = (uint8_t)w->key.len;
	}
	enum zn_code code = zn_rrs_decode(&w->rrs, w->type, &w->owner, payload);
	if (code == ZN_ECORRUPT) {
		undecodable(w, w->cursor.key);
		return ZN_ENOTFOUND;
	}
	if (code)
		return code;
	w->summary.rows++;
	w->summary.disabled += w->rrs.count - w->rrs.enabled;
	return ZN_OK;
}

/* Calls `each` for every row. */
static enum zn_code walk_rows(struct zn_txn *txn, uint32_t id, const struct zn_name *apex, enum zn_code (*each)(void *context, struct walk *w),
	void *context, struct zn_records_summary *ret_summary, struct zn_err *err)
{
	ZN_AUTO(walk_end) struct walk w = {.txn = txn, .id = id, .apex = apex};
	uint8_t prefix[4];

	zn_rrs_init(&w.rrs);
	zn_put_u32(prefix, id);
	enum zn_code code = zn_cursor_open(&w.cursor, txn, ZN_DBI_RECORDS, err);
	if (code)
		return code;
	for (code = zn_cursor_seek(&w.cursor, zn_view(prefix, 4)); !code && zn_view_starts_with(w.cursor.key, zn_view(prefix, 4));
			code = zn_cursor_next(&w.cursor)) {
		code = take_row(&w);
		if (!code)
			code = each(context, &w);
		if (code && code != ZN_ENOTFOUND)
			break;
	}
	if (code && code != ZN_ENOTFOUND)
		return zn_fail(err, code, "reading the records: %s", zn_code_text(code));
	if (ret_summary)
		*ret_summary = w.summary;
	return w.summary.rows > 0 || w.summary.undecodable > 0 ? ZN_OK : ZN_ENOTFOUND;
}

static enum zn_code add_row(void *context, struct walk *w)
{
	struct zn_zone *zone = context;

	for (size_t i = 0; i < w->rrs.enabled; i++)
		zn_zone_add(zone, w->key, w->type, w->rrs.list[i].ttl, w->rrs.list[i].rdata, 0);
	return ZN_OK;
}

enum zn_code zn_records_read(struct zn_txn *records, uint32_t id, const struct zn_name *apex, struct zn_zone **ret_zone,
	struct zn_records_summary *ret_summary, struct zn_err *err)
{
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *zone = NULL;

	enum zn_code code = zn_zone_new(apex, &zone);
	if (!code)
		code = walk_rows(records, id, apex, add_row, zone, ret_summary, err);
	if (!code)
		code = zn_zone_finish(zone, NULL, NULL);
	if (code)
		return code;
	*ret_zone = zn_steal(&zone);
	return ZN_OK;
}

struct digesting {
	const struct zn_name *apex;
	struct zn_digest digest;
};

static enum zn_code digest_row(void *context, struct walk *w)
{
	struct digesting *d = context;

	d->digest.count += w->rrs.enabled;
	for (size_t i = 0; i < w->rrs.enabled; i++) {
		struct zn_record record = {.owner = w->key, .type = w->type, .ttl = w->rrs.list[i].ttl, .rdata = w->rrs.list[i].rdata};
		d->digest.sum += zn_record_hash(d->apex, &record);
	}
	return ZN_OK;
}

enum zn_code zn_records_digest(struct zn_txn *records, uint32_t id, const struct zn_name *apex, struct zn_digest *ret_digest,
	struct zn_records_summary *ret_summary, struct zn_err *err)
{
	struct digesting d = {.apex = apex};

	enum zn_code code = walk_rows(records, id, apex, digest_row, &d, ret_summary, err);
	if (code)
		return code;
	*ret_digest = d.digest;
	ret_digest->sum &= (UINT64_C(1) << 48) - 1;
	return ZN_OK;
}

enum zn_code zn_records_serial(struct zn_txn *records, uint32_t id, uint32_t *ret_serial, struct zn_stamp *ret_stamp, struct zn_err *err)
{
	struct zn_row_key key;
	struct zn_header header;
	struct zn_view payload;

	zn_row_key_make(&key, id, zn_view("", 1), ZN_TYPE_SOA);
	enum zn_code code = zn_txn_get_live(records, ZN_DBI_RECORDS, zn_row_key_view(&key), &header, &payload, err);
	if (code)
		return code == ZN_ECORRUPT ? ZN_ENOTFOUND : code;
	/* Its numbers are the last 20 bytes, compressed or not. */
	struct zn_reader in = zn_reader_init(payload);
	while (zn_reader_left(&in) > 0) {
		struct zn_view rdata = zn_read_view(&in, zn_read_u16le(&in));
		zn_read_u32le(&in);
		zn_read_u8(&in);
		bool disabled = zn_read_u8(&in) != 0;
		zn_read_u8(&in);
		if (in.failed || rdata.len < 22)
			break;
		if (disabled)
			continue;
		*ret_serial = zn_get_u32(rdata.data + rdata.len - 20);
		if (ret_stamp)
			*ret_stamp = header.stamp;
		return ZN_OK;
	}
	return ZN_ENOTFOUND;
}

/* Buries the live rows of a DBI whose keys begin with the id. */
static enum zn_code bury_rows(struct zn_txn *txn, enum zn_dbi dbi, uint32_t id, struct zn_err *err)
{
	ZN_AUTO(zn_cursor_close) struct zn_cursor cursor = {0};
	struct zn_header header;
	struct zn_view payload, owner;
	uint8_t prefix[4], key[512];
	uint16_t type;

	zn_put_u32(prefix, id);
	enum zn_code code = zn_cursor_open(&cursor, txn, dbi, err);
	if (code)
		return code;
	for (code = zn_cursor_seek(&cursor, zn_view(prefix, 4)); !code && zn_view_starts_with(cursor.key, zn_view(prefix, 4));
			code = zn_cursor_next(&cursor)) {
		bool readable = zn_header_read(cursor.value, &header, &payload) == ZN_OK;
		if (readable && zn_header_deleted(&header))
			continue;
		bool derived = dbi == ZN_DBI_RECORDS && zn_row_key_split(cursor.key, id, &owner, &type) &&
			(type == ZN_TYPE_ENT || type == ZN_TYPE_NSEC3);
		struct zn_stamp stamp = zn_txn_stamp(txn, readable ? &header : NULL, derived ? ZN_MACHINE : ZN_USER, true, txn->now);
		struct zn_view copy = zn_view(memcpy(key, cursor.key.data, cursor.key.len), cursor.key.len);
		code = zn_cursor_put(&cursor, txn, copy, stamp, ZN_HEADER_DELETED, zn_view(NULL, 0), false, err);
		if (code)
			return code;
	}
	return code == ZN_ENOTFOUND ? ZN_OK : code;
}

enum zn_code zn_records_bury(struct zn_txn *records, uint32_t id, struct zn_err *err)
{
	static const enum zn_dbi dbis[] = {ZN_DBI_RECORDS, ZN_DBI_COMMENTS, ZN_DBI_TEXT};

	for (size_t i = 0; i < sizeof(dbis) / sizeof(dbis[0]); i++) {
		enum zn_code code = bury_rows(records, dbis[i], id, err);
		if (code)
			return code;
	}
	return ZN_OK;
}
