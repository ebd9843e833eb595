/* store/intent.c - jobs that write both envs survive a crash between their two commits. zones.h, intents; details.md 1.
 *
 *   key    "intent/" u64 process, u32 id
 *   value  u8 format 1, u8 kind, u32 id, u8 kind of zone, u8 length + name, u8 length + variant, u8 signing (0 none, 1 no longer,
 *          2 presigned with NSEC, 3 with NSEC3), of 3: u16 length + NSEC3PARAM as metadata has it
 */
#include <errno.h>
#include <stdatomic.h>
#include <sys/random.h>

#include "store/base/wire.h"
#include "store/records.h"

#define KEY_PREFIX "intent/"
#define KEY_SIZE (sizeof KEY_PREFIX - 1 + 8 + 4)

enum signing { SIGNING_NONE, SIGNING_OFF, SIGNING_NSEC, SIGNING_NSEC3 };

struct intent {
	enum zn_intent_kind kind;
	uint32_t id;
	enum zn_kind zone_kind;
	struct zn_zone_id zone;
	bool signs;
	struct zn_zone_mode signing;
};

static enum zn_dbi table_of(enum zn_which which)
{
	return which == ZN_MAIN ? ZN_DBI_SYNC_MAIN : ZN_DBI_SYNC_RECORDS;
}

/* Tells our intents from those of a command that works on the same files; drawn once. */
static enum zn_code process_token(uint64_t *ret_token, struct zn_err *err)
{
	static _Atomic uint64_t token;
	uint64_t fresh, none = 0;

	if (!atomic_load(&token)) {
		if (getrandom(&fresh, sizeof fresh, 0) != (ssize_t)sizeof fresh)
			return zn_fail_errno(err, errno, "getrandom");
		atomic_compare_exchange_strong(&token, &none, fresh | 1);
	}
	*ret_token = atomic_load(&token);
	return ZN_OK;
}

/* Keys of the intents in this env into `keys`, KEY_SIZE bytes each; only those of one process when `token` is not 0, and none of the
 * running transaction. */
static enum zn_code list_intents(struct zn_txn *txn, uint64_t token, struct zn_buf *keys, struct zn_err *err)
{
	ZN_AUTO(zn_cursor_close) struct zn_cursor cursor = {0};
	ZN_AUTO(zn_buf_release) struct zn_buf prefix = ZN_BUF_INIT(KEY_SIZE);

	zn_buf_add_str(&prefix, KEY_PREFIX);
	if (token)
		zn_write_u64(&prefix, token);
	enum zn_code code = zn_buf_check(&prefix, "an intent", err);
	if (!code)
		code = zn_cursor_open(&cursor, txn, table_of(txn->which), err);
	if (!code)
		code = zn_cursor_seek(&cursor, zn_buf_view(&prefix));
	for (; !code && zn_view_starts_with(cursor.key, zn_buf_view(&prefix)); code = zn_cursor_next(&cursor)) {
		struct zn_header header = {0};
		struct zn_view payload;
		bool running = txn->mode == ZN_TXN_WRITE && zn_header_read(cursor.value, &header, &payload) == ZN_OK &&
			       header.txnid == zn_txn_id(txn);
		if (cursor.key.len == KEY_SIZE && !running)
			zn_buf_add(keys, cursor.key);
	}
	if (code && code != ZN_ENOTFOUND)
		return code;
	return zn_buf_check(keys, "intents", err);
}

static struct zn_view key_at(const struct zn_buf *keys, size_t at)
{
	return zn_view_sub(zn_buf_view(keys), at, KEY_SIZE);
}

enum zn_code zn_zones_forget_intents(struct zn_txn *txn, struct zn_err *err)
{
	ZN_AUTO(zn_buf_release) struct zn_buf keys = ZN_BUF_INIT(1 << 20);
	uint64_t token;

	enum zn_code code = process_token(&token, err);
	if (!code)
		code = list_intents(txn, token, &keys, err);
	for (size_t at = 0; !code && at < keys.len; at += KEY_SIZE)
		code = zn_txn_erase(txn, table_of(txn->which), key_at(&keys, at), err);
	return code;
}

