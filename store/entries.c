#include "store/entries.h"

#include "store/dns/name.h"
#include "store/dns/rrtype.h"
#include "store/base/wire.h"

#define RECORD_KEY_MIN 7 /* id, the key of the apex, 00, type */

static bool named(const char *dbi, const char *name)
{
	return strcmp(dbi, name) == 0;
}

void zn_entry_role(const char *dbi, struct zn_view key, struct zn_view payload, struct zn_entry_role *ret_role)
{
	*ret_role = (struct zn_entry_role){0};
	(void)payload;
	if (strncmp(dbi, "_sync", 5) == 0 || named(dbi, "pdns")) {
		ret_role->local = true;
	} else if (named(dbi, "records_v5") && key.len >= RECORD_KEY_MIN) {
		uint16_t type = zn_get_u16(key.data + key.len - 2);
		ret_role->zone_id = zn_get_u32(key.data);
		ret_role->derived = type == ZN_TYPE_ENT || type == ZN_TYPE_NSEC3;
	} else if (named(dbi, "comments_v7") || named(dbi, "zonefs_text_v1") || named(dbi, "domains_v5")) {
		ret_role->zone_id = key.len >= 4 ? zn_get_u32(key.data) : 0;
	} else if (named(dbi, "domains_v5_0")) {
		ret_role->zone_id = key.len >= 6 ? zn_get_u32(key.data + key.len - 4) : 0;
	}
}

static struct zn_view read_string(struct zn_reader *r)
{
	return zn_read_view(r, zn_read_u64le(r));
}

/* A class preamble: tracking off, u32 version. */
static uint32_t read_preamble(struct zn_reader *r)
{
	if (zn_read_u8(r) != 0)
		r->failed = true;
	return zn_read_u32le(r);
}

/* The name of a zone as objects hold it: bare in schema 5, with a variant in schema 6. */
static struct zn_view read_zone_name(struct zn_reader *r, struct zn_view *ret_variant)
{
	bool with_variant = read_preamble(r) == 1;

	if (with_variant)
		read_preamble(r);
	struct zn_view name = read_string(r);
	*ret_variant = with_variant ? read_string(r) : zn_view(NULL, 0);
	return name;
}

bool zn_entry_zone(const char *dbi, struct zn_view payload, struct zn_name *ret_name, char variant[static ZN_ENTRY_VARIANT_MAX])
{
	struct zn_reader r = zn_reader_init(payload);
	struct zn_view text;

	if (!named(dbi, "metadata_v5") && !named(dbi, "keydata_v5"))
		return false;
	read_preamble(&r);
	struct zn_view name = read_zone_name(&r, &text);
	if (r.failed || text.len >= ZN_ENTRY_VARIANT_MAX || zn_name_from_wire(name, ret_name) != ZN_OK)
		return false;
	if (text.len)
		memcpy(variant, text.data, text.len);
	variant[text.len] = '\0';
	return true;
}

/* Where the fields stand that servers rewrite by themselves: last_check, the unused id, notified_serial. */
struct churn {
	size_t last_check, id; /* notified_serial follows the id */
};

static bool find_churn(struct zn_view payload, struct churn *ret_churn)
{
	struct zn_reader r = zn_reader_init(payload);
	struct zn_view variant;

	read_preamble(&r);
	read_zone_name(&r, &variant);
	ret_churn->last_check = r.at;
	zn_read_u64le(&r);
	read_string(&r); /* account */
	read_preamble(&r);
	uint64_t primaries = zn_read_u64le(&r);
	if (primaries > payload.len / 28)
		return false;
	zn_read_view(&r, primaries * 28);
	ret_churn->id = r.at;
	zn_read_u32le(&r);
	zn_read_u32le(&r);
	return !r.failed;
}

bool zn_entry_same_but_churn(const char *dbi, struct zn_view a, struct zn_view b)
{
	struct churn at, other;

	if (zn_view_equal(a, b))
		return true;
	if (!named(dbi, "domains_v5") || a.len != b.len || !find_churn(a, &at) || !find_churn(b, &other))
		return false;
	if (at.last_check != other.last_check || at.id != other.id)
		return false;
	return memcmp(a.data, b.data, at.last_check) == 0 &&
		memcmp(a.data + at.last_check + 8, b.data + at.last_check + 8, at.id - at.last_check - 8) == 0 &&
		memcmp(a.data + at.id + 8, b.data + at.id + 8, a.len - at.id - 8) == 0;
}

enum zn_code zn_entries_each(struct zn_txn *txn, const struct zn_dbi_info *dbi, uint64_t since,
	enum zn_code (*each)(void *context, const struct zn_entry *entry), void *context, struct zn_err *err)
{
	ZN_AUTO(zn_cursor_close) struct zn_cursor cursor;
	enum zn_code code = zn_cursor_open_any(&cursor, txn, dbi->handle, err);

	if (code)
		return code;
	for (code = zn_cursor_seek(&cursor, zn_view(NULL, 0)); !code; code = zn_cursor_next(&cursor)) {
		struct zn_header header;
		struct zn_entry entry = {.key = cursor.key};

		if (zn_header_read(cursor.value, &header, &entry.payload))
			return zn_fail(err, ZN_ECORRUPT, "%s: a value without a valid header", dbi->name);
		if (header.txnid <= since)
			continue;
		entry.stamp = header.stamp;
		entry.deleted = zn_header_deleted(&header);
		if (entry.deleted)
			entry.payload = zn_view(NULL, 0);
		enum zn_code result = each(context, &entry);
		if (result)
			return result;
	}
	return code == ZN_ENOTFOUND ? ZN_OK : zn_fail(err, code, "%s: cannot be walked", dbi->name);
}

enum zn_code zn_entries_put(struct zn_txn *txn, const struct zn_dbi_info *dbi, const struct zn_entry *entry, struct zn_err *err)
{
	return zn_txn_put_any(txn, dbi->handle, entry->key, entry->stamp, entry->deleted ? ZN_HEADER_DELETED : 0, entry->payload, err);
}
