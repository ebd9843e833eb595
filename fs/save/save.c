/* fs/save/save.c - the saver: takes texts, moves them from stage to stage, answers each once. */
#include "fs/save/save.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "fs/save/prepared.h"
#include "fs/save/refuse.h"
#include "fs/save/task.h"
#include "fs/save/zoneid.h"
#include "store/base/limits.h"

#define GIVE_UP (3 * ZN_NS_PER_S) /* for a commit that cannot end because another process holds the other file */
#define RENAME_WAIT (2 * ZN_NS_PER_S) /* a rename holds the directory's lock (rule 25a) */

static void free_task(struct task *task)
{
	zn_findings_release(&task->findings);
	zn_buf_release(&task->warnings);
	zn_judged_release(&task->judged);
	zn_outcome_release(&task->outcome);
	free(task);
}

/* With the lock held. */
static void enqueue(struct zn_saver *saver, struct task *task, enum task_state state)
{
	task->state = state;
	task->next_ready = NULL;
	*saver->last_ready = task;
	saver->last_ready = &task->next_ready;
	pthread_cond_signal(&saver->ready);
}

static struct task *dequeue(struct zn_saver *saver)
{
	struct task *task = saver->first_ready;

	if (task) {
		saver->first_ready = task->next_ready;
		if (!saver->first_ready)
			saver->last_ready = &saver->first_ready;
	}
	return task;
}

static void take_out_of_queue(struct zn_saver *saver, struct task *task)
{
	struct task **at = &saver->first_ready;

	while (*at != task)
		at = &(*at)->next_ready;
	*at = task->next_ready;
	if (!*at)
		saver->last_ready = at;
}

static void unlink_task(struct zn_saver *saver, struct task *task)
{
	if (task->prev)
		task->prev->next = task->next;
	else
		saver->tasks = task->next;
	if (task->next)
		task->next->prev = task->prev;
	if (!saver->tasks)
		pthread_cond_broadcast(&saver->idle);
}

/* The answer. The save is its owner's again before anybody can find the task gone. */
static void answer(struct task *task)
{
	struct zn_saver *saver = task->saver;

	if (task->allowance && task->result.code != ZN_OK)
		zn_guard_allow(saver->guard);
	if (task->save->findings) {
		char file[ZN_FILENAME_MAX + 1];

		zn_findings_render(&task->findings, zn_task_file(task, file), task->save->text, task->save->findings);
	}
	task->save->done(task->save, &task->result);
	pthread_mutex_lock(&saver->lock);
	unlink_task(saver, task);
	pthread_mutex_unlock(&saver->lock);
	free_task(task);
}

/* The outcome is known, on whatever thread. */
static void finish(struct task *task, bool on_pool)
{
	struct zn_saver *saver = task->saver;

	if (on_pool || !zn_task_has_chores(task)) {
		pthread_mutex_lock(&saver->lock);
		task->state = TASK_FINISHING;
		pthread_mutex_unlock(&saver->lock);
		if (zn_task_has_chores(task))
			zn_task_chores(task);
		answer(task);
		return;
	}
	pthread_mutex_lock(&saver->lock);
	enqueue(saver, task, TASK_FINISHING);
	pthread_mutex_unlock(&saver->lock);
}

static void fail(struct task *task, enum zn_code code, const struct zn_err *err)
{
	task->result = (struct zn_save_result){.code = code};
	if (err)
		task->result.err = *err;
}

/* With the lock held. */
static struct task *same_zone(struct zn_saver *saver, const struct task *task, enum task_state state)
{
	struct task *oldest = NULL;

	for (struct task *other = saver->tasks; other; other = other->next)
		if (other != task && other->state == state && zn_zoneid_equal(&other->save->zone, &task->save->zone))
			oldest = other; /* new ones are put in front */
	return oldest;
}

static void job_done(struct zn_job *job, enum zn_code code, const struct zn_err *err);

static void hand_to_commit(struct task *task)
{
	task->job = (struct zn_job){
		.class = ZN_JOB_SAVE, .order = ZN_JOB_RECORDS_MAIN, .deadline = task->deadline, .run = zn_task_run, .done = job_done,
	};
	zn_commit_submit(task->saver->commit, &task->job);
}

static void judged(struct task *task)
{
	struct zn_saver *saver = task->saver;

	pthread_mutex_lock(&saver->lock);
	bool cancelled = task->cancelled;
	bool behind = !cancelled && same_zone(saver, task, TASK_COMMITTING);
	task->state = cancelled ? TASK_FINISHING : behind ? TASK_BEHIND : TASK_COMMITTING;
	pthread_mutex_unlock(&saver->lock);
	if (cancelled) {
		fail(task, ZN_EINTR, NULL);
		finish(task, true);
	} else if (!behind) {
		hand_to_commit(task);
	}
}

