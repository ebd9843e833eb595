/* fs/mount/edit.h - one draft: what a writer does to a zone's file, and when that is a save. Pure. editor-behaviour 7, rules 1 to 7, 15, 19, 23;
 * details.md 14, 17.
 *
 *   open ─ write, truncate ─┬─ fsync ──────────── save, when something changed since the last commit point
 *                           ├─ flush, the last ── save, the same; the answer is what close(2) returns
 *                           ├─ flush, not last ── nothing: { a; b; } > Z, dd, exec 3>Z
 *                           └─ release ────────── save what is left (mappings, closers we cannot see): nobody hears the answer
 *
 * A commit point with nothing changed since the last one does nothing. */
#pragma once
#include "fs/save/save.h"

struct zn_edit {
	uint64_t changes;	/* writes and truncations so far */
	uint64_t answered;	/* `changes` at the last commit point whose answer is known or on its way */
	int answer;		/* errno of that commit point */
	bool told;		/* by fsync: the close of the same content succeeds */
	bool appending;		/* so far it only grew, through handles opened with O_APPEND: the save is the current text and the rest */
	size_t grown_from;	/* appending: bytes from here on are new */
	bool shared;		/* a flush came before the first write, from somebody we cannot see: saved at release */
	bool checked;		/* complete lines are checked as they are written (rule 19) */
	size_t checked_to;	/* bytes of the draft that were checked */
	bool broken;		/* a line could not be right: the handle refuses the rest */
	int failed;		/* errno of a write that could not be done since the text was last empty: there are holes in it; 0: none */
	bool emptied;		/* truncated to nothing: the text no longer comes from the version it began as */
	struct zn_stamp mtime;	/* given by utimens since the last change; ns 0: none */
	struct zn_basis basis;	/* what it began as; known false: made or emptied at open */
};

/* A handle was opened; `base`: bytes of the text the draft begins with. Called for the first one of a draft (and any later; only appending is
 * affected then). */
void zn_edit_open(struct zn_edit *edit, bool append, bool truncate, size_t base, bool first);
void zn_edit_written(struct zn_edit *edit, bool append);
void zn_edit_truncated(struct zn_edit *edit, size_t size);
/* A write failed. Not every program looks, and half a zone may well be a zone: from here on it is no text to save, until it is emptied. */
void zn_edit_failed(struct zn_edit *edit, int error);
/* The time that a draft shows once it was written to: never to be mistaken for that of the committed zone. emacs, when it finds the descriptor's
 * time equal to that of the file afterwards, trusts it from then on, also for a save that was refused, and would say that the file has
 * changed; times in steps of 100 ns it does not trust (fileio.c, write_region). */
static inline struct zn_stamp zn_draft_time(struct zn_stamp time)
{
	return (struct zn_stamp){time.ns - time.ns % 100};
}
static inline bool zn_edit_dirty(const struct zn_edit *edit)
{
	return edit->changes != edit->answered;
}

/* What /proc told of the process that closes (process.h). */
struct zn_closer {
	bool visible;
	bool killed;		/* exiting on a signal */
	unsigned remaining;	/* writing descriptors it and the opener still have on this draft */
};

enum zn_commit_point {
	ZN_POINT_NOTHING,	/* answer edit->answer, which is 0 but for a repeated close */
	ZN_POINT_SAVE,
	ZN_POINT_JUDGE,		/* validate only; the save comes at release */
	ZN_POINT_INTERRUPTED,	/* keep the text as refused: its writer was killed half-way */
	ZN_POINT_INCOMPLETE,	/* the same: a write to it failed; answer edit->failed */
};
enum zn_commit_point zn_edit_flush(struct zn_edit *edit, const struct zn_closer *closer);
enum zn_commit_point zn_edit_fsync(struct zn_edit *edit);
/* The last handle of the draft is gone. */
enum zn_commit_point zn_edit_release(struct zn_edit *edit);
/* The save that began at `changes` was answered. */
void zn_edit_answered(struct zn_edit *edit, uint64_t changes, enum zn_save_way way, int answer);
/* A save succeeded: what the writer goes on from. `size`: bytes of the draft that were saved. */
void zn_edit_saved(struct zn_edit *edit, size_t size, const struct zn_loaded *loaded);

/* Rule 23: what a process last read or wrote of a zone, for those that write it back later. Bounded; thread ids, checked against the writer's
 * process when he opens. */
#define ZN_READERS_MAX 256
struct zn_reader_note {
	uint32_t zone;
	int32_t thread;
	uint64_t boot_ns;	/* CLOCK_BOOTTIME: a process that began later is another one */
	struct zn_basis basis;
};
struct zn_readers {
	struct zn_reader_note notes[ZN_READERS_MAX];
	size_t next;
};
void zn_readers_note(struct zn_readers *readers, uint32_t zone, int32_t thread, uint64_t boot_ns, const struct zn_basis *basis);
/* The newest note of the zone by a thread for which `is_his` says so; none: known false. */
struct zn_basis zn_readers_find(const struct zn_readers *readers, uint32_t zone, bool (*is_his)(void *context, const struct zn_reader_note *note),
	void *context);
