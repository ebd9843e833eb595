#include "store/zones.h"

#include "store/base/wire.h"
#include "store/object.h"

#define ID_MAX UINT32_C(0x7fffffff)

static const char *const kind_names[] = {
	[ZN_KIND_PRIMARY] = "primary",
	[ZN_KIND_SECONDARY] = "secondary",
	[ZN_KIND_NATIVE] = "native",
	[ZN_KIND_PRODUCER] = "producer",
	[ZN_KIND_CONSUMER] = "consumer",
};
#define KIND_COUNT (sizeof kind_names / sizeof *kind_names)

const char *zn_kind_text(enum zn_kind kind)
{
	return (size_t)kind < KIND_COUNT ? kind_names[kind] : "unknown";
}

bool zn_kind_from_text(struct zn_view text, enum zn_kind *ret_kind)
{
	for (size_t i = 0; i < KIND_COUNT; i++) {
		if (zn_view_is(text, kind_names[i])) {
			*ret_kind = (enum zn_kind)i;
			return true;
		}
	}
	return false;
}

enum zn_code zn_zones_get(struct zn_txn *main, uint32_t id, struct zn_zone_info *ret_info, struct zn_err *err)
{
	struct zn_header header;
	struct zn_domain domain;
	struct zn_view payload;

	enum zn_code code = zn_object_get(main, ZN_DBI_DOMAINS, id, &header, &payload, err);
	if (code)
		return code;
	code = zn_domain_decode(payload, &domain);
	if (code)
		return zn_fail(err, code, "%s: the row of zone id %u in domains_v5 does not decode", zn_env_path(main->env), id);
	*ret_info = (struct zn_zone_info){.id = id, .zone = domain.zone, .kind = (enum zn_kind)domain.kind, .stamp = header.stamp};
	zn_name_lower(&ret_info->zone.name);
	return ZN_OK;
}

/* One name's index rows, the cursor standing on the first: the id of the oldest live one, as PowerDNS chooses. The cursor is left on
 * the first row of another name (ret_end: there is none). ret_id 0: all are dead. */
static enum zn_code choose(struct zn_cursor *cursor, struct zn_view prefix, uint32_t *ret_id, bool *ret_end, struct zn_err *err)
{
	uint64_t oldest = UINT64_MAX;

	*ret_id = 0;
	*ret_end = false;
	do {
		struct zn_view own, empty;
		struct zn_header header;
		uint32_t id;
		if (!zn_index_key_split(cursor->key, &own, &id) || !zn_view_equal(own, prefix))
			return ZN_OK;
		if (zn_header_read(cursor->value, &header, &empty))
			return zn_fail(err, ZN_ECORRUPT, "domains_v5_0: the row of zone id %u has no valid header", id);
		if (!zn_header_deleted(&header) && header.stamp.ns < oldest) {
			oldest = header.stamp.ns;
			*ret_id = id;
		}
	} while (zn_cursor_next(cursor) == ZN_OK);
	*ret_end = true;
	return ZN_OK;
}

enum zn_code zn_zones_find(struct zn_txn *main, const struct zn_zone_id *zone, struct zn_zone_info *ret_info, struct zn_err *err)
{
	ZN_AUTO(zn_cursor_close) struct zn_cursor cursor = {0};
	struct zn_index_key key;
	uint32_t id;
	bool end;

	if (zn_index_key_make(zone, 0, &key))
		return ZN_ENOTFOUND;
	enum zn_code code = zn_cursor_open(&cursor, main, ZN_DBI_DOMAINS_INDEX, err);
	if (!code)
		code = zn_cursor_seek(&cursor, zn_index_key_prefix(&key));
	if (!code)
		code = choose(&cursor, zn_index_key_prefix(&key), &id, &end, err);
	if (code)
		return code;
	return id ? zn_zones_get(main, id, ret_info, err) : ZN_ENOTFOUND;
}

enum zn_code zn_zones_next(struct zn_txn *main, struct zn_index_key *after, struct zn_zone_info *ret_info, struct zn_err *err)
{
	ZN_AUTO(zn_cursor_close) struct zn_cursor cursor = {0};
	bool end = false;

	enum zn_code code = zn_cursor_open(&cursor, main, ZN_DBI_DOMAINS_INDEX, err);
	if (!code)
		code = zn_cursor_seek(&cursor, zn_index_key_view(after));
	if (!code && after->len && zn_view_equal(cursor.key, zn_index_key_view(after)))
		code = zn_cursor_next(&cursor);
	while (!code && !end) {
		struct zn_view prefix;
		uint32_t id;
		if (!zn_index_key_split(cursor.key, &prefix, &id)) {
			code = zn_cursor_next(&cursor); /* not PowerDNS's: nothing to show */
			continue;
		}
		memcpy(after->bytes, prefix.data, prefix.len);
		memset(after->bytes + prefix.len, 0xff, 4); /* behind every id of this name */
		after->len = (uint16_t)(prefix.len + 4);
		code = choose(&cursor, zn_index_key_prefix(after), &id, &end, err);
		if (code || !id)
			continue;
		code = zn_zones_get(main, id, ret_info, err);
		if (code != ZN_ENOTFOUND)
			return code;
		code = ZN_OK; /* an index row without its object hides the zone */
	}
	return code ? code : ZN_ENOTFOUND;
}

enum zn_code zn_zones_gone(struct zn_txn *main, uint32_t id, struct zn_zone_id *ret_zone, struct zn_err *err)
{
	ZN_AUTO(zn_cursor_close) struct zn_cursor cursor = {0};
	enum zn_code code = zn_cursor_open(&cursor, main, ZN_DBI_DOMAINS_INDEX, err);

