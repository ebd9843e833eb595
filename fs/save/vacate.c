/* fs/save/vacate.c - what else is written for a user: zones buried, times set; and the guard of both saves and deletions. */
#include <inttypes.h>
#include <stdlib.h>

#include "fs/save/events.h"
#include "fs/save/refuse.h"
#include "fs/save/task.h"
#include "fs/save/zoneid.h"
#include "store/base/log.h"

#define DUPLICATES_MAX 16 /* live zones of one name that go together; more go with the next deletion */

static uint64_t deadline_of(const struct zn_saver *saver)
{
	return saver->options.lock_wait ? zn_clock_mono() + saver->options.lock_wait : 0;
}

/* --- burying --- */

struct burial {
	struct zn_job job; /* first */
	const struct zn_zone_id *zone;
	uint32_t ids[DUPLICATES_MAX];
	size_t count;
	uint64_t txnid[2];
};

/* Main first, so that no server sees the zone in the list without its records; the intent makes sure that the records follow. */
static enum zn_code bury_in_list(struct burial *burial, struct zn_txn *main, struct zn_err *err)
{
	struct zn_zone_info info;

	enum zn_code code = zn_zones_find(main, burial->zone, &info, err);
	if (code != ZN_OK)
		return code;
	if (zn_kind_read_only(info.kind))
		return zn_fail(err, ZN_EACCES, "a %s zone: its primary owns it", zn_kind_text(info.kind));
	code = zn_zones_intend(main, ZN_INTENT_BURY, info.id, burial->zone, info.kind, NULL, err);
	if (code == ZN_OK)
		code = zn_zones_bury(main, info.id, err);
	burial->ids[burial->count++] = info.id;
	return code;
}

static enum zn_code bury_records(struct burial *burial, struct zn_txn *records, uint32_t id, struct zn_err *err)
{
	struct zn_stamp stamp;
	uint32_t serial;

	/* Without a live row nothing is written, and a transaction that is never committed must not be told of: its number goes to somebody else. */
	if (zn_records_serial(records, id, &serial, &stamp, NULL) == ZN_OK)
		burial->txnid[ZN_RECORDS] = zn_txn_id(records);
	return zn_records_bury(records, id, err);
}

/* Duplicates go along, or one of them would be the zone from then on. */
static enum zn_code run_burial(struct zn_job *job, struct zn_txn *txn, struct zn_err *err)
{
	struct burial *burial = (struct burial *)job;
	enum zn_code code = ZN_OK;

	if (txn->which == ZN_RECORDS) {
		burial->txnid[ZN_RECORDS] = 0;
		for (size_t i = 0; code == ZN_OK && i < burial->count; i++)
			code = bury_records(burial, txn, burial->ids[i], err);
		return code;
	}
	burial->count = 0;
	burial->txnid[ZN_MAIN] = zn_txn_id(txn);
	while (code == ZN_OK && burial->count < DUPLICATES_MAX)
		code = bury_in_list(burial, txn, err);
	return code == ZN_ENOTFOUND && burial->count ? ZN_OK : code;
}

enum zn_code zn_saver_bury(struct zn_saver *saver, const struct zn_zone_id *zone, const struct zn_actor *actor, struct zn_err *err)
{
	struct burial burial = {
		.job = {.class = ZN_JOB_SAVE, .order = ZN_JOB_MAIN_RECORDS, .deadline = deadline_of(saver), .run = run_burial},
		.zone = zone,
	};
	char text[ZN_ZONEID_TEXT_MAX];

	zn_zoneid_text(zone, text);
	if (saver->options.read_only)
		return zn_fail(err, ZN_EROFS, "mounted read-only");
	enum zn_code code = zn_commit_run(saver->commit, &burial.job, err);
	if (code != ZN_OK)
		return code == ZN_ENOTFOUND ? code : zn_err_prefix(err, code, "%s: delete", text);
	zn_watch_tell(saver->watch, &(struct zn_change){
		.origin = ZN_OWN_SAVE, .ids = burial.ids, .count = burial.count, .txnid = {burial.txnid[0], burial.txnid[1]},
	});
	zn_refused_clear(saver->refused, zone);
	zn_forget_warnings(saver, zone);
	ZN_AUTO(zn_buf_release) struct zn_buf members = ZN_BUF_INIT(4096);
	zn_actor_members(actor, &members);
	zn_events_post(saver->events, "delete", text, zn_buf_str(&members));
	return ZN_OK;
}

/* --- times --- */

