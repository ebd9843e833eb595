#include "sync/syncer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/base/auto.h"
#include "store/base/log.h"
#include "sync/engine.h"
#include "sync/poll.h"
#include "sync/publish.h"

#define PUBLISH_EVERY_NS ZN_NS_PER_S		/* as Lightning Stream, or `poll` when that is shorter */
#define TOGETHER_NS (30 * ZN_NS_PER_MS)		/* a new zone is two commits: they go together */
#define RETRY_MIN_NS ZN_NS_PER_S
#define RETRY_MAX_NS (30 * ZN_NS_PER_S)
#define WARN_AFTER_NS (60 * ZN_NS_PER_S)	/* of failing; checklist 30 */
#define ERROR_AFTER_NS (300 * ZN_NS_PER_S)
#define LOCK_SLICE_NS ZN_NS_PER_S		/* a merge job asks again whether we are being stopped */

struct zn_syncer {
	struct zn_sync sync;		/* the thread's own */
	pthread_t thread;
	bool running;
	int wake;			/* eventfd: a commit, a request, the end */
	atomic_bool stopping;
	atomic_bool changed;		/* somebody's commit since the last look: machine writes wait no longer */
	_Atomic uint64_t stop_by;	/* mono */

	/* the thread's own, too */
	uint64_t retry_at, retry_after;	/* mono, ns: the pause after a failure */
	uint64_t failing_since;		/* mono; 0: not failing */
	uint64_t publish_at;		/* mono: not before */
	uint64_t together_at;		/* mono: nor this, for what is pending now; 0: nothing is */

	pthread_mutex_t lock;		/* guards what follows */
	pthread_cond_t round_done;
	uint64_t rounds_begun, rounds_done;
	enum zn_code round_code;
	struct zn_err round_err;
	struct zn_syncer_status status;	/* as of the last round; peers owned */
};

/* ---- what the other files of the syncer use ---- */

void zn_sync_tell(struct zn_sync *sync, const char *kind, const char *object, const char *format, ...)
{
	char text[400];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	zn_debug("%s %s: %s", kind, object, text);
	if (sync->event)
		sync->event(sync->context, kind, object, text);
}

enum zn_code zn_sync_run(struct zn_sync *sync, struct zn_job *job, struct zn_err *err)
{
	for (;;) {
		uint64_t now = zn_clock_mono();

		if (atomic_load(sync->stopping) && now >= atomic_load(sync->stop_by))
			return zn_fail(err, ZN_EINTR, "stopped before all was written");
		job->deadline = now + LOCK_SLICE_NS;
		enum zn_code code = zn_commit_run(sync->commit, job, err);
		if (code != ZN_EBUSY)
			return code;
	}
}

enum zn_code zn_sync_temporary(struct zn_sync *sync, int *ret_fd, struct zn_err *err)
{
	int fd = open(sync->spool, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT)) {
		char path[4096];

		if (mkdir(sync->spool, 0700) < 0 && errno != EEXIST)
			return zn_fail_errno(err, errno, "make directory %s", sync->spool);
		snprintf(path, sizeof path, "%s/.sync-XXXXXX", sync->spool);
		fd = mkostemp(path, O_CLOEXEC);
		if (fd >= 0)
			unlink(path);
	}
	if (fd < 0)
		return zn_fail_errno(err, errno, "make a temporary file in %s", sync->spool);
	*ret_fd = fd;
	return ZN_OK;
}

enum zn_code zn_sync_state_now(struct zn_sync *sync, enum zn_which which, struct zn_sync_state *ret_state,
		uint64_t *ret_last, struct zn_err *err)
{
	ZN_AUTO(zn_txn_end) struct zn_txn txn = {0};
	enum zn_code code = zn_txn_begin(&txn, sync->env, which, ZN_TXN_READ, err);

	if (code)
		return code;
	*ret_last = zn_txn_id(&txn);
	return zn_sync_state_read(&txn, ret_state, err);
}

/* ---- a round ---- */

