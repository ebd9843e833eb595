#include "store/apply.h"

/* A derived row that replaces none: its stamp follows from rows that may not have been walked yet. */
struct later {
	uint32_t owner;
	enum zn_want_kind kind;
};

struct apply {
	struct zn_txn *txn;
	uint32_t id;
	const struct zn_name *apex;
	enum zn_apply_what what;
	bool write, fresh, append;	/* fresh: the zone has no rows at all; append: nor has the DBI any behind it */
	struct zn_cursor cursor;
	struct zn_wants wants;
	struct zn_rrs rrs;
	struct zn_buf payload;
	struct zn_records_change change;
	uint64_t *newest;		/* by owner: newest stamp of its data rows; NULL when fresh */
	struct later *laters;
	size_t later_count, later_capacity;

	/* the stored row at the cursor */
	bool have;
	struct zn_row_key key;
	struct zn_header header;
	struct zn_view stored;
	bool readable, live;
	bool moved;			/* the cursor stands at a row put since */
	struct zn_name name;		/* of the owner whose row was decoded last */
	struct zn_key named;
	struct zn_err *err;
};

static void apply_end(struct apply *a)
{
	zn_cursor_close(&a->cursor);
	zn_wants_release(&a->wants);
	zn_rrs_release(&a->rrs);
	zn_buf_release(&a->payload);
	free(a->newest);
	free(a->laters);
}

/* Takes what a cursor call found. */
static enum zn_code take(struct apply *a, enum zn_code code)
{
	uint8_t prefix[4];

	zn_put_u32(prefix, a->id);
	a->have = !code && zn_view_starts_with(a->cursor.key, zn_view(prefix, 4)) && a->cursor.key.len <= sizeof(a->key.bytes);
	if (!a->have)
		return code == ZN_ENOTFOUND ? ZN_OK : code;
	a->key.len = (uint16_t)a->cursor.key.len;
	memcpy(a->key.bytes, a->cursor.key.data, a->key.len);
	a->readable = zn_header_read(a->cursor.value, &a->header, &a->stored) == ZN_OK;
	a->live = a->readable && !zn_header_deleted(&a->header);
	if (a->readable && a->header.stamp.ns > a->change.newest.ns)
		a->change.newest = a->header.stamp;
	return ZN_OK;
}

static void note_stamp(struct apply *a, size_t owner, uint64_t ns)
{
	if (ns > a->change.newest.ns)
		a->change.newest.ns = ns;
	if (a->newest && owner != SIZE_MAX && ns > a->newest[owner])
		a->newest[owner] = ns;
}

static enum zn_code put_row(struct apply *a, const struct zn_row_key *key, const struct zn_header *old, enum zn_author author, bool bury,
	uint64_t after, size_t owner)
{
	struct zn_stamp stamp = zn_txn_stamp(a->txn, old, author, bury, (struct zn_stamp){after});

	enum zn_code code = zn_buf_check(&a->payload, "a row", a->err);
	if (code)
		return code;
	a->change.rows_written++;
	a->moved = true;
	note_stamp(a, owner, stamp.ns);
	return zn_cursor_put(&a->cursor, a->txn, zn_row_key_view(key), stamp, bury ? ZN_HEADER_DELETED : 0,
		bury ? zn_view(NULL, 0) : zn_buf_view(&a->payload), a->append, a->err);
}

static enum zn_code put_later(struct apply *a)
{
	if (a->later_count == a->later_capacity) {
		size_t capacity = a->later_capacity ? a->later_capacity * 2 : 64;
		struct later *laters = realloc(a->laters, capacity * sizeof(*laters));
		if (!laters)
			return zn_fail(a->err, ZN_ENOMEM, "out of memory");
		a->laters = laters;
		a->later_capacity = capacity;
	}
	a->laters[a->later_count++] = (struct later){(uint32_t)a->wants.at_owner, a->wants.kind};
	return ZN_OK;
}

/* A row is wanted where none is stored, or (`old`) a tombstone or one that is not worth keeping. */
static enum zn_code put_wanted(struct apply *a, const struct zn_header *old)
{
	bool data = a->wants.kind == ZN_WANT_DATA;

	if (data) {
		if (a->what == ZN_APPLY_DERIVED)
			return ZN_OK; /* it is disabled or gone, and no business of ours */
		a->change.added += a->wants.end - a->wants.first;
	}
	if (!a->write)
		return ZN_OK;
	if (!data && !old && !a->fresh)
		return put_later(a);
	zn_buf_clear(&a->payload);
	zn_wants_payload(&a->wants, &a->payload);
	return put_row(a, &a->wants.key, old, data ? ZN_USER : ZN_MACHINE, false, a->txn->now.ns, data ? a->wants.at_owner : SIZE_MAX);
}

