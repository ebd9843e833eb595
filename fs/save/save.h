/* fs/save/save.h - from text to a committed zone: the one way in, for the mount and for commands.
 *
 *   text -> validation pool (parse, judge, cut) -> commit thread (compare, guard, serial, rows, pieces) -> watch -> done()
 *
 * Nothing here blocks a caller. A refusal changes nothing in the store and keeps the text with its findings (refused.h). editor-behaviour 7,
 * rules 12, 13, 16-18, 22, 23, 25a; zone-text 2, 3. */
#pragma once
#include "fs/save/load.h"
#include "fs/text/finding.h"
#include "store/commit.h"
#include "store/dns/serial.h"
#include "store/watch.h"

struct zn_saver_options {
	enum zn_serial_policy serial;
	enum zn_kind kind;		/* of new zones: native or primary */
	bool keep_text, strict, presigned_refused, read_only;
	unsigned guard_records_percent, guard_records_min;	/* 50, 20; percent 0: off */
	unsigned guard_zones_percent, guard_zones_min;		/* 30, 10 within 60 s */
	uint64_t lock_wait;		/* ns; 10 s; a rename waits 2 s at most; 0: for ever */
	uint32_t site;			/* names this boot in texts (replication.md, Words); 0: drawn at start */
	const char *spool;		/* directory DB-spool/ for refused texts; borrowed until the saver stops */
};
struct zn_saver;
struct zn_events;
struct zn_refused;
ZN_MUST_USE enum zn_code zn_saver_start(struct zn_env *env, struct zn_local *local, struct zn_commit *commit, struct zn_watch *watch,
	struct zn_loader *loader, struct zn_events *events, const struct zn_saver_options *options, struct zn_saver **ret_saver, struct zn_err *err);
/* Waits for what is on its way, as long as `deadline` (zn_clock_mono()) and no other process holds the writer lock for over a second: then
 * what waits is refused, its text kept. */
void zn_saver_stop(struct zn_saver *saver, uint64_t deadline);

/* Who asks, for the log, events, history and refused texts. */
struct zn_actor {
	uint32_t uid, gid;
	int32_t pid;			/* 0: not visible */
	char program[32];
};
/* What the writer last read or wrote of this zone, where that is certain: a handle that was opened on the text and changes it in place. known false: nobody
 * knows what it started from (a rename of a foreign file, a new process); then rule 23 goes by which user saved last. */
struct zn_basis {
	bool known;
	uint32_t serial;
	struct zn_digest digest;
};
enum zn_save_way { ZN_SAVE_CLOSE, ZN_SAVE_FSYNC, ZN_SAVE_RENAME, ZN_SAVE_RELEASE, ZN_SAVE_COMMAND };
struct zn_save_result {
	enum zn_code code;		/* ZN_OK or why not; errmap.h makes an errno of it and the way */
	struct zn_err err;
	bool created, changed;		/* changed: rows; text_changed: bytes readers get */
	bool text_changed;
	struct zn_zone_info zone;	/* ZN_OK only */
	struct zn_loaded loaded;	/* the committed state: size, mtime, serial, digest */
	size_t warnings;
};
struct zn_save {
	struct zn_zone_id zone;
	struct zn_view text;		/* borrowed until done() */
	struct zn_stamp mtime;		/* given by utimens; ns 0: none */
	struct zn_basis basis;
	struct zn_actor actor;
	enum zn_save_way way;
	uint64_t asked;			/* zn_clock_mono() from which lock-wait counts; 0: now */
	bool validate_only;		/* judge it (and keep a refused text), commit nothing; the work is kept for the save that follows */
	bool ahead;			/* with validate_only, rule 25a: what is wrong is neither kept nor told, only answered */
	struct zn_buf *findings;	/* NULL, or gets everything found, as `zonefs check` prints it, before done() */
	void (*done)(struct zn_save *save, const struct zn_save_result *result);	/* once, on another thread or from submit; must not block */
};
void zn_saver_submit(struct zn_saver *saver, struct zn_save *save);
/* Withdraw when still waiting (an interrupted closer): true, done() is not called and nothing was kept. false: done() comes, with ZN_EINTR where that was still
 * possible. May be called at any time; a save that is not on its way (any more) is no mistake. */
bool zn_saver_withdraw(struct zn_saver *saver, struct zn_save *save);
/* Submit and wait: commands. */
void zn_saver_run(struct zn_saver *saver, struct zn_save *save, struct zn_save_result *ret_result);

/* Bury a zone: grace ran out, `zonefs rm`, unmount. The guard was asked before (zn_saver_may_vacate). Waits for the commit: never on a FUSE worker. ZN_ENOTFOUND
 * without a sentence: it is gone already. */
ZN_MUST_USE enum zn_code zn_saver_bury(struct zn_saver *saver, const struct zn_zone_id *zone, const struct zn_actor *actor, struct zn_err *err);
/* Rule 11, details.md 19: another name may be vacated now; ZN_EGUARD with a sentence that says how to allow it. Counts it. `returned` takes one back. */
ZN_MUST_USE enum zn_code zn_saver_may_vacate(struct zn_saver *saver, const struct zn_zone_id *zone, struct zn_err *err);
void zn_saver_returned(struct zn_saver *saver, const struct zn_zone_id *zone);
/* What a zone without a serial policy of its own has. */
enum zn_serial_policy zn_saver_policy(const struct zn_saver *saver);
/* A setting of a zone: `write` runs in a write transaction of main (perhaps more than once); when it wrote something listeners are told of the zone. Waits. */
ZN_MUST_USE enum zn_code zn_saver_set(struct zn_saver *saver, const struct zn_zone_info *zone,
	enum zn_code (*write)(void *context, struct zn_txn *main, bool *ret_written, struct zn_err *err), void *context, struct zn_err *err);
/* .zonefs/allow: lets the next save or deletion past the guard, once. */
void zn_saver_allow(struct zn_saver *saver);
bool zn_saver_allowed(struct zn_saver *saver);
/* Findings of the last good save, as `zonefs check` prints them. ZN_ENOTFOUND: none. */
uint64_t zn_saver_warned(struct zn_saver *saver); /* how many zones have some */
ZN_MUST_USE enum zn_code zn_saver_warnings(struct zn_saver *saver, const struct zn_zone_id *zone, struct zn_buf *out, struct zn_err *err);
/* mtime given by utimens on a committed zone, without new text: a write of its own, so nobody waits for it here. done: once, on another thread or from this
 * call; must not block. */
void zn_saver_set_mtime(struct zn_saver *saver, const struct zn_zone_id *zone, struct zn_stamp mtime,
	void (*done)(void *context, enum zn_code code, const struct zn_err *err), void *context);
/* A writer was killed half-way (rule 5), or was interrupted: keep the text, change nothing. Does file I/O. */
void zn_saver_keep_refused(struct zn_saver *saver, const struct zn_zone_id *zone, struct zn_view text, const struct zn_actor *actor, const char *reason);
/* Refused texts, for .zonefs/rejected and status; the saver's own. */
struct zn_refused *zn_saver_refused(struct zn_saver *saver);
