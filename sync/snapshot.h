/* sync/snapshot.h - the message within an LS-readable object: one protobuf File with Meta, DBIs and
 * their entries (docs/format.md "Snapshot"; Lightning Stream's snapshot format 3, compat 1).
 *
 *   File  1 V format | 4 V compat | 2 L Meta | 3 L DBI …
 *   Meta  1 L generation | 2 L instance | 3 L host | 7 L database | 4 V txn id | 5 64 stamp | 8 V from
 *         1000 L vector | 1001 64 boot | 1002 64 started | 1003 64 main    ours, skipped by every other reader
 *   DBI   1 L name | 3 V flags | 4 L transform | 2 L entry …     nothing else, ever: LS misreads it
 *   entry 1 L key | 2 L value | 4 V flags (1: deleted) | 3 64 stamp
 *
 * What is zero or empty is not written. Writing streams: a DBI goes out in messages of at most
 * ZN_SNAPSHOT_DBI_BYTES, all of the same name, which every reader merges. Reading streams too, in two
 * passes over a file: zn_snapshot_scan() checks all of it and learns the names of its DBIs, which may
 * stand behind their entries; zn_snapshot_walk() then hands out the entries. Memory stays at one entry
 * and one row of 16 bytes per DBI message. Pure but for the reading of the source. */
#pragma once
#include <stdbool.h>

#include "store/base/bytes.h"
#include "store/base/clock.h"
#include "store/base/limits.h"
#include "sync/frame.h"

#define ZN_SNAPSHOT_FORMAT 3
#define ZN_SNAPSHOT_COMPAT 1		/* what we write */
#define ZN_SNAPSHOT_COMPAT_MAX 3	/* what we read */

#define ZN_SNAPSHOT_DBI_BYTES ((size_t)4 << 20) /* entries of one DBI message that we write */
#define ZN_SNAPSHOT_VALUE_MAX ((size_t)16 << 20) /* bytes of one value */
#define ZN_SNAPSHOT_META_MAX ((size_t)1 << 20)
#define ZN_SNAPSHOT_DBI_MAX 65536		/* DBI messages in an object */
#define ZN_SNAPSHOT_NAMES_MAX 64		/* different names among them: what LS opens at most */

#define ZN_ENTRY_DELETED 1u

/* Views borrow, on reading until the next entry. */
struct zn_snapshot_entry {
	struct zn_view key;	/* 1 to 511 bytes */
	struct zn_view value;	/* without the value header; empty when deleted */
	struct zn_stamp stamp;
	bool deleted;
};

struct zn_snapshot_meta {
	struct zn_view generation;	/* "GX" when empty on writing */
	struct zn_view instance;
	struct zn_view host;
	struct zn_view db;
	uint64_t txnid;			/* of the dumped state, local to the author */
	struct zn_stamp stamp;		/* the one in the name */
	struct zn_view vector;		/* sync/vector.h encoded; empty in objects of others */
	uint64_t boot;			/* one start of the author; 0 in objects of others */
	struct zn_stamp started;	/* when that was */
	struct zn_stamp main;		/* records: the object of main that what is gone from here goes with */
};

/* ---- writing ---- */

struct zn_snapshot_writer {
	struct zn_sink out;
	struct zn_buf head;	/* of the DBI at hand: name and flags */
	struct zn_buf entries;
	bool open;		/* a DBI has begun */
	bool written;		/* at least one message of it has gone out */
};

void zn_snapshot_writer_init(struct zn_snapshot_writer *writer, struct zn_sink out);
void zn_snapshot_writer_release(struct zn_snapshot_writer *writer);

/* The head, once and first. */
ZN_MUST_USE enum zn_code zn_snapshot_write_meta(struct zn_snapshot_writer *writer,
		const struct zn_snapshot_meta *meta, struct zn_err *err);
/* Begin a DBI; `flags` as LMDB keeps them. An empty DBI is written too, as Lightning Stream does.
 * ZN_EINVAL: a name of no or of more than 511 bytes. */
ZN_MUST_USE enum zn_code zn_snapshot_write_dbi(struct zn_snapshot_writer *writer, struct zn_view name,
		unsigned flags, struct zn_err *err);
/* An entry of the DBI begun. ZN_EINVAL: a key that LMDB cannot hold. ZN_ETOOBIG: the value is. */
ZN_MUST_USE enum zn_code zn_snapshot_write_entry(struct zn_snapshot_writer *writer,
		const struct zn_snapshot_entry *entry, struct zn_err *err);
/* What is still held. */
ZN_MUST_USE enum zn_code zn_snapshot_write_end(struct zn_snapshot_writer *writer, struct zn_err *err);

/* ---- reading ---- */

struct zn_snapshot_dbi {
	unsigned flags;		/* LMDB flags for creating it */
	char name[ZN_LMDB_KEY_MAX + 1];
};

/* What a scan learns. Its memory is released by zn_snapshot_info_release(). */
struct zn_snapshot_info {
	uint64_t format;
	uint64_t compat;
	struct zn_snapshot_meta meta;	/* views into meta_bytes */
	struct zn_buf meta_bytes;
	struct zn_snapshot_dbi *dbis;	/* each name once, in order of appearance */
	size_t dbi_count;
	uint32_t *messages;		/* DBI message i -> index in dbis */
	size_t message_count;
	uint64_t entries;
};

/* Read and check all of it, to the end of the source: every rule of docs/format.md "Snapshot", so that
 * what passes stops no reader. Never allocates by what a length field says.
 * ZN_ECORRUPT: damaged or against a rule; the sentence says which. ZN_EFORMAT: compat above 3, or a
 * transform or DUPSORT, which native databases do not have. ZN_ETOOBIG: above a ceiling. */
ZN_MUST_USE enum zn_code zn_snapshot_scan(struct zn_source in, struct zn_snapshot_info *ret_info,
		struct zn_err *err);
void zn_snapshot_info_release(struct zn_snapshot_info *info);

/* Called for each entry, in the order of the object; a code other than ZN_OK ends the walk with it.
 * In objects of format 1 an empty value has been made a deletion, and no deletion has a value. */
typedef enum zn_code zn_snapshot_visit(void *arg, const struct zn_snapshot_dbi *dbi,
		const struct zn_snapshot_entry *entry, struct zn_err *err);

/* `in` must give the same bytes that were scanned into `info`. */
ZN_MUST_USE enum zn_code zn_snapshot_walk(struct zn_source in, const struct zn_snapshot_info *info,
		zn_snapshot_visit *visit, void *arg, struct zn_err *err);
