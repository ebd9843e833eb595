/* store/commit.c - the commit thread, and beside it one that watches deadlines: LMDB's lock cannot be waited for with a limit, so the
 * commit thread waits without one, holding no job, and takes jobs only when it has the lock. */
#include "store/commit.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "store/zones.h"

#define BATCH_MAX 64			/* saves in one transaction */
#define SAVES_IN_A_ROW 8		/* transactions of saves while a merge waits; then it has its turn, or it would never have */
#define GROW_MAX 16			/* growths for one job: each by half */
#define HELD_ELSEWHERE_NS ZN_NS_PER_S
#define GIVE_UP_NS ZN_NS_PER_S		/* who stops waits no longer for a lock that another process holds */

enum job_state { JOB_NEW, JOB_WAITING, JOB_CLAIMED };

struct zn_job_waiter {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool done;
	enum zn_code code;
	struct zn_err err;
};

struct queue {
	struct zn_job *first, *last;
};

/* One job of a batch and how it went so far. */
struct item {
	struct zn_job *job;
	enum zn_code code;
	bool again;			/* its part of the transaction was lost with the others: to be run alone */
	struct zn_err err;
};

struct zn_commit {
	struct zn_env *env;
	pthread_t thread, watcher;
	pthread_mutex_t lock;		/* guards what follows up to `batch` */
	pthread_cond_t work;		/* a job, or stopping */
	pthread_cond_t deadlines;	/* for the watcher: a job with a deadline, or stopping */
	pthread_cond_t left;		/* the commit thread is out, or waits in LMDB */
	struct queue queues[2];		/* by enum zn_job_class */
	size_t waiting;
	uint64_t commits, jobs;
	uint64_t blocked_since;		/* zn_clock_mono() when it began to wait for the lock; 0: it does not */
	bool stopping, out, abandoned;
	/* the commit thread's alone */
	unsigned in_a_row;		/* transactions of saves since the last merge */
	struct item batch[BATCH_MAX];
	size_t count;
};

static void push(struct queue *queue, struct zn_job *job)
{
	job->next = NULL;
	if (queue->last)
		queue->last->next = job;
	else
		queue->first = job;
	queue->last = job;
}

static bool take_out(struct queue *queue, struct zn_job *job)
{
	struct zn_job *before = NULL;

	for (struct zn_job *at = queue->first; at; before = at, at = at->next) {
		if (at != job)
			continue;
		if (before)
			before->next = at->next;
		else
			queue->first = at->next;
		if (queue->last == at)
			queue->last = before;
		return true;
	}
	return false;
}

static void tell(struct zn_job *job, enum zn_code code, const struct zn_err *err)
{
	struct zn_job_waiter *waiter = job->waiter;

	if (job->done)
		job->done(job, code, err);
	if (!waiter)
		return;
	pthread_mutex_lock(&waiter->lock);
	waiter->done = true;
	waiter->code = code;
	waiter->err = *err;
	pthread_cond_signal(&waiter->cond);
	pthread_mutex_unlock(&waiter->lock);
}

static void tell_busy(struct zn_commit *commit, struct zn_job *job)
{
	struct zn_err err = {0};
	enum zn_code code = zn_fail(&err, ZN_EBUSY, "%s: another process is writing the database and did not let us in in time; nothing was "
		"changed, try again", zn_env_path(commit->env));

	tell(job, code, &err);
}

static enum zn_which first_of(const struct zn_job *job)
{
	return job->order == ZN_JOB_RECORDS || job->order == ZN_JOB_RECORDS_MAIN ? ZN_RECORDS : ZN_MAIN;
}

static bool has_second(const struct zn_job *job)
{
	return job->order == ZN_JOB_RECORDS_MAIN || job->order == ZN_JOB_MAIN_RECORDS;
}

/* --- the commit thread --- */

