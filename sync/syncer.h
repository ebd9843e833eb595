/* sync/syncer.h - one thread that keeps the database and a bucket in step: publish own changes, merge
 * what others have published. replication.md; docs/format.md, objects.
 *
 * It wakes on own and foreign commits (store/watch.h), on news in a directory bucket, and every `poll`.
 * It never stands in the way: the bucket may be gone for a week, nothing but replication waits. Rows are
 * read in short read transactions and written by merge jobs on the commit thread.
 *
 * Order of life: zn_watch_start, zn_syncer_start, …, zn_syncer_stop, zn_watch_stop, zn_syncer_free; the
 * syncer is a listener of the watch until that stops, and uses the commit thread until zn_syncer_stop. */
#pragma once
#include <stdbool.h>

#include "store/commit.h"
#include "store/watch.h"
#include "sync/object.h"

struct zn_bucket;

/* What happened, for .zonefs/events. `kind` is one of merged, published, object-refused, duplicate-instance,
 * bucket-lost, bucket-back, schema-raised. Called on the syncer's thread; must not block for long. */
typedef void zn_syncer_event(void *context, const char *kind, const char *object, const char *text);

struct zn_syncer_options {
	const char *bucket;	/* URL; copied, as all texts */
	const char *instance;	/* clean, see zn_instance_sanitise(): one that is not is refused */
	const char *spool;	/* directory for temporary files, DB-spool */
	uint64_t poll;		/* ns between two looks at the bucket */
	bool receive;		/* merge only, never publish */
	zn_syncer_event *event;	/* may be NULL */
	void *context;
};

struct zn_syncer;

/* The bucket need not be reachable. ZN_EINVAL: an option makes no sense. ZN_EROFS: the database is opened
 * read-only, and merging writes. `watch` may be NULL: then only `poll` finds changes. */
ZN_MUST_USE enum zn_code zn_syncer_start(const struct zn_syncer_options *options, struct zn_env *env,
		struct zn_commit *commit, struct zn_watch *watch, struct zn_syncer **ret_syncer,
		struct zn_err *err);
/* The same on a bucket that is open already, which it then owns (tests). */
ZN_MUST_USE enum zn_code zn_syncer_start_on(const struct zn_syncer_options *options, struct zn_bucket *bucket,
		struct zn_env *env, struct zn_commit *commit, struct zn_watch *watch,
		struct zn_syncer **ret_syncer, struct zn_err *err);

/* One full round has been made after this call: what was in the bucket is merged and what was pending is
 * published, or the failure that prevents it. For commands; ZN_EBUSY at `deadline` (zn_clock_mono()). */
ZN_MUST_USE enum zn_code zn_syncer_round(struct zn_syncer *syncer, uint64_t deadline, struct zn_err *err);

/* Publishes what is pending (one try), then ends the thread; gives up waiting for locks at `deadline`. */
void zn_syncer_stop(struct zn_syncer *syncer, uint64_t deadline);
void zn_syncer_free(struct zn_syncer *syncer);	/* takes NULL */
ZN_DEFINE_AUTO(struct zn_syncer, zn_syncer_free)

/* ---- what there is to say, as plain values ---- */

enum zn_sync_health { ZN_SYNC_OK, ZN_SYNC_WARNING, ZN_SYNC_ERROR };

struct zn_syncer_peer {
	char instance[ZN_OBJECT_NAME_MAX + 1];
	struct zn_stamp listed[2];	/* by enum zn_which: its newest object in the bucket; ns 0: none */
	struct zn_stamp merged[2];	/* the newest of them that we have */
	uint32_t schema;		/* of its database; 0: not known */
	bool zonefs;			/* Lightning Stream otherwise; false also when not known yet */
	char problem[200];		/* why something of it is not merged; "" mostly */
};

struct zn_syncer_db_status {
	struct zn_stamp published;	/* our newest object; ns 0: none */
	uint64_t published_bytes;
	bool pending;			/* changes that are not in the bucket yet */
	bool own_merged;		/* our own objects of earlier have been merged; nothing is published before */
	uint64_t objects_published, objects_merged, entries_merged;	/* since the start */
	uint64_t aside;			/* entries from more than a day ahead, waiting for their time */
};

struct zn_syncer_status {
	char bucket[300];
	char instance[ZN_INSTANCE_MAX + 1];
	bool receive;
	enum zn_sync_health health;
	char problem[480];		/* the newest failure that still holds; "" when there is none */
	uint64_t failing_for;		/* ns since the bucket last answered; 0: it does */
	char hold[480];			/* why nothing is published, in plain words; "" when it is */
	bool duplicate;			/* another process publishes under our instance name */
	struct zn_stamp listed;		/* when the bucket was last looked at */
	struct zn_stamp complete;	/* when everything in it had been merged */
	struct zn_syncer_db_status db[2];	/* by enum zn_which */
	struct zn_syncer_peer *peers;	/* by name */
	size_t peer_count;
};
/* Any thread, any time; released by zn_syncer_status_release(). */
ZN_MUST_USE enum zn_code zn_syncer_status(struct zn_syncer *syncer, struct zn_syncer_status *ret_status);
void zn_syncer_status_release(struct zn_syncer_status *status);