static enum zn_code open_bucket(struct zn_sync *sync, struct zn_err *err)
{
	return sync->bucket ? ZN_OK : zn_bucket_open(sync->url, &sync->bucket, err);
}

/* Why nothing may be published now, in plain words; "" when it may. */
static void say_hold(const struct zn_sync *sync, char *text, size_t size)
{
	*text = 0;
	if (sync->receive)
		snprintf(text, size, "receive: this instance only takes in what others publish");
	else if (sync->yields)
		snprintf(text, size,
				"another process publishes as instance %s and was there first: give one of them "
				"another name with instance=, then mount again", sync->instance);
	else if (sync->schema_conflict)
		snprintf(text, size, "%s", sync->schema_text);
	else if (zn_peers_ahead(&sync->db[ZN_MAIN].peers, zn_sync_own(sync), zn_clock_now()) ||
			zn_peers_ahead(&sync->db[ZN_RECORDS].peers, zn_sync_own(sync), zn_clock_now()))
		snprintf(text, size, "most instances publish from more than a day ahead: set the clock of this host");
	else if (sync->away_too_long)
		snprintf(text, size,
				"this database was last in step more than 296 days ago; zones deleted since may "
				"have been forgotten elsewhere. Move it away and mount again: it is rebuilt from the bucket");
	else if (!sync->db[ZN_MAIN].own_merged)
		snprintf(text, size, "what this instance published earlier has not been read yet");
}

/* Publishes what is due and may be; *ret_wait: mono time of the next try, 0 for none. `flush`: at once. */
static enum zn_code publish(struct zn_syncer *syncer, bool flush, uint64_t *ret_wait, struct zn_err *err)
{
	struct zn_sync *sync = &syncer->sync;
	enum zn_publish_why why[2] = {ZN_PUBLISH_NOT, ZN_PUBLISH_NOT};
	bool changed = atomic_exchange(&syncer->changed, false);
	char hold[sizeof syncer->status.hold];
	enum zn_code code = ZN_OK;

	*ret_wait = 0;
	for (int i = 0; i < 2 && !code; i++) {
		if (changed)
			sync->db[i].machine_until = 0;
		code = zn_publish_due(sync, &sync->db[i], &why[i], err);
		if (!code && why[i] && !flush && zn_clock_mono() < sync->db[i].machine_until) {
			*ret_wait = sync->db[i].machine_until;
			why[i] = ZN_PUBLISH_NOT;
		}
	}
	say_hold(sync, hold, sizeof hold);
	if (code || (!why[0] && !why[1]) || *hold)
		return code;
	uint64_t begun = zn_clock_mono();
	if (!syncer->together_at)
		syncer->together_at = begun + TOGETHER_NS;
	*ret_wait = syncer->together_at > syncer->publish_at ? syncer->together_at : syncer->publish_at;
	if (!flush && begun < *ret_wait)
		return ZN_OK;
	*ret_wait = 0;
	syncer->together_at = 0;
	code = zn_publish(sync, why, err);
	/* A large database is not dumped without end: at most half of the time. */
	uint64_t pause = sync->poll < PUBLISH_EVERY_NS ? sync->poll : PUBLISH_EVERY_NS;
	uint64_t took = zn_clock_mono() - begun;
	syncer->publish_at = zn_clock_mono() + (took > pause ? took : pause);
	return code;
}

static enum zn_code look(struct zn_syncer *syncer, bool *ret_more, struct zn_err *err)
{
	struct zn_sync *sync = &syncer->sync;
	enum zn_code code = open_bucket(sync, err);

	if (!code) {
		zn_bucket_watch_clear(sync->bucket); /* before listing: what comes later wakes again */
		code = zn_poll_list(sync, err);
	}
	if (!code)
		code = zn_poll_merge(sync, ret_more, err);
	if (!code && !sync->receive && !sync->yields)
		zn_poll_clean(sync);
	return code;
}

/* ---- status ---- */

static enum zn_code copy_peers(const struct zn_sync *sync, struct zn_syncer_status *status)
{
	size_t room = sync->db[0].peers.count + sync->db[1].peers.count;

