/* sync/peers.h - who else publishes in a bucket, as one database of it shows them: newest objects, what
 * was merged, what was refused and why. Pure.
 *
 * Only the bytewise last name of an instance is a candidate for merging; the one before it only where
 * the last turned out to be no snapshot. */
#pragma once
#include <stdbool.h>

#include "store/base/clock.h"
#include "sync/bucket/bucket.h"
#include "sync/object.h"
#include "sync/vector.h"

#define ZN_SYNC_DAY_NS (UINT64_C(86400) * ZN_NS_PER_S)
#define ZN_TOMBSTONES_NS (370 * ZN_SYNC_DAY_NS)		/* how long deletions are kept, here and by LS */
#define ZN_REJOIN_NS (ZN_TOMBSTONES_NS / 10 * 8)	/* away for longer: may not come back by merging */
#define ZN_REFUSED_MAX 1000

struct zn_peer {
	char *instance;		/* owned */
	struct zn_stamp listed;	/* newest object in the last listing; ns 0: none in it */
	struct zn_vector covers;	/* carried by its newest object that was merged since the start */
	bool zonefs;		/* that object carried one at all */
	struct zn_stamp read;	/* stamp of that object */
	struct zn_stamp waits;	/* records: stamp of the object whose burials wait for main … */
	struct zn_stamp waits_main;	/* … for one of at least this stamp; ns 0: for any new one … */
	uint64_t waits_until;	/* … but not beyond this mono time */
	struct zn_stamp passed;	/* stamp of the object that was not merged for its schema version */
	uint32_t schema;	/* of its database, as its main objects say; 0: not known */
	char problem[200];	/* "" when all of it could be merged */
};

struct zn_peers {
	struct zn_peer *list;	/* sorted by name */
	size_t count;
	char **refused;		/* names that are no snapshots; owned */
	size_t refused_count;
};

void zn_peers_release(struct zn_peers *peers);

/* Take in a listing of `db`. Instances stay when they vanish from it, with listed 0; refused names go. */
ZN_MUST_USE enum zn_code zn_peers_update(struct zn_peers *peers, const struct zn_listing *listing,
		struct zn_view db, struct zn_err *err);
/* NULL: never listed. Valid until the next update. */
struct zn_peer *zn_peers_find(struct zn_peers *peers, struct zn_view instance);
/* Remember a name as no snapshot, so that the one before it is tried. */
void zn_peers_refuse(struct zn_peers *peers, const char *name);

/* The object of `instance` to merge next, borrowed from the listing: newer than `merged`, not refused. NULL:
 * there is none. An object older than ZN_REJOIN_NS is none while a younger one of anybody is listed: it
 * would bring back what was deleted and swept since. */
const char *zn_peers_candidate(const struct zn_peers *peers, const struct zn_listing *listing, struct zn_view db,
		struct zn_view instance, struct zn_stamp merged, struct zn_stamp now);

/* Whether most instances, ours counted as present, publish from more than a day ahead: then it is our
 * clock that is wrong. */
bool zn_peers_ahead(const struct zn_peers *peers, struct zn_view own, struct zn_stamp now);
/* The stamp of the newest listed object that holds everything `vector` says we hold; ns 0: none does. */
struct zn_stamp zn_peers_covering(const struct zn_peers *peers, const struct zn_vector *vector);
