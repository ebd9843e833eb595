/* sync/poll.h - what others have published into the database: list, fetch, check, compare, merge.
 *
 * The newest object of each instance that the vector lacks; one that is no snapshot is refused, and the
 * one before it is tried. Of one instance both databases are merged together: what the records gain,
 * then main, then what the records lose, so that no server sees a zone in the list without its records.
 * Nothing that an object holds can stop the program. */
#pragma once
#include "sync/engine.h"

/* List both databases, and take in who is there. ZN_ENET, ZN_EDENIED, ZN_ESYS, ZN_EACCES: the bucket. */
ZN_MUST_USE enum zn_code zn_poll_list(struct zn_sync *sync, struct zn_err *err);

/* Merge up to ZN_MERGES_A_ROUND objects of the listing, our own of earlier first. *ret_more: there are
 * others left. Failures of the bucket or the database end the round; damaged objects do not. */
ZN_MUST_USE enum zn_code zn_poll_merge(struct zn_sync *sync, bool *ret_more, struct zn_err *err);

/* Delete our own superseded objects (sync/retain.h). What cannot be deleted is left for the next time. */
void zn_poll_clean(struct zn_sync *sync);
