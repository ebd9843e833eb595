#include "sync/state.h"

#include "store/base/auto.h"
#include "store/base/wire.h"

#define LEDGER ZN_VIEW("sync/ledger")
#define VECTOR ZN_VIEW("sync/vector")
#define SCHEMAS ZN_VIEW("sync/schemas")
#define ASIDE ZN_VIEW("sync/aside")
#define COMPLETE ZN_VIEW("sync/complete")

#define ROW_MAX ((size_t)4 << 20)

static enum zn_dbi dbi_of(const struct zn_txn *txn)
{
	return txn->which == ZN_MAIN ? ZN_DBI_SYNC_MAIN : ZN_DBI_SYNC_RECORDS;
}

/* ZN_ENOTFOUND also for what cannot be read. */
static enum zn_code get_row(struct zn_txn *txn, struct zn_view key, struct zn_view *ret_payload, struct zn_err *err)
{
	struct zn_header header;
	struct zn_view value;
	enum zn_code code = zn_txn_get(txn, dbi_of(txn), key, &value, err);

	if (code)
		return code;
	return zn_header_read(value, &header, ret_payload) ? ZN_ENOTFOUND : ZN_OK;
}

static enum zn_code get_vector(struct zn_txn *txn, struct zn_view key, struct zn_vector *vector, struct zn_err *err)
{
	struct zn_view payload;
	enum zn_code code = get_row(txn, key, &payload, err);

	if (!code)
		code = zn_vector_decode(payload, vector, err);
	return code == ZN_ENOTFOUND || code == ZN_ECORRUPT || code == ZN_EFORMAT ? ZN_OK : code;
}

enum zn_code zn_sync_state_read(struct zn_txn *txn, struct zn_sync_state *ret_state, struct zn_err *err)
{
	uint64_t last = zn_txn_id(txn) - (txn->mode == ZN_TXN_WRITE ? 1 : 0);
	struct zn_sync_state state = {0};
	struct zn_view payload;
	enum zn_code code = get_row(txn, LEDGER, &payload, err);

	state.fresh = code != ZN_OK || zn_ledger_decode(payload, &state.ledger) != ZN_OK ||
			zn_ledger_void(&state.ledger, last);
	if (state.fresh)
		state.ledger = (struct zn_ledger){0};
	if (code == ZN_ENOTFOUND)
		code = ZN_OK;
	if (!code)
		code = get_vector(txn, VECTOR, &state.vector, err);
	if (!code)
		code = get_vector(txn, SCHEMAS, &state.schemas, err);
	if (!code)
		code = get_vector(txn, ASIDE, &state.aside, err);
	if (!code) {
		code = get_row(txn, COMPLETE, &payload, err);
		if (!code && payload.len == 8)
			state.complete.ns = zn_get_u64(payload.data);
		if (code == ZN_ENOTFOUND)
			code = ZN_OK;
	}
	if (code) {
		zn_sync_state_release(&state);
		return code;
	}
	*ret_state = state;
	return ZN_OK;
}

void zn_sync_state_release(struct zn_sync_state *state)
{
	zn_vector_release(&state->vector);
	zn_vector_release(&state->schemas);
	zn_vector_release(&state->aside);
	*state = (struct zn_sync_state){0};
}

static enum zn_code put_row(struct zn_txn *txn, struct zn_view key, const struct zn_buf *bytes, bool *ret_written,
		struct zn_err *err)
{
	struct zn_view old;
	enum zn_code code = zn_buf_check(bytes, "_sync_zonefs", err);

	if (code)
		return code;
	code = get_row(txn, key, &old, err);
	if (!code && zn_view_equal(old, zn_buf_view(bytes)))
		return ZN_OK;
	if (code && code != ZN_ENOTFOUND)
		return code;
	*ret_written = true;
	return zn_txn_put_raw(txn, dbi_of(txn), key, txn->now, 0, zn_buf_view(bytes), err);
}

static enum zn_code put_vector(struct zn_txn *txn, struct zn_view key, const struct zn_vector *vector,
		bool *ret_written, struct zn_err *err)
{
	ZN_AUTO(zn_buf_release) struct zn_buf bytes = ZN_BUF_INIT(ROW_MAX);

	if (!vector->count)
		return ZN_OK; /* nothing yet */
	zn_vector_encode(vector, &bytes);
	return put_row(txn, key, &bytes, ret_written, err);
}

enum zn_code zn_sync_state_write(struct zn_txn *txn, const struct zn_sync_state *state, bool *ret_written,
		struct zn_err *err)
{
	ZN_AUTO(zn_buf_release) struct zn_buf complete = ZN_BUF_INIT(8);
	enum zn_code code = put_vector(txn, VECTOR, &state->vector, ret_written, err);

	if (!code)
		code = put_vector(txn, SCHEMAS, &state->schemas, ret_written, err);
	if (!code)
		code = put_vector(txn, ASIDE, &state->aside, ret_written, err);
	if (code || !state->complete.ns)
		return code;
	zn_write_u64(&complete, state->complete.ns);
	return put_row(txn, COMPLETE, &complete, ret_written, err);
}

enum zn_code zn_sync_state_write_ledger(struct zn_txn *txn, const struct zn_sync_state *state, struct zn_err *err)
{
	ZN_AUTO(zn_buf_release) struct zn_buf bytes = ZN_BUF_INIT(ROW_MAX);
	bool written = false;

	zn_ledger_encode(&state->ledger, &bytes);
	return put_row(txn, LEDGER, &bytes, &written, err);
}
