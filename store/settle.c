#include "store/settle.h"

#include "store/base/limits.h"
#include "store/dns/serial.h"
#include "store/rectify.h"
#include "store/rows.h"

/* Where an id is, or would be, in the table: open addressing, a slot holds an index + 1. */
static uint32_t *slot_of(const struct zn_ids *ids, uint32_t id)
{
	size_t at = (size_t)(id * UINT32_C(2654435769)) & (2 * ids->capacity - 1);

	while (ids->slots[at] && ids->list[ids->slots[at] - 1] != id)
		at = (at + 1) & (2 * ids->capacity - 1);
	return &ids->slots[at];
}

/* Room for twice as many; capacities are powers of two. */
static bool grow(struct zn_ids *ids)
{
	struct zn_ids more = {.capacity = ids->capacity ? ids->capacity * 2 : 16, .count = ids->count};

	more.list = malloc(more.capacity * sizeof(*more.list));
	more.heirs = malloc(more.capacity * sizeof(*more.heirs));
	more.slots = calloc(2 * more.capacity, sizeof(*more.slots));
	if (!more.list || !more.heirs || !more.slots) {
		zn_ids_release(&more);
		return false;
	}
	for (size_t i = 0; i < ids->count; i++) {
		more.list[i] = ids->list[i];
		more.heirs[i] = ids->heirs[i];
		*slot_of(&more, more.list[i]) = (uint32_t)i + 1;
	}
	zn_ids_release(ids);
	*ids = more;
	return true;
}

enum zn_code zn_ids_add_heir(struct zn_ids *ids, uint32_t id, uint32_t heir)
{
	if (ids->count > 0 && *slot_of(ids, id))
		return ZN_OK;
	if (ids->count == ids->capacity && !grow(ids))
		return ZN_ENOMEM;
	ids->heirs[ids->count] = heir;
	ids->list[ids->count] = id;
	*slot_of(ids, id) = (uint32_t)++ids->count;
	return ZN_OK;
}

enum zn_code zn_ids_add(struct zn_ids *ids, uint32_t id)
{
	return zn_ids_add_heir(ids, id, 0);
}

void zn_ids_release(struct zn_ids *ids)
{
	free(ids->list);
	free(ids->heirs);
	free(ids->slots);
	*ids = (struct zn_ids){0};
}

/* What a secondary would call the content: everything but the serial itself. */
static enum zn_code content(struct zn_txn *records, uint32_t id, const struct zn_name *apex, struct zn_digest *ret_digest, struct zn_err *err)
{
	ZN_AUTO(zn_rrs_release) struct zn_rrs rrs = {0};
	struct zn_row_key key;
	struct zn_view payload;

	zn_rrs_init(&rrs);
	enum zn_code code = zn_records_digest(records, id, apex, ret_digest, NULL, err);
	if (code)
		return code;
	zn_row_key_make(&key, id, zn_view("", 1), ZN_TYPE_SOA);
	code = zn_txn_get_live(records, ZN_DBI_RECORDS, zn_row_key_view(&key), NULL, &payload, err);
	if (code)
		return code;
	code = zn_rrs_decode(&rrs, ZN_TYPE_SOA, apex, payload);
	if (code)
		return code;
	for (size_t i = 0; i < rrs.enabled; i++) {
		uint8_t rdata[2 * ZN_NAME_MAX + 20];
		struct zn_record soa = {.owner = zn_view("", 1), .type = ZN_TYPE_SOA, .ttl = rrs.list[i].ttl, .rdata = rrs.list[i].rdata};
		ret_digest->sum -= zn_record_hash(apex, &soa);
		memcpy(rdata, soa.rdata.data, soa.rdata.len); /* well-formed, or it would not have decoded */
		zn_put_u32(rdata + soa.rdata.len - 20, 0);
		soa.rdata.data = rdata;
		ret_digest->sum += zn_record_hash(apex, &soa);
	}
	ret_digest->sum &= (UINT64_C(1) << 48) - 1;
	return ZN_OK;
}

enum zn_code zn_settle_before(struct zn_txn *records, uint32_t id, const struct zn_name *apex, struct zn_served *ret_served, struct zn_err *err)
{
	*ret_served = (struct zn_served){.id = id};
	enum zn_code code = zn_records_serial(records, id, &ret_served->serial, NULL, err);
	if (!code)
		code = content(records, id, apex, &ret_served->digest, err);
	ret_served->listed = !code;
	return code == ZN_ENOTFOUND || code == ZN_ECORRUPT ? ZN_OK : code;
}

/* Puts another serial into the enabled SOA where it stands in its row, compressed or not. */
static enum zn_code put_serial(struct zn_txn *records, uint32_t id, uint32_t serial, struct zn_err *err)
{
	ZN_AUTO(zn_buf_release) struct zn_buf row = ZN_BUF_INIT((size_t)1 << 24);
	struct zn_row_key key;
	struct zn_view payload;