static void write_signing(const struct zn_zone_mode *mode, struct zn_buf *value)
{
	char param[ZN_NSEC3PARAM_TEXT_MAX];

	if (!mode) {
		zn_write_u8(value, SIGNING_NONE);
	} else if (!mode->presigned) {
		zn_write_u8(value, SIGNING_OFF);
	} else if (mode->dnssec != ZN_DNSSEC_NSEC3) {
		zn_write_u8(value, SIGNING_NSEC);
	} else {
		zn_nsec3param_text(&mode->nsec3, param);
		zn_write_u8(value, SIGNING_NSEC3);
		zn_write_u16(value, (uint16_t)strlen(param));
		zn_buf_add_str(value, param);
	}
}

enum zn_code zn_zones_intend(struct zn_txn *first, enum zn_intent_kind kind, uint32_t id, const struct zn_zone_id *zone,
	enum zn_kind zone_kind, const struct zn_zone_mode *signing, struct zn_err *err)
{
	ZN_AUTO(zn_buf_release) struct zn_buf key = ZN_BUF_INIT(KEY_SIZE), value = ZN_BUF_INIT(2048);
	uint64_t token;

	enum zn_code code = process_token(&token, err);
	if (code)
		return code;
	zn_buf_add_str(&key, KEY_PREFIX);
	zn_write_u64(&key, token);
	zn_write_u32(&key, id);
	zn_write_u8(&value, 1);
	zn_write_u8(&value, kind);
	zn_write_u32(&value, id);
	zn_write_u8(&value, zone_kind);
	zn_write_u8(&value, zone->name.len);
	zn_buf_add(&value, zn_name_view(&zone->name));
	zn_write_u8(&value, (uint8_t)strlen(zone->variant));
	zn_buf_add_str(&value, zone->variant);
	write_signing(signing, &value);
	/* Jobs run one batch after the other: what earlier ones left is done with. */
	code = zn_zones_forget_intents(first, err);
	if (!code)
		code = zn_buf_check(&key, "an intent", err);
	if (!code)
		code = zn_buf_check(&value, "an intent", err);
	return code ? code : zn_txn_put_raw(first, table_of(first->which), zn_buf_view(&key), first->now, 0, zn_buf_view(&value), err);
}

static bool read_signing(struct zn_reader *r, struct intent *intent)
{
	enum signing signing = (enum signing)zn_read_u8(r);

	intent->signs = signing != SIGNING_NONE;
	intent->signing.presigned = signing == SIGNING_NSEC || signing == SIGNING_NSEC3;
	intent->signing.dnssec = signing == SIGNING_NSEC3 ? ZN_DNSSEC_NSEC3 : signing == SIGNING_NSEC ? ZN_DNSSEC_NSEC : ZN_DNSSEC_UNSIGNED;
	if (signing != SIGNING_NSEC3)
		return signing <= SIGNING_NSEC;
	struct zn_view param = zn_read_view(r, zn_read_u16(r));
	return zn_nsec3param_parse(param, &intent->signing.nsec3, NULL) == ZN_OK;
}

static enum zn_code decode(struct zn_view payload, struct intent *ret_intent)
{
	struct zn_reader r = zn_reader_init(payload);
	struct intent intent = {0};

	uint8_t format = zn_read_u8(&r);
	intent.kind = (enum zn_intent_kind)zn_read_u8(&r);
	intent.id = zn_read_u32(&r);
	intent.zone_kind = (enum zn_kind)zn_read_u8(&r);
	struct zn_view name = zn_read_view(&r, zn_read_u8(&r));
	struct zn_view variant = zn_read_view(&r, zn_read_u8(&r));
	bool sound = read_signing(&r, &intent);
	if (!sound || r.failed || zn_reader_left(&r) || format != 1 || variant.len > ZN_VARIANT_MAX || zn_name_from_wire(name, &intent.zone.name))
		return ZN_ECORRUPT;
	if (variant.len)
		memcpy(intent.zone.variant, variant.data, variant.len);
	*ret_intent = intent;
	return ZN_OK;
}