/* The lock of an env, however long it takes. When the wait was given up meanwhile (zn_commit_stop), the thread ends here. */
static enum zn_code begin(struct zn_commit *commit, struct zn_txn *txn, enum zn_which which, struct zn_err *err)
{
	pthread_mutex_lock(&commit->lock);
	commit->blocked_since = zn_clock_mono();
	pthread_cond_broadcast(&commit->left);
	pthread_mutex_unlock(&commit->lock);

	enum zn_code code = zn_txn_begin(txn, commit->env, which, ZN_TXN_WRITE, err);

	pthread_mutex_lock(&commit->lock);
	commit->blocked_since = 0;
	bool abandoned = commit->abandoned;
	pthread_mutex_unlock(&commit->lock);
	if (abandoned) {
		zn_txn_end(txn);
		pthread_exit(NULL);
	}
	return code;
}

static void count_commit(struct zn_commit *commit)
{
	pthread_mutex_lock(&commit->lock);
	commit->commits++;
	pthread_mutex_unlock(&commit->lock);
}

/* Several jobs in one transaction, each in a child of its own. Those that were lost with the transaction, or found it full, are
 * marked to run again. Ends the transaction. */
static void run_together(struct zn_commit *commit, struct zn_txn *txn, struct item **items, size_t count)
{
	struct zn_err err = {0};
	size_t good = 0;

	for (size_t i = 0; i < count; i++) {
		struct zn_txn child = {0};
		items[i]->code = zn_txn_begin_child(&child, txn, &items[i]->err);
		if (!items[i]->code)
			items[i]->code = items[i]->job->run(items[i]->job, &child, &items[i]->err);
		if (!items[i]->code)
			items[i]->code = zn_txn_commit(&child, &items[i]->err);
		zn_txn_end(&child);
		items[i]->again = items[i]->code == ZN_EFULL;
		good += !items[i]->code;
	}
	enum zn_code code = good ? zn_txn_commit(txn, &err) : ZN_OK;
	zn_txn_end(txn);
	if (good && !code)
		count_commit(commit);
	for (size_t i = 0; code && i < count; i++)
		items[i]->again = items[i]->again || !items[i]->code;
}

/* One job alone in its transaction; again as long as the map is full and can grow. `txn` may have begun already. `first`: the first env
 * that it writes, so that its order is as it was asked for. */
static void run_alone(struct zn_commit *commit, struct zn_txn *txn, enum zn_which which, struct item *item, bool first)
{
	for (unsigned growths = 0;; growths++) {
		item->code = txn->mdb ? ZN_OK : begin(commit, txn, which, &item->err);
		if (!item->code)
			item->code = item->job->run(item->job, txn, &item->err);
		if (!item->code) {
			item->code = zn_txn_commit(txn, &item->err);
			if (!item->code)
				count_commit(commit);
		}
		zn_txn_end(txn);
		if (item->code != ZN_EFULL || growths == GROW_MAX || !zn_env_grow(commit->env, which))
			return;
		if (first)
			item->job->order = item->job->asked;
	}
}

/* What `count` jobs have to write in one env. `txn` has begun. */
static void run_phase(struct zn_commit *commit, struct zn_txn *txn, enum zn_which which, struct item **items, size_t count, bool first)
{
	if (count == 1) {
		run_alone(commit, txn, which, items[0], first);
		return;
	}
	run_together(commit, txn, items, count);
	for (size_t i = 0; i < count; i++) {
		if (!items[i]->again)
			continue;
		items[i]->again = false;
		if (first)
			items[i]->job->order = items[i]->job->asked;
		run_alone(commit, txn, which, items[i], first);
	}
}

/* A new zone whose second half failed was refused: nothing may finish it at the next start. */
static void forget_intents(struct zn_commit *commit)
{
	ZN_AUTO(zn_txn_end) struct zn_txn txn = {0};

	if (!begin(commit, &txn, ZN_RECORDS, NULL) && !zn_zones_forget_intents(&txn, NULL))
		(void)!zn_txn_commit(&txn, NULL); /* then they go with the next one */
}