	zn_row_key_make(&key, id, zn_view("", 1), ZN_TYPE_SOA);
	enum zn_code code = zn_txn_get_live(records, ZN_DBI_RECORDS, zn_row_key_view(&key), NULL, &payload, err);
	if (code)
		return code;
	zn_buf_add(&row, payload);
	code = zn_buf_check(&row, "the SOA", err);
	if (code)
		return code;
	struct zn_reader in = zn_reader_init(zn_buf_view(&row));
	while (zn_reader_left(&in) > 0) {
		struct zn_view rdata = zn_read_view(&in, zn_read_u16le(&in));
		size_t end = in.at;
		zn_read_view(&in, 4 + 1);
		if (zn_read_u8(&in) == 0 && !in.failed && rdata.len >= 20)
			zn_put_u32(row.data + end - 20, serial);
		zn_read_u8(&in);
	}
	return zn_txn_put(records, ZN_DBI_RECORDS, zn_row_key_view(&key), zn_buf_view(&row), ZN_MACHINE, (struct zn_stamp){0}, NULL, err);
}

enum zn_code zn_settle_after(struct zn_txn *records, const struct zn_served *served, const struct zn_zone_info *zone,
	const struct zn_zone_mode *mode, uint64_t *ret_written, struct zn_err *err)
{
	struct zn_digest merged;
	uint32_t serial;

	enum zn_code code = zn_rectify_zone(records, zone->id, &zone->zone.name, mode, ret_written, err);
	if (code || !served->listed || mode->presigned || (zone->kind != ZN_KIND_PRIMARY && zone->kind != ZN_KIND_NATIVE))
		return code;
	code = zn_records_serial(records, zone->id, &serial, NULL, err);
	if (!code)
		code = content(records, zone->id, &zone->zone.name, &merged, err);
	if (code == ZN_ENOTFOUND || code == ZN_ECORRUPT)
		return ZN_OK; /* no zone any more */
	if (code || zn_digest_equal(merged, served->digest) || zn_serial_newer(serial, served->serial))
		return code;
	code = put_serial(records, zone->id, zn_serial_next(served->serial, ZN_SERIAL_INCREASE, records->now), err);
	if (!code)
		++*ret_written;
	return code;
}

/* Live index rows of a name whose object lives too: the smallest id; then the others. */
static enum zn_code resolve(struct zn_txn *main, const struct zn_zone_id *name, struct zn_ids *losers, struct zn_err *err)
{
	ZN_AUTO(zn_ids_release) struct zn_ids ids = {0};
	ZN_AUTO(zn_cursor_close) struct zn_cursor cursor = {0};
	struct zn_index_key index;
	struct zn_view prefix;
	uint32_t id, smallest = 0;

	enum zn_code code = zn_index_key_make(name, 0, &index);
	if (!code)
		code = zn_cursor_open(&cursor, main, ZN_DBI_DOMAINS_INDEX, err);
	if (!code)
		code = zn_cursor_seek(&cursor, zn_index_key_prefix(&index));
	for (; !code && zn_index_key_split(cursor.key, &prefix, &id) && zn_view_equal(prefix, zn_index_key_prefix(&index));
			code = zn_cursor_next(&cursor)) {
		struct zn_header header;
		struct zn_view empty;
		struct zn_zone_info info;
		if (zn_header_read(cursor.value, &header, &empty) != ZN_OK || zn_header_deleted(&header))
			continue;
		if (zn_zones_get(main, id, &info, NULL) != ZN_OK) /* hides the zone until its object comes */
			continue;
		code = zn_ids_add(&ids, id);
		if (code)
			return zn_fail(err, code, "duplicates: %s", zn_code_text(code));
		if (smallest == 0 || id < smallest)
			smallest = id;
	}
	if (code && code != ZN_ENOTFOUND)
		return code;
	code = ZN_OK;
	for (size_t i = 0; i < ids.count && !code; i++) {
		if (ids.list[i] == smallest)
			continue;
		code = zn_zones_bury_duplicate(main, ids.list[i], err);
		if (!code)
			code = zn_ids_add_heir(losers, ids.list[i], smallest);
	}
	return code;
}

enum zn_code zn_settle_duplicates(struct zn_txn *main, const struct zn_ids *touched, struct zn_ids *losers, struct zn_err *err)
{
	for (size_t i = 0; i < touched->count; i++) {
		struct zn_zone_info info;
		enum zn_code code = zn_zones_get(main, touched->list[i], &info, err);
		if (code == ZN_ENOTFOUND || code == ZN_ECORRUPT || code == ZN_EFORMAT)
			continue; /* buried, or nothing we know the name of */
		if (!code)
			code = resolve(main, &info.zone, losers, err);
		if (code)
			return code;
	}
	return ZN_OK;
}

