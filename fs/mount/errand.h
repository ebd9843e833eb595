/* fs/mount/errand.h - threads for what may wait: no FUSE worker and no commit thread does (editor-behaviour 25a). */
#pragma once
#include <pthread.h>

#include "store/base/clock.h"
#include "store/base/error.h"

/* A thread that takes no signals, by name (15 bytes). */
ZN_MUST_USE enum zn_code zn_thread_start(pthread_t *ret_thread, void *(*run)(void *), void *argument, const char *name, struct zn_err *err);

struct zn_errand {
	struct zn_errand *next;
	void (*run)(struct zn_errand *errand); /* owns it */
};

struct zn_errands;
/* `tick` is called on one of the threads when its time has come; it says when next (zn_clock_mono(), UINT64_MAX: not by itself). */
ZN_MUST_USE enum zn_code zn_errands_start(unsigned threads, uint64_t (*tick)(void *context), void *context, struct zn_errands **ret_errands,
	struct zn_err *err);
void zn_errands_add(struct zn_errands *errands, struct zn_errand *errand);
/* Tick soon. */
void zn_errands_wake(struct zn_errands *errands);
/* Runs what was added, ticks no more, ends the threads. */
void zn_errands_stop(struct zn_errands *errands);
