/* store/changes.h - which zones have rows that were written after a txnid, by anybody: a walk over value headers.
 *
 * Costs about 40 ns a row; long walks go in slices, each in a transaction of its own, so that no page is held for long. What is written
 * meanwhile has a higher txnid and is found by the next walk. */
#pragma once
#include "store/txn.h"

#define ZN_CHANGES_MAX 65536 /* zones told one by one; above that everything may have changed */

struct zn_changes {
	uint32_t *ids;		/* sorted, each once */
	size_t count;
	bool all;		/* more than ZN_CHANGES_MAX, or a counter that went back (mdb_copy -c, mdb_load); ids is empty */
	uint64_t txnid;		/* the last transaction looked at */
};

/* `since`: the last txnid known; 0 is everything. `skip`: own transactions above it, whose rows are known already; may be empty. */
ZN_MUST_USE enum zn_code zn_changes_since(struct zn_env *env, enum zn_which which, uint64_t since, const uint64_t *skip, size_t skip_count,
	struct zn_changes *ret_changes, struct zn_err *err);
void zn_changes_release(struct zn_changes *changes);
