/* The bracket around a merge into the records env (store/settle.h): looks up in main what sync does not know. */
#include <stdlib.h>

#include "store/entries.h"
#include "store/settle.h"

struct settled_zone {
	struct zn_zone_info info;
	struct zn_zone_mode mode;
	struct zn_served served;
};

struct zn_settling {
	struct zn_txn *records;
	struct settled_zone *zones;	/* those that main lists */
	size_t count;
};

void zn_settling_free(struct zn_settling *settling)
{
	if (settling)
		free(settling->zones);
	free(settling);
}

/* A zone whose rows do not decode is left as it is: it must not keep others from being merged. */
static bool is_of_the_zone(enum zn_code code)
{
	return code == ZN_ECORRUPT || code == ZN_EFORMAT || code == ZN_EZONE || code == ZN_ENOTFOUND;
}

static enum zn_code look_up(struct zn_txn *records, struct zn_txn *main, uint32_t id, struct settled_zone *zone, struct zn_err *err)
{
	enum zn_code code = zn_zones_get(main, id, &zone->info, err);

	if (!code)
		code = zn_meta_mode(main, &zone->info.zone, &zone->mode, err);
	return code ? code : zn_settle_before(records, id, &zone->info.zone.name, &zone->served, err);
}

enum zn_code zn_settling_begin(struct zn_txn *records, const struct zn_ids *ids, struct zn_settling **ret_settling, struct zn_err *err)
{
	ZN_AUTO_PTR(zn_settling_free) struct zn_settling *settling = calloc(1, sizeof *settling);
	ZN_AUTO(zn_txn_end) struct zn_txn main = {0};

	if (settling)
		settling->zones = calloc(ids->count ? ids->count : 1, sizeof *settling->zones);
	if (!settling || !settling->zones)
		return zn_fail(err, ZN_ENOMEM, "merge: %s", zn_code_text(ZN_ENOMEM));
	settling->records = records;
	enum zn_code code = zn_txn_begin(&main, records->env, ZN_MAIN, ZN_TXN_READ, err);
	for (size_t i = 0; i < ids->count && !code; i++) {
		code = look_up(records, &main, ids->list[i], &settling->zones[settling->count], err);
		if (!code)
			settling->count++;
		else if (is_of_the_zone(code))
			code = ZN_OK;
	}
	if (code)
		return code;
	*ret_settling = zn_steal(&settling);
	return ZN_OK;
}

/* A serial that settling has raised is news: rows that follow from others are made by everybody. */
static enum zn_code serial_of(struct zn_txn *records, uint32_t id, uint32_t *ret_serial, struct zn_err *err)
{
	struct zn_stamp stamp;
	enum zn_code code = zn_records_serial(records, id, ret_serial, &stamp, err);

	if (code == ZN_ENOTFOUND)
		*ret_serial = 0;
	return code == ZN_ENOTFOUND ? ZN_OK : code;
}

enum zn_code zn_settling_end(struct zn_settling *settling, uint64_t *ret_written, bool *ret_news, struct zn_err *err)
{
	*ret_written = 0;
	*ret_news = false;
	for (size_t i = 0; i < settling->count; i++) {
		struct settled_zone *zone = &settling->zones[i];
		uint32_t merged, settled;
		uint64_t written = 0;
		enum zn_code code = serial_of(settling->records, zone->info.id, &merged, err);

		if (!code)
			code = zn_settle_after(settling->records, &zone->served, &zone->info, &zone->mode, &written, err);
		if (!code)
			code = serial_of(settling->records, zone->info.id, &settled, err);
		if (is_of_the_zone(code))
			continue;
		if (code)
			return code;
		*ret_written += written;
		*ret_news = *ret_news || merged != settled;
	}
	return ZN_OK;
}

enum zn_code zn_settling_touched(struct zn_txn *main, const char *dbi, struct zn_view key, struct zn_view payload, struct zn_ids *ids,
	struct zn_err *err)
{
	struct zn_entry_role role;
	struct zn_zone_info info;
	struct zn_zone_id zone;
	enum zn_code code = ZN_OK;

	zn_entry_role(dbi, key, payload, &role);
	if (!role.zone_id && zn_entry_zone(dbi, payload, &zone)) {
		code = zn_zones_find(main, &zone, &info, err);
		if (!code)
			role.zone_id = info.id;
	}
	if (code && !is_of_the_zone(code))
		return code;
	code = role.zone_id ? zn_ids_add(ids, role.zone_id) : ZN_OK;
	return code ? zn_fail(err, code, "merge: %s", zn_code_text(code)) : ZN_OK;
}
