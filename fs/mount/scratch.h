/* fs/mount/scratch.h - files that are nobody's zone: temporary, backup, lock and swap files. editor-behaviour 7, rules 8 to 10; details.md 20.
 *
 * Any content, mode, owner, time and symlink target, one level of directories, up to the quota. They live in DB-spool/scratch/, survive the
 * daemon, and go after some days without use:
 *
 *   scratch/00000007       the bytes of a regular file
 *   scratch/00000007.is    a symbolic link whose target says what it is, made and replaced in one step:
 *                              f 0644 1000 1000 1700000000000000000 0 .example.com.zone.swp
 *                          kind (f file, l link, d directory), mode, uid, gid, mtime (ns) or - when not given, number of the
 *                          directory (0: the top), name; for a link "/" and its target
 *
 * The table is guarded by the caller's lock; functions marked "disk" are called without it. */
#pragma once
#include "fs/mount/content.h"
#include "fs/mount/table.h"
#include "store/base/clock.h"

#include <pthread.h>

#define ZN_SCRATCH_DAYS 7
#define ZN_SCRATCH_FILE_MAX ((size_t)1 << 40)
#define ZN_SCRATCH_NAME_MAX 255

enum zn_scratch_type { ZN_SCRATCH_FILE, ZN_SCRATCH_LINK, ZN_SCRATCH_DIR };
struct zn_scratch {
	uint32_t number;	/* from 1, never used again; gives st_ino and the readdir offset */
	uint32_t parent;	/* 0: the top directory */
	enum zn_scratch_type type;
	uint32_t mode;		/* permission bits */
	uint32_t uid, gid;
	struct zn_stamp mtime;
	bool mtime_given;	/* by utimens after the last change: goes with the text when it is renamed onto a zone */
	struct zn_stamp used;	/* the last open or change */
	uint64_t size;		/* bytes, or of the link's target */
	bool named;		/* false: unlinked, kept while it is open */
	unsigned children;	/* of a directory */
	void *node;		/* the kernel's node, when it has one: ops */
	struct zn_scratch *same_hash, *next, *previous;
	char *target;		/* of a link */
	char name[ZN_SCRATCH_NAME_MAX + 1];
};

struct zn_scratches {
	struct zn_spool *spool;
	int directory;
	pthread_mutex_t *guard;		/* of this table: the caller's lock */
	pthread_mutex_t disk;		/* one writer of descriptions at a time */
	struct zn_table numbers, names;
	struct zn_scratch *first, *last;	/* by number */
	uint32_t last_number;
	size_t count;			/* named */
};

/* Reads what an earlier daemon left, and drops what is too old. */
ZN_MUST_USE enum zn_code zn_scratches_open(struct zn_scratches *table, struct zn_spool *spool, pthread_mutex_t *guard, struct zn_err *err);
void zn_scratches_close(struct zn_scratches *table);

struct zn_scratch *zn_scratch_find(const struct zn_scratches *table, uint32_t parent, const char *name);
struct zn_scratch *zn_scratch_get(const struct zn_scratches *table, uint32_t number);
/* The first named one of a directory whose number is above `number`. */
struct zn_scratch *zn_scratch_after(const struct zn_scratches *table, uint32_t parent, uint32_t number);

/* The name must be free. ZN_ENOMEM, ZN_EQUOTA. */
ZN_MUST_USE enum zn_code zn_scratch_add(struct zn_scratches *table, enum zn_scratch_type type, uint32_t parent, const char *name, const char *target,
	uint32_t mode, uint32_t uid, uint32_t gid, struct zn_scratch **ret_scratch);
/* Takes the name away; freed at once when no node has it, else by zn_scratch_free(). Returns true when it was freed. */
bool zn_scratch_unlink(struct zn_scratches *table, struct zn_scratch *scratch);
void zn_scratch_free(struct zn_scratches *table, struct zn_scratch *scratch);
/* The new name must be free. */
void zn_scratch_rename(struct zn_scratches *table, struct zn_scratch *scratch, uint32_t parent, const char *name);
/* It has this many bytes now: counted against the quota before they are written. ZN_EQUOTA. */
ZN_MUST_USE enum zn_code zn_scratch_resize(struct zn_scratches *table, struct zn_scratch *scratch, uint64_t size);
/* Time to drop: not open and not used for ZN_SCRATCH_DAYS. NULL: none. */
struct zn_scratch *zn_scratch_expired(struct zn_scratches *table, struct zn_stamp now);

/* disk: writes the description as it is by then, or removes both files when the name is gone. Failures lose only what a restart would have
 * shown. */
void zn_scratch_persist(struct zn_scratches *table, uint32_t number);
/* disk: the bytes of a regular file; `make`: a new one. */
ZN_MUST_USE enum zn_code zn_scratch_content(struct zn_scratches *table, uint32_t number, bool make, struct zn_content **ret_content,
	struct zn_err *err);
