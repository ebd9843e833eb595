/* store/txn.h - transactions and cursors of one env. No MDB_* leaves this room.
 *
 * A read transaction begins, copies and ends within one request. Write transactions are begun by store/commit.c alone (and by
 * commands that work without a mount); zn_txn_begin(WRITE) blocks while another process writes. Bytes handed out are
 * borrowed until the transaction writes or ends. MDB_MAP_RESIZED and stale readers are handled inside. */
#pragma once
#include "store/env.h"
#include "store/header.h"

/* The DBIs we know by themselves; others are reached by name (zn_txn_dbi). */
enum zn_dbi {
	ZN_DBI_PDNS,
	ZN_DBI_DOMAINS, ZN_DBI_DOMAINS_INDEX,		/* domains_v5, domains_v5_0 */
	ZN_DBI_METADATA, ZN_DBI_METADATA_INDEX,
	ZN_DBI_KEYDATA, ZN_DBI_KEYDATA_INDEX,
	ZN_DBI_TSIG, ZN_DBI_TSIG_INDEX,
	ZN_DBI_DOMAINS_EXTRA,				/* domains_extra_v6: PowerDNS 5.1 with lmdb-split-domains-table */
	ZN_DBI_SYNC_MAIN,				/* _sync_zonefs of the main env: never replicated */
	ZN_DBI_RECORDS,					/* records_v5, from here on the records env */
	ZN_DBI_COMMENTS,				/* comments_v7, schema 6 of PowerDNS 5.1 */
	ZN_DBI_TEXT,					/* zonefs_text_v1 */
	ZN_DBI_SYNC_RECORDS,				/* _sync_zonefs of the records env */
	ZN_DBI_COUNT,
};

enum zn_txn_mode { ZN_TXN_READ, ZN_TXN_WRITE };

struct MDB_txn; /* named only; never used outside store/ */
struct zn_txn {
	struct zn_env *env;
	struct MDB_txn *mdb;	/* NULL: not running */
	enum zn_which which;
	enum zn_txn_mode mode;
	struct zn_stamp now;	/* write: the clock, read after the lock was had (writer checklist 3) */
	/* private to txn.c and dbi.c */
	struct zn_txn *parent;
	unsigned depth;		/* 1, a child 2, … */
	unsigned generation;	/* of the tables opened for reading */
};

ZN_MUST_USE enum zn_code zn_txn_begin(struct zn_txn *txn, struct zn_env *env, enum zn_which which, enum zn_txn_mode mode,
	struct zn_err *err);
/* A child of a write transaction: its changes can be dropped alone. Only the innermost may be used while it runs. */
ZN_MUST_USE enum zn_code zn_txn_begin_child(struct zn_txn *child, struct zn_txn *parent, struct zn_err *err);
ZN_MUST_USE enum zn_code zn_txn_commit(struct zn_txn *txn, struct zn_err *err);
void zn_txn_end(struct zn_txn *txn); /* aborts unless committed; may be called twice */

uint64_t zn_txn_id(const struct zn_txn *txn); /* read: the last committed one it sees; write: its own */

/* A whole stored value, header included. ZN_ENOTFOUND without a sentence when the key (or the DBI) is not there. */
ZN_MUST_USE enum zn_code zn_txn_get(struct zn_txn *txn, enum zn_dbi dbi, struct zn_view key, struct zn_view *ret_value,
	struct zn_err *err);
/* The same split; a tombstone is ZN_ENOTFOUND too, with ret_header filled (when not NULL) for both. */
ZN_MUST_USE enum zn_code zn_txn_get_live(struct zn_txn *txn, enum zn_dbi dbi, struct zn_view key,
	struct zn_header *ret_header, struct zn_view *ret_payload, struct zn_err *err);

/* Which stamp a write gets: docs/format.md, stamps (replication.md 2). */
enum zn_author {
	ZN_USER,	/* max(now, stamp of the row it replaces + 1024) */
	ZN_MACHINE,	/* stamp of the row it replaces + 1, a tombstone + 2; `after` + 1 where it replaces none */
};
/* Put a live row, or bury it. Nothing is written when the live payload is the same, or it is absent or buried already.
 * `after`: for ZN_MACHINE, the newest stamp among the rows it follows from. ret_written may be NULL. */
