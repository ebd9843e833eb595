/* fs/save/prepared.h - texts that were judged already and not saved yet: what a program writes to a temporary file is read at its last close, so that the
 * rename, which holds the directory's lock, only commits (rule 25a). A few, for a minute. Thread-safe. */
#pragma once
#include "fs/save/task.h"

#define ZN_PREPARED_AGE (60 * ZN_NS_PER_S)

ZN_MUST_USE enum zn_code zn_prepared_new(struct zn_prepared **ret_prepared);
void zn_prepared_free(struct zn_prepared *prepared);

/* Takes what the task has judged. */
void zn_prepared_put(struct zn_prepared *prepared, struct task *task, uint64_t now);
/* The same text of the same zone, judged by `options`: the task gets it. */
bool zn_prepared_take(struct zn_prepared *prepared, struct task *task, const struct zn_check_options *options);
/* Forgets what is older than ZN_PREPARED_AGE; when to come again (UINT64_MAX: nothing is kept). `now` is zn_clock_mono(). */
uint64_t zn_prepared_expire(struct zn_prepared *prepared, uint64_t now);
