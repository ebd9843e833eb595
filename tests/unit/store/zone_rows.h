/* tests/unit/store/zone_rows.h - the zones in the databases that PowerDNS wrote, and their live rows decoded. */
#pragma once
#include "store/dns/owners.h"
#include "store/records.h"
#include "store/rows.h"
#include "tests/unit/support.h"

/* A zone of a fixture and how it is signed. */
struct fixture_zone {
	const char *version, *name;
	uint32_t id;
	enum zn_dnssec dnssec;
	bool presigned;
	const char *nsec3param;
};

/* Every zone of a kind: both versions, signed in every way. */
static const struct fixture_zone fixture_zones[] = {
	{"v6", "plain.example", 0x2fccbce8, ZN_DNSSEC_UNSIGNED, false, NULL},
	{"v6", "nsec.example", 0x1d92a249, ZN_DNSSEC_NSEC, false, NULL},
	{"v6", "nsec3.example", 0x21dcf59c, ZN_DNSSEC_NSEC3, false, "1 0 0 -"},
	{"v6", "narrow.example", 0x12ee671b, ZN_DNSSEC_NARROW, false, "1 0 0 -"},
	{"v6", "optout.example", 0x2f036994, ZN_DNSSEC_NSEC3, false, "1 1 2 abcd"},
	{"v6", "dead.example", 0x24f7c6e0, ZN_DNSSEC_UNSIGNED, false, NULL},
	{"v6/presigned", "nsec.example", 0x1d92a249, ZN_DNSSEC_NSEC, true, NULL},
	{"v6/presigned", "nsec3.example", 0x21dcf59c, ZN_DNSSEC_NSEC3, true, "1 0 0 -"},
	{"v5", "plain.example", 0x13403d19, ZN_DNSSEC_UNSIGNED, false, NULL},
	{"v5", "nsec.example", 0x62af114f, ZN_DNSSEC_NSEC, false, NULL},
	{"v5", "nsec3.example", 0x0a66bb52, ZN_DNSSEC_NSEC3, false, "1 0 0 -"},
	{"v5", "narrow.example", 0x5375d682, ZN_DNSSEC_NARROW, false, "1 0 0 -"},
	{"v5", "optout.example", 0x732049b4, ZN_DNSSEC_NSEC3, false, "1 1 2 abcd"},
	{"v5", "dead.example", 0x1e47c9ed, ZN_DNSSEC_UNSIGNED, false, NULL},
	{"v5/presigned", "nsec.example", 0x2ede9cf4, ZN_DNSSEC_NSEC, true, NULL},
	{"v5/presigned", "nsec3.example", 0x3aa59dad, ZN_DNSSEC_NSEC3, true, "1 0 0 -"},
};
#define FIXTURE_ZONES ((int)(sizeof(fixture_zones) / sizeof(fixture_zones[0])))

static inline struct zn_zone_mode fixture_mode(const struct fixture_zone *zone)
{
	struct zn_zone_mode mode = {.dnssec = zone->dnssec, .presigned = zone->presigned, .has_keys = zone->dnssec && !zone->presigned};

	if (zone->nsec3param)
		ck_assert_int_eq(zn_nsec3param_parse(zn_view_str(zone->nsec3param), &mode.nsec3, NULL), ZN_OK);
	return mode;
}

static inline struct zn_name fixture_name(const struct fixture_zone *zone)
{
	struct zn_name name;

	ck_assert_int_eq(zn_name_from_text(zn_view_str(zone->name), NULL, &name, NULL), ZN_OK);
	return name;
}

static inline struct zn_txn begin_records(struct zn_env *env, enum zn_txn_mode mode)
{
	struct zn_txn txn;

	ck_ok(zn_txn_begin(&txn, env, ZN_RECORDS, mode, &err));
	return txn;
}

/* What of the rows is compared. */
enum {
	ROWS_ORDER_NAME = 1,	/* hasOrderName, which changes no answer */
	ROWS_DISABLED = 2,	/* disabled RRs */
	ROWS_LEFTOVERS = 4,	/* pairs of 4.9 that point a name at itself */
};

