/* tests/unit/foreign.h - another process on the same database, as PowerDNS would be: it holds the writer lock, grows the map, commits.
 *
 * Forked before this process opens anything (LMDB must not be carried over a fork), so start it first; it opens the pair by
 * plain LMDB at its first order. Each order is done when the call returns. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "store/env.h"

struct foreign {
	int pid, orders, answers;
};
void foreign_start(struct foreign *foreign, const char *path);
void foreign_end(struct foreign *foreign);

/* Begin a write transaction of one env and keep it; commit it; commit it and begin the next without a gap. */
void foreign_lock(struct foreign *foreign, enum zn_which which);
void foreign_unlock(struct foreign *foreign);
void foreign_relock(struct foreign *foreign);
/* Put a row with a valid header into a table of the locked env. */
void foreign_put(struct foreign *foreign, const char *table, const char *hex_key, const char *hex_payload, bool deleted);
/* Begin a write transaction of one env, with so many megabytes in a table of its own and a map that holds them; keep it. */
void foreign_fill(struct foreign *foreign, enum zn_which which, size_t megabytes);