static void run_second(struct zn_commit *commit, enum zn_which first)
{
	enum zn_which second = first == ZN_MAIN ? ZN_RECORDS : ZN_MAIN;
	struct item *items[BATCH_MAX];
	struct zn_txn txn = {0};
	struct zn_err err = {0};
	size_t count = 0;
	bool failed = false;

	for (size_t i = 0; i < commit->count; i++)
		if (!commit->batch[i].code && has_second(commit->batch[i].job))
			items[count++] = &commit->batch[i];
	if (!count)
		return;
	enum zn_code code = begin(commit, &txn, second, &err);
	if (!code)
		run_phase(commit, &txn, second, items, count, false);
	for (size_t i = 0; i < count; i++) {
		if (code) {
			items[i]->code = code;
			items[i]->err = err;
		}
		failed = failed || items[i]->code;
	}
	if (failed && first == ZN_RECORDS)
		forget_intents(commit);
}

/* Whose turn it is: saves, but for a merge that has waited for many of them. */
static struct queue *turn(struct zn_commit *commit)
{
	struct queue *saves = &commit->queues[ZN_JOB_SAVE], *merges = &commit->queues[ZN_JOB_MERGE];

	return saves->first && !(merges->first && commit->in_a_row >= SAVES_IN_A_ROW) ? saves : merges;
}

/* Take jobs for a transaction of this env that has begun: all saves in front that start with it, or one merge. */
static void claim(struct zn_commit *commit, enum zn_which which)
{
	commit->count = 0;
	pthread_mutex_lock(&commit->lock);
	struct queue *from = turn(commit);
	bool saves = from == &commit->queues[ZN_JOB_SAVE];
	size_t most = saves ? BATCH_MAX : 1;
	while (from->first && commit->count < most && first_of(from->first) == which) {
		struct zn_job *job = from->first;
		take_out(from, job);
		job->state = JOB_CLAIMED;
		commit->batch[commit->count++] = (struct item){.job = job};
		commit->waiting--;
	}
	if (commit->count)
		commit->in_a_row = saves ? commit->in_a_row + 1 : 0;
	commit->jobs += commit->count;
	pthread_mutex_unlock(&commit->lock);
}

/* Which env the next jobs want first; false: stopped, and none is left. */
static bool next_env(struct zn_commit *commit, enum zn_which *ret_which)
{
	struct zn_job *job = NULL;

	pthread_mutex_lock(&commit->lock);
	for (;;) {
		job = turn(commit)->first;
		if (job || commit->stopping)
			break;
		pthread_cond_wait(&commit->work, &commit->lock);
	}
	if (job)
		*ret_which = first_of(job);
	pthread_mutex_unlock(&commit->lock);
	return job != NULL;
}

static void *commit_main(void *context)
{
	struct zn_commit *commit = context;
	enum zn_which which;

	while (next_env(commit, &which)) {
		struct item *items[BATCH_MAX];
		struct zn_txn txn = {0};
		struct zn_err err = {0};

		enum zn_code code = begin(commit, &txn, which, &err);
		claim(commit, which);
		for (size_t i = 0; i < commit->count; i++) {
			items[i] = &commit->batch[i];
			items[i]->code = code;
			items[i]->err = err;
		}
		if (!code && commit->count) {
			run_phase(commit, &txn, which, items, commit->count, true);
			run_second(commit, which);
		}
		zn_txn_end(&txn);
		size_t count = commit->count;
		commit->count = 0;
		bool more = false;
		for (size_t i = count; i-- > 0;) {
			items[i]->job->more = more;
			more = more || !items[i]->code;
		}
		for (size_t i = 0; i < count; i++)
			tell(items[i]->job, items[i]->code, &items[i]->err);
	}
	pthread_mutex_lock(&commit->lock);
	commit->out = true;
	pthread_cond_broadcast(&commit->left);
	pthread_mutex_unlock(&commit->lock);
	return NULL;
}