/* One row as text: key in hex, then each RR as hex RDATA (expanded), TTL and flags; enabled ones sorted. */
struct row_text {
	struct zn_row_key key;
	struct zn_stamp stamp;
	char *text;
};
struct row_texts {
	struct row_text *list;
	size_t count;
};

static inline void row_texts_release(struct row_texts *rows)
{
	for (size_t i = 0; i < rows->count; i++)
		free(rows->list[i].text);
	free(rows->list);
	*rows = (struct row_texts){0};
}

static inline struct row_texts row_texts_read(struct zn_env *env, uint32_t id, const struct zn_name *apex, int what)
{
	struct zn_txn txn = begin_records(env, ZN_TXN_READ);
	struct row_texts rows = {.list = calloc(100000, sizeof(*rows.list))};
	struct zn_cursor cursor;
	struct zn_rrs rrs;
	uint8_t prefix[4];
	enum zn_code code;

	zn_put_u32(prefix, id);
	zn_rrs_init(&rrs);
	ck_ok(zn_cursor_open(&cursor, &txn, ZN_DBI_RECORDS, &err));
	for (code = zn_cursor_seek(&cursor, zn_view(prefix, 4)); !code && zn_view_starts_with(cursor.key, zn_view(prefix, 4)); code = zn_cursor_next(&cursor)) {
		struct zn_header header;
		struct zn_view payload, owner;
		struct zn_name name;
		struct zn_buf text = ZN_BUF_INIT((size_t)1 << 24);
		uint16_t type;

		ck_assert_int_eq(zn_header_read(cursor.value, &header, &payload), ZN_OK);
		if (zn_header_deleted(&header))
			continue;
		ck_assert(zn_row_key_split(cursor.key, id, &owner, &type));
		ck_assert_int_eq(zn_key_to_name(owner, apex, &name), ZN_OK);
		/* A row of pairs is no NSEC3 record: its bytes count as they are. */
		ck_assert_int_eq(zn_rrs_decode(&rrs, type == ZN_TYPE_NSEC3 ? ZN_TYPE_ENT : type, &name, payload), ZN_OK);
		size_t count = what & ROWS_DISABLED ? rrs.count : rrs.enabled;
		struct zn_name self;
		ck_assert_int_eq(zn_key_to_name(owner, NULL, &self), ZN_OK);
		if (count == 0 || (type == ZN_TYPE_NSEC3 && !(what & ROWS_LEFTOVERS) && rrs.list[0].ttl == 1 &&
				zn_view_equal(rrs.list[0].rdata, zn_name_view(&self))))
			continue;
		zn_buf_add_hex(&text, cursor.key);
		for (size_t i = 0; i < count; i++) {
			const struct zn_rr *rr = &rrs.list[i];
			zn_buf_addf(&text, " ");
			if (type != ZN_TYPE_ENT) /* 4.9 leaves RDATA of other rows in some */
				zn_buf_add_hex(&text, rr->rdata);
			zn_buf_addf(&text, "/%u/%d%d", rr->ttl, rr->auth, rr->disabled);
			if (what & ROWS_ORDER_NAME)
				zn_buf_addf(&text, "%d", rr->order_name);
		}
		struct row_text *row = &rows.list[rows.count++];
		memcpy(row->key.bytes, cursor.key.data, cursor.key.len);
		row->key.len = (uint16_t)cursor.key.len;
		row->stamp = header.stamp;
		row->text = strdup(zn_buf_str(&text));
		zn_buf_release(&text);
	}
	ck_assert_int_eq(code == ZN_ENOTFOUND ? ZN_OK : code, ZN_OK);
	zn_rrs_release(&rrs);
	zn_cursor_close(&cursor);
	zn_txn_end(&txn);
	return rows;
}

static inline void row_texts_compare(const char *what, const struct row_texts *want, const struct row_texts *got)
{
	for (size_t i = 0; i < want->count || i < got->count; i++) {
		const char *a = i < want->count ? want->list[i].text : "(nothing)", *b = i < got->count ? got->list[i].text : "(nothing)";
		ck_assert_msg(strcmp(a, b) == 0, "%s: row %zu of %zu:\n  wanted %s\n  got    %s", what, i, want->count, a, b);
	}
}
