/* fs/save/apply.c - on the commit thread: weigh a judged text against what is stored, then write what differs. */
#include "fs/save/task.h"

#include <stdlib.h>

#include "fs/save/decide.h"
#include "fs/save/policy.h"
#include "fs/text/print.h"
#include "store/base/limits.h"

#define HASH_MASK ((UINT64_C(1) << 48) - 1)

static const uint8_t apex_key[] = {0};

struct zn_view zn_task_text(const struct task *task)
{
	return task->outcome.final_text.len ? zn_buf_view(&task->outcome.final_text) : task->save->text;
}

void zn_outcome_release(struct zn_outcome *outcome)
{
	zn_buf_release(&outcome->final_text);
	*outcome = (struct zn_outcome){0};
}

/* --- what is stored --- */

struct zn_stored_text {
	bool has_head;
	struct zn_text_head head;
	struct zn_stamp head_stamp;
	struct zn_piece *pieces; /* borrowed from the transaction until it writes */
	size_t count, capacity;
	struct zn_digest says; /* the records they yield, repeated ones too */
	bool damaged; /* not all of it could be read: nothing of it stays */
};

static void release_stored_text(struct zn_stored_text *stored)
{
	free(stored->pieces);
	*stored = (struct zn_stored_text){0};
}

static enum zn_code add_piece(void *context, struct zn_view order, struct zn_stamp stamp, struct zn_view payload)
{
	struct zn_stored_text *stored = context;
	(void)stamp;

	if (stored->count == stored->capacity) {
		size_t capacity = stored->capacity ? 2 * stored->capacity : 8;
		struct zn_piece *pieces = realloc(stored->pieces, capacity * sizeof *pieces);

		if (!pieces)
			return ZN_ENOMEM;
		stored->pieces = pieces;
		stored->capacity = capacity;
	}
	struct zn_piece *piece = &stored->pieces[stored->count];
	if (zn_piece_read(payload, piece) != ZN_OK) {
		stored->damaged = true;
		return ZN_OK;
	}
	piece->order = order;
	stored->count++;
	stored->says.count += piece->digest.count;
	stored->says.sum = (stored->says.sum + piece->digest.sum) & HASH_MASK;
	return ZN_OK;
}

static enum zn_code read_stored_text(struct zn_txn *records, uint32_t id, struct zn_stored_text *stored, struct zn_err *err)
{
	enum zn_code code = zn_text_head_get(records, id, &stored->head, &stored->head_stamp, err);

	stored->has_head = code == ZN_OK;
	if (code == ZN_ENOTFOUND || code == ZN_ECORRUPT || code == ZN_EFORMAT)
		code = ZN_OK;
	if (code == ZN_OK)
		code = zn_text_each(records, id, add_piece, stored, err);
	if (code == ZN_ECORRUPT) { /* a row that is none of ours */
		stored->damaged = true;
		code = ZN_OK;
	}
	if (stored->damaged)
		stored->count = 0;
	return code == ZN_ENOMEM ? zn_fail(err, code, "out of memory") : code;
}

/* --- weighing --- */

/* The parsed zone under another serial, with its digest. */
static void set_serial(struct task *task, uint32_t serial)
{
	struct zn_judged *judged = &task->judged;
	struct zn_outcome *outcome = &task->outcome;
	size_t first;

	zn_zone_set_serial(judged->parsed.zone, serial);
	if (judged->stripped)
		zn_zone_set_serial(judged->stripped, serial);
	outcome->serial = serial;
	outcome->digest = judged->digest;
	if (zn_zone_find(judged->parsed.zone, zn_view(apex_key, sizeof apex_key), ZN_TYPE_SOA, &first) == 1) {
		struct zn_record soa = zn_zone_at(judged->parsed.zone, first);
		uint64_t hash = zn_record_hash(zn_zone_apex(judged->parsed.zone), &soa);

		outcome->soa_hash = hash;
		outcome->digest.sum = (judged->digest.sum - judged->soa_hash + hash) & HASH_MASK;
	}
}

static enum zn_code set_final_text(struct task *task, struct zn_err *err)
{
	const struct zn_parsed *parsed = &task->judged.parsed;
	struct zn_buf *text = &task->outcome.final_text;

