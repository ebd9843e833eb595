#include "tests/unit/fs/saver.h"

#include <stdio.h>

#include "fs/save/refused.h"
#include "store/base/limits.h"

static void on_change(void *context, const struct zn_change *change)
{
	struct world *world = context;

	if (change->origin != ZN_OWN_SAVE)
		return;
	world->told++;
	world->last_change = *change;
	world->last_change.ids = NULL;
}

void world_make(struct world *world)
{
	*world = (struct world){
		.options = {
			.serial = ZN_SERIAL_AUTO, .kind = ZN_KIND_NATIVE, .keep_text = true, .guard_records_percent = 50, .guard_records_min = 20,
			.guard_zones_percent = 30, .guard_zones_min = 10, .lock_wait = 60 * ZN_NS_PER_S,
		},
	};
	scratch_make(&world->scratch);
	world->options.spool = world->scratch.dir;
	world_open(world);
}

void world_open(struct world *world)
{
	world->env = scratch_open(&world->scratch);
	ck_ok(zn_zones_roll_forward(world->env, &err));
	ck_ok(zn_local_open(world->env, &world->local, &err));
	ck_ok(zn_commit_start(world->env, &world->commit, &err));
	ck_ok(zn_watch_start(world->env, &world->watch, &err));
	ck_ok(zn_local_watch(world->local, world->watch, &err));
	zn_watch_listen(world->watch, on_change, world);
	ck_assert_int_eq(zn_loader_new(world->env, world->local, world->options.keep_text, &world->loader), ZN_OK);
	ck_assert_int_eq(zn_events_new(1 << 20, &world->events), ZN_OK);
	ck_assert_int_eq(zn_follower_new(world->events, world->env, world->watch, &world->follower), ZN_OK);
	ck_ok(zn_saver_start(world->env, world->local, world->commit, world->watch, world->loader, world->events, &world->options, &world->saver,
		&err));
}

void world_close(struct world *world)
{
	uint64_t deadline = zn_clock_mono() + 60 * ZN_NS_PER_S;

	zn_saver_stop(world->saver, deadline);
	zn_commit_stop(world->commit, deadline);
	zn_watch_stop(world->watch);
	zn_follower_free(world->follower);
	zn_loader_free(world->loader);
	zn_events_free(world->events);
	zn_local_close(world->local);
	zn_watch_free(world->watch);
	zn_env_close(world->env);
}

void world_remove(struct world *world)
{
	world_close(world);
	scratch_remove(&world->scratch);
}

struct zn_zone_id zone_of(const char *name)
{
	struct zn_zone_id zone = {0};

	ck_ok(zn_name_from_text(zn_view_str(name), NULL, &zone.name, &err));
	return zone;
}

enum zn_code save_as(struct world *world, const char *zone, const char *text, uint32_t uid, struct zn_save_result *ret_result)
{
	struct zn_save save = {
		.zone = zone_of(zone), .text = zn_view_str(text), .actor = {.uid = uid, .pid = 77, .program = "test"}, .way = ZN_SAVE_CLOSE,
	};

	*ret_result = (struct zn_save_result){0};
	zn_saver_run(world->saver, &save, ret_result);
	return ret_result->code;
}

enum zn_code save_text(struct world *world, const char *zone, const char *text)
{
	struct zn_save_result result;

	return save_as(world, zone, text, 0, &result);
}

struct zn_save_result save_good(struct world *world, const char *zone, const char *text)
{
	struct zn_save_result result;

	enum zn_code code = save_as(world, zone, text, 0, &result);
	ck_assert_msg(code == ZN_OK, "%s: %s: %s", zone, zn_code_text(code), result.err.text);
	return result;
}

enum zn_code find(struct world *world, const char *zone, struct zn_zone_info *ret_info)
{
	struct zn_zone_id id = zone_of(zone);

	return zn_load_find(world->loader, &id, ret_info, NULL);
}

static enum zn_code collect(void *context, struct zn_view bytes)
{
	zn_buf_add(context, bytes);
	return ZN_OK;
}

void expect_text(struct world *world, const char *zone, const char *text)
{
	ZN_AUTO(zn_buf_release) struct zn_buf out = ZN_BUF_INIT(ZN_TEXT_MAX);
	struct zn_sink sink = {&out, collect};
	struct zn_zone_info info;
	struct zn_loaded loaded, stat;

	if (!text) {
		ck_assert_msg(find(world, zone, &info) == ZN_ENOTFOUND, "%s is there", zone);
		return;
	}
	ck_assert_msg(find(world, zone, &info) == ZN_OK, "%s is missing", zone);
	ck_ok(zn_load_text(world->loader, &info, &sink, &loaded, &err));
	ck_assert_str_eq(zn_buf_str(&out), text);
	ck_ok(zn_load_stat(world->loader, &info, &stat, &err));
	ck_assert_uint_eq(stat.stat.size, strlen(text));
	ck_assert_uint_eq(stat.stat.mtime.ns, loaded.stat.mtime.ns);
}

void expect_refused(struct world *world, const char *zone, const char *text, const char *why)
{
	ZN_AUTO(zn_buf_release) struct zn_buf out = ZN_BUF_INIT(1 << 20);
	struct zn_refused *refused = zn_saver_refused(world->saver);
	char file[300];

	snprintf(file, sizeof file, "%s.zone", zone);
	if (!text) {
		ck_assert_int_eq(zn_refused_read(refused, file, &out, NULL), ZN_ENOTFOUND);
		return;
	}
	ck_ok(zn_refused_read(refused, file, &out, &err));
	ck_assert_str_eq(zn_buf_str(&out), text);
	zn_buf_clear(&out);
	snprintf(file, sizeof file, "%s.zone.error", zone);
	ck_ok(zn_refused_read(refused, file, &out, &err));
	ck_assert_msg(strstr(zn_buf_str(&out), why) != NULL, "\"%s\" is not in: %s", why, zn_buf_str(&out));
}

uint64_t txnid_of(struct world *world, enum zn_which which)
{
	return zn_env_last_txnid(world->env, which);
}

void write_rows(struct world *world, enum zn_which which, enum zn_code (*run)(struct zn_job *job, struct zn_txn *txn, struct zn_err *err))
{
	struct zn_job job = {.class = ZN_JOB_SAVE, .order = which == ZN_MAIN ? ZN_JOB_MAIN : ZN_JOB_RECORDS, .run = run};

	ck_ok(zn_commit_run(world->commit, &job, &err));
}

const char *events_of(struct world *world)
{
	static struct zn_buf out = ZN_BUF_INIT(1 << 22);
	uint64_t offset = 0;

	zn_buf_release(&out);
	while (zn_events_read(world->events, &offset, 1 << 20, &out) == ZN_OK && offset < zn_events_end(world->events))
		;
	return zn_buf_str(&out);
}