struct timing {
	struct zn_job job; /* first */
	struct zn_saver *saver;
	struct zn_zone_id zone;
	struct zn_stamp mtime;
	void (*done)(void *context, enum zn_code code, const struct zn_err *err);
	void *context;
	struct zn_zone_info info;
	uint64_t txnid;
	bool written;
};

static enum zn_code find_zone(struct timing *timing, struct zn_err *err)
{
	ZN_AUTO(zn_txn_end) struct zn_txn main = {0};

	enum zn_code code = zn_txn_begin(&main, timing->saver->env, ZN_MAIN, ZN_TXN_READ, err);
	if (code == ZN_OK)
		code = zn_zones_find(&main, &timing->zone, &timing->info, err);
	return code;
}

/* The time lives in the head of the text and counts while the head fits the rows (details.md 9); where it does not, it is made to. */
static enum zn_code run_timing(struct zn_job *job, struct zn_txn *records, struct zn_err *err)
{
	struct timing *timing = (struct timing *)job;
	struct zn_text_head head = {0};
	struct zn_stamp stamp;
	struct zn_digest digest;

	timing->written = false;
	timing->txnid = zn_txn_id(records);
	enum zn_code code = find_zone(timing, err);
	if (code != ZN_OK)
		return code;
	code = zn_records_digest(records, timing->info.id, &timing->zone.name, &digest, NULL, err);
	if (code != ZN_OK)
		return code;
	code = zn_text_head_get(records, timing->info.id, &head, &stamp, err);
	if (code == ZN_OK && zn_digest_equal(head.digest, digest)) {
		if (head.mtime.ns == timing->mtime.ns)
			return ZN_OK;
	} else if (code == ZN_OK || code == ZN_ENOTFOUND) {
		head = (struct zn_text_head){
			.digest = digest, .site = timing->saver->options.site, .counter = atomic_fetch_add(&timing->saver->counter, 1),
		};
	} else {
		return code;
	}
	head.mtime = timing->mtime;
	timing->written = true;
	return zn_text_head_put(records, timing->info.id, &head, err);
}

static void timing_done(struct zn_job *job, enum zn_code code, const struct zn_err *err)
{
	struct timing *timing = (struct timing *)job;
	struct zn_saver *saver = timing->saver;
	struct zn_zone_stat stat;

	if (code == ZN_OK && timing->written) {
		if (zn_local_stat_get(saver->local, &timing->info, &stat) == ZN_OK && stat.known) {
			stat.mtime = timing->mtime;
			zn_local_stat_put(saver->local, &timing->info, (const uint64_t[2]){[ZN_RECORDS] = timing->txnid}, &stat);
		}
		zn_watch_tell(saver->watch, &(struct zn_change){
			.origin = ZN_OWN_SAVE, .ids = &timing->info.id, .count = 1, .more = job->more, .txnid = {[ZN_RECORDS] = timing->txnid},
		});
	}
	if (code == ZN_OK && !timing->written && !job->more)
		zn_watch_tell(saver->watch, &(struct zn_change){.origin = ZN_OWN_SAVE}); /* it may be the last of others that did write */
	timing->done(timing->context, code, err);
	free(timing);
}

void zn_saver_set_mtime(struct zn_saver *saver, const struct zn_zone_id *zone, struct zn_stamp mtime,
	void (*done)(void *context, enum zn_code code, const struct zn_err *err), void *context)
{
	struct zn_err err = {0};

	if (saver->options.read_only) {
		done(context, zn_fail(&err, ZN_EROFS, "mounted read-only"), &err);
		return;
	}
	if (!saver->options.keep_text) { /* nothing of ours in the records env: there is no place for it */
		done(context, ZN_OK, &err);
		return;
	}
	struct timing *timing = calloc(1, sizeof *timing);
	if (!timing) {
		done(context, zn_fail(&err, ZN_ENOMEM, "out of memory"), &err);
		return;
	}
	*timing = (struct timing){
		.job = {.class = ZN_JOB_SAVE, .order = ZN_JOB_RECORDS, .deadline = deadline_of(saver), .run = run_timing, .done = timing_done},
		.saver = saver, .zone = *zone, .mtime = mtime, .done = done, .context = context,
	};
	zn_commit_submit(saver->commit, &timing->job);
}

/* --- the guard --- */

static bool is_live(struct zn_txn *main, const struct zn_zone_id *zone)
{
	struct zn_zone_info info;

	return zn_zones_find(main, zone, &info, NULL) == ZN_OK;
}