	status->peers = calloc(room ? room : 1, sizeof *status->peers);
	if (!status->peers)
		return ZN_ENOMEM;
	for (int i = 0; i < 2; i++) {
		for (size_t k = 0; k < sync->db[i].peers.count; k++) {
			const struct zn_peer *peer = &sync->db[i].peers.list[k];
			struct zn_syncer_peer *out = status->peers;

			if (zn_view_is(zn_sync_own(sync), peer->instance))
				continue;
			while (out < status->peers + status->peer_count && strcmp(out->instance, peer->instance))
				out++;
			if (out == status->peers + status->peer_count)
				status->peer_count++;
			snprintf(out->instance, sizeof out->instance, "%s", peer->instance);
			out->listed[i] = peer->listed;
			out->merged[i] = peer->read;
			out->zonefs = out->zonefs || peer->zonefs;
			out->schema = out->schema ? out->schema : peer->schema;
			if (peer->problem[0])
				snprintf(out->problem, sizeof out->problem, "%s", peer->problem);
		}
	}
	return ZN_OK;
}

/* The vectors know what was merged before this start. */
static void add_merged(struct zn_sync *sync, struct zn_syncer_status *status)
{
	for (int i = 0; i < 2; i++) {
		ZN_AUTO(zn_sync_state_release) struct zn_sync_state state = {0};
		uint64_t last;

		if (zn_sync_state_now(sync, (enum zn_which)i, &state, &last, NULL) != ZN_OK)
			continue;
		for (size_t k = 0; k < status->peer_count; k++)
			status->peers[k].merged[i].ns =
					zn_vector_get(&state.vector, zn_view_str(status->peers[k].instance));
		if (state.complete.ns > status->complete.ns)
			status->complete = state.complete;
	}
}

static void refresh_status(struct zn_syncer *syncer, enum zn_code code, const struct zn_err *err, bool complete)
{
	struct zn_sync *sync = &syncer->sync;
	struct zn_syncer_status next = {.receive = sync->receive, .duplicate = sync->duplicate};
	uint64_t now = zn_clock_mono();

	if (copy_peers(sync, &next) != ZN_OK)
		return;
	add_merged(sync, &next);
	snprintf(next.bucket, sizeof next.bucket, "%s", sync->url);
	snprintf(next.instance, sizeof next.instance, "%s", sync->instance);
	say_hold(sync, next.hold, sizeof next.hold);
	if (code) {
		next.failing_for = now - syncer->failing_since;
		snprintf(next.problem, sizeof next.problem, "%s", err->text);
	}
	if (next.failing_for >= ERROR_AFTER_NS || next.duplicate)
		next.health = ZN_SYNC_ERROR;
	else if (next.failing_for >= WARN_AFTER_NS || sync->schema_conflict || sync->away_too_long)
		next.health = ZN_SYNC_WARNING;
	for (int i = 0; i < 2; i++) {
		next.db[i] = sync->db[i].status;
		next.db[i].own_merged = sync->db[i].own_merged;
	}
	pthread_mutex_lock(&syncer->lock);
	next.listed = code ? syncer->status.listed : zn_clock_now();
	if (complete)
		next.complete = next.listed;
	else if (!next.complete.ns || next.complete.ns < syncer->status.complete.ns)
		next.complete = syncer->status.complete;
	free(syncer->status.peers);
	syncer->status = next;
	pthread_mutex_unlock(&syncer->lock);
}

enum zn_code zn_syncer_status(struct zn_syncer *syncer, struct zn_syncer_status *ret_status)
{
	enum zn_code code = ZN_OK;

	pthread_mutex_lock(&syncer->lock);
	*ret_status = syncer->status;
	size_t count = ret_status->peer_count;
	ret_status->peers = calloc(count ? count : 1, sizeof *ret_status->peers);
	if (ret_status->peers && count)
		memcpy(ret_status->peers, syncer->status.peers, count * sizeof *ret_status->peers);
	if (!ret_status->peers)
		code = ZN_ENOMEM;
	pthread_mutex_unlock(&syncer->lock);
	return code;
}

