/* sync/apply.h - staged rows into the database: short merge jobs on the commit thread, each row compared
 * again there, a group (a zone) never split over two transactions; with the vector in the last one, and
 * every transaction noted in the ledger by itself. */
#pragma once
#include "sync/stage.h"

#define ZN_APPLY_ROWS 8192	/* rows of one transaction, unless a single zone has more */
#define ZN_APPLY_REPORTED 20000	/* rows of one transaction that hold the lock for longer than 50 ms */

/* What the last transaction of an object says of it. */
struct zn_apply_note {
	struct zn_view instance;	/* whose object */
	struct zn_stamp stamp;		/* its stamp, for the vector */
	bool schema_told;		/* it is of main, so it says the next */
	uint32_t schema;		/* of its author's database; 0: not told, or zonefs, which sees to itself */
	uint64_t aside_due;		/* when its earliest entry from the future may be merged, ns; 0: none */
};

/* Rows [from, to) of a sealed stage. `note` goes with the last transaction, there is one even for no rows;
 * NULL: more of the object follows. `change`: what is merged has to be published by us, too. *written is
 * added to. What a merge of main asks for in the records env (zones settled, losers of duplicates buried)
 * follows each of its transactions. ZN_EINTR: the syncer is being stopped; what was committed stays. */
ZN_MUST_USE enum zn_code zn_apply(struct zn_sync *sync, const struct zn_stage *stage, size_t from, size_t to,
		const struct zn_apply_note *note, bool change, uint64_t *written, struct zn_err *err);