/* Has this id ever had a domain row? Ids are not used twice, so a zone that was made, and perhaps deleted since, is done with. */
static enum zn_code domain_row(struct zn_txn *main, uint32_t id, bool *ret_live, bool *ret_dead, struct zn_err *err)
{
	struct zn_header header = {0};
	struct zn_view payload;
	uint8_t key[4];

	zn_put_u32(key, id);
	enum zn_code code = zn_txn_get_live(main, ZN_DBI_DOMAINS, zn_view(key, sizeof key), &header, &payload, err);
	*ret_live = code == ZN_OK;
	*ret_dead = code == ZN_ENOTFOUND && zn_header_deleted(&header);
	return code == ZN_ENOTFOUND ? ZN_OK : code;
}

/* The second half of a job: the rows of its other env. */
static enum zn_code finish(struct zn_env *env, enum zn_which first, const struct intent *intent, struct zn_err *err)
{
	enum zn_which second = first == ZN_MAIN ? ZN_RECORDS : ZN_MAIN;
	ZN_AUTO(zn_txn_end) struct zn_txn txn = {0}, main = {0};
	bool live, dead;

	enum zn_code code = zn_txn_begin(&txn, env, second, ZN_TXN_WRITE, err);
	if (!code && second != ZN_MAIN)
		code = zn_txn_begin(&main, env, ZN_MAIN, ZN_TXN_READ, err);
	if (!code)
		code = domain_row(second == ZN_MAIN ? &txn : &main, intent->id, &live, &dead, err);
	if (code)
		return code;
	if (intent->kind == ZN_INTENT_CREATE && first == ZN_RECORDS && !live && !dead) {
		code = zn_zones_create(&txn, intent->id, &intent->zone, intent->zone_kind, err);
		if (!code && intent->signs)
			code = zn_meta_set_signing(&txn, &intent->zone, &intent->signing, err);
		if (code == ZN_EEXIST)
			code = ZN_OK; /* somebody made it meanwhile; our rows are orphans */
	} else if (intent->kind == ZN_INTENT_SIGNING && first == ZN_RECORDS && live && intent->signs) {
		code = zn_meta_set_signing(&txn, &intent->zone, &intent->signing, err);
	} else if (intent->kind == ZN_INTENT_BURY && first == ZN_MAIN && !live) {
		code = zn_records_bury(&txn, intent->id, err);
	}
	return code ? code : zn_txn_commit(&txn, err);
}

static enum zn_code roll_forward(struct zn_env *env, enum zn_which first, struct zn_err *err)
{
	ZN_AUTO(zn_buf_release) struct zn_buf keys = ZN_BUF_INIT(1 << 20);
	ZN_AUTO(zn_txn_end) struct zn_txn txn = {0};

	enum zn_code code = zn_txn_begin(&txn, env, first, ZN_TXN_READ, err);
	if (!code)
		code = list_intents(&txn, 0, &keys, err);
	zn_txn_end(&txn);
	for (size_t at = 0; !code && at < keys.len; at += KEY_SIZE) {
		struct intent intent;
		struct zn_view payload;
		code = zn_txn_begin(&txn, env, first, ZN_TXN_READ, err);
		if (!code)
			code = zn_txn_get_live(&txn, table_of(first), key_at(&keys, at), NULL, &payload, err);
		bool sound = !code && decode(payload, &intent) == ZN_OK;
		zn_txn_end(&txn);
		if (code == ZN_ENOTFOUND) {
			code = ZN_OK;
			continue;
		}
		if (!code && sound)
			code = finish(env, first, &intent, err);
		if (!code)
			code = zn_txn_begin(&txn, env, first, ZN_TXN_WRITE, err);
		if (!code)
			code = zn_txn_erase(&txn, table_of(first), key_at(&keys, at), err);
		if (!code)
			code = zn_txn_commit(&txn, err);
		zn_txn_end(&txn);
	}
	return code;
}

enum zn_code zn_zones_roll_forward(struct zn_env *env, struct zn_err *err)
{
	enum zn_code code = roll_forward(env, ZN_RECORDS, err);

	return code ? code : roll_forward(env, ZN_MAIN, err);
}
