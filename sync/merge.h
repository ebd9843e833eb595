/* sync/merge.h - which of two entries of one key wins: Lightning Stream's order, and one tie-break
 * (docs/format.md "Merge"). Pure.
 *
 * The later stamp wins. At equal stamps the bytewise smaller value wins, a deletion counting as the
 * empty value; where LS then keeps whatever it has (a deletion beside a live empty value), the deletion
 * wins. So the order is total: merging commutes, is associative and idempotent. */
#pragma once
#include <stdbool.h>

#include "store/base/bytes.h"
#include "store/base/clock.h"

struct zn_merge_entry {
	struct zn_stamp stamp;
	bool deleted;
	struct zn_view value;	/* borrowed; ignored when deleted */
};

/* Whether `incoming` replaces `local` (NULL: there is none). `cutoff`: deletions older than it are not
 * taken where nothing is stored, since they were swept on purpose; 0 when nothing is ever swept. */
bool zn_merge_takes(const struct zn_merge_entry *local, const struct zn_merge_entry *incoming,
		struct zn_stamp cutoff);
