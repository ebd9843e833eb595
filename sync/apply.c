#include "sync/apply.h"

#include <stdlib.h>

#include "store/base/auto.h"
#include "store/base/log.h"
#include "store/base/wire.h"
#include "store/settle.h"
#include "sync/merge.h"

#define SETTLE_ZONES 64 /* zones settled in one transaction */

enum merge_kind {
	MERGE_ROWS,	/* [from, to) of the stage, and what follows from them */
	SETTLE,		/* `zones` */
	BURY,		/* the records of `zones` */
};

/* One transaction. */
struct merge_job {
	struct zn_job job;
	struct zn_sync *sync;
	enum merge_kind kind;
	enum zn_which which;
	const struct zn_stage *stage;
	size_t from, to;
	const struct zn_apply_note *note;
	bool change;
	/* results of the last run; good when the job is done well */
	struct zn_ids zones;
	struct zn_ids losers;
	uint64_t written;
	uint64_t txnid;		/* 0: nothing was written */
	bool news;
};

static enum zn_code note_zone(struct zn_ids *zones, const struct zn_stage_row *row, struct zn_err *err)
{
	struct zn_entry_role role = {0};

	zn_entry_role(row->dbi, row->entry.key, row->entry.payload, &role);
	if (!role.zone_id || (zones->count && zones->list[zones->count - 1] == role.zone_id))
		return ZN_OK;
	enum zn_code code = zn_ids_add(zones, role.zone_id);
	return code ? zn_fail(err, code, "merge: %s", zn_code_text(code)) : ZN_OK;
}

/* In main: the zones that a row is about to change in more than what servers rewrite by themselves. */
static enum zn_code note_touched(struct merge_job *m, struct zn_txn *txn, const char *dbi, const struct zn_entry *entry,
		const struct zn_merge_entry *local, struct zn_err *err)
{
	bool live = local && !local->deleted;

	if (live && !entry->deleted && zn_entry_same_but_churn(dbi, local->value, entry->payload))
		return ZN_OK;
	return zn_settling_touched(txn, dbi, entry->key, entry->deleted && live ? local->value : entry->payload,
			&m->zones, err);
}

/* Puts one row if it still wins. */
static enum zn_code put_row(struct merge_job *m, struct zn_txn *txn, const struct zn_dbi_info *dbi,
		const struct zn_entry *entry, struct zn_err *err)
{
	struct zn_merge_entry incoming = {entry->stamp, entry->deleted, entry->payload};
	struct zn_merge_entry local = {0};
	struct zn_header header;
	struct zn_view value;
	enum zn_code code = zn_txn_get_any(txn, dbi->handle, entry->key, &value, err);
	bool present = !code && value.len;

	if (code && code != ZN_ENOTFOUND)
		return code;
	if (present && zn_header_read(value, &header, &value) != ZN_OK)
		return ZN_OK; /* not ours to judge: left alone */
	if (present)
		local = (struct zn_merge_entry){header.stamp, zn_header_deleted(&header), value};
	if (!zn_merge_takes(present ? &local : NULL, &incoming, (struct zn_stamp){0}))
		return ZN_OK;
	code = m->which == ZN_MAIN ? note_touched(m, txn, dbi->name, entry, present ? &local : NULL, err) : ZN_OK;
	m->written++;
	return code ? code : zn_entries_put(txn, dbi, entry, err);
}

static enum zn_code put_rows(struct merge_job *m, struct zn_txn *txn, struct zn_err *err)
{
	struct zn_dbi_info dbi = {0};

	for (size_t i = m->from; i < m->to; i++) {
		struct zn_stage_row row = zn_stage_at(m->stage, i);
		enum zn_code code = strcmp(dbi.name, row.dbi) ? zn_txn_dbi(txn, row.dbi, &dbi, err) : ZN_OK;

		if (code == ZN_EFORMAT || code == ZN_ETOOBIG)
			continue; /* one DBI too many: the others need not suffer */
		if (!code)
			code = put_row(m, txn, &dbi, &row.entry, err);
		if (code)
			return code;
	}
	return ZN_OK;
}

static enum zn_code merge_main(struct merge_job *m, struct zn_txn *txn, struct zn_err *err)
{
	zn_ids_release(&m->zones);
	zn_ids_release(&m->losers);
	enum zn_code code = put_rows(m, txn, err);

	return !code && m->zones.count ? zn_settle_duplicates(txn, &m->zones, &m->losers, err) : code;
}

