/* store/apply.h - one merge walk of a zone in memory beside its stored rows: for records.c and rectify.c. */
#pragma once
#include "store/records.h"
#include "store/rows.h"

enum zn_apply_what {
	ZN_APPLY_COMPARE,	/* count what differs in the data rows, write nothing; mode is not looked at */
	ZN_APPLY_ALL,		/* make the rows say the zone */
	ZN_APPLY_DERIVED,	/* the zone was read from these rows: only flags, empty non-terminals and pairs */
};
ZN_MUST_USE enum zn_code zn_apply_rows(struct zn_txn *txn, uint32_t id, const struct zn_zone *zone, const struct zn_zone_mode *mode,
	enum zn_apply_what what, struct zn_records_change *ret_change, struct zn_err *err);

/* The rows a zone should have, in key order: apply_want.c. */
enum zn_want_kind { ZN_WANT_DATA, ZN_WANT_ENT, ZN_WANT_FORWARD, ZN_WANT_BACK };
struct zn_back {
	char hash[32];
	uint32_t owner;
};
struct zn_wants {
	uint32_t id;
	const struct zn_zone *zone;
	const struct zn_zone_mode *mode;
	struct zn_owners owners;
	struct zn_back *backs;	/* sorted by hash */
	size_t back_count;
	bool derived;		/* ENT and chain rows are wanted too */

	/* where it stands */
	size_t owner, record, back;
	bool forward_given;

	/* what is wanted now; kind says which fields count */
	struct zn_row_key key;
	enum zn_want_kind kind;
	size_t at_owner;	/* index in owners */
	uint16_t type;
	size_t first, end;	/* DATA: its records */
};
/* ZN_ENOMEM. */
ZN_MUST_USE enum zn_code zn_wants_init(struct zn_wants *wants, uint32_t id, const struct zn_zone *zone, const struct zn_zone_mode *mode, bool derived);
void zn_wants_release(struct zn_wants *wants);
/* The next row; false at the end. */
bool zn_wants_next(struct zn_wants *wants);
/* The payload of what is wanted now, appended. */
void zn_wants_payload(const struct zn_wants *wants, struct zn_buf *payload);
/* Key and payload of a pair's halves or an ENT, out of turn. */
void zn_wants_derived(const struct zn_wants *wants, enum zn_want_kind kind, size_t owner, struct zn_row_key *key, struct zn_buf *payload);
/* Index of the owner with a key; SIZE_MAX: none. */
size_t zn_wants_owner(const struct zn_wants *wants, struct zn_view key);
