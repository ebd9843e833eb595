/* sync/state.h - what the syncer knows about an env, kept in that env: the DBI _sync_zonefs.
 *
 *   key sync/ledger    sync/ledger.h
 *   key sync/vector    instance -> stamp of the newest object merged; our own: of the newest published
 *   key sync/schemas   Lightning Stream instance -> schema version of its database (main only)
 *   key sync/aside     instance -> when the earliest of its entries from the future may be merged; 0: none
 *   key sync/complete  u64 stamp: everything in the bucket was merged
 *
 * Read and written in the transaction that it is about, never cached beyond it: so a database that is
 * restored brings the state that is true of it. Each value has the header of all values, flags 0. That
 * the DBI is gone (drop-shadow) does no harm: everything is compared and published again. */
#pragma once
#include "store/txn.h"
#include "sync/ledger.h"
#include "sync/vector.h"

struct zn_sync_state {
	struct zn_ledger ledger;
	struct zn_vector vector;
	struct zn_vector schemas;
	struct zn_vector aside;
	struct zn_stamp complete;
	bool fresh;	/* no ledger, or one of another history: all there is must be published */
};

/* From a transaction of either mode. What does not decode is as good as absent. */
ZN_MUST_USE enum zn_code zn_sync_state_read(struct zn_txn *txn, struct zn_sync_state *ret_state, struct zn_err *err);
void zn_sync_state_release(struct zn_sync_state *state);

/* Puts the rows that differ; *ret_written (added to, not reset) tells whether any did. The ledger is apart,
 * since it has to say whether the transaction is ours: write it last. */
ZN_MUST_USE enum zn_code zn_sync_state_write(struct zn_txn *txn, const struct zn_sync_state *state,
		bool *ret_written, struct zn_err *err);
ZN_MUST_USE enum zn_code zn_sync_state_write_ledger(struct zn_txn *txn, const struct zn_sync_state *state,
		struct zn_err *err);
