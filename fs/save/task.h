/* fs/save/task.h - one save on its way, and the saver that carries it. Private to fs/save: save.c moves tasks along, judge.c reads the text (pool),
 * apply.c weighs it against the store and writes (commit thread), finish.c says how it went.
 *
 *   QUEUED -> JUDGING -> (BEHIND ->) COMMITTING -> FINISHING -> done(), freed
 *
 * One save of a zone is in the hands of the commit thread at a time, so that two that come together never both believe to create the zone. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>

#include "fs/save/guard.h"
#include "fs/save/last.h"
#include "fs/save/refused.h"
#include "fs/save/save.h"
#include "fs/text/parse.h"
#include "fs/text/pieces.h"
#include "fs/text/zonefile.h"
#include "store/text.h"

#define ZN_POOL_MAX 4
#define ZN_ROOM_WARNINGS "warnings" /* of store/local.h: zone (zn_zoneid_key()) to rendered findings */

enum task_state {
	TASK_QUEUED,		/* waits for the pool */
	TASK_JUDGING,
	TASK_BEHIND,		/* judged; another save of the zone is with the commit thread */
	TASK_COMMITTING,	/* with the commit thread */
	TASK_FINISHING,		/* its outcome is known */
};

/* What the text says, once it has been read. Depends on nothing stored but how it was judged. */
struct zn_judged {
	struct zn_check_options options;
	struct zn_parsed parsed;
	struct zn_zone *stripped;	/* presigned: the zone without its chain, which is not stored; NULL: all of it is */
	struct zn_cutter *cutter;	/* NULL: no text is kept */
	struct zn_digest digest;	/* with the serial of the text */
	uint64_t soa_hash;		/* the SOA's part of it */
};
void zn_judged_release(struct zn_judged *judged);
/* The zone as its rows are to say it. */
static inline struct zn_zone *zn_judged_rows(const struct zn_judged *judged)
{
	return judged->stripped ? judged->stripped : judged->parsed.zone;
}
/* A zone of this mode is judged as it was. */
bool zn_judged_fits(const struct zn_judged *judged, const struct zn_zone_mode *mode);

/* What one look at the store found, and what follows from it; begun anew by each run of the job. */
struct zn_outcome {
	uint64_t seen[2];		/* by enum zn_which: the committed state it was weighed against */
	bool exists;			/* the zone was there */
	struct zn_zone_info info;
	struct zn_zone_mode mode;	/* how its rows are derived from now on */
	bool leaves_signing;		/* it was presigned until now */
	enum zn_serial_policy policy;
	uint32_t serial;		/* that the zone ends up with */
	uint64_t soa_hash;		/* of the SOA with it */
	struct zn_digest digest;	/* of the zone with it */
	struct zn_buf final_text;	/* empty: the text as it came */
	/* What is written: */
	bool rows, text, head, old_text_goes;
	bool signing;			/* metadata: presigned from now on, or no longer */
	struct zn_piece_changes pieces;	/* owned by the cutter */
	unsigned counter;
	struct zn_stamp mtime;		/* into the head */
	/* What came of it: */
	struct zn_records_change change;
	struct zn_stamp text_stamp;	/* of the head */
	uint64_t txnid[2];		/* by enum zn_which; 0: not written */
};
void zn_outcome_release(struct zn_outcome *outcome);

struct zn_prepared;
struct task {
	struct zn_job job;		/* first */
	struct zn_saver *saver;
	struct zn_save *save;
	/* Guarded by the saver's lock. */
	enum task_state state;
	bool cancelled;
	struct task *prev, *next;	/* all tasks on their way */
	struct task *next_ready;	/* queue of the pool */

	uint64_t deadline;		/* zn_clock_mono() */
	struct zn_findings findings;
	struct zn_buf warnings;		/* rendered */
	bool had_warnings;		/* the last save of the zone left some */
	struct zn_judged judged;
	struct zn_outcome outcome;
	bool allowance;			/* took the guard's */
	struct zn_save_result result;
};

struct zn_saver {
	struct zn_env *env;
	struct zn_local *local;
	struct zn_commit *commit;
	struct zn_watch *watch;
	struct zn_loader *loader;
	struct zn_events *events;
	struct zn_saver_options options;
	struct zn_refused *refused;
	struct zn_guard *guard;
	struct zn_last *last;
	struct zn_prepared *prepared;
	atomic_uint counter;		/* of saves: with the site it names a version of a text */

	pthread_mutex_t lock;		/* guards what follows, and what struct task says */
	pthread_cond_t ready;		/* there is work for the pool, or it ends */
	pthread_cond_t idle;		/* no task is left */
	struct task *tasks;
	struct task *first_ready, **last_ready;
	bool stopping;			/* nothing new is taken */
	bool ended;			/* the pool leaves */
	pthread_t pool[ZN_POOL_MAX];
	unsigned pool_count;
};

/* "example.com.zone", for findings. Returns file. */
const char *zn_task_file(const struct task *task, char file[static ZN_FILENAME_MAX + 1]);
/* The bytes that readers get once it is committed. */
struct zn_view zn_task_text(const struct task *task);

/* judge.c, on the pool. ZN_OK: ready for the commit thread. `ret_finished`: the outcome is known already (a save that changes nothing, a check). */
enum zn_code zn_task_judge(struct task *task, bool *ret_finished, struct zn_err *err);
/* apply.c: the job. ZN_EAGAIN: the zone is signed otherwise than it was judged by; judge again. */
enum zn_code zn_task_run(struct zn_job *job, struct zn_txn *txn, struct zn_err *err);
/* Weighs against the store as these transactions see it, without writing. */
enum zn_code zn_task_weigh(struct task *task, struct zn_txn *main, struct zn_txn *records, struct zn_err *err);
/* finish.c: the save is committed (commit thread): listeners, caches, events. */
void zn_task_committed(struct task *task);
/* resettle.c: derive its rows again where metadata moved meanwhile. */
void zn_task_resettle(struct task *task);
/* Whether something must be written down before done(): not on the commit thread then. */
bool zn_task_has_chores(const struct task *task);
void zn_task_chores(struct task *task);
/* Those of the last good save. */
void zn_forget_warnings(struct zn_saver *saver, const struct zn_zone_id *zone);