void zn_syncer_status_release(struct zn_syncer_status *status)
{
	free(status->peers);
	*status = (struct zn_syncer_status){0};
}

/* ---- the thread ---- */

/* A failure, or its end: said once each. */
static void note_outcome(struct zn_syncer *syncer, enum zn_code code, const struct zn_err *err)
{
	uint64_t now = zn_clock_mono();

	if (!code) {
		if (syncer->failing_since) {
			zn_info("bucket %s: works again", syncer->sync.url);
			zn_sync_tell(&syncer->sync, "bucket-back", "", "%s", syncer->sync.url);
		}
		syncer->failing_since = syncer->retry_after = syncer->retry_at = 0;
		return;
	}
	if (!syncer->failing_since) {
		syncer->failing_since = now;
		zn_warning("replication: %s; tried again until it works", err->text);
		zn_sync_tell(&syncer->sync, "bucket-lost", "", "%s", err->text);
	}
	uint64_t after = syncer->retry_after ? 2 * syncer->retry_after : RETRY_MIN_NS;
	if (syncer->sync.poll < RETRY_MIN_NS && !syncer->retry_after)
		after = syncer->sync.poll;
	syncer->retry_after = after < RETRY_MAX_NS ? after : RETRY_MAX_NS;
	syncer->retry_at = now + syncer->retry_after / 2 + (uint64_t)random() % (syncer->retry_after / 2 + 1);
}

static void drain(int fd)
{
	uint64_t count;

	while (read(fd, &count, sizeof count) == sizeof count)
		;
}

/* Until something happens, or mono time `until`. After a failure only time and requests count: the news
 * of a bucket that fails would make it fail at full speed. */
static void wait_for_news(struct zn_syncer *syncer, uint64_t until)
{
	int bucket = syncer->sync.bucket && !syncer->retry_at ? zn_bucket_watch_fd(syncer->sync.bucket) : -1;
	struct pollfd fds[2] = {
			{.fd = syncer->wake, .events = POLLIN},
			{.fd = bucket, .events = POLLIN},
	};
	uint64_t now = zn_clock_mono();
	uint64_t ms = until > now ? (until - now + ZN_NS_PER_MS - 1) / ZN_NS_PER_MS : 0;

	poll(fds, 2, (int)(ms < 60000 ? ms : 60000));
	drain(syncer->wake);
}

static void begin_round(struct zn_syncer *syncer)
{
	pthread_mutex_lock(&syncer->lock);
	syncer->rounds_begun++;
	pthread_mutex_unlock(&syncer->lock);
}

static void end_round(struct zn_syncer *syncer, enum zn_code code, const struct zn_err *err)
{
	pthread_mutex_lock(&syncer->lock);
	syncer->rounds_done = syncer->rounds_begun;
	syncer->round_code = code;
	syncer->round_err = *err;
	pthread_cond_broadcast(&syncer->round_done);
	pthread_mutex_unlock(&syncer->lock);
}

/* Look, merge, publish. Returns the mono time of the next round. */
static uint64_t round_once(struct zn_syncer *syncer)
{
	struct zn_err err = {0};
	bool more = false;
	uint64_t wait = 0;

	begin_round(syncer);
	enum zn_code code = look(syncer, &more, &err);
	if (!code)
		code = publish(syncer, false, &wait, &err);
	note_outcome(syncer, code, &err);
	refresh_status(syncer, code, &err, !code && !more);
	if (!more && (code || !wait))
		end_round(syncer, code, &err);
	if (code)
		return syncer->retry_at;
	uint64_t next = zn_clock_mono() + (more ? 0 : syncer->sync.poll);
	return wait && wait < next ? wait : next;
}

/* The last word: what is pending, one try. */
static void flush(struct zn_syncer *syncer)
{
	struct zn_err err = {0};
	uint64_t wait;
	enum zn_code code = open_bucket(&syncer->sync, &err);

	if (!code)
		code = publish(syncer, true, &wait, &err);
	if (code)
		zn_warning("replication: changes not published at the end: %s; published at the next start", err.text);
}

