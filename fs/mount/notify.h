/* fs/mount/notify.h - what the kernel must forget, on a thread of its own. editor-behaviour 4, "The reply waits for the kernel"; details.md 15.
 *
 * fuse_lowlevel_notify_inval_entry() waits for the directory's lock, whose holder may wait for a reply of ours: so it is never called on a
 * worker, and a rename, which holds that lock, never waits for this thread. Two queues: words, each a reply that must not be sent before
 * the kernel has forgotten; and behind them changes that came from elsewhere, coalesced. */
#pragma once
#include <fuse_lowlevel.h>

#include "fs/mount/tree.h"

struct zn_word {
	struct zn_word *next;
	char entry[ZN_FILENAME_MAX + 1];	/* name to look up again; "": none */
	uint64_t parent;			/* node of its directory; 0: the top */
	uint64_t node;				/* node whose attributes and pages are to be read again; 0: none */
	void (*then)(struct zn_word *word);	/* afterwards, on the notifier thread: replies; owns the word */
};

/* Names of zones that changed: by id, and all of them in slices. Called on the notifier thread without locks. */
struct zn_notify_names {
	void *context;
	bool (*name)(void *context, uint32_t zone, char name[static ZN_FILENAME_MAX + 1]);
	/* Calls each() for some names behind `after`; false at the end. */
	bool (*slice)(void *context, struct zn_index_key *after, void (*each)(void *context, const char *name), void *each_context);
};

struct zn_notify;
ZN_MUST_USE enum zn_code zn_notify_start(struct fuse_session *session, const struct zn_notify_names *names, struct zn_notify **ret_notify,
	struct zn_err *err);
void zn_notify_word(struct zn_notify *notify, struct zn_word *word);
void zn_notify_changed(struct zn_notify *notify, const uint32_t *zones, size_t count);
void zn_notify_changed_all(struct zn_notify *notify);
/* From now on the kernel is told nothing (no worker answers it any more, so its locks may stay taken); words are still finished. */
void zn_notify_quiet(struct zn_notify *notify);
void zn_notify_stop(struct zn_notify *notify);