static const struct zn_rr *stored_rr(const struct apply *a, size_t i)
{
	return &a->rrs.list[i];
}

/* Decodes the stored data row. ZN_ECORRUPT: it is none that we understand. */
static enum zn_code decode(struct apply *a, uint16_t type, struct zn_view owner)
{
	if (!zn_view_equal(zn_key_view(&a->named), owner)) {
		a->named.len = 0;
		if (zn_key_to_name(owner, a->apex, &a->name) != ZN_OK)
			return ZN_ECORRUPT;
		memcpy(a->named.bytes, owner.data, owner.len);
		a->named.len = (uint8_t)owner.len;
	}
	enum zn_code code = zn_rrs_decode(&a->rrs, type, &a->name, a->stored);
	return code == ZN_ENOMEM ? zn_fail(a->err, code, "out of memory") : code;
}

/* Counts how the wanted records differ from the enabled ones stored; both are sorted by RDATA. */
static bool differs(struct apply *a)
{
	size_t i = 0, at = a->wants.first, added = 0, removed = 0, wanted = a->wants.end - a->wants.first;

	while (i < a->rrs.enabled || at < a->wants.end) {
		int order = i == a->rrs.enabled ? 1 : -1;
		struct zn_record record = {0};
		if (at < a->wants.end)
			record = zn_zone_at(a->wants.zone, at);
		if (i < a->rrs.enabled && at < a->wants.end)
			order = zn_view_cmp(stored_rr(a, i)->rdata, record.rdata);
		if (order == 0 && stored_rr(a, i)->ttl == record.ttl) {
			i++;
			at++;
			continue;
		}
		removed += order <= 0;
		added += order >= 0;
		i += order <= 0;
		at += order >= 0;
	}
	a->change.added += added;
	a->change.removed += removed;
	a->change.deleted += a->rrs.enabled > wanted ? a->rrs.enabled - wanted : 0;
	return added + removed > 0;
}

/* Appends the disabled RRs, as they are but for their flags. */
static void keep_disabled(struct apply *a, bool auth, bool order_name)
{
	for (size_t i = a->rrs.enabled; i < a->rrs.count; i++)
		zn_buf_add(&a->payload, stored_rr(a, i)->raw);
	zn_row_set_flags(&a->payload, auth, order_name);
}

/* Has hasOrderName to be right? It makes no answer; but PowerDNS keeps its pairs by it, where it derives them itself. Elsewhere 4.9 has
 * its own mind about it. */
static bool order_names_count(const struct apply *a)
{
	return a->wants.mode->dnssec == ZN_DNSSEC_NSEC3 && !a->wants.mode->presigned;
}

/* Rewrites the flags of the stored row, which is decoded, where an answer, or PowerDNS's own next rectify, would differ. */
static enum zn_code fix_flags(struct apply *a, size_t owner, bool auth, bool order_name)
{
	bool same = true;

	for (size_t i = 0; i < a->rrs.count; i++)
		same &= stored_rr(a, i)->auth == auth && (stored_rr(a, i)->order_name == order_name || !order_names_count(a));
	if (same || !a->write)
		return ZN_OK;
	zn_buf_clear(&a->payload);
	zn_buf_add(&a->payload, a->stored);
	zn_row_set_flags(&a->payload, auth, order_name);
	return put_row(a, &a->key, &a->header, ZN_MACHINE, false, 0, owner);
}

/* Data is wanted, and stored under the key. */
static enum zn_code meet_data(struct apply *a)
{
	const struct zn_owner *owner = &a->wants.owners.list[a->wants.at_owner];
	bool auth = zn_owner_auth(owner, a->wants.mode, a->wants.type), order_name = zn_owner_order_name(owner, a->wants.mode, a->wants.type);

	note_stamp(a, a->wants.at_owner, a->header.stamp.ns);
	enum zn_code code = decode(a, a->wants.type, owner->key);
	if (code == ZN_ECORRUPT)
		return put_wanted(a, &a->header); /* the text says something about it: that replaces what nobody can read */
	if (code)
		return code;
	if (a->what == ZN_APPLY_DERIVED || !differs(a))
		return fix_flags(a, a->wants.at_owner, auth, order_name);
	if (!a->write)
		return ZN_OK;
	zn_buf_clear(&a->payload);
	zn_wants_payload(&a->wants, &a->payload);
	keep_disabled(a, auth, order_name);
	return put_row(a, &a->key, &a->header, ZN_USER, false, 0, a->wants.at_owner);
}

