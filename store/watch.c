#include "store/watch.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "store/base/clock.h"
#include "store/changes.h"

#define LISTENERS_MAX 8
#define OWN_MAX 64			/* own commits told ahead of a foreign one that is still searched for */
#define SETTLE_MS 2			/* a commit writes several times; own ones are told meanwhile */
#define TELL_MS 500			/* within which an own commit is told, once it is finished */
#define LOOK_SOON_MS 20			/* while one is waited for */
#define LOOK_EVERY_MS 1000		/* where inotify is silent: network file systems, an event lost */
#define BUDGET_SHARE 20			/* one part in so many of the time may go into searching: 5 % */
#define BUDGET_MAX (ZN_NS_PER_S)	/* what may be spent at once after a quiet time */

struct zn_watch {
	struct zn_env *env;
	pthread_t thread;
	int inotify, stop;		/* descriptors */
	pthread_mutex_t telling;	/* one own change at a time; taken before lock */
	pthread_mutex_t lock;		/* guards what follows */
	struct {
		zn_listener *call;
		void *context;
	} listeners[LISTENERS_MAX];
	size_t listener_count;
	unsigned calling;		/* threads among the listeners */
	pthread_cond_t silent;		/* none is */
	uint64_t seen[2];		/* by enum zn_which: all changes up to it are told */
	uint64_t own[2][OWN_MAX];	/* own commits above seen, told already */
	size_t own_count[2];
	uint64_t open[2];		/* an own commit that is being told, or of which more is to be told; 0: none */
	/* the thread's alone */
	struct {
		uint64_t txnid, until;	/* an own commit that is not told yet, and how long it is left to those who will */
	} untold[2];
	uint64_t budget, budget_at;	/* ns of CPU that may be spent on searching, as of zn_clock_mono() */
};

static void call_listeners(struct zn_watch *watch, const struct zn_change *change)
{
	pthread_mutex_lock(&watch->lock);
	watch->calling++;
	for (size_t i = 0; i < watch->listener_count; i++) {
		zn_listener *call = watch->listeners[i].call;
		void *context = watch->listeners[i].context;

		pthread_mutex_unlock(&watch->lock);
		if (call)
			call(context, change);
		pthread_mutex_lock(&watch->lock);
	}
	if (--watch->calling == 0)
		pthread_cond_broadcast(&watch->silent);
	pthread_mutex_unlock(&watch->lock);
}

/* Own commits that follow on what was seen are seen. Under the lock. */
static void advance(struct zn_watch *watch, enum zn_which which)
{
	size_t kept = 0;
	bool moved;

	do {
		moved = false;
		for (size_t i = 0; i < watch->own_count[which]; i++)
			if (watch->own[which][i] == watch->seen[which] + 1 && watch->own[which][i] != watch->open[which]) {
				watch->seen[which]++;
				moved = true;
			}
	} while (moved);
	for (size_t i = 0; i < watch->own_count[which]; i++)
		if (watch->own[which][i] > watch->seen[which])
			watch->own[which][kept++] = watch->own[which][i];
	watch->own_count[which] = kept;
}

void zn_watch_tell(struct zn_watch *watch, const struct zn_change *change)
{
	/* First known as own, so that nobody searches for it; then told; then seen: who trusts `seen` has heard everything up to it. Until
	 * then it is open, and a search that skips it does not go past it either. */
	pthread_mutex_lock(&watch->telling);
	pthread_mutex_lock(&watch->lock);
	for (int which = ZN_MAIN; which <= ZN_RECORDS; which++) {
		uint64_t txnid = change->txnid[which];
		bool known = txnid <= watch->seen[which];
		for (size_t i = 0; i < watch->own_count[which]; i++)
			known = known || watch->own[which][i] == txnid;
		/* One too many is searched for like a foreign one, and told twice. */
		if (!known && watch->own_count[which] < OWN_MAX)
			watch->own[which][watch->own_count[which]++] = txnid;
		if (txnid > watch->seen[which])
			watch->open[which] = txnid;
	}
	pthread_mutex_unlock(&watch->lock);
	call_listeners(watch, change);
	pthread_mutex_lock(&watch->lock);
	for (int which = ZN_MAIN; which <= ZN_RECORDS; which++) {
		if (!change->more)
			watch->open[which] = 0;
		advance(watch, (enum zn_which)which);
	}
	pthread_mutex_unlock(&watch->lock);
	pthread_mutex_unlock(&watch->telling);
}