static void let_next_go(struct zn_saver *saver, const struct task *task)
{
	pthread_mutex_lock(&saver->lock);
	struct task *next = same_zone(saver, task, TASK_BEHIND);
	if (next)
		next->state = TASK_COMMITTING;
	pthread_mutex_unlock(&saver->lock);
	if (next)
		hand_to_commit(next);
}

static void refuse_busy(struct task *task)
{
	struct zn_err err = {0};

	fail(task, zn_fail(&err, ZN_EBUSY, "the database was busy with another writer for longer than lock-wait"), &err);
}

static void job_done(struct zn_job *job, enum zn_code code, const struct zn_err *err)
{
	struct task *task = (struct task *)job;
	struct zn_saver *saver = task->saver;

	if (code == ZN_EAGAIN) { /* keys came or went meanwhile: what the text must satisfy is not what it was */
		let_next_go(saver, task);
		pthread_mutex_lock(&saver->lock);
		enqueue(saver, task, TASK_QUEUED);
		pthread_mutex_unlock(&saver->lock);
		return;
	}
	if (code == ZN_OK) {
		zn_task_committed(task);
		/* It may be the last of others that did write. */
		if (!job->more && !task->outcome.rows && !task->outcome.head)
			zn_watch_tell(saver->watch, &(struct zn_change){.origin = ZN_OWN_SAVE});
	} else if (code == ZN_EBUSY) {
		refuse_busy(task);
	} else {
		fail(task, code, err);
	}
	pthread_mutex_lock(&saver->lock);
	task->state = TASK_FINISHING;
	pthread_mutex_unlock(&saver->lock);
	let_next_go(saver, task);
	finish(task, false);
}

static void judge(struct task *task)
{
	struct zn_err err = {0};
	bool finished;

	enum zn_code code = zn_task_judge(task, &finished, &err);
	if (code == ZN_OK && !finished) {
		judged(task);
		return;
	}
	if (code != ZN_OK)
		fail(task, code, &err);
	else if (!task->save->validate_only)
		zn_task_committed(task);
	finish(task, true);
}

/* With the lock held: one that has waited behind another save of its zone for too long, or when that will be (UINT64_MAX: never). The commit thread looks
 * after those that it has. */
static struct task *overdue(struct zn_saver *saver, uint64_t *ret_next)
{
	uint64_t now = zn_clock_mono();

	*ret_next = UINT64_MAX;
	for (struct task *task = saver->tasks; task; task = task->next) {
		if (task->state != TASK_BEHIND || !task->deadline)
			continue;
		if (task->deadline <= now)
			return task;
		if (task->deadline < *ret_next)
			*ret_next = task->deadline;
	}
	return NULL;
}

/* With the lock held, `next` at the longest. What was read ahead and not saved is forgotten meanwhile. */
static void wait_for_work(struct zn_saver *saver, uint64_t next)
{
	uint64_t expiry = zn_prepared_expire(saver->prepared, zn_clock_mono());

	if (next < expiry)
		expiry = next;
	struct timespec until = zn_stamp_timespec((struct zn_stamp){expiry});

	if (expiry == UINT64_MAX)
		pthread_cond_wait(&saver->ready, &saver->lock);
	else
		pthread_cond_timedwait(&saver->ready, &saver->lock, &until);
}

static void *pool_main(void *context)
{
	struct zn_saver *saver = context;

	pthread_mutex_lock(&saver->lock);
	for (;;) {
		uint64_t next;
		struct task *task = overdue(saver, &next);

		if (task) {
			task->state = TASK_FINISHING;
			refuse_busy(task);
		} else {
			task = dequeue(saver);
		}
		if (!task) {
			if (saver->ended)
				break;
			wait_for_work(saver, next);
			continue;
		}
		bool finishing = task->state == TASK_FINISHING;
		if (!finishing)
			task->state = TASK_JUDGING;
		pthread_mutex_unlock(&saver->lock);
		if (finishing)
			finish(task, true);
		else
			judge(task);
		pthread_mutex_lock(&saver->lock);
	}
	pthread_mutex_unlock(&saver->lock);
	return NULL;
}

/* --- life --- */

static void free_saver(struct zn_saver *saver)
{
	zn_refused_close(saver->refused);
	zn_guard_free(saver->guard);
	zn_last_free(saver->last);
	zn_prepared_free(saver->prepared);
	pthread_cond_destroy(&saver->ready);
	pthread_cond_destroy(&saver->idle);
	pthread_mutex_destroy(&saver->lock);
	free(saver);
}

