/* fs/save/resettle.c - metadata that moved while a save was written: how rows are derived was read before the commit, and another process may have said
 * otherwise meanwhile (keys, NSEC3PARAM). Then they are derived again. details.md 2. */
#include "fs/save/task.h"

#include <stdlib.h>

#include "fs/save/zoneid.h"
#include "store/base/log.h"
#include "store/rectify.h"

struct resettling {
	struct zn_job job; /* first */
	struct zn_env *env;	/* not the saver's: that may be gone when this runs */
	struct zn_watch *watch;
	struct zn_zone_info info;
	uint64_t written, txnid;
};

static enum zn_code read_mode(struct zn_env *env, const struct zn_zone_id *zone, struct zn_zone_mode *ret_mode, struct zn_err *err)
{
	ZN_AUTO(zn_txn_end) struct zn_txn main = {0};

	enum zn_code code = zn_txn_begin(&main, env, ZN_MAIN, ZN_TXN_READ, err);
	return code == ZN_OK ? zn_meta_mode(&main, zone, ret_mode, err) : code;
}

static enum zn_code run(struct zn_job *job, struct zn_txn *records, struct zn_err *err)
{
	struct resettling *resettling = (struct resettling *)job;
	const struct zn_zone_id *zone = &resettling->info.zone;
	struct zn_zone_mode mode;

	resettling->written = 0;
	resettling->txnid = zn_txn_id(records);
	enum zn_code code = read_mode(resettling->env, zone, &mode, err);
	if (code == ZN_OK)
		code = zn_rectify_zone(records, resettling->info.id, &zone->name, &mode, &resettling->written, err);
	return code;
}

static void done(struct zn_job *job, enum zn_code code, const struct zn_err *err)
{
	struct resettling *resettling = (struct resettling *)job;
	bool written = code == ZN_OK && resettling->written;
	char text[ZN_ZONEID_TEXT_MAX];

	if (code != ZN_OK && code != ZN_ENOTFOUND && code != ZN_EBUSY)
		zn_error("%s: its rows are not derived as its metadata says now: %s", zn_zoneid_text(&resettling->info.zone, text), err->text);
	if (written)
		zn_watch_tell(resettling->watch, &(struct zn_change){
			.origin = ZN_OWN_MERGE, .ids = &resettling->info.id, .count = 1, .txnid = {[ZN_RECORDS] = resettling->txnid},
		});
	free(resettling);
}

static bool derives_alike(const struct zn_zone_mode *a, const struct zn_zone_mode *b)
{
	return a->dnssec == b->dnssec && a->presigned == b->presigned && a->nsec3.flags == b->nsec3.flags && a->nsec3.iterations == b->nsec3.iterations &&
		zn_view_equal(zn_view(a->nsec3.salt, a->nsec3.salt_len), zn_view(b->nsec3.salt, b->nsec3.salt_len));
}

void zn_task_resettle(struct task *task)
{
	struct zn_saver *saver = task->saver;
	const struct zn_outcome *outcome = &task->outcome;
	uint64_t known = outcome->txnid[ZN_MAIN] ? outcome->txnid[ZN_MAIN] : outcome->seen[ZN_MAIN];
	struct zn_zone_mode mode;

	if (zn_env_last_txnid(saver->env, ZN_MAIN) <= known)
		return;
	if (read_mode(saver->env, &outcome->info.zone, &mode, NULL) == ZN_OK && derives_alike(&mode, &outcome->mode))
		return;
	struct resettling *resettling = calloc(1, sizeof *resettling);
	if (!resettling)
		return; /* the next save of the zone derives them */
	*resettling = (struct resettling){
		.job = {.class = ZN_JOB_MERGE, .order = ZN_JOB_RECORDS, .run = run, .done = done}, .env = saver->env, .watch = saver->watch, .info = outcome->info,
	};
	zn_commit_submit(saver->commit, &resettling->job);
}
