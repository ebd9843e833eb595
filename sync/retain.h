/* sync/retain.h - which of our own superseded objects may go: Lightning Stream's cleaner rules, with
 * its defect L14 repaired. Pure.
 *
 * An object goes when a newer one of the same database and instance has been seen for ZN_RETAIN_KEEP,
 * and it has itself; what was first seen later than that may still be wanted by a reader that has
 * listed it. The bytewise newest never goes, whatever the order of appearance. Names of others, and
 * names that are no objects, are never even looked at. */
#pragma once
#include <stdbool.h>

#include "store/base/bytes.h"
#include "sync/bucket/bucket.h"

#define ZN_RETAIN_KEEP_NS (UINT64_C(600) * 1000000000)	/* LS: must_keep_interval, 10 min */

struct zn_retain_seen {
	char *name;		/* owned */
	uint64_t since;		/* zn_clock_mono() when it was first listed */
};

/* The names of one instance in one database, as listings have shown them. */
struct zn_retain {
	struct zn_retain_seen *seen;	/* sorted bytewise */
	size_t count;
};

/* Take note of a listing of `db`, and let `visit` have the name of every own object that may go, the
 * oldest first. `now` is monotonic, ns. ZN_ENOMEM: nothing was noted or visited. */
ZN_MUST_USE enum zn_code zn_retain_plan(struct zn_retain *retain, const struct zn_listing *listing,
		struct zn_view db, struct zn_view instance, uint64_t now,
		void (*visit)(void *arg, const char *name), void *arg);
void zn_retain_release(struct zn_retain *retain);