static void end_pool(struct zn_saver *saver)
{
	pthread_mutex_lock(&saver->lock);
	saver->ended = true;
	pthread_cond_broadcast(&saver->ready);
	pthread_mutex_unlock(&saver->lock);
	for (unsigned i = 0; i < saver->pool_count; i++)
		pthread_join(saver->pool[i], NULL);
}

static enum zn_code make_parts(struct zn_saver *saver, struct zn_err *err)
{
	const struct zn_saver_options *options = &saver->options;
	struct zn_guard_limits records = {options->guard_records_percent, options->guard_records_min};
	struct zn_guard_limits zones = {options->guard_zones_percent, options->guard_zones_min};

	enum zn_code code = zn_refused_open(options->spool, !options->read_only, &saver->refused, err);
	if (code != ZN_OK)
		return code;
	if (zn_guard_new(records, zones, &saver->guard) != ZN_OK || zn_last_new(&saver->last) != ZN_OK ||
		zn_prepared_new(&saver->prepared) != ZN_OK)
		return zn_fail(err, ZN_ENOMEM, "out of memory");
	while (!saver->options.site)
		if (getrandom(&saver->options.site, sizeof saver->options.site, 0) < 0 && errno != EINTR)
			return zn_fail_errno(err, errno, "random numbers");
	return ZN_OK;
}

static enum zn_code start_pool(struct zn_saver *saver, struct zn_err *err)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned wanted = cores < 1 ? 1 : cores > ZN_POOL_MAX ? ZN_POOL_MAX : (unsigned)cores;

	while (saver->pool_count < wanted) {
		int failed = pthread_create(&saver->pool[saver->pool_count], NULL, pool_main, saver);

		if (failed)
			return zn_fail_errno(err, failed, "start a validation thread");
		saver->pool_count++;
	}
	return ZN_OK;
}

enum zn_code zn_saver_start(struct zn_env *env, struct zn_local *local, struct zn_commit *commit, struct zn_watch *watch,
	struct zn_loader *loader, struct zn_events *events, const struct zn_saver_options *options, struct zn_saver **ret_saver, struct zn_err *err)
{
	struct zn_saver *saver = calloc(1, sizeof *saver);
	pthread_condattr_t monotonic;

	if (!saver)
		return zn_fail(err, ZN_ENOMEM, "out of memory");
	saver->env = env;
	saver->local = local;
	saver->commit = commit;
	saver->watch = watch;
	saver->loader = loader;
	saver->events = events;
	saver->options = *options;
	saver->last_ready = &saver->first_ready;
	pthread_mutex_init(&saver->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&saver->ready, &monotonic);
	pthread_cond_init(&saver->idle, &monotonic);
	pthread_condattr_destroy(&monotonic);
	enum zn_code code = make_parts(saver, err);
	if (code == ZN_OK)
		code = start_pool(saver, err);
	if (code != ZN_OK) {
		end_pool(saver);
		free_saver(saver);
		return code;
	}
	*ret_saver = saver;
	return ZN_OK;
}

/* With the lock held: refuses what has not reached the commit thread's hands; what it runs already ends soon. */
static void refuse_waiting(struct zn_saver *saver)
{
	for (struct task *task = saver->tasks; task; task = task->next) {
		bool waits = task->state == TASK_BEHIND;

		if (task->state == TASK_QUEUED) {
			take_out_of_queue(saver, task);
			waits = true;
		} else if (task->state == TASK_JUDGING) {
			task->cancelled = true;
		} else if (task->state == TASK_COMMITTING) {
			waits = zn_commit_withdraw(saver->commit, &task->job);
		}
		if (waits) {
			refuse_busy(task);
			enqueue(saver, task, TASK_FINISHING);
		}
	}
}

/* With the lock held: until nothing is on its way, at most until then. */
static bool wait_until_idle(struct zn_saver *saver, uint64_t deadline)
{
	struct timespec until = zn_stamp_timespec((struct zn_stamp){deadline});

	while (saver->tasks && pthread_cond_timedwait(&saver->idle, &saver->lock, &until) == 0)
		;
	return !saver->tasks;
}

/* Another process has been writing for so long that whoever leaves does not wait for it. */
static bool lock_is_held_elsewhere(const struct zn_saver *saver)
{
	struct zn_commit_usage usage;

	zn_commit_usage(saver->commit, &usage);
	return usage.lock_held_elsewhere;
}