	if (!code)
		code = zn_cursor_seek(&cursor, zn_view(NULL, 0));
	for (; !code; code = zn_cursor_next(&cursor)) {
		uint32_t found;

		if (cursor.key.len > 4 && zn_get_u32(cursor.key.data + cursor.key.len - 4) == id &&
			zn_index_key_zone(cursor.key, ret_zone, &found))
			return ZN_OK;
	}
	return code;
}

/* Does any key of the table begin with the id? */
static enum zn_code is_used(struct zn_txn *txn, enum zn_dbi dbi, struct zn_view id, bool *ret_used, struct zn_err *err)
{
	ZN_AUTO(zn_cursor_close) struct zn_cursor cursor = {0};

	enum zn_code code = zn_cursor_open(&cursor, txn, dbi, err);
	if (!code)
		code = zn_cursor_seek(&cursor, id);
	*ret_used = *ret_used || (!code && zn_view_starts_with(cursor.key, id));
	return code == ZN_ENOTFOUND ? ZN_OK : code;
}

enum zn_code zn_zones_new_id(struct zn_txn *main, struct zn_txn *records, const struct zn_zone_id *zone, uint32_t *ret_id,
	struct zn_err *err)
{
	static const enum zn_dbi in_main[] = {ZN_DBI_DOMAINS, ZN_DBI_DOMAINS_EXTRA};
	static const enum zn_dbi in_records[] = {ZN_DBI_RECORDS, ZN_DBI_COMMENTS, ZN_DBI_TEXT};

	for (uint32_t n = 0;; n++) {
		uint32_t id = zn_zone_hash(zone, n) & ID_MAX;
		bool used = id == 0;
		uint8_t key[4];
		enum zn_code code = ZN_OK;
		zn_put_u32(key, id);
		for (size_t i = 0; !code && !used && i < sizeof in_main / sizeof *in_main; i++)
			code = is_used(main, in_main[i], zn_view(key, sizeof key), &used, err);
		for (size_t i = 0; !code && !used && i < sizeof in_records / sizeof *in_records; i++)
			code = is_used(records, in_records[i], zn_view(key, sizeof key), &used, err);
		if (code)
			return code;
		if (!used) {
			*ret_id = id;
			return ZN_OK;
		}
	}
}

enum zn_code zn_zones_create(struct zn_txn *main, uint32_t id, const struct zn_zone_id *zone, enum zn_kind kind, struct zn_err *err)
{
	ZN_AUTO(zn_buf_release) struct zn_buf value = ZN_BUF_INIT(4096);
	struct zn_domain domain = {.form = zn_form_for(zone, 1, 2), .zone = *zone, .kind = kind};
	char text[ZN_NAME_TEXT_MAX];
	struct zn_zone_info found;
	struct zn_index_key key;

	zn_name_lower(&domain.zone.name);
	if (id == 0 || id > ID_MAX)
		return zn_fail(err, ZN_EINVAL, "%s: %u is no zone id", zn_name_plain(&zone->name, text), id);
	enum zn_code code = zn_zones_find(main, &domain.zone, &found, err);
	if (!code && found.id == id)
		return ZN_OK;
	if (!code)
		return zn_fail(err, ZN_EEXIST, "%s: there is such a zone already", zn_name_plain(&zone->name, text));
	if (code != ZN_ENOTFOUND)
		return code;
	if (zn_index_key_make(&domain.zone, id, &key))
		return zn_fail(err, ZN_EINVAL, "%s: a label with a NUL byte cannot be stored", zn_name_plain(&zone->name, text));
	zn_domain_encode(&domain, &value);
	code = zn_buf_check(&value, "a domain row", err);
	return code ? code : zn_object_put(main, ZN_DBI_DOMAINS, &key, zn_buf_view(&value), ZN_USER, err);
}

static enum zn_code bury_all_of(struct zn_txn *main, enum zn_dbi table, const struct zn_zone_id *zone, struct zn_err *err)
{
	struct zn_objects objects;

	enum zn_code code = zn_objects_open(&objects, main, table, zone, err);
	while (!code && (code = zn_objects_next(&objects, err)) == ZN_OK)
		code = zn_object_bury(main, table, &objects.key, ZN_USER, err);
	zn_objects_close(&objects);
	return code == ZN_ENOTFOUND ? ZN_OK : code;
}

static enum zn_code bury_domain(struct zn_txn *main, uint32_t id, enum zn_author author, struct zn_zone_info *ret_info, struct zn_err *err)
{
	struct zn_index_key key;

	enum zn_code code = zn_zones_get(main, id, ret_info, err);
	if (code)
		return code;
	if (zn_index_key_make(&ret_info->zone, id, &key))
		return zn_fail(err, ZN_EINVAL, "a name with a NUL byte");
	return zn_object_bury(main, ZN_DBI_DOMAINS, &key, author, err);
}

enum zn_code zn_zones_bury(struct zn_txn *main, uint32_t id, struct zn_err *err)
{
	struct zn_zone_info info, other;

	enum zn_code code = bury_domain(main, id, ZN_USER, &info, err);
	if (code)
		return code;
	code = zn_zones_find(main, &info.zone, &other, err);
	if (code != ZN_ENOTFOUND)
		return code; /* a duplicate is left, and metadata and keys are its own too */
	code = bury_all_of(main, ZN_DBI_METADATA, &info.zone, err);
	return code ? code : bury_all_of(main, ZN_DBI_KEYDATA, &info.zone, err);
}

enum zn_code zn_zones_bury_duplicate(struct zn_txn *main, uint32_t id, struct zn_err *err)
{
	struct zn_zone_info info;

	return bury_domain(main, id, ZN_MACHINE, &info, err);
}
