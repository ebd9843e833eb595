/* fs/save/judge.c - reading a text on the pool, before any lock is had. */
#include "fs/save/task.h"

#include "fs/save/known.h"
#include "fs/save/prepared.h"
#include "store/base/limits.h"
#include "store/dns/presigned.h"

void zn_judged_release(struct zn_judged *judged)
{
	zn_parsed_release(&judged->parsed);
	zn_zone_free(judged->stripped);
	zn_cutter_free(judged->cutter);
	*judged = (struct zn_judged){0};
}

static struct zn_check_options options_for(const struct zn_zone_mode *mode)
{
	return (struct zn_check_options){
		.signed_zone = mode->has_keys,
		.presigned = false, /* the text itself says so */
		.nsec = mode->has_keys && mode->dnssec == ZN_DNSSEC_NSEC,
	};
}

bool zn_judged_fits(const struct zn_judged *judged, const struct zn_zone_mode *mode)
{
	struct zn_check_options now = options_for(mode);

	return judged->options.signed_zone == now.signed_zone && judged->options.nsec == now.nsec;
}

/* The stored zone, as far as it decides how the text is judged. ZN_ENOTFOUND: a new zone. */
static enum zn_code look_up(struct task *task, struct zn_zone_info *ret_info, struct zn_zone_mode *ret_mode, struct zn_err *err)
{
	ZN_AUTO(zn_txn_end) struct zn_txn main = {0};

	enum zn_code code = zn_txn_begin(&main, task->saver->env, ZN_MAIN, ZN_TXN_READ, err);
	if (code == ZN_OK)
		code = zn_zones_find(&main, &task->save->zone, ret_info, err);
	if (code == ZN_OK)
		code = zn_meta_mode(&main, &task->save->zone, ret_mode, err);
	return code;
}

static enum zn_code parse(struct task *task, const struct zn_known_faults *known, struct zn_err *err)
{
	struct zn_saver *saver = task->saver;
	struct zn_judged *judged = &task->judged;
	struct zn_parse_options options = {
		.apex = &task->save->zone.name,
		.check = judged->options,
		.strict = saver->options.strict,
		.presigned_refused = saver->options.presigned_refused,
	};
	struct zn_parse_sink sink;

	if (known) {
		options.known_fault = zn_known_forgive;
		options.known_context = (void *)known;
	}
	zn_findings_release(&task->findings);
	zn_cutter_free(judged->cutter);
	judged->cutter = NULL;
	if (saver->options.keep_text) {
		if (zn_cutter_new(&task->save->zone.name, &judged->cutter) != ZN_OK)
			return zn_fail(err, ZN_ENOMEM, "out of memory");
		sink = zn_cutter_sink(judged->cutter);
		options.sink = &sink;
	}
	return zn_parse(task->save->text, &options, &task->findings, &judged->parsed, err);
}

/* Faults that the stored zone has already must not stop a save that does not touch them. */
static enum zn_code parse_again(struct task *task, const struct zn_zone_info *info, struct zn_err *err)
{
	ZN_AUTO(zn_known_release) struct zn_known_faults known = {0};

	enum zn_code code = zn_known_find(&known, task->saver->loader, info, &task->judged.options, err);
	if (code != ZN_OK)
		return code;
	return known.count ? parse(task, &known, err) : ZN_ESYNTAX;
}

static uint64_t hash_of_soa(const struct zn_zone *zone)
{
	static const uint8_t apex[] = {0};
	size_t first;

	if (zn_zone_find(zone, zn_view(apex, sizeof apex), ZN_TYPE_SOA, &first) != 1)
		return 0;
	struct zn_record soa = zn_zone_at(zone, first);
	return zn_record_hash(zn_zone_apex(zone), &soa);
}

static enum zn_code read_text(struct task *task, const struct zn_check_options *options, const struct zn_zone_info *stored, struct zn_err *err)
{
	struct zn_judged *judged = &task->judged;
	char file[ZN_FILENAME_MAX + 1];