/* Rows, derived rows and serials of whole zones, so that no server sees one without the other. */
static enum zn_code merge_records(struct merge_job *m, struct zn_txn *txn, struct zn_err *err)
{
	ZN_AUTO_PTR(zn_settling_free) struct zn_settling *settling = NULL;
	uint64_t settled = 0;
	enum zn_code code = ZN_OK;

	if (m->kind == BURY)
		return zn_settling_losers(txn, &m->zones, &m->written, err);
	if (m->zones.count)
		code = zn_settling_begin(txn, &m->zones, &settling, err);
	if (!code)
		code = put_rows(m, txn, err);
	if (!code && settling && (m->written || m->kind == SETTLE))
		code = zn_settling_end(settling, &settled, &m->news, err);
	m->written += settled;
	return code;
}

static enum zn_code note_object(const struct zn_apply_note *note, struct zn_sync_state *state, struct zn_err *err)
{
	enum zn_code code = ZN_OK;

	if (note->stamp.ns > zn_vector_get(&state->vector, note->instance))
		code = zn_vector_set(&state->vector, note->instance, note->stamp.ns, err);
	if (!code && note->schema_told && note->schema != zn_vector_get(&state->schemas, note->instance))
		code = zn_vector_set(&state->schemas, note->instance, note->schema, err);
	if (!code && note->aside_due != zn_vector_get(&state->aside, note->instance))
		code = zn_vector_set(&state->aside, note->instance, note->aside_due, err);
	return code;
}

/* The rows, what follows from them, and what is known after them. */
static enum zn_code run_merge(struct zn_job *job, struct zn_txn *txn, struct zn_err *err)
{
	struct merge_job *m = (struct merge_job *)job;
	ZN_AUTO(zn_sync_state_release) struct zn_sync_state state = {0};
	bool noted = false;

	m->written = 0;
	m->txnid = 0;
	m->news = false;
	enum zn_code code = zn_sync_state_read(txn, &state, err);
	if (!code)
		code = m->which == ZN_MAIN ? merge_main(m, txn, err) : merge_records(m, txn, err);
	if (!code && m->note) {
		code = note_object(m->note, &state, err);
		if (!code)
			code = zn_sync_state_write(txn, &state, &noted, err);
	}
	if (code || (!m->written && !noted))
		return code;
	m->txnid = zn_txn_id(txn);
	/* An echo, unless it has made something new, or is to be passed on, or won over a duplicate; and where the
	 * ledger is void, it stays so until all there is was published. */
	if (m->news || m->losers.count || m->kind == BURY || (m->change && m->written) || state.fresh)
		return ZN_OK;
	zn_ledger_own(&state.ledger, m->txnid);
	return zn_sync_state_write_ledger(txn, &state, err);
}

static void done_merge(struct zn_job *job, enum zn_code code, const struct zn_err *err)
{
	struct merge_job *m = (struct merge_job *)job;
	struct zn_change change = {
			.origin = ZN_OWN_MERGE, .ids = m->zones.list, .count = m->zones.count};

	(void)err;
	if (code || !m->txnid || !m->sync->watch)
		return;
	change.txnid[m->which] = m->txnid;
	zn_watch_tell(m->sync->watch, &change);
}

static enum zn_code run(struct merge_job *m, struct zn_err *err)
{
	struct zn_sync_db *db = &m->sync->db[m->which];

	m->job = (struct zn_job){
			.class = ZN_JOB_MERGE,
			.order = m->which == ZN_MAIN ? ZN_JOB_MAIN : ZN_JOB_RECORDS,
			.run = run_merge,
			.done = done_merge,
	};
	enum zn_code code = zn_sync_run(m->sync, &m->job, err);
	if (code)
		return code;
	if (m->news) /* others may be about to write the same: replication.md 2 */
		db->machine_until = zn_clock_mono() + ZN_NS_PER_S + (uint64_t)random() % (4 * ZN_NS_PER_S);
	db->status.entries_merged += m->kind == MERGE_ROWS ? m->written : 0;
	return ZN_OK;
}

/* Whether nothing at all is stored of a zone, tombstones included: it may then be written in slices, since
 * it is not listed before main is merged. Rows of a zone begin with its id. */
static enum zn_code is_new(struct zn_sync *sync, uint32_t zone, bool *ret_new, struct zn_err *err)
{
	ZN_AUTO(zn_txn_end) struct zn_txn txn = {0};
	struct zn_cursor cursor;
	uint8_t id[4];
	enum zn_code code = zn_txn_begin(&txn, sync->env, ZN_RECORDS, ZN_TXN_READ, err);