/* --- deadlines --- */

/* The first waiting job whose time is over, taken out; else the next deadline (0: none). */
static struct zn_job *expired(struct zn_commit *commit, uint64_t now, uint64_t *ret_next)
{
	*ret_next = 0;
	for (int class = ZN_JOB_SAVE; class <= ZN_JOB_MERGE; class++) {
		for (struct zn_job *job = commit->queues[class].first; job; job = job->next) {
			if (!job->deadline)
				continue;
			if (job->deadline <= now) {
				take_out(&commit->queues[class], job);
				job->state = JOB_CLAIMED;
				commit->waiting--;
				return job;
			}
			if (!*ret_next || job->deadline < *ret_next)
				*ret_next = job->deadline;
		}
	}
	return NULL;
}

static void wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t mono)
{
	struct timespec until = zn_stamp_timespec((struct zn_stamp){mono});

	if (mono)
		pthread_cond_timedwait(cond, lock, &until);
	else
		pthread_cond_wait(cond, lock);
}

static void *watcher_main(void *context)
{
	struct zn_commit *commit = context;

	pthread_mutex_lock(&commit->lock);
	while (!commit->out && !commit->abandoned) {
		uint64_t next;
		struct zn_job *job = expired(commit, zn_clock_mono(), &next);
		if (!job) {
			wait_until(&commit->deadlines, &commit->lock, next);
			continue;
		}
		pthread_mutex_unlock(&commit->lock);
		tell_busy(commit, job);
		pthread_mutex_lock(&commit->lock);
	}
	pthread_mutex_unlock(&commit->lock);
	return NULL;
}

/* --- for everybody --- */

enum zn_code zn_commit_start(struct zn_env *env, struct zn_commit **ret_commit, struct zn_err *err)
{
	struct zn_commit *commit = calloc(1, sizeof *commit);
	pthread_condattr_t monotonic;

	if (!commit)
		return zn_fail(err, ZN_ENOMEM, "commit thread: out of memory");
	commit->env = env;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&commit->lock, NULL);
	pthread_cond_init(&commit->work, &monotonic);
	pthread_cond_init(&commit->deadlines, &monotonic);
	pthread_cond_init(&commit->left, &monotonic);
	pthread_condattr_destroy(&monotonic);
	int rc = pthread_create(&commit->thread, NULL, commit_main, commit);
	if (!rc) {
		rc = pthread_create(&commit->watcher, NULL, watcher_main, commit);
		if (!rc) {
			*ret_commit = commit;
			return ZN_OK;
		}
		pthread_mutex_lock(&commit->lock);
		commit->stopping = true;
		pthread_cond_broadcast(&commit->work);
		pthread_mutex_unlock(&commit->lock);
		pthread_join(commit->thread, NULL);
	}
	free(commit);
	return zn_fail_errno(err, rc, "commit thread");
}

/* Under the lock: refuse every waiting job. */
static void refuse_all(struct zn_commit *commit)
{
	for (int class = ZN_JOB_SAVE; class <= ZN_JOB_MERGE; class++) {
		struct zn_job *job;
		while ((job = commit->queues[class].first) != NULL) {
			take_out(&commit->queues[class], job);
			job->state = JOB_CLAIMED;
			commit->waiting--;
			pthread_mutex_unlock(&commit->lock);
			tell_busy(commit, job);
			pthread_mutex_lock(&commit->lock);
		}
	}
}

/* Under the lock: wait for the commit thread to be out. false: not by `deadline`, or it has been waiting for the writer lock for GIVE_UP_NS
 * since `from`. */