	judged->options = *options;
	enum zn_code code = parse(task, NULL, err);
	if (code == ZN_ESYNTAX && stored)
		code = parse_again(task, stored, err);
	if (code == ZN_OK && judged->parsed.presigned && zn_presigned_strip(judged->parsed.zone, &judged->stripped) != ZN_OK)
		code = zn_fail(err, ZN_ENOMEM, "out of memory");
	if (code != ZN_OK)
		return code;
	judged->digest = zn_zone_digest(judged->parsed.zone);
	judged->soa_hash = hash_of_soa(judged->parsed.zone);
	zn_buf_clear(&task->warnings);
	if (task->findings.warnings)
		zn_findings_render(&task->findings, zn_task_file(task, file), task->save->text, &task->warnings);
	return ZN_OK;
}

/* A text as long as the stored one may be the stored one: then no lock is needed to say so (rule 13). */
static enum zn_code changes_nothing(struct task *task, const struct zn_zone_info *info, bool *ret_nothing, struct zn_err *err)
{
	struct zn_saver *saver = task->saver;
	struct zn_zone_stat stat;
	ZN_AUTO(zn_txn_end) struct zn_txn records = {0};
	ZN_AUTO(zn_txn_end) struct zn_txn main = {0};

	*ret_nothing = false;
	if (zn_local_stat_get(saver->local, info, &stat) != ZN_OK || !stat.known || stat.size != task->save->text.len)
		return ZN_OK;
	enum zn_code code = zn_txn_begin(&records, saver->env, ZN_RECORDS, ZN_TXN_READ, err);
	if (code == ZN_OK)
		code = zn_txn_begin(&main, saver->env, ZN_MAIN, ZN_TXN_READ, err);
	if (code == ZN_OK)
		code = zn_task_weigh(task, &main, &records, err);
	/* Whatever else it says is for the transaction that writes to decide. */
	*ret_nothing = code == ZN_OK && !task->outcome.rows && !task->outcome.text && !task->outcome.head;
	return code == ZN_ENOMEM ? code : ZN_OK;
}

enum zn_code zn_task_judge(struct task *task, bool *ret_finished, struct zn_err *err)
{
	struct zn_zone_info info;
	struct zn_zone_mode mode = {0};

	*ret_finished = false;
	if (task->save->text.len > ZN_TEXT_MAX)
		return zn_fail(err, ZN_ETOOBIG, "the text is longer than %zu MiB", ZN_TEXT_MAX >> 20);
	enum zn_code code = look_up(task, &info, &mode, err);
	bool exists = code == ZN_OK;
	if (!exists && code != ZN_ENOTFOUND)
		return code;
	if (exists && zn_kind_read_only(info.kind))
		return zn_fail(err, ZN_EACCES, "a %s zone: its primary owns it", zn_kind_text(info.kind));
	/* Its row could not be read by 4.9, which then does not even start (powerdns-lmdb 5.2). */
	if (!exists && task->save->zone.variant[0] && zn_env_schema(task->saver->env) < 6)
		return zn_fail(err, ZN_EINVAL, "two dots in a name make a variant of a zone, which a database of schema 5 cannot hold");

	struct zn_check_options options = options_for(&mode);
	zn_judged_release(&task->judged);
	if (!zn_prepared_take(task->saver->prepared, task, &options))
		code = read_text(task, &options, exists ? &info : NULL, err);
	else
		code = ZN_OK;
	if (code != ZN_OK)
		return code;
	if (task->save->validate_only) {
		zn_prepared_put(task->saver->prepared, task, zn_clock_mono());
		*ret_finished = true;
		return ZN_OK;
	}
	if (exists) {
		ZN_AUTO(zn_buf_release) struct zn_buf earlier = ZN_BUF_INIT(ZN_TEXT_MAX);

		task->had_warnings = zn_saver_warnings(task->saver, &task->save->zone, &earlier, NULL) == ZN_OK;
	}
	return exists ? changes_nothing(task, &info, ret_finished, err) : ZN_OK;
}
