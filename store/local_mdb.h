/* store/local_mdb.h - the inside of struct zn_local, for local.c (file, rooms), local_stats.c (sizes and times) and local_list.c (the list). */
#pragma once
#include <lmdb.h>
#include <pthread.h>

#include "store/base/clock.h"
#include "store/changes.h"
#include "store/local.h"

#define ZN_LOCAL_SLOTS 4096	/* zones in the table in memory; a power of two */
#define ZN_LOCAL_FILL (ZN_LOCAL_SLOTS * 3 / 4)

/* What is known of one zone and not in the file yet. */
struct zn_local_slot {
	uint32_t id;		/* 0: free */
	bool changed;		/* its place in the list has to be looked at again */
	bool has_stat;
	struct zn_index_key key;	/* has_stat: where it belongs */
	struct zn_zone_stat stat;
	uint64_t stat_at[2];	/* the states it was found in */
	uint64_t changed_at[2];	/* last change told, by enum zn_which: older findings are not kept */
};

struct zn_local {
	struct zn_env *env;
	struct zn_watch *watch;		/* NULL: nothing is cached */
	char *path;
	MDB_env *mdb;			/* NULL: no file */
	MDB_dbi state, zones, ids, rooms;

	pthread_t thread;
	bool running;
	pthread_mutex_t writing;	/* one flush at a time; taken before lock */
	pthread_mutex_t lock;		/* guards what follows */
	pthread_cond_t work;
	bool stop;
	struct zn_local_slot *slots;
	size_t used;
	uint64_t horizon[2];		/* changes up to it may have left the table */
	bool rebuild;			/* everything may have changed: the list is made anew */
	bool complete;
	struct zn_index_key built;	/* how far the list is made */
};

/* Value of a zone in the file: u8 1 known | 2 text fits, u64 size, u64 mtime, u64 count, u64 sum. */
#define ZN_LOCAL_VALUE 33
void zn_local_write_stat(uint8_t bytes[static ZN_LOCAL_VALUE], const struct zn_zone_stat *stat);
bool zn_local_read_stat(MDB_val value, struct zn_zone_stat *ret_stat);

/* The slot of a zone; with `make` a new one, NULL when the table is full. Under the lock. */
struct zn_local_slot *zn_local_slot(struct zn_local *local, uint32_t id, bool make);

/* Bring the table into the file. With the `writing` lock. */
void zn_local_flush(struct zn_local *local);
/* Make a slice of the list; true when there is more to do right now, false when it is complete or cannot be made. With the `writing` lock. */
bool zn_local_build(struct zn_local *local);
/* The zone, as main and records have it now, into the list or out of it, without size and time. In a write transaction of the file;
 * an LMDB code. */
int zn_local_relist(struct zn_local *local, MDB_txn *txn, struct zn_txn *main, struct zn_txn *records, uint32_t id);