ZN_MUST_USE enum zn_code zn_txn_put(struct zn_txn *txn, enum zn_dbi dbi, struct zn_view key, struct zn_view payload,
	enum zn_author author, struct zn_stamp after, bool *ret_written, struct zn_err *err);
ZN_MUST_USE enum zn_code zn_txn_bury(struct zn_txn *txn, enum zn_dbi dbi, struct zn_view key, enum zn_author author,
	struct zn_stamp after, bool *ret_written, struct zn_err *err);
/* Put with a stamp and flags given (merges; object and index that must share one header). Always writes. */
ZN_MUST_USE enum zn_code zn_txn_put_raw(struct zn_txn *txn, enum zn_dbi dbi, struct zn_view key, struct zn_stamp stamp,
	uint8_t flags, struct zn_view payload, struct zn_err *err);
/* The stamp such a write gets, for who puts by cursor: `old` is the header of the row it replaces (NULL: none). */
struct zn_stamp zn_txn_stamp(const struct zn_txn *txn, const struct zn_header *old, enum zn_author author, bool bury, struct zn_stamp after);
/* Physical removal: _sync_zonefs only. */
ZN_MUST_USE enum zn_code zn_txn_erase(struct zn_txn *txn, enum zn_dbi dbi, struct zn_view key, struct zn_err *err);

/* Keys in order. A cursor must end before its transaction. */
struct MDB_cursor;
struct zn_cursor {
	struct MDB_cursor *mdb;
	struct zn_view key, value; /* valid after a call that returned ZN_OK */
};
ZN_MUST_USE enum zn_code zn_cursor_open(struct zn_cursor *cursor, struct zn_txn *txn, enum zn_dbi dbi, struct zn_err *err);
/* First key >= `key`; ZN_ENOTFOUND at the end. An absent DBI is an empty one. */
ZN_MUST_USE enum zn_code zn_cursor_seek(struct zn_cursor *cursor, struct zn_view key);
ZN_MUST_USE enum zn_code zn_cursor_next(struct zn_cursor *cursor);
void zn_cursor_close(struct zn_cursor *cursor);
/* Walk and write in one go, for many rows in key order: near the cursor a put costs no look-up. The cursor then stands at the row put
 * (zn_cursor_next() gives the row behind it); key and value of before are gone. `payload` must not lie in the database. Always writes.
 * `append`: the key is behind all others of the DBI, so pages are filled to the brim. Opening makes the DBI where it is absent. */
ZN_MUST_USE enum zn_code zn_cursor_open_writing(struct zn_cursor *cursor, struct zn_txn *txn, enum zn_dbi dbi, struct zn_err *err);
ZN_MUST_USE enum zn_code zn_cursor_put(struct zn_cursor *cursor, struct zn_txn *txn, struct zn_view key, struct zn_stamp stamp, uint8_t flags,
	struct zn_view payload, bool append, struct zn_err *err);

/* What sync needs: all replicated DBIs of an env, by name. docs/format.md; names that begin with _sync are left out. A DBI that this
 * process has not met before cannot be opened in a running read transaction: that one is begun again, so call these two first,
 * before anything is borrowed from it. */
struct zn_dbi_info {
	char name[64];
	unsigned flags;		/* persistent LMDB flags; 0 for all of PowerDNS's */
	unsigned handle;	/* for the _any functions */
};
ZN_MUST_USE enum zn_code zn_txn_dbis(struct zn_txn *txn, struct zn_dbi_info **ret_list, size_t *ret_count, struct zn_err *err);
/* Opens, or in a write transaction creates (flags 0), a DBI by name. ZN_ENOTFOUND without a sentence: not there. ZN_EFORMAT: DUPSORT
 * or not to be replicated. */
ZN_MUST_USE enum zn_code zn_txn_dbi(struct zn_txn *txn, const char *name, struct zn_dbi_info *ret_info, struct zn_err *err);
ZN_MUST_USE enum zn_code zn_txn_get_any(struct zn_txn *txn, unsigned handle, struct zn_view key, struct zn_view *ret_value, struct zn_err *err);
ZN_MUST_USE enum zn_code zn_txn_put_any(struct zn_txn *txn, unsigned handle, struct zn_view key, struct zn_stamp stamp, uint8_t flags,
	struct zn_view payload, struct zn_err *err);
ZN_MUST_USE enum zn_code zn_cursor_open_any(struct zn_cursor *cursor, struct zn_txn *txn, unsigned handle, struct zn_err *err);
