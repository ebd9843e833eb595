/* sync/engine.h - what the files of the syncer share: publish.c, stage.c, apply.c, poll.c, syncer.c. All of
 * it belongs to the syncer's thread; what others may see is copied in syncer.c. */
#pragma once
#include <stdatomic.h>

#include "store/commit.h"
#include "store/entries.h"
#include "store/watch.h"
#include "sync/bucket/bucket.h"
#include "sync/peers.h"
#include "sync/retain.h"
#include "sync/state.h"
#include "sync/syncer.h"

#define ZN_OBJECT_FILE_MAX ((uint64_t)8 << 30)	/* bytes of an object as it lies in the bucket */
#define ZN_MERGES_A_ROUND 10			/* objects merged before own changes get their turn */

/* One database of the pair. */
struct zn_sync_db {
	enum zn_which which;
	const char *name;		/* "main", "shard": Lightning Stream's names for PowerDNS's files */
	struct zn_listing listing;	/* of the last round */
	struct zn_peers peers;
	struct zn_retain retain;
	bool own_merged;		/* own objects of earlier starts: nothing is published before */
	struct zn_stamp own_listed;	/* our newest object in the listing */
	struct zn_stamp own_put;	/* the newest we have stored since the start, whether or not that was noted */
	unsigned own_missing;		/* listings in a row that lacked our newest object */
	uint64_t renew_after;		/* mono: no base is renewed before */
	uint64_t machine_until;		/* mono: pending machine writes may wait for company until then */
	struct zn_syncer_db_status status;
};

struct zn_sync {
	struct zn_env *env;
	struct zn_commit *commit;
	struct zn_watch *watch;		/* NULL: none */
	struct zn_bucket *bucket;	/* NULL: could not be opened yet */
	char *url;
	char *spool;
	char instance[ZN_INSTANCE_MAX + 1];
	char host[256];
	uint64_t poll;
	bool receive;
	zn_syncer_event *event;
	void *context;

	uint64_t boot;			/* random, of this start */
	struct zn_stamp started;
	struct zn_sync_db db[2];	/* by enum zn_which */
	bool duplicate;			/* another process uses our name */
	bool yields;			/* and is the older: we publish nothing */
	bool schema_conflict;		/* a peer's database has another schema version */
	char schema_text[200];
	bool away_too_long;		/* last in step longer ago than deletions are kept */
	atomic_bool *stopping;		/* no new object is begun */
	_Atomic uint64_t *stop_by;	/* mono: and from then on no transaction */
};

static inline struct zn_view zn_sync_own(const struct zn_sync *sync)
{
	return zn_view_str(sync->instance);
}

/* Tell of something; `object` may be "". */
void zn_sync_tell(struct zn_sync *sync, const char *kind, const char *object, const char *format, ...)
		ZN_PRINTF(4, 5);

/* Run a job on the commit thread and wait for it. ZN_EINTR: the syncer is being stopped. */
ZN_MUST_USE enum zn_code zn_sync_run(struct zn_sync *sync, struct zn_job *job, struct zn_err *err);

/* A temporary file of the spool that has no name. */
ZN_MUST_USE enum zn_code zn_sync_temporary(struct zn_sync *sync, int *ret_fd, struct zn_err *err);

/* The state of an env in a read transaction of its own; *ret_last is the env's newest transaction. */
ZN_MUST_USE enum zn_code zn_sync_state_now(struct zn_sync *sync, enum zn_which which, struct zn_sync_state *ret_state,
		uint64_t *ret_last, struct zn_err *err);