static bool wait_out(struct zn_commit *commit, uint64_t from, uint64_t deadline)
{
	while (!commit->out) {
		uint64_t since = commit->blocked_since;
		uint64_t until = since ? (since > from ? since : from) + GIVE_UP_NS : deadline;
		if (until > deadline)
			until = deadline;
		if (zn_clock_mono() >= until)
			return false;
		wait_until(&commit->left, &commit->lock, until == UINT64_MAX ? 0 : until); /* at work it comes to an end, or to a lock, by itself */
	}
	return true;
}

void zn_commit_stop(struct zn_commit *commit, uint64_t deadline)
{
	if (!commit)
		return;
	pthread_mutex_lock(&commit->lock);
	commit->stopping = true;
	pthread_cond_broadcast(&commit->work);
	wait_out(commit, zn_clock_mono(), deadline);
	if (!commit->out) {
		refuse_all(commit);
		if (!wait_out(commit, zn_clock_mono(), UINT64_MAX)) {
			/* It waits in LMDB. Jobs it holds have written one env of two: their intents finish them at the next start. */
			commit->abandoned = true;
			zn_env_abandon(commit->env);
			refuse_all(commit);
		}
	}
	bool abandoned = commit->abandoned;
	size_t held = abandoned ? commit->count : 0;
	pthread_cond_broadcast(&commit->deadlines);
	pthread_mutex_unlock(&commit->lock);
	pthread_join(commit->watcher, NULL);
	for (size_t i = 0; i < held; i++)
		tell_busy(commit, commit->batch[i].job);
	if (abandoned) {
		pthread_detach(commit->thread);
		return;
	}
	pthread_join(commit->thread, NULL);
	pthread_mutex_destroy(&commit->lock);
	pthread_cond_destroy(&commit->work);
	pthread_cond_destroy(&commit->deadlines);
	pthread_cond_destroy(&commit->left);
	free(commit);
}

void zn_commit_submit(struct zn_commit *commit, struct zn_job *job)
{
	pthread_mutex_lock(&commit->lock);
	bool refused = commit->out || commit->abandoned;
	if (!refused) {
		job->state = JOB_WAITING;
		job->asked = job->order;
		push(&commit->queues[job->class], job);
		commit->waiting++;
		pthread_cond_signal(&commit->work);
		if (job->deadline)
			pthread_cond_signal(&commit->deadlines);
	}
	pthread_mutex_unlock(&commit->lock);
	if (refused)
		tell_busy(commit, job);
}

bool zn_commit_withdraw(struct zn_commit *commit, struct zn_job *job)
{
	pthread_mutex_lock(&commit->lock);
	bool taken = job->state == JOB_WAITING && take_out(&commit->queues[job->class], job);
	if (taken) {
		job->state = JOB_NEW;
		commit->waiting--;
	}
	pthread_mutex_unlock(&commit->lock);
	return taken;
}

enum zn_code zn_commit_run(struct zn_commit *commit, struct zn_job *job, struct zn_err *err)
{
	struct zn_job_waiter waiter = {.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};

	job->waiter = &waiter;
	zn_commit_submit(commit, job);
	pthread_mutex_lock(&waiter.lock);
	while (!waiter.done)
		pthread_cond_wait(&waiter.cond, &waiter.lock);
	pthread_mutex_unlock(&waiter.lock);
	pthread_mutex_destroy(&waiter.lock);
	pthread_cond_destroy(&waiter.cond);
	if (waiter.code && err)
		*err = waiter.err;
	return waiter.code;
}

void zn_commit_usage(struct zn_commit *commit, struct zn_commit_usage *ret_usage)
{
	pthread_mutex_lock(&commit->lock);
	*ret_usage = (struct zn_commit_usage){
		.waiting = commit->waiting,
		.commits = commit->commits,
		.jobs = commit->jobs,
		.lock_held_elsewhere = commit->blocked_since && zn_clock_mono() - commit->blocked_since > HELD_ELSEWHERE_NS,
	};
	pthread_mutex_unlock(&commit->lock);
}