static enum zn_code count_zones(void *context, const struct zn_vacated *list, size_t list_count, uint64_t enough, uint64_t *ret_count)
{
	struct zn_saver *saver = context;
	ZN_AUTO(zn_txn_end) struct zn_txn main = {0};
	struct zn_index_key at = {0};
	struct zn_zone_info info;
	uint64_t count = 0;

	enum zn_code code = zn_txn_begin(&main, saver->env, ZN_MAIN, ZN_TXN_READ, NULL);
	while (code == ZN_OK && count < enough) {
		code = zn_zones_next(&main, &at, &info, NULL);
		count += code == ZN_OK;
	}
	if (code != ZN_OK && code != ZN_ENOTFOUND)
		return code;
	for (size_t i = 0; i < list_count && count < enough; i++)
		count += !is_live(&main, &list[i].zone);
	*ret_count = count;
	return ZN_OK;
}

enum zn_code zn_saver_may_vacate(struct zn_saver *saver, const struct zn_zone_id *zone, struct zn_err *err)
{
	ZN_AUTO(zn_buf_release) struct zn_buf members = ZN_BUF_INIT(4096);
	char text[ZN_ZONEID_TEXT_MAX];
	struct zn_err reason = {0};

	if (saver->options.read_only)
		return zn_fail(err, ZN_EROFS, "mounted read-only");
	enum zn_code code = zn_guard_vacate(saver->guard, zone, zn_clock_mono(), count_zones, saver, &reason);
	if (err)
		*err = reason;
	if (code != ZN_EGUARD)
		return code;
	zn_zoneid_text(zone, text);
	zn_warning("%s: not deleted: %s", text, reason.text);
	zn_buf_add_str(&members, ",\"reason\":");
	zn_json_string(&members, zn_view_str(reason.text));
	zn_events_post(saver->events, "guard", text, zn_buf_str(&members));
	return code;
}

void zn_saver_returned(struct zn_saver *saver, const struct zn_zone_id *zone)
{
	zn_guard_returned(saver->guard, zone);
}

void zn_saver_allow(struct zn_saver *saver)
{
	zn_guard_allow(saver->guard);
	zn_events_post(saver->events, "allow", NULL, "");
}

bool zn_saver_allowed(struct zn_saver *saver)
{
	return zn_guard_allowed(saver->guard);
}

/* --- settings --- */

enum zn_serial_policy zn_saver_policy(const struct zn_saver *saver)
{
	return saver->options.serial;
}

struct setting {
	struct zn_job job; /* first */
	enum zn_code (*write)(void *context, struct zn_txn *main, bool *ret_written, struct zn_err *err);
	void *context;
	uint64_t txnid;
};

static enum zn_code run_setting(struct zn_job *job, struct zn_txn *main, struct zn_err *err)
{
	struct setting *setting = (struct setting *)job;

	bool written = false;

	enum zn_code code = setting->write(setting->context, main, &written, err);
	setting->txnid = written ? zn_txn_id(main) : 0;
	return code;
}

enum zn_code zn_saver_set(struct zn_saver *saver, const struct zn_zone_info *zone,
	enum zn_code (*write)(void *context, struct zn_txn *main, bool *ret_written, struct zn_err *err), void *context, struct zn_err *err)
{
	struct setting setting = {
		.job = {.class = ZN_JOB_SAVE, .order = ZN_JOB_MAIN, .deadline = deadline_of(saver), .run = run_setting},
		.write = write, .context = context,
	};

	if (saver->options.read_only)
		return zn_fail(err, ZN_EROFS, "mounted read-only");
	enum zn_code code = zn_commit_run(saver->commit, &setting.job, err);
	if (code == ZN_OK && setting.txnid)
		zn_watch_tell(saver->watch, &(struct zn_change){
			.origin = ZN_OWN_SAVE, .ids = &zone->id, .count = 1, .txnid = {[ZN_MAIN] = setting.txnid},
		});
	return code;
}

/* --- texts nobody could be told of --- */

void zn_saver_keep_refused(struct zn_saver *saver, const struct zn_zone_id *zone, struct zn_view text, const struct zn_actor *actor, const char *reason)
{
	struct zn_err err = {0};
	struct zn_refusal refusal = {.zone = zone, .text = text, .actor = actor, .code = ZN_EINTR, .err = &err};

	(void)zn_fail(&err, ZN_EINTR, "%s", reason);
	zn_refuse(saver, &refusal);
}

struct zn_refused *zn_saver_refused(struct zn_saver *saver)
{
	return saver->refused;
}