void zn_saver_stop(struct zn_saver *saver, uint64_t deadline)
{
	if (!saver)
		return;
	pthread_mutex_lock(&saver->lock);
	saver->stopping = true;
	bool idle = !saver->tasks;
	while (!idle && zn_clock_mono() < deadline && !lock_is_held_elsewhere(saver)) {
		uint64_t next = zn_clock_mono() + ZN_NS_PER_S / 20;
		idle = wait_until_idle(saver, next < deadline ? next : deadline);
	}
	uint64_t give_up = zn_clock_mono() + GIVE_UP;
	while (!idle && zn_clock_mono() < give_up) {
		refuse_waiting(saver);
		idle = wait_until_idle(saver, zn_clock_mono() + ZN_NS_PER_S / 20);
	}
	pthread_mutex_unlock(&saver->lock);
	/* What is left waits in LMDB with one env of two written: its intent finishes it at the next start, and the process is about to exit. */
	if (!idle)
		return;
	end_pool(saver);
	free_saver(saver);
}

/* --- saves --- */

static void answer_at_once(struct zn_save *save, enum zn_code code, const char *sentence)
{
	struct zn_save_result result = {.code = code};

	(void)zn_fail(&result.err, code, "%s", sentence);
	save->done(save, &result);
}

void zn_saver_submit(struct zn_saver *saver, struct zn_save *save)
{
	uint64_t wait = saver->options.lock_wait;

	if (saver->options.read_only) {
		answer_at_once(save, ZN_EROFS, "mounted read-only");
		return;
	}
	struct task *task = calloc(1, sizeof *task);
	if (!task) {
		answer_at_once(save, ZN_ENOMEM, "out of memory");
		return;
	}
	if (save->way == ZN_SAVE_RENAME && wait > RENAME_WAIT)
		wait = RENAME_WAIT;
	task->saver = saver;
	task->save = save;
	task->deadline = wait ? (save->asked ? save->asked : zn_clock_mono()) + wait : 0;
	zn_buf_init(&task->warnings, (size_t)16 << 20);
	pthread_mutex_lock(&saver->lock);
	bool stopping = saver->stopping;
	if (!stopping) {
		task->next = saver->tasks;
		if (task->next)
			task->next->prev = task;
		saver->tasks = task;
		enqueue(saver, task, TASK_QUEUED);
	}
	pthread_mutex_unlock(&saver->lock);
	if (stopping) {
		free(task);
		answer_at_once(save, ZN_EBUSY, "ending: nothing is saved any more");
	}
}

/* With the lock held. */
static bool withdraw(struct zn_saver *saver, struct task *task)
{
	switch (task->state) {
	case TASK_QUEUED:
		take_out_of_queue(saver, task);
		return true;
	case TASK_BEHIND:
		return true;
	case TASK_COMMITTING:
		return zn_commit_withdraw(saver->commit, &task->job);
	case TASK_JUDGING:
		task->cancelled = true; /* answered with ZN_EINTR soon */
		return false;
	case TASK_FINISHING:
		return false;
	}
	return false;
}

bool zn_saver_withdraw(struct zn_saver *saver, struct zn_save *save)
{
	bool withdrawn = false;

	pthread_mutex_lock(&saver->lock);
	struct task *task = saver->tasks;
	while (task && task->save != save)
		task = task->next;
	if (task && (withdrawn = withdraw(saver, task)))
		task->state = TASK_FINISHING;
	pthread_mutex_unlock(&saver->lock);
	if (!withdrawn)
		return false;
	let_next_go(saver, task);
	pthread_mutex_lock(&saver->lock);
	unlink_task(saver, task);
	pthread_mutex_unlock(&saver->lock);
	free_task(task);
	return true;
}

/* For zn_saver_run(): the save itself must come first. */
struct waited {
	struct zn_save save;
	struct zn_save *original;
	struct zn_save_result *result;
	pthread_mutex_t lock;
	pthread_cond_t done;
	bool is_done;
};

static void wake(struct zn_save *save, const struct zn_save_result *result)
{
	struct waited *waited = (struct waited *)save;

	*waited->result = *result;
	pthread_mutex_lock(&waited->lock);
	waited->is_done = true;
	pthread_cond_signal(&waited->done);
	pthread_mutex_unlock(&waited->lock);
}

void zn_saver_run(struct zn_saver *saver, struct zn_save *save, struct zn_save_result *ret_result)
{
	struct waited waited = {.save = *save, .result = ret_result, .lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};

	waited.save.done = wake;
	zn_saver_submit(saver, &waited.save);
	pthread_mutex_lock(&waited.lock);
	while (!waited.is_done)
		pthread_cond_wait(&waited.done, &waited.lock);
	pthread_mutex_unlock(&waited.lock);
	if (save->done)
		save->done(save, ret_result);
}
