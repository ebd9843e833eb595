/* store/watch.h - which zones changed: at once for our own commits, by inotify and txn id for other processes'. rule 25b.
 *
 * One thread looks at foreign commits: inotify on both data files, then a scan of headers above the last txn id seen, for at most 5 % of one CPU in the
 * long run. A counter that went back (mdb_copy -c, mdb_load) makes everything change. Listeners are called without any lock
 * held, on the thread that found out; they must not block. */
#pragma once
#include "store/env.h"

enum zn_origin {
	ZN_OWN_SAVE,	/* our commit for a user */
	ZN_OWN_MERGE,	/* our commit for the syncer */
	ZN_FOREIGN,	/* another process */
};
struct zn_change {
	enum zn_origin origin;
	bool all;		/* everything may have changed; ids is empty */
	const uint32_t *ids;	/* zone ids whose rows, list entry or metadata changed; borrowed */
	size_t count;
	bool more;		/* of own commits: other changes of the same transactions are still to be told (zn_job.more); the last may have no ids */
	uint64_t txnid[2];	/* by enum zn_which: last txn of that env this change includes; 0: env not touched */
};
typedef void zn_listener(void *context, const struct zn_change *change);

struct zn_watch;
ZN_MUST_USE enum zn_code zn_watch_start(struct zn_env *env, struct zn_watch **ret_watch, struct zn_err *err);
/* Nobody is told any more. Who still asks what was seen (the private env, at its last flush) may, until it is freed. */
void zn_watch_stop(struct zn_watch *watch);
void zn_watch_free(struct zn_watch *watch); /* takes NULL; stopped before */
/* Before the first change; listeners stay until the watch stops or they leave. */
void zn_watch_listen(struct zn_watch *watch, zn_listener *listener, void *context);
/* A listener that ends before the watch: when this returns it is not being called and never will be. Not from a listener. */
void zn_watch_unlisten(struct zn_watch *watch, zn_listener *listener, const void *context);
/* An own commit, told by who made it, on the commit thread right after the commit; with no ids when it concerns no zone, so that nobody
 * searches for what it changed. */
void zn_watch_tell(struct zn_watch *watch, const struct zn_change *change);
/* The last transaction of an env up to which every change has been told to the listeners. */
uint64_t zn_watch_seen(struct zn_watch *watch, enum zn_which which);