	if (!code)
		code = zn_cursor_open(&cursor, &txn, ZN_DBI_RECORDS, err);
	if (!code) {
		zn_put_u32(id, zone);
		code = zn_cursor_seek(&cursor, zn_view(id, sizeof id));
		*ret_new = !code && !zn_view_starts_with(cursor.key, zn_view(id, sizeof id));
		zn_cursor_close(&cursor);
	}
	if (code != ZN_ENOTFOUND)
		return code;
	*ret_new = true;
	return ZN_OK;
}

/* Where the transaction that begins at `from` ends: whole groups up to ZN_APPLY_ROWS and at least one. What
 * nobody can see half of is cut: main, rows of no zone, and a zone that is new (*sliced remembers it). */
static enum zn_code slice_end(struct zn_sync *sync, const struct zn_stage *stage, size_t from, size_t to,
		uint32_t *sliced, size_t *ret_end, struct zn_err *err)
{
	uint32_t group = stage->rows[from].group;
	size_t end = zn_stage_group_end(stage, from);

	end = end < to ? end : to;
	if (end - from > ZN_APPLY_ROWS) {
		bool cut = stage->which == ZN_MAIN || !group || group == *sliced;
		enum zn_code code = cut ? ZN_OK : is_new(sync, group, &cut, err);

		if (code)
			return code;
		if (cut) {
			*sliced = group;
			end = from + ZN_APPLY_ROWS;
		} else if (end - from > ZN_APPLY_REPORTED) {
			zn_info("zone id %u: %zu merged rows in one transaction", group, end - from);
		}
		*ret_end = end;
		return ZN_OK;
	}
	while (end < to) {
		size_t next = zn_stage_group_end(stage, end);

		if (next > to || next - from > ZN_APPLY_ROWS)
			break;
		end = next;
	}
	*ret_end = end;
	return ZN_OK;
}

/* A job for up to SETTLE_ZONES of `ids`, from the from-th on, with their heirs. */
static enum zn_code follow_up_some(struct zn_sync *sync, enum merge_kind kind, const struct zn_ids *ids, size_t from,
		struct zn_err *err)
{
	struct merge_job m = {.sync = sync, .kind = kind, .which = ZN_RECORDS};
	enum zn_code code = ZN_OK;

	for (size_t i = from; i < ids->count && i < from + SETTLE_ZONES && !code; i++) {
		uint32_t heir = ids->heirs ? ids->heirs[i] : 0;

		code = heir ? zn_ids_add_heir(&m.zones, ids->list[i], heir) : zn_ids_add(&m.zones, ids->list[i]);
	}
	code = code ? zn_fail(err, code, "merge: %s", zn_code_text(code)) : run(&m, err);
	zn_ids_release(&m.zones);
	return code;
}

static enum zn_code follow_up(struct zn_sync *sync, enum merge_kind kind, const struct zn_ids *ids, struct zn_err *err)
{
	enum zn_code code = ZN_OK;

	for (size_t from = 0; from < ids->count && !code; from += SETTLE_ZONES)
		code = follow_up_some(sync, kind, ids, from, err);
	return code;
}

/* The transaction from `from` on; *ret_end is where the next one begins. */
static enum zn_code apply_slice(struct merge_job *m, size_t to, uint32_t *sliced, const struct zn_apply_note *note,
		struct zn_err *err)
{
	enum zn_code code = ZN_OK;

	if (m->from < to)
		code = slice_end(m->sync, m->stage, m->from, to, sliced, &m->to, err);
	for (size_t i = m->from; i < m->to && !code && m->which == ZN_RECORDS; i++) {
		struct zn_stage_row row = zn_stage_at(m->stage, i);
		code = note_zone(&m->zones, &row, err);
	}
	m->note = m->to >= to ? note : NULL;
	if (code || (m->from == m->to && !m->note))
		return code;
	code = run(m, err);
	if (code || m->which == ZN_RECORDS)
		return code;
	code = follow_up(m->sync, BURY, &m->losers, err);
	return code ? code : follow_up(m->sync, SETTLE, &m->zones, err);
}

enum zn_code zn_apply(struct zn_sync *sync, const struct zn_stage *stage, size_t from, size_t to,
		const struct zn_apply_note *note, bool change, uint64_t *written, struct zn_err *err)
{
	uint32_t sliced = 0;
	enum zn_code code;

	do {
		struct merge_job m = {.sync = sync, .which = stage->which, .stage = stage, .from = from, .to = from,
				.change = change};

		code = apply_slice(&m, to, &sliced, note, err);
		*written += m.written;
		zn_ids_release(&m.zones);
		zn_ids_release(&m.losers);
		from = m.to;
	} while (!code && from < to);
	return code;
}
