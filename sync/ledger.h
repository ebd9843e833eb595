/* sync/ledger.h - which transactions of an env still have to be published. Pure.
 *
 * LMDB numbers the transactions that change something without gaps. Of each number the ledger can say
 * whether it is settled: contained in what we have published, or made by ourselves while merging (an
 * echo of what others have published). Every other number is somebody's change: ours by a save, or
 * another process's. So "is there anything to publish" is arithmetic on numbers, and no wakeup, race or
 * restart can hide a change:
 *
 *   settled:  1 ................ quiet,  own ranges above it      a number in neither: publish
 *
 * The ledger lives in the env it describes, in _sync_zonefs, and is written by the very transaction
 * that it is about: a merge that commits is noted, a merge that does not is not.
 *
 *   u8 format 1 | u64 quiet | varint n | n x ( u64 first, u64 last )      ascending, apart
 */
#pragma once
#include <stdbool.h>

#include "store/base/bytes.h"

#define ZN_LEDGER_RANGES 64	/* beyond it the oldest is forgotten: published once more than needed */

struct zn_ledger_range {
	uint64_t first, last;
};

struct zn_ledger {
	uint64_t quiet;		/* every number up to it is settled */
	struct zn_ledger_range ranges[ZN_LEDGER_RANGES];	/* ascending, above quiet + 1, never touching */
	size_t count;
};

/* Transaction `txnid`, at hand and later than all others, is ours. */
void zn_ledger_own(struct zn_ledger *ledger, uint64_t txnid);
/* All up to `txnid` is in the bucket. */
void zn_ledger_published(struct zn_ledger *ledger, uint64_t txnid);
/* Whether a transaction up to `last`, the newest of the env, is not settled. */
bool zn_ledger_pending(const struct zn_ledger *ledger, uint64_t last);
/* Whether transaction `txnid` is settled. */
bool zn_ledger_settled(const struct zn_ledger *ledger, uint64_t txnid);
/* Whether the env's counter has gone back (mdb_copy -c and mdb_load reset it): the ledger is then void. */
bool zn_ledger_void(const struct zn_ledger *ledger, uint64_t last);

void zn_ledger_encode(const struct zn_ledger *ledger, struct zn_buf *out);
/* ZN_ECORRUPT and ZN_EFORMAT: the caller begins with an empty one, and everything is pending. */
ZN_MUST_USE enum zn_code zn_ledger_decode(struct zn_view bytes, struct zn_ledger *ret_ledger);
