/* store/mdb.h - the inside of struct zn_env, for the modules that speak LMDB: env, open, dbi, txn. Nobody else includes it.
 *
 * Each of the two files is open twice in this process: `reading` (MDB_RDONLY) carries every read transaction, `writing`
 * every write transaction. The reason is MDB_MAP_RESIZED. When another process grew the file beyond our map,
 * mdb_env_set_mapsize() wants no transaction inside, and a thread that waits in mdb_txn_begin() for a foreign writer is
 * inside for as long as that writer likes, with pointers into the map in its hands the moment it wakes. With one environment
 * every reader would have to wait, or fail, with it. With two, readers meet only readers, which are short, and the writer adopts a
 * new size for itself.
 *
 * LMDB warns against opening a file twice because the first close(2) of the lock file drops the process's fcntl locks. We satisfy
 * that: both are opened one after the other before the first transaction, and closed together after the last (env.c). Nothing
 * else in the process opens a lock file in between. */
#pragma once
#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>

#include "store/base/limits.h"
#include "store/txn.h"

/* One DBI. Handles of LMDB are small numbers, 0 and 1 are its own: 0 says not open. */
struct zn_table {
	char name[ZN_DB_NAME_MAX + 1];
	_Atomic unsigned flags;		/* persistent ones of LMDB; set with the first handle */
	_Atomic unsigned reading;	/* handle in the reading environment */
	_Atomic unsigned since;		/* generation in which it was opened there: older transactions cannot use it */
	unsigned writing;		/* handle in the writing environment; under `writer` */
	unsigned fresh;			/* depth of the running write transaction that created it; 0: committed; under `writer` */
};

struct zn_file {
	struct zn_env *env;
	enum zn_which which;
	char *path;
	MDB_env *reading, *writing;	/* writing NULL: opened read-only */

	pthread_mutex_t gate;		/* guards `inside`; held while the reading map is replaced */
	pthread_cond_t empty;		/* inside became 0 */
	unsigned inside;		/* read transactions running */

	_Atomic uint64_t own;		/* the last transaction that we began to commit; 0: it came to nothing */
	_Atomic bool committing;	/* and it is not finished yet, though others may see it already */

	pthread_mutex_t writer;		/* held by the thread that has, or waits for, the write transaction */

	pthread_mutex_t opening;	/* tables are added and opened for reading under it */
	struct zn_table tables[ZN_MAX_DBS]; /* the known ones first, in the order of enum zn_dbi */
	_Atomic unsigned table_count;
	_Atomic unsigned generation;	/* counts openings in the reading environment */
	_Atomic uint64_t probed;	/* txnid in which the known tables still missing were last looked for */
};

struct zn_env {
	struct zn_file files[2];
	bool read_only, grow;
	uint64_t map_limit;		/* bytes we may write up to, below what the file records; 0: none */
	int lock_fd;			/* of the main data file, with flock(2) of the daemon; -1: none */
	_Atomic uint32_t schema;
	uint8_t uuid[16];
	_Atomic bool abandoned;		/* a thread is stuck in LMDB: never freed (zn_env_abandon) */
};

/* LMDB's return code as ours, with a sentence that begins with the file's path. */
enum zn_code zn_mdb_fail(struct zn_err *err, int rc, const struct zn_file *file, const char *doing);

static inline MDB_val zn_mdb_val(struct zn_view view)
{
	return (MDB_val){view.len, (void *)(uintptr_t)view.data};
}

static inline struct zn_view zn_mdb_view(MDB_val val)
{
	return zn_view(val.mv_data, val.mv_size);
}

/* The read gate: no read transaction begins while the reading map is replaced. */
void zn_file_enter(struct zn_file *file);
void zn_file_leave(struct zn_file *file);
/* Begin a read transaction, inside the gate; a map that others grew and full reader tables are dealt with. Whoever ends it leaves the gate. */
ZN_MUST_USE enum zn_code zn_file_begin_reading(struct zn_file *file, MDB_txn **ret_mdb, struct zn_err *err);

/* dbi.c. Which file a known DBI lives in, its index there, its name. */
enum zn_which zn_dbi_which(enum zn_dbi dbi);
unsigned zn_dbi_index(enum zn_dbi dbi);
void zn_file_name_tables(struct zn_file *file);
/* The handle of a table in this transaction; 0: it is not there. With `create` (write transactions only) it is made. */
ZN_MUST_USE enum zn_code zn_dbi_handle(struct zn_txn *txn, unsigned index, bool create, MDB_dbi *ret_dbi, struct zn_err *err);
/* Look for known tables that were not there before. Reading: between transactions. Writing: inside one; true in ret_found says
 * that it has to be committed and begun again. */
ZN_MUST_USE enum zn_code zn_dbi_probe_reading(struct zn_file *file, uint64_t txnid, struct zn_err *err);
ZN_MUST_USE enum zn_code zn_dbi_probe_writing(struct zn_file *file, MDB_txn *mdb, bool *ret_found, struct zn_err *err);
/* What a commit or an abort at `depth` does to the tables it created. */
void zn_dbi_committed(struct zn_file *file, unsigned depth);
void zn_dbi_aborted(struct zn_file *file, unsigned depth);
/* Reading: is any known table missing that may have come since? */
bool zn_dbi_incomplete(struct zn_file *file, uint64_t txnid);