uint64_t zn_watch_seen(struct zn_watch *watch, enum zn_which which)
{
	pthread_mutex_lock(&watch->lock);
	uint64_t seen = watch->seen[which];
	pthread_mutex_unlock(&watch->lock);
	return seen;
}

void zn_watch_listen(struct zn_watch *watch, zn_listener *listener, void *context)
{
	pthread_mutex_lock(&watch->lock);
	if (watch->listener_count < LISTENERS_MAX) {
		watch->listeners[watch->listener_count].call = listener;
		watch->listeners[watch->listener_count].context = context;
		watch->listener_count++;
	}
	pthread_mutex_unlock(&watch->lock);
}

void zn_watch_unlisten(struct zn_watch *watch, zn_listener *listener, const void *context)
{
	pthread_mutex_lock(&watch->lock);
	for (size_t i = 0; i < watch->listener_count; i++)
		if (watch->listeners[i].call == listener && watch->listeners[i].context == context)
			watch->listeners[i].call = NULL;
	while (watch->calling)
		pthread_cond_wait(&watch->silent, &watch->lock);
	pthread_mutex_unlock(&watch->lock);
}

static uint64_t thread_cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return zn_stamp_from_timespec(t).ns;
}

/* The own commit at the end, when whoever made it is about to tell of it; 0: there is none. */
static uint64_t untold(struct zn_watch *watch, enum zn_which which, uint64_t last, uint64_t now)
{
	bool committing;
	uint64_t own = zn_env_own_txnid(watch->env, which, &committing);

	if (own != last)
		return 0;
	if (watch->untold[which].txnid != own || committing) {
		watch->untold[which].txnid = own;
		watch->untold[which].until = now + TELL_MS * ZN_NS_PER_MS;
	}
	return now < watch->untold[which].until ? own : 0;
}

/* `untold`: an own commit that is left to those who will tell of it; 0: none. */
static void search(struct zn_watch *watch, enum zn_which which, uint64_t untold)
{
	uint64_t own[OWN_MAX + 1];
	struct zn_changes changes = {0};

	pthread_mutex_lock(&watch->lock);
	uint64_t since = watch->seen[which];
	size_t own_count = watch->own_count[which];
	memcpy(own, watch->own[which], own_count * sizeof *own);
	pthread_mutex_unlock(&watch->lock);
	if (untold)
		own[own_count++] = untold;
	if (zn_changes_since(watch->env, which, since, own, own_count, &changes, NULL) != ZN_OK)
		return; /* the next look tries again */

	struct zn_change change = {.origin = ZN_FOREIGN, .all = changes.all, .ids = changes.ids, .count = changes.count};
	change.txnid[which] = changes.txnid;
	if (change.all || change.count)
		call_listeners(watch, &change);
	pthread_mutex_lock(&watch->lock);
	uint64_t seen = changes.txnid;
	if (seen >= since && watch->open[which] && watch->open[which] <= seen)
		seen = watch->open[which] - 1;
	if (seen >= since && untold && untold <= seen)
		seen = untold - 1;
	if (seen > watch->seen[which] || changes.txnid < since)
		watch->seen[which] = seen;
	advance(watch, which);
	pthread_mutex_unlock(&watch->lock);
	zn_changes_release(&changes);
}

