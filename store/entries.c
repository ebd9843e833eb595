#include "store/entries.h"

#include "store/base/wire.h"
#include "store/dns/rrtype.h"

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

bool zn_entry_zone(const char *dbi, struct zn_view payload, struct zn_zone_id *ret_zone)
{
	struct zn_metadata metadata;
	struct zn_keydata keydata;

	if (named(dbi, "metadata_v5") && zn_metadata_decode(payload, &metadata) == ZN_OK)
		*ret_zone = metadata.zone;
	else if (named(dbi, "keydata_v5") && zn_keydata_decode(payload, &keydata) == ZN_OK)
		*ret_zone = keydata.zone;
	else
		return false;
	return true;
}

/* What a person has said in a domain's row, in one form. */
static bool said(struct zn_view payload, struct zn_buf *out)
{
	struct zn_domain domain;

	if (zn_domain_decode(payload, &domain) != ZN_OK)
		return false;
	domain.form = (struct zn_form){2, 1};
	domain.last_check = 0;
	domain.notified_serial = domain.id = 0;
	zn_domain_encode(&domain, out);
	return !out->failed;
}

bool zn_entry_same_but_churn(const char *dbi, struct zn_view a, struct zn_view b)
{
	ZN_AUTO(zn_buf_release) struct zn_buf one = ZN_BUF_INIT(1 << 20), other = ZN_BUF_INIT(1 << 20);

	if (zn_view_equal(a, b))
		return true;
	return named(dbi, "domains_v5") && said(a, &one) && said(b, &other) && zn_view_equal(zn_buf_view(&one), zn_buf_view(&other));
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
		if (since && header.txnid <= since)
			continue;
		entry.stamp = header.stamp;
		entry.txnid = header.txnid;
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