	if (task->outcome.serial == parsed->serial)
		return ZN_OK;
	zn_buf_add(text, task->save->text);
	zn_text_set_serial(text, parsed->serial_offset, parsed->serial_len, task->outcome.serial);
	return zn_buf_check(text, "the text", err);
}

static enum zn_code changed_since(struct task *task, struct zn_txn *records, enum zn_since *ret_since, struct zn_err *err)
{
	const struct zn_save *save = task->save;
	struct zn_last_save last;
	struct zn_digest stored;
	/* A text with the committed serial in it was made from the committed zone, or from one that nobody can tell from it. */
	bool remembered = task->judged.parsed.serial != task->outcome.serial && zn_last_get(task->saver->last, task->outcome.info.id, &last);

	*ret_since = ZN_SINCE_UNKNOWN;
	/* Of a presigned zone the rows do not say all, and its serial decides anyway. */
	if ((!save->basis.known && !remembered) || task->outcome.mode.presigned || task->outcome.leaves_signing)
		return ZN_OK;
	enum zn_code code = zn_records_digest(records, task->outcome.info.id, &save->zone.name, &stored, NULL, err);
	if (code != ZN_OK)
		return code;
	if (save->basis.known)
		*ret_since = zn_digest_equal(save->basis.digest, stored) ? ZN_SINCE_NOBODY : ZN_SINCE_SOMEBODY;
	else
		*ret_since = zn_last_since(&last, stored, save->actor.uid);
	return ZN_OK;
}

static enum zn_code refuse_conflict(const struct task *task, uint32_t stored, struct zn_err *err)
{
	return zn_fail(err, ZN_ECONFLICT,
		"serial %u is not newer than the committed %u, and the zone was changed by somebody else meanwhile; start from the zone as it is "
		"now, or raise the serial above %u to replace it", task->judged.parsed.serial, stored, stored);
}

static enum zn_code refuse_old_serial(struct task *task, uint32_t stored, struct zn_err *err)
{
	return zn_fail(err, ZN_EZONE, "records of a presigned zone changed under serial %u, which is not newer than the committed %u: its signer has to raise it",
		task->judged.parsed.serial, stored);
}

/* Readers without a kept text get the canonical print: is this text just that? */
struct comparison {
	struct zn_view left;
	bool differs;
};

static enum zn_code compare_part(void *context, struct zn_buf *part)
{
	struct comparison *comparison = context;

	if (!zn_view_starts_with(comparison->left, zn_buf_view(part)))
		comparison->differs = true;
	comparison->left = zn_view_sub(comparison->left, part->len, SIZE_MAX);
	zn_buf_clear(part);
	return comparison->differs ? ZN_EAGAIN : ZN_OK; /* EAGAIN: enough seen */
}

static enum zn_code is_canonical(const struct task *task, bool *ret_canonical, struct zn_err *err)
{
	ZN_AUTO(zn_buf_release) struct zn_buf part = ZN_BUF_INIT(ZN_TEXT_MAX);
	struct comparison comparison = {.left = zn_task_text(task)};

	enum zn_code code = zn_print_zone(task->judged.parsed.zone, &part, compare_part, &comparison, err);
	if (code == ZN_OK && part.len)
		code = compare_part(&comparison, &part);
	*ret_canonical = code == ZN_OK && !comparison.differs && comparison.left.len == 0;
	return code == ZN_EAGAIN ? ZN_OK : code;
}

/* What has to be written for readers to get this text, and nothing when they get it already. */
static enum zn_code plan_text(struct task *task, const struct zn_stored_text *stored, struct zn_err *err)
{
	const struct zn_save *save = task->save;
	const struct zn_judged *judged = &task->judged;
	struct zn_outcome *outcome = &task->outcome;

