#include "fs/mount/errand.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

enum zn_code zn_thread_start(pthread_t *ret_thread, void *(*run)(void *), void *argument, const char *name, struct zn_err *err)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int failed = pthread_create(ret_thread, NULL, run, argument);

	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (failed)
		return zn_fail_errno(err, failed, "start the %s thread", name);
	pthread_setname_np(*ret_thread, name);
	return ZN_OK;
}

struct zn_errands {
	uint64_t (*tick)(void *context);
	void *context;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t more;
	struct zn_errand *first, **last;
	uint64_t next_tick;
	bool ticking, stopping;
	unsigned count;
	pthread_t threads[];
};

/* With the lock, which is let go while the tick runs. */
static void tick(struct zn_errands *errands)
{
	errands->ticking = true;
	errands->next_tick = UINT64_MAX;
	pthread_mutex_unlock(&errands->lock);
	uint64_t next = errands->tick(errands->context);

	pthread_mutex_lock(&errands->lock);
	errands->ticking = false;
	if (next < errands->next_tick)
		errands->next_tick = next;
	pthread_cond_broadcast(&errands->more);
}

static void *errand_thread(void *argument)
{
	struct zn_errands *errands = argument;

	pthread_mutex_lock(&errands->lock);
	for (;;) {
		struct zn_errand *errand = errands->first;

		if (errand) {
			errands->first = errand->next;
			if (!errands->first)
				errands->last = &errands->first;
			pthread_mutex_unlock(&errands->lock);
			errand->run(errand);
			pthread_mutex_lock(&errands->lock);
		} else if (errands->stopping) {
			break;
		} else if (!errands->ticking && errands->next_tick <= zn_clock_mono()) {
			tick(errands);
		} else if (errands->ticking || errands->next_tick == UINT64_MAX) {
			pthread_cond_wait(&errands->more, &errands->lock);
		} else {
			struct timespec until = zn_stamp_timespec((struct zn_stamp){errands->next_tick});

			pthread_cond_timedwait(&errands->more, &errands->lock, &until);
		}
	}
	pthread_mutex_unlock(&errands->lock);
	return NULL;
}

enum zn_code zn_errands_start(unsigned threads, uint64_t (*tick_function)(void *context), void *context, struct zn_errands **ret_errands,
	struct zn_err *err)
{
	struct zn_errands *errands = calloc(1, sizeof *errands + threads * sizeof *errands->threads);
	pthread_condattr_t monotonic;
	enum zn_code code = ZN_OK;

	if (!errands)
		return zn_fail(err, ZN_ENOMEM, "out of memory");
	errands->tick = tick_function;
	errands->context = context;
	errands->last = &errands->first;
	pthread_mutex_init(&errands->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&errands->more, &monotonic);
	pthread_condattr_destroy(&monotonic);
	while (code == ZN_OK && errands->count < threads) {
		code = zn_thread_start(&errands->threads[errands->count], errand_thread, errands, "errand", err);
		errands->count += code == ZN_OK;
	}
	if (code != ZN_OK) {
		zn_errands_stop(errands);
		return code;
	}
	*ret_errands = errands;
	return ZN_OK;
}

void zn_errands_add(struct zn_errands *errands, struct zn_errand *errand)
{
	errand->next = NULL;
	pthread_mutex_lock(&errands->lock);
	*errands->last = errand;
	errands->last = &errand->next;
	pthread_cond_signal(&errands->more);
	pthread_mutex_unlock(&errands->lock);
}

void zn_errands_wake(struct zn_errands *errands)
{
	pthread_mutex_lock(&errands->lock);
	errands->next_tick = 0;
	pthread_cond_signal(&errands->more);
	pthread_mutex_unlock(&errands->lock);
}

void zn_errands_stop(struct zn_errands *errands)
{
	if (!errands)
		return;
	pthread_mutex_lock(&errands->lock);
	errands->stopping = true;
	pthread_cond_broadcast(&errands->more);
	pthread_mutex_unlock(&errands->lock);
	for (unsigned i = 0; i < errands->count; i++)
		pthread_join(errands->threads[i], NULL);
	pthread_cond_destroy(&errands->more);
	pthread_mutex_destroy(&errands->lock);
	free(errands);
}