/* A derived row is wanted, and one is stored. */
static enum zn_code meet_derived(struct apply *a)
{
	struct zn_reader in = zn_reader_init(a->stored);

	zn_buf_clear(&a->payload);
	zn_wants_payload(&a->wants, &a->payload);
	if (a->wants.kind == ZN_WANT_ENT) {
		/* RDATA and TTL of an ENT change no answer: 4.9 leaves other ones behind. */
		zn_read_view(&in, (uint64_t)zn_read_u16le(&in) + 4);
		bool auth = zn_read_u8(&in) == a->payload.data[6];
		zn_read_u8(&in);
		bool order_name = zn_read_u8(&in) == a->payload.data[8] || !order_names_count(a);
		if (auth && order_name && !in.failed)
			return ZN_OK;
	} else if (zn_view_equal(a->stored, zn_buf_view(&a->payload))) {
		return ZN_OK;
	}
	return put_row(a, &a->key, &a->header, ZN_MACHINE, false, 0, SIZE_MAX);
}

static enum zn_code meet(struct apply *a)
{
	if (!a->readable)
		return put_wanted(a, NULL);
	if (!a->live)
		return put_wanted(a, &a->header);
	return a->wants.kind == ZN_WANT_DATA ? meet_data(a) : meet_derived(a);
}

/* Type 50 that is not wanted. What PowerDNS 4.9 writes at owners in a zone signed with NSEC, and leaves behind when that changes
 * (TTL 1, the name itself), answers nothing. */
static bool tolerated(struct apply *a, struct zn_view owner)
{
	struct zn_reader in = zn_reader_init(a->stored);
	struct zn_view rdata = zn_read_view(&in, zn_read_u16le(&in));
	size_t index = zn_wants_owner(&a->wants, owner);
	struct zn_name name;

	if (a->wants.mode->dnssec == ZN_DNSSEC_UNSIGNED || zn_read_u32le(&in) != 1 || in.failed || index == SIZE_MAX ||
			a->wants.owners.list[index].count == 0)
		return false;
	return zn_key_to_name(owner, NULL, &name) == ZN_OK && zn_view_equal(rdata, zn_name_view(&name));
}

/* A live data row that is not wanted: only its disabled RRs stay. */
static enum zn_code leave_data(struct apply *a, struct zn_view owner, uint16_t type)
{
	size_t index = zn_wants_owner(&a->wants, owner);
	bool auth = true, order_name = false;

	enum zn_code code = decode(a, type, owner);
	if (code)
		return code == ZN_ECORRUPT ? ZN_OK : code; /* nobody saw it, so nobody removed it */
	if (index != SIZE_MAX && a->wants.owners.list[index].count > 0) {
		auth = zn_owner_auth(&a->wants.owners.list[index], a->wants.mode, type);
		order_name = zn_owner_order_name(&a->wants.owners.list[index], a->wants.mode, type);
	} else if (a->wants.mode->dnssec == ZN_DNSSEC_NSEC) {
		auth = false; /* or the server takes the name into its chain */
	} else if (a->rrs.count > 0) {
		auth = stored_rr(a, 0)->auth;
	}
	if (a->rrs.enabled == 0 || a->what == ZN_APPLY_DERIVED)
		return a->rrs.enabled == 0 ? fix_flags(a, index, auth, order_name) : ZN_OK;
	a->change.removed += a->rrs.enabled;
	a->change.deleted += a->rrs.enabled;
	if (!a->write)
		return ZN_OK;
	zn_buf_clear(&a->payload);
	keep_disabled(a, auth, order_name);
	return put_row(a, &a->key, &a->header, ZN_USER, a->rrs.count == a->rrs.enabled, 0, index);
}

/* The stored row is not wanted. */
static enum zn_code leave(struct apply *a)
{
	struct zn_view owner;
	uint16_t type;

	if (!a->live || !zn_row_key_split(zn_row_key_view(&a->key), a->id, &owner, &type))
		return ZN_OK;
	if (type != ZN_TYPE_ENT && type != ZN_TYPE_NSEC3)
		return leave_data(a, owner, type);
	if (!a->write || (type == ZN_TYPE_NSEC3 && tolerated(a, owner)))
		return ZN_OK;
	zn_buf_clear(&a->payload);
	return put_row(a, &a->key, &a->header, ZN_MACHINE, true, 0, SIZE_MAX);
}