	if (!judged->cutter) { /* text=off: what was kept goes with the next change */
		outcome->old_text_goes = outcome->rows && (stored->has_head || stored->count || stored->damaged);
		return ZN_OK;
	}
	outcome->old_text_goes = stored->damaged;
	outcome->counter = atomic_fetch_add(&task->saver->counter, 1);
	struct zn_cut cut = {
		.text = zn_task_text(task),
		.parsed_len = save->text.len,
		.serial_offset = judged->parsed.serial_offset,
		.soa_hash = outcome->soa_hash,
		.stored = stored->pieces,
		.stored_count = stored->count,
		.site = task->saver->options.site,
		.counter = outcome->counter,
	};
	enum zn_code code = zn_cutter_finish(judged->cutter, &cut, &outcome->pieces, err);
	if (code != ZN_OK)
		return code;
	/* As fs/save/load.c has it: pieces are shown when they say what the rows say; where they give a record twice, the head vouches for them. */
	bool head_fits = stored->has_head && zn_digest_equal(stored->head.digest, outcome->digest);
	bool shown = stored->count && (zn_digest_equal(stored->says, outcome->digest) || (stored->says.count > outcome->digest.count && head_fits));
	bool same = !outcome->rows && shown && !outcome->pieces.put_count && !outcome->pieces.bury_count;
	if (!outcome->rows && !shown)
		code = is_canonical(task, &same, err);
	if (code != ZN_OK)
		return code;
	bool time_moves = save->mtime.ns && !(head_fits && stored->head.mtime.ns == save->mtime.ns);
	outcome->text = !same;
	outcome->head = outcome->text || time_moves;
	outcome->mtime = outcome->head || !head_fits ? save->mtime : stored->head.mtime;
	outcome->text_stamp = stored->head_stamp;
	return ZN_OK;
}

static bool same_chain(const struct zn_zone_mode *a, const struct zn_zone_mode *b)
{
	if (a->dnssec != b->dnssec)
		return false;
	return a->dnssec != ZN_DNSSEC_NSEC3 || (a->nsec3.iterations == b->nsec3.iterations && a->nsec3.flags == b->nsec3.flags &&
		zn_view_equal(zn_view(a->nsec3.salt, a->nsec3.salt_len), zn_view(b->nsec3.salt, b->nsec3.salt_len)));
}

/* A text signed elsewhere makes the zone presigned; one without signatures ends that. */
static void plan_signing(struct task *task)
{
	const struct zn_parsed *parsed = &task->judged.parsed;
	struct zn_outcome *outcome = &task->outcome;

	if (parsed->presigned) {
		outcome->signing = !outcome->mode.presigned || !same_chain(&outcome->mode, &parsed->signing);
		outcome->mode = parsed->signing;
	} else if (outcome->mode.presigned) {
		outcome->signing = outcome->leaves_signing = true;
		outcome->mode = (struct zn_zone_mode){.has_keys = outcome->mode.has_keys};
		outcome->mode.dnssec = outcome->mode.has_keys ? ZN_DNSSEC_NSEC : ZN_DNSSEC_UNSIGNED;
	}
}

static enum zn_code weigh_stored(struct task *task, struct zn_txn *records, struct zn_err *err)
{
	struct zn_outcome *outcome = &task->outcome;
	const struct zn_parsed *parsed = &task->judged.parsed;
	struct zn_weighed weighed = {
		.offered = parsed->serial, .signed_elsewhere = parsed->presigned, .policy = outcome->policy, .now = zn_clock_now(),
	};
	struct zn_stamp stamp;
	uint32_t serial;

	enum zn_code code = zn_records_serial(records, outcome->info.id, &weighed.stored, &stamp, err);
	bool listed = code == ZN_OK;
	if (!listed && code != ZN_ENOTFOUND)
		return code;
	set_serial(task, listed ? weighed.stored : parsed->serial);
	code = zn_records_compare(records, outcome->info.id, zn_judged_rows(&task->judged), &outcome->change, err);
	if (code != ZN_OK)
		return code;
	weighed.differs = outcome->change.added || outcome->change.removed;
	if (!listed) { /* in the list of zones, but without SOA: nobody is served an older serial */
		outcome->rows = true;
		return ZN_OK;
	}
	if (weighed.differs && !zn_serial_newer(weighed.offered, weighed.stored))
		code = changed_since(task, records, &weighed.since, err);
	if (code != ZN_OK)
		return code;
	switch (zn_decide(&weighed, &serial)) {
	case ZN_VERDICT_CONFLICT:
		return refuse_conflict(task, weighed.stored, err);
	case ZN_VERDICT_OLD_SERIAL:
		return refuse_old_serial(task, weighed.stored, err);
	case ZN_VERDICT_SAME:
		outcome->rows = outcome->signing; /* what is derived from them changes */
		break;
	case ZN_VERDICT_ROWS:
		outcome->rows = true;
		break;
	}
	set_serial(task, serial);
	return ZN_OK;
}