static void *run(void *arg)
{
	struct zn_syncer *syncer = arg;

	while (!atomic_load(&syncer->stopping)) {
		uint64_t until = round_once(syncer);

		while (!atomic_load(&syncer->stopping)) {
			wait_for_news(syncer, until);
			if (!syncer->retry_at || zn_clock_mono() >= until)
				break;
		}
	}
	flush(syncer);
	struct zn_err err = {.text = "stopped"};
	end_round(syncer, ZN_EINTR, &err);
	return NULL;
}

static void wake(struct zn_syncer *syncer)
{
	uint64_t one = 1;

	if (write(syncer->wake, &one, sizeof one) < 0)
		return; /* it is full, so it is awake */
}

static void on_change(void *context, const struct zn_change *change)
{
	struct zn_syncer *syncer = context;

	if (change->origin == ZN_OWN_MERGE)
		return;
	atomic_store(&syncer->changed, true);
	wake(syncer);
}

enum zn_code zn_syncer_round(struct zn_syncer *syncer, uint64_t deadline, struct zn_err *err)
{
	struct timespec until = zn_stamp_timespec((struct zn_stamp){deadline});
	enum zn_code code = ZN_EBUSY;

	pthread_mutex_lock(&syncer->lock);
	uint64_t wanted = syncer->rounds_begun + 1; /* one that begins from now on */
	pthread_mutex_unlock(&syncer->lock);
	wake(syncer);
	pthread_mutex_lock(&syncer->lock);
	while (syncer->rounds_done < wanted) {
		if (syncer->round_code == ZN_EINTR || pthread_cond_timedwait(&syncer->round_done, &syncer->lock, &until))
			break;
	}
	if (syncer->rounds_done >= wanted || syncer->round_code == ZN_EINTR) {
		code = syncer->round_code;
		if (code && err)
			*err = syncer->round_err;
	} else {
		code = zn_fail(err, ZN_EBUSY, "replication has not come round in time");
	}
	pthread_mutex_unlock(&syncer->lock);
	return code;
}

/* ---- start and stop ---- */

static void release(struct zn_syncer *syncer)
{
	struct zn_sync *sync = &syncer->sync;

	for (int i = 0; i < 2; i++) {
		zn_listing_release(&sync->db[i].listing);
		zn_peers_release(&sync->db[i].peers);
		zn_retain_release(&sync->db[i].retain);
	}
	zn_bucket_close(sync->bucket);
	free(sync->url);
	free(sync->spool);
	free(syncer->status.peers);
	if (syncer->wake >= 0)
		close(syncer->wake);
	pthread_cond_destroy(&syncer->round_done);
	pthread_mutex_destroy(&syncer->lock);
	free(syncer);
}

static enum zn_code check_options(const struct zn_syncer_options *options, struct zn_env *env, struct zn_err *err)
{
	char clean[ZN_INSTANCE_MAX + 1];

	if (zn_env_read_only(env))
		return zn_fail(err, ZN_EROFS, "bucket=: the database is opened read-only, and replication writes to it");
	if (!zn_instance_sanitise(options->instance, clean))
		return zn_fail(err, ZN_EINVAL,
				"instance=%s: 1 to %d letters, digits and \"-\" only; Lightning Stream would make it %s, "
				"which another name may become too", options->instance, ZN_INSTANCE_MAX, clean);
	if (!options->poll)
		return zn_fail(err, ZN_EINVAL, "poll=0: an interval is needed");
	return ZN_OK;
}

static enum zn_code new_syncer(const struct zn_syncer_options *options, struct zn_syncer **ret_syncer,
		struct zn_err *err)
{
	struct zn_syncer *syncer = calloc(1, sizeof *syncer);
	pthread_condattr_t attr;