/* The newest stamp of what a derived row of an owner follows from: its own rows and those below it. */
static uint64_t followed(const struct apply *a, size_t owner)
{
	const struct zn_owner *list = a->wants.owners.list;
	uint64_t newest = a->newest[owner];

	if (list[owner].count == 0)
		for (size_t i = owner + 1; i < a->wants.owners.count && zn_key_within(list[i].key, list[owner].key); i++)
			if (a->newest[i] > newest)
				newest = a->newest[i];
	return newest;
}

static enum zn_code write_laters(struct apply *a)
{
	for (size_t i = 0; i < a->later_count; i++) {
		struct zn_row_key key;
		uint32_t owner = a->laters[i].owner;

		zn_buf_clear(&a->payload);
		zn_wants_derived(&a->wants, a->laters[i].kind, owner, &key, &a->payload);
		enum zn_code code = put_row(a, &key, NULL, ZN_MACHINE, false, followed(a, owner), SIZE_MAX);
		if (code)
			return code;
	}
	return ZN_OK;
}

static enum zn_code merge(struct apply *a)
{
	bool want = zn_wants_next(&a->wants);
	enum zn_code code = ZN_OK;

	while (!code && (want || a->have)) {
		int order = !a->have ? 1 : !want ? -1 : zn_view_cmp(zn_row_key_view(&a->key), zn_row_key_view(&a->wants.key));

		code = order > 0 ? put_wanted(a, NULL) : order < 0 ? leave(a) : meet(a);
		if (code)
			break;
		if (order >= 0)
			want = zn_wants_next(&a->wants);
		if (order <= 0 || (a->have && a->moved)) /* a row put before the stored one: that comes next, again */
			code = take(a, zn_cursor_next(&a->cursor));
		a->moved = false;
	}
	return code ? code : write_laters(a);
}

static enum zn_code begin(struct apply *a)
{
	uint8_t prefix[4];

	zn_put_u32(prefix, a->id);
	enum zn_code code = a->write ? zn_cursor_open_writing(&a->cursor, a->txn, ZN_DBI_RECORDS, a->err)
		: zn_cursor_open(&a->cursor, a->txn, ZN_DBI_RECORDS, a->err);
	if (code)
		return code;
	code = zn_cursor_seek(&a->cursor, zn_view(prefix, 4));
	a->append = a->write && code == ZN_ENOTFOUND;
	code = take(a, code);
	a->fresh = !code && !a->have;
	if (code || a->fresh || !a->write)
		return code;
	a->newest = calloc(a->wants.owners.count ? a->wants.owners.count : 1, sizeof(*a->newest));
	return a->newest ? ZN_OK : zn_fail(a->err, ZN_ENOMEM, "out of memory");
}

enum zn_code zn_apply_rows(struct zn_txn *txn, uint32_t id, const struct zn_zone *zone, const struct zn_zone_mode *mode,
	enum zn_apply_what what, struct zn_records_change *ret_change, struct zn_err *err)
{
	ZN_AUTO(apply_end) struct apply a = {.txn = txn, .id = id, .apex = zn_zone_apex(zone), .what = what, .write = what != ZN_APPLY_COMPARE, .err = err};

	zn_rrs_init(&a.rrs);
	zn_buf_init(&a.payload, (size_t)1 << 30);
	enum zn_code code = zn_wants_init(&a.wants, id, zone, mode, a.write);
	if (code)
		return zn_fail(err, code, "out of memory");
	code = begin(&a);
	if (!code)
		code = merge(&a);
	if (code == ZN_ECORRUPT)
		return zn_fail(err, code, "the rows of the zone cannot be walked");
	if (!code && ret_change)
		*ret_change = a.change;
	return code;
}

enum zn_code zn_records_compare(struct zn_txn *records, uint32_t id, const struct zn_zone *zone, struct zn_records_change *ret_change,
	struct zn_err *err)
{
	return zn_apply_rows(records, id, zone, NULL, ZN_APPLY_COMPARE, ret_change, err);
}

enum zn_code zn_records_apply(struct zn_txn *records, uint32_t id, const struct zn_zone *zone, const struct zn_zone_mode *mode,
	struct zn_records_change *ret_change, struct zn_err *err)
{
	return zn_apply_rows(records, id, zone, mode, ZN_APPLY_ALL, ret_change, err);
}