enum zn_code zn_task_weigh(struct task *task, struct zn_txn *main, struct zn_txn *records, struct zn_err *err)
{
	struct zn_outcome *outcome = &task->outcome;
	ZN_AUTO(release_stored_text) struct zn_stored_text stored = {0};

	zn_outcome_release(outcome);
	zn_buf_init(&outcome->final_text, ZN_TEXT_MAX);
	outcome->seen[ZN_MAIN] = zn_txn_id(main);
	outcome->seen[ZN_RECORDS] = zn_txn_id(records) - (records->mode == ZN_TXN_WRITE);
	enum zn_code code = zn_zones_find(main, &task->save->zone, &outcome->info, err);
	outcome->exists = code == ZN_OK;
	if (!outcome->exists && code != ZN_ENOTFOUND)
		return code;
	if (outcome->exists && zn_kind_read_only(outcome->info.kind))
		return zn_fail(err, ZN_EACCES, "a %s zone: its primary owns it", zn_kind_text(outcome->info.kind));
	code = zn_meta_mode(main, &task->save->zone, &outcome->mode, err);
	if (code != ZN_OK)
		return code;
	if (!zn_judged_fits(&task->judged, &outcome->mode))
		return ZN_EAGAIN;
	plan_signing(task);
	outcome->policy = task->saver->options.serial;
	code = zn_policy_get(main, &task->save->zone, &outcome->policy, err);
	if (code != ZN_OK)
		return code;
	if (outcome->exists) {
		code = weigh_stored(task, records, err);
		if (code == ZN_OK)
			code = read_stored_text(records, outcome->info.id, &stored, err);
	} else {
		outcome->rows = true;
		set_serial(task, task->judged.parsed.serial);
	}
	if (code == ZN_OK)
		code = set_final_text(task, err);
	if (code == ZN_OK)
		code = plan_text(task, &stored, err);
	return code;
}

/* --- writing --- */

static enum zn_code count_signatures(struct task *task, struct zn_txn *records, uint64_t *ret_count, struct zn_err *err)
{
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *stored = NULL;

	*ret_count = 0;
	enum zn_code code = zn_records_read(records, task->outcome.info.id, &task->save->zone.name, &stored, NULL, err);
	for (size_t i = 0; code == ZN_OK && i < zn_zone_count(stored); i++)
		*ret_count += zn_zone_at(stored, i).type == ZN_TYPE_RRSIG;
	return code;
}

static enum zn_code ask_guard(struct task *task, struct zn_txn *records, struct zn_err *err)
{
	const struct zn_records_change *change = &task->outcome.change;
	uint64_t stored = zn_zone_count(zn_judged_rows(&task->judged)) + change->removed - change->added, signatures = 0;
	enum zn_code code = ZN_OK;
	bool taken = false;

	if (!task->outcome.exists || task->allowance)
		return ZN_OK;
	if (task->outcome.leaves_signing) /* that all signatures go is what is wanted */
		code = count_signatures(task, records, &signatures, err);
	if (code == ZN_OK)
		code = zn_guard_records(task->saver->guard, change->deleted - signatures, stored - signatures, &taken, err);
	task->allowance = taken;
	return code;
}

static enum zn_code write_rows(struct task *task, struct zn_txn *main, struct zn_txn *records, struct zn_err *err)
{
	struct zn_outcome *outcome = &task->outcome;
	struct zn_zone_info *info = &outcome->info;
	enum zn_code code = ZN_OK;

	if (!outcome->exists) {
		*info = (struct zn_zone_info){.zone = task->save->zone, .kind = task->saver->options.kind};
		code = zn_zones_new_id(main, records, &info->zone, &info->id, err);
		if (code == ZN_OK)
			code = zn_zones_intend(records, ZN_INTENT_CREATE, info->id, &info->zone, info->kind, outcome->signing ? &outcome->mode : NULL, err);
	}
	if (code == ZN_OK && outcome->exists && outcome->signing)
		code = zn_zones_intend(records, ZN_INTENT_SIGNING, info->id, &info->zone, info->kind, &outcome->mode, err);
	if (code == ZN_OK)
		code = zn_records_apply(records, info->id, zn_judged_rows(&task->judged), &outcome->mode, &outcome->change, err);
	return code;
}