	if (!syncer)
		return zn_fail(err, ZN_ENOMEM, "%s", zn_code_text(ZN_ENOMEM));
	pthread_mutex_init(&syncer->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&syncer->round_done, &attr);
	pthread_condattr_destroy(&attr);
	syncer->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	struct zn_sync *sync = &syncer->sync;
	sync->url = strdup(options->bucket ? options->bucket : "");
	sync->spool = strdup(options->spool);
	sync->poll = options->poll;
	sync->receive = options->receive;
	sync->event = options->event;
	sync->context = options->context;
	sync->started = zn_clock_now();
	sync->stopping = &syncer->stopping;
	sync->stop_by = &syncer->stop_by;
	sync->db[ZN_MAIN].which = ZN_MAIN;
	sync->db[ZN_MAIN].name = "main";
	sync->db[ZN_RECORDS].which = ZN_RECORDS;
	sync->db[ZN_RECORDS].name = "shard";
	snprintf(sync->instance, sizeof sync->instance, "%s", options->instance);
	if (gethostname(sync->host, sizeof sync->host - 1) < 0)
		sync->host[0] = 0;
	if (!sync->url || !sync->spool || syncer->wake < 0 ||
			getrandom(&sync->boot, sizeof sync->boot, 0) != sizeof sync->boot) {
		release(syncer);
		return zn_fail(err, ZN_ENOMEM, "start replication: %s", zn_code_text(ZN_ENOMEM));
	}
	*ret_syncer = syncer;
	return ZN_OK;
}

/* Owns `bucket`, also on failure. */
static enum zn_code start(const struct zn_syncer_options *options, struct zn_bucket *bucket, struct zn_env *env,
		struct zn_commit *commit, struct zn_watch *watch, struct zn_syncer **ret_syncer,
		struct zn_err *err)
{
	ZN_AUTO_PTR(zn_bucket_close) struct zn_bucket *owned = bucket;
	struct zn_syncer *syncer = NULL;
	enum zn_code code = check_options(options, env, err);

	if (!code)
		code = new_syncer(options, &syncer, err);
	if (code)
		return code;
	syncer->sync.env = env;
	syncer->sync.commit = commit;
	syncer->sync.watch = watch;
	syncer->sync.bucket = zn_steal(&owned);
	refresh_status(syncer, ZN_OK, &(struct zn_err){0}, false);
	if (watch)
		zn_watch_listen(watch, on_change, syncer);
	int failure = pthread_create(&syncer->thread, NULL, run, syncer);
	if (failure) /* the watch has heard of it, so it stays in memory; the program is about to end */
		return zn_fail_errno(err, failure, "start the replication thread");
	syncer->running = true;
	*ret_syncer = syncer;
	return ZN_OK;
}

enum zn_code zn_syncer_start(const struct zn_syncer_options *options, struct zn_env *env, struct zn_commit *commit,
		struct zn_watch *watch, struct zn_syncer **ret_syncer, struct zn_err *err)
{
	struct zn_bucket *bucket = NULL;
	enum zn_code code = zn_bucket_open(options->bucket, &bucket, err);

	if (code == ZN_EINVAL || code == ZN_ENOMEM)
		return code;
	return start(options, code ? NULL : bucket, env, commit, watch, ret_syncer, err);
}

enum zn_code zn_syncer_start_on(const struct zn_syncer_options *options, struct zn_bucket *bucket, struct zn_env *env,
		struct zn_commit *commit, struct zn_watch *watch, struct zn_syncer **ret_syncer,
		struct zn_err *err)
{
	return start(options, bucket, env, commit, watch, ret_syncer, err);
}

void zn_syncer_stop(struct zn_syncer *syncer, uint64_t deadline)
{
	if (!syncer || !syncer->running)
		return;
	atomic_store(&syncer->stop_by, deadline);
	atomic_store(&syncer->stopping, true);
	wake(syncer);
	pthread_join(syncer->thread, NULL);
	syncer->running = false;
}

void zn_syncer_free(struct zn_syncer *syncer)
{
	if (!syncer)
		return;
	zn_syncer_stop(syncer, 0);
	release(syncer);
}
