/* tests/unit/fs/saver.h - a saver over a temporary database, for suites of fs/save and fs/control. */
#pragma once
#include "fs/save/events.h"
#include "fs/save/follow.h"
#include "fs/save/save.h"
#include "tests/unit/support.h"

struct world {
	struct scratch scratch;
	struct zn_env *env;
	struct zn_local *local;
	struct zn_commit *commit;
	struct zn_watch *watch;
	struct zn_loader *loader;
	struct zn_events *events;
	struct zn_follower *follower;
	struct zn_saver *saver;
	struct zn_saver_options options;
	/* What listeners heard of own saves. */
	unsigned told;
	struct zn_change last_change;
};

/* Default options; `open` again after `close` is a restart. */
void world_make(struct world *world);
void world_open(struct world *world);
void world_close(struct world *world);
void world_remove(struct world *world);

struct zn_zone_id zone_of(const char *name);
/* A save of `text` as a zone's new text by user `uid`; returns the code. */
enum zn_code save_as(struct world *world, const char *zone, const char *text, uint32_t uid, struct zn_save_result *ret_result);
enum zn_code save_text(struct world *world, const char *zone, const char *text);
/* A good save; fails the test otherwise. */
struct zn_save_result save_good(struct world *world, const char *zone, const char *text);
void expect_text(struct world *world, const char *zone, const char *text);
void expect_refused(struct world *world, const char *zone, const char *text, const char *why);
/* ZN_ENOTFOUND or ZN_OK. */
enum zn_code find(struct world *world, const char *zone, struct zn_zone_info *ret_info);
uint64_t txnid_of(struct world *world, enum zn_which which);
/* Runs `run` in a write transaction of `which` on the commit thread. */
void write_rows(struct world *world, enum zn_which which, enum zn_code (*run)(struct zn_job *job, struct zn_txn *txn, struct zn_err *err));
/* Every event since the start, JSON lines; borrowed until the next call. */
const char *events_of(struct world *world);