/* A loser's row goes to its heir with its stamp, where that has none or an older one. */
static enum zn_code inherit(struct zn_txn *txn, enum zn_dbi dbi, uint32_t heir, struct zn_view key, const struct zn_header *header,
	struct zn_view payload, bool *ret_written, struct zn_err *err)
{
	struct zn_header theirs;
	struct zn_view value, rest;
	uint8_t own[ZN_LMDB_KEY_MAX];

	*ret_written = false;
	memcpy(own, key.data, key.len);
	zn_put_u32(own, heir);
	enum zn_code code = zn_txn_get(txn, dbi, zn_view(own, key.len), &value, err);
	if (!code && zn_header_read(value, &theirs, &rest) == ZN_OK && theirs.stamp.ns >= header->stamp.ns)
		return ZN_OK;
	if (code && code != ZN_ENOTFOUND)
		return code;
	*ret_written = true;
	return zn_txn_put_raw(txn, dbi, zn_view(own, key.len), header->stamp, 0, payload, err);
}

/* What of a loser can be copied: not what every node derives, nor the head of its text, which speaks of the loser's records. */
static bool is_inherited(enum zn_dbi dbi, struct zn_view key)
{
	uint16_t type = zn_get_u16(key.data + key.len - 2);

	return dbi != ZN_DBI_TEXT && !(dbi == ZN_DBI_RECORDS && (type == ZN_TYPE_ENT || type == ZN_TYPE_NSEC3));
}

/* Gives what the heir lacks of one DBI, and buries what there is. */
static enum zn_code settle_loser(struct zn_txn *txn, enum zn_dbi dbi, uint32_t id, uint32_t heir, uint64_t *written, struct zn_err *err)
{
	ZN_AUTO(zn_buf_release) struct zn_buf payload = ZN_BUF_INIT((size_t)1 << 24);
	ZN_AUTO(zn_cursor_close) struct zn_cursor cursor = {0};
	uint8_t bytes[ZN_LMDB_KEY_MAX + 1];
	size_t len = 4;

	zn_put_u32(bytes, id);
	enum zn_code code = zn_cursor_open(&cursor, txn, dbi, err);
	while (!code) {
		struct zn_header header;
		struct zn_view key, stored;
		bool copied = false;

		code = zn_cursor_seek(&cursor, zn_view(bytes, len));
		if (code || cursor.key.len < 4 || zn_get_u32(cursor.key.data) != id)
			break;
		key = zn_view(memcpy(bytes, cursor.key.data, cursor.key.len), cursor.key.len);
		bytes[key.len] = 0; /* nothing lies between a key and itself with a 00 behind */
		len = key.len + 1;
		if (zn_header_read(cursor.value, &header, &stored) != ZN_OK || zn_header_deleted(&header))
			continue;
		zn_buf_clear(&payload);
		zn_buf_add(&payload, stored);
		if (heir && is_inherited(dbi, key))
			code = inherit(txn, dbi, heir, key, &header, zn_buf_view(&payload), &copied, err);
		if (!code)
			code = zn_txn_bury(txn, dbi, key, ZN_MACHINE, (struct zn_stamp){0}, NULL, err);
		*written += copied + 1;
	}
	return code == ZN_ENOTFOUND ? ZN_OK : code;
}

enum zn_code zn_settling_losers(struct zn_txn *records, const struct zn_ids *losers, uint64_t *ret_written, struct zn_err *err)
{
	static const enum zn_dbi dbis[] = {ZN_DBI_RECORDS, ZN_DBI_COMMENTS, ZN_DBI_TEXT};
	ZN_AUTO_PTR(zn_settling_free) struct zn_settling *settling = NULL;
	ZN_AUTO(zn_ids_release) struct zn_ids heirs = {0};
	uint64_t settled = 0;
	bool news;

	*ret_written = 0;
	for (size_t i = 0; i < losers->count; i++)
		if (losers->heirs[i] && zn_ids_add(&heirs, losers->heirs[i]) != ZN_OK)
			return zn_fail(err, ZN_ENOMEM, "duplicates: out of memory");
	enum zn_code code = zn_settling_begin(records, &heirs, &settling, err);
	for (size_t i = 0; i < losers->count; i++)
		for (size_t d = 0; d < sizeof(dbis) / sizeof(dbis[0]) && !code; d++)
			code = settle_loser(records, dbis[d], losers->list[i], losers->heirs[i], ret_written, err);
	if (!code)
		code = zn_settling_end(settling, &settled, &news, err);
	*ret_written += settled;
	return code;
}
