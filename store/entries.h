/* store/entries.h - rows as sync sees them: DBI, key, stamp, flags, payload; nothing of DNS but what replication must know of each.
 * replication.md 2, 3; lightning-stream.md 3. */
#pragma once
#include "store/schema.h"
#include "store/txn.h"

struct zn_entry {
	struct zn_view key;
	struct zn_stamp stamp;
	bool deleted;
	struct zn_view payload;	/* without header; empty when deleted */
	uint64_t txnid;		/* that wrote it here; not for zn_entries_put() */
};

/* What an entry is, from its DBI's name and its key (and payload) alone. */
struct zn_entry_role {
	uint32_t zone_id;	/* 0: belongs to no single zone */
	bool derived;		/* types 0 and 50: every node makes them itself */
	bool local;		/* pdns and _sync rows: never merged */
};
void zn_entry_role(const char *dbi, struct zn_view key, struct zn_view payload, struct zn_entry_role *ret_role);
/* Metadata and keys belong to a zone by its name, not by an id: the zone that a live payload carries. false: another DBI, or damaged. */
bool zn_entry_zone(const char *dbi, struct zn_view payload, struct zn_zone_id *ret_zone);
/* Two DomainInfo payloads that differ in last_check, notified_serial and the form they are written in (schema.h) alone are the same to a
 * person. */
bool zn_entry_same_but_churn(const char *dbi, struct zn_view a, struct zn_view b);

/* Walk the entries of one DBI whose header txnid is > `since` (0: all), tombstones included, in key order. */
ZN_MUST_USE enum zn_code zn_entries_each(struct zn_txn *txn, const struct zn_dbi_info *dbi, uint64_t since,
	enum zn_code (*each)(void *context, const struct zn_entry *entry), void *context, struct zn_err *err);
/* Put an entry as it came: its stamp, its flag, our txnid. */
ZN_MUST_USE enum zn_code zn_entries_put(struct zn_txn *txn, const struct zn_dbi_info *dbi, const struct zn_entry *entry, struct zn_err *err);