/* Search both envs where somebody else has committed, as far as the budget allows. Returns how long to wait before looking again, in ms. */
static int look(struct zn_watch *watch)
{
	uint64_t now = zn_clock_mono();
	int wait = LOOK_EVERY_MS;

	watch->budget += (now - watch->budget_at) / BUDGET_SHARE;
	if (watch->budget > BUDGET_MAX)
		watch->budget = BUDGET_MAX;
	watch->budget_at = now;
	for (int which = ZN_MAIN; which <= ZN_RECORDS; which++) {
		uint64_t last = zn_env_last_txnid(watch->env, (enum zn_which)which);
		uint64_t seen = zn_watch_seen(watch, (enum zn_which)which);
		if (last == seen)
			continue;
		uint64_t ours = untold(watch, (enum zn_which)which, last, now);
		if (ours)
			wait = LOOK_SOON_MS;
		if (ours && ours == seen + 1)
			continue;
		if (!watch->budget)
			return 100;
		uint64_t begin = thread_cpu();
		search(watch, (enum zn_which)which, ours);
		uint64_t spent = thread_cpu() - begin;
		watch->budget -= spent < watch->budget ? spent : watch->budget;
	}
	return wait;
}

static void drain(int inotify)
{
	char events[4096];

	while (read(inotify, events, sizeof events) > 0)
		;
}

static void *run(void *context)
{
	struct zn_watch *watch = context;
	int wait = 0;

	for (;;) {
		struct pollfd fds[] = {{.fd = watch->stop, .events = POLLIN}, {.fd = watch->inotify, .events = POLLIN}};
		int ready = poll(fds, 2, wait);
		if (ready < 0 && errno != EINTR)
			return NULL;
		if (fds[0].revents)
			return NULL;
		if (ready > 0 && fds[1].revents) {
			if (poll(fds, 1, SETTLE_MS) > 0)
				return NULL;
			drain(watch->inotify);
		}
		wait = look(watch);
	}
}

static enum zn_code watch_files(struct zn_watch *watch, struct zn_err *err)
{
	const char *path = zn_env_path(watch->env);
	struct zn_buf records = ZN_BUF_INIT(4096);

	zn_buf_addf(&records, "%s-0", path);
	enum zn_code code = zn_buf_check(&records, path, err);
	if (!code && (inotify_add_watch(watch->inotify, path, IN_MODIFY) < 0 ||
			inotify_add_watch(watch->inotify, zn_buf_str(&records), IN_MODIFY) < 0))
		code = zn_fail_errno(err, errno, "%s: watch for changes", path);
	zn_buf_release(&records);
	return code;
}

enum zn_code zn_watch_start(struct zn_env *env, struct zn_watch **ret_watch, struct zn_err *err)
{
	struct zn_watch *watch = calloc(1, sizeof *watch);

	if (!watch)
		return zn_fail(err, ZN_ENOMEM, "watch: out of memory");
	watch->env = env;
	watch->budget = BUDGET_MAX;
	watch->budget_at = zn_clock_mono();
	watch->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	watch->stop = eventfd(0, EFD_CLOEXEC);
	pthread_mutex_init(&watch->telling, NULL);
	pthread_cond_init(&watch->silent, NULL);
	pthread_mutex_init(&watch->lock, NULL);
	enum zn_code code = ZN_OK;
	if (watch->inotify < 0 || watch->stop < 0)
		code = zn_fail_errno(err, errno, "watch for changes");
	if (!code)
		code = watch_files(watch, err);
	for (int which = ZN_MAIN; which <= ZN_RECORDS; which++)
		watch->seen[which] = zn_env_last_txnid(env, (enum zn_which)which);
	if (!code) {
		int failed = pthread_create(&watch->thread, NULL, run, watch);
		if (failed)
			code = zn_fail_errno(err, failed, "watch for changes");
	}
	if (!code) {
		*ret_watch = watch;
		return ZN_OK;
	}
	if (watch->inotify >= 0)
		close(watch->inotify);
	if (watch->stop >= 0)
		close(watch->stop);
	pthread_mutex_destroy(&watch->lock);
	pthread_cond_destroy(&watch->silent);
	pthread_mutex_destroy(&watch->telling);
	free(watch);
	return code;
}

void zn_watch_stop(struct zn_watch *watch)
{
	uint64_t one = 1;

	while (write(watch->stop, &one, sizeof one) < 0 && errno == EINTR)
		;
	pthread_join(watch->thread, NULL);
}

void zn_watch_free(struct zn_watch *watch)
{
	if (!watch)
		return;
	close(watch->inotify);
	close(watch->stop);
	pthread_mutex_destroy(&watch->lock);
	free(watch);
}
