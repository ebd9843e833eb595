/* fs/mount/lock.h - flock(2) and fcntl(2) locks of files, by inode number and not by node, for a zone's versions are many nodes. Pure.
 * editor-behaviour 7, rule 25.
 *
 * The two kinds do not see each other, as on any Linux file system. Not thread-safe; the caller's lock guards it. */
#pragma once
#include "fs/mount/table.h"

enum zn_lock_kind { ZN_LOCK_POSIX, ZN_LOCK_FLOCK };
enum zn_lock_type { ZN_LOCK_NONE, ZN_LOCK_SHARED, ZN_LOCK_EXCLUSIVE };

struct zn_lock {
	struct zn_lock *next;
	enum zn_lock_kind kind;
	enum zn_lock_type type;
	uint64_t owner;
	int32_t pid;		/* for F_GETLK */
	uint64_t start, end;	/* bytes, both included; UINT64_MAX: to the end */
};

/* Who waits; owned by the caller. */
struct zn_lock_wait {
	struct zn_lock_wait *next;
	uint64_t inode;
	struct zn_lock want;
};

struct zn_locks {
	struct zn_table inodes;		/* inode -> chain of zn_lock */
	struct zn_lock_wait *first;	/* in order of arrival */
};

void zn_locks_release(struct zn_locks *locks);
/* Takes (or with ZN_LOCK_NONE gives back) a range. ZN_EBUSY: held by another owner. ZN_ENOMEM. */
ZN_MUST_USE enum zn_code zn_lock_set(struct zn_locks *locks, uint64_t inode, const struct zn_lock *want);
/* The lock in the way, NULL for none. */
const struct zn_lock *zn_lock_test(const struct zn_locks *locks, uint64_t inode, const struct zn_lock *want);
/* Park one that is not to be had yet. Two that wait for each other would wait for ever: ZN_EINVAL (EDEADLK). */
ZN_MUST_USE enum zn_code zn_lock_park(struct zn_locks *locks, struct zn_lock_wait *wait);
/* Take a parked one out; false: it is not parked any more. */
bool zn_lock_unpark(struct zn_locks *locks, const struct zn_lock_wait *wait);
/* The next parked one that could be had and now has its lock; NULL: none. To be called until then after every change. */
struct zn_lock_wait *zn_lock_grant(struct zn_locks *locks);
