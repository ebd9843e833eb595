/* fs/save/finish.c - how a save went: caches, listeners and events after a commit; what is kept and told of a refusal. */
#include "fs/save/task.h"

#include <inttypes.h>
#include <stdio.h>

#include "fs/save/events.h"
#include "fs/save/refuse.h"
#include "fs/save/zoneid.h"
#include "fs/text/zonefile.h"
#include "store/base/limits.h"
#include "store/base/log.h"

const char *zn_task_file(const struct task *task, char file[static ZN_FILENAME_MAX + 1])
{
	if (zn_zone_to_filename(&task->save->zone.name, task->save->zone.variant, file) != ZN_OK)
		snprintf(file, ZN_FILENAME_MAX + 1, "zone");
	return file;
}

static struct zn_stamp time_shown(const struct zn_outcome *outcome)
{
	if (outcome->mtime.ns)
		return outcome->mtime;
	return outcome->text_stamp.ns > outcome->change.newest.ns ? outcome->text_stamp : outcome->change.newest;
}

static void fill_result(struct task *task)
{
	const struct zn_outcome *outcome = &task->outcome;
	struct zn_save_result *result = &task->result;

	result->code = ZN_OK;
	result->created = !outcome->exists;
	result->changed = outcome->rows;
	result->text_changed = outcome->rows || outcome->text;
	result->zone = outcome->info;
	result->warnings = task->findings.warnings;
	result->loaded.serial = outcome->serial;
	for (int which = 0; which < 2; which++)
		result->loaded.txnid[which] = outcome->txnid[which] ? outcome->txnid[which] : outcome->seen[which];
	if (!task->judged.cutter)
		return; /* no text is kept: how long the canonical one is the loader finds out */
	result->loaded.stat = (struct zn_zone_stat){
		.known = true,
		.size = zn_task_text(task).len,
		.mtime = time_shown(outcome),
		.digest = {outcome->digest.count, outcome->digest.sum},
		.text_fits = true,
	};
}

static void post_saved(struct task *task)
{
	const struct zn_outcome *outcome = &task->outcome;
	const struct zn_actor *actor = &task->save->actor;
	ZN_AUTO(zn_buf_release) struct zn_buf members = ZN_BUF_INIT(4096);
	char zone[ZN_ZONEID_TEXT_MAX];

	zn_buf_addf(&members, ",\"serial\":%" PRIu32 ",\"added\":%" PRIu64 ",\"removed\":%" PRIu64 ",\"warnings\":%zu", outcome->serial,
		outcome->change.added, outcome->change.removed, task->findings.warnings);
	zn_actor_members(actor, &members);
	if (!members.failed)
		zn_events_post(task->saver->events, outcome->exists ? "save" : "create", zn_zoneid_text(&task->save->zone, zone),
			zn_buf_str(&members));
}

void zn_task_committed(struct task *task)
{
	struct zn_saver *saver = task->saver;
	const struct zn_outcome *outcome = &task->outcome;
	bool written = outcome->rows || outcome->head;

	fill_result(task);
	if (!written)
		return;
	zn_last_remember(saver->last, outcome->info.id, &(struct zn_last_save){
		.digest = outcome->digest, .uid = task->save->actor.uid,
	});
	zn_local_stat_put(saver->local, &outcome->info, outcome->txnid, &task->result.loaded.stat);
	zn_watch_tell(saver->watch, &(struct zn_change){
		.origin = ZN_OWN_SAVE, .ids = &outcome->info.id, .count = 1, .more = task->job.more, .txnid = {outcome->txnid[0], outcome->txnid[1]},
	});
	if (task->result.text_changed)
		post_saved(task);
	if (outcome->rows)
		zn_task_resettle(task);
}

/* --- what must be written down before done() --- */

bool zn_task_has_chores(const struct task *task)
{
	const struct zn_save *save = task->save;

	if (task->result.code != ZN_OK)
		return true;
	if (save->validate_only)
		return false;
	return task->findings.warnings || task->had_warnings || !task->judged.cutter || zn_refused_has(task->saver->refused, &save->zone);
}

static void keep_warnings(struct task *task)
{
	struct zn_local *local = task->saver->local;
	ZN_AUTO(zn_buf_release) struct zn_buf key = ZN_BUF_INIT(ZN_ZONEID_KEY_MAX);
	struct zn_err err = {0};
	enum zn_code code = ZN_OK;

	zn_zoneid_key(&task->save->zone, &key);
	if (task->warnings.len)
		code = zn_local_put(local, ZN_ROOM_WARNINGS, zn_buf_view(&key), zn_buf_view(&task->warnings), &err);
	else if (task->had_warnings)
		code = zn_local_remove(local, ZN_ROOM_WARNINGS, zn_buf_view(&key), &err);
	if (code != ZN_OK && code != ZN_ENOTFOUND) {
		char zone[ZN_ZONEID_TEXT_MAX];

		zn_warning("%s: warnings are not kept: %s", zn_zoneid_text(&task->save->zone, zone), err.text);
	}
}

enum zn_code zn_saver_warnings(struct zn_saver *saver, const struct zn_zone_id *zone, struct zn_buf *out, struct zn_err *err)
{
	ZN_AUTO(zn_buf_release) struct zn_buf key = ZN_BUF_INIT(ZN_ZONEID_KEY_MAX);

	zn_zoneid_key(zone, &key);
	return zn_local_get(saver->local, ZN_ROOM_WARNINGS, zn_buf_view(&key), out, err);
}

uint64_t zn_saver_warned(struct zn_saver *saver)
{
	return zn_local_count(saver->local, ZN_ROOM_WARNINGS);
}

void zn_forget_warnings(struct zn_saver *saver, const struct zn_zone_id *zone)
{
	ZN_AUTO(zn_buf_release) struct zn_buf key = ZN_BUF_INIT(ZN_ZONEID_KEY_MAX);

	zn_zoneid_key(zone, &key);
	enum zn_code code = zn_local_remove(saver->local, ZN_ROOM_WARNINGS, zn_buf_view(&key), NULL);
	(void)code; /* there were none, or they are those of a zone that is gone */
}

static void refuse(struct task *task)
{
	const struct zn_save *save = task->save;
	struct zn_refusal refusal = {
		.zone = &save->zone, .text = save->text, .actor = &save->actor, .findings = &task->findings,
		.code = task->result.code, .err = &task->result.err,
	};

	zn_refuse(task->saver, &refusal);
}

void zn_task_chores(struct task *task)
{
	struct zn_saver *saver = task->saver;
	struct zn_save_result *result = &task->result;

	if (result->code != ZN_OK) {
		if (!task->save->ahead)
			refuse(task);
		return;
	}
	/* An editor that puts its backup back after a refusal commits nothing: what was refused stays to be found. */
	if (result->created || result->changed || result->text_changed)
		zn_refused_clear(saver->refused, &task->save->zone);
	keep_warnings(task);
	if (!result->loaded.stat.known) {
		struct zn_loaded loaded;

		if (zn_load_stat(saver->loader, &result->zone, &loaded, NULL) == ZN_OK)
			result->loaded = loaded;
	}
}