static enum zn_code put_piece(const struct task *task, struct zn_txn *records, size_t index, struct zn_buf *payload, struct zn_err *err)
{
	const struct zn_outcome *outcome = &task->outcome;

	enum zn_code code = zn_cutter_payload(task->judged.cutter, index, payload, err);
	if (code == ZN_OK)
		code = zn_text_put(records, outcome->info.id, zn_order_view(&outcome->pieces.put[index]), zn_buf_view(payload), err);
	return code;
}

static enum zn_code write_text(struct task *task, struct zn_txn *records, struct zn_err *err)
{
	struct zn_outcome *outcome = &task->outcome;
	const struct zn_piece_changes *pieces = &outcome->pieces;
	uint32_t id = outcome->info.id;
	ZN_AUTO(zn_buf_release) struct zn_buf payload = ZN_BUF_INIT(ZN_ENTRY_MAX + (1 << 20));
	enum zn_code code = ZN_OK;

	if (outcome->old_text_goes && (outcome->rows || outcome->text))
		code = zn_text_bury_all(records, id, err);
	if (outcome->text) {
		for (size_t i = 0; code == ZN_OK && i < pieces->bury_count; i++)
			code = zn_text_bury(records, id, zn_order_view(&pieces->bury[i]), err);
		for (size_t i = 0; code == ZN_OK && i < pieces->put_count; i++)
			code = put_piece(task, records, i, &payload, err);
	}
	if (code == ZN_OK && outcome->head) {
		struct zn_text_head head = {
			.mtime = outcome->mtime, .digest = outcome->digest, .site = task->saver->options.site, .counter = outcome->counter,
		};
		struct zn_text_head written;

		code = zn_text_head_put(records, id, &head, err);
		if (code == ZN_OK)
			code = zn_text_head_get(records, id, &written, &outcome->text_stamp, err);
	}
	return code;
}

static enum zn_code run_records(struct task *task, struct zn_txn *records, struct zn_err *err)
{
	struct zn_outcome *outcome = &task->outcome;
	/* Begun when the lock is had: how rows are derived is read as late as can be (details.md 2). */
	ZN_AUTO(zn_txn_end) struct zn_txn main = {0};

	enum zn_code code = zn_txn_begin(&main, task->saver->env, ZN_MAIN, ZN_TXN_READ, err);
	if (code == ZN_OK)
		code = zn_task_weigh(task, &main, records, err);
	if (code == ZN_OK && outcome->rows)
		code = ask_guard(task, records, err);
	if (code == ZN_OK && outcome->rows)
		code = write_rows(task, &main, records, err);
	if (code == ZN_OK)
		code = write_text(task, records, err);
	if (code == ZN_OK && (outcome->rows || outcome->head))
		outcome->txnid[ZN_RECORDS] = zn_txn_id(records);
	task->job.order = outcome->exists && !outcome->signing ? ZN_JOB_RECORDS : ZN_JOB_RECORDS_MAIN;
	return code;
}

static enum zn_code run_main(struct task *task, struct zn_txn *main, struct zn_err *err)
{
	struct zn_outcome *outcome = &task->outcome;
	struct zn_zone_info *info = &outcome->info;
	enum zn_code code = ZN_OK;

	if (!outcome->exists)
		code = zn_zones_create(main, info->id, &info->zone, info->kind, err);
	if (code == ZN_EEXIST)
		return zn_fail(err, ZN_ECONFLICT, "somebody else made the zone at the same moment");
	if (code == ZN_OK && outcome->signing)
		code = zn_meta_set_signing(main, &info->zone, &outcome->mode, err);
	if (code == ZN_OK)
		code = zn_zones_get(main, info->id, info, err);
	outcome->txnid[ZN_MAIN] = zn_txn_id(main);
	return code;
}

enum zn_code zn_task_run(struct zn_job *job, struct zn_txn *txn, struct zn_err *err)
{
	struct task *task = (struct task *)job;

	return txn->which == ZN_RECORDS ? run_records(task, txn, err) : run_main(task, txn, err);
}
