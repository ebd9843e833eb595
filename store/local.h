/* store/local.h - the private env beside the database (DB-zonefs): caches and local state, never replicated; it can be deleted at any time.
 *
 * details.md 12. Kept per listed zone: size and mtime of its text, whether the kept text fits; and values of rooms of a few others. Everything is
 * dropped when the database is another one (pdns/uuid) or its counters went back; what changed while nobody looked is found by
 * txnid at zn_local_watch().
 *
 * The zone list is kept here in index order, so that a listing of a million zones is one sequential walk with sizes and times in it.
 * Until it is complete after the first start, listings are read from main, one look-up a zone. Memory does not grow with the number of zones. */
#pragma once
#include "store/watch.h"
#include "store/zones.h"

struct zn_local;
/* Where the file cannot be made (a read-only place), nothing is cached and rooms are empty: no failure. */
ZN_MUST_USE enum zn_code zn_local_open(struct zn_env *env, struct zn_local **ret_local, struct zn_err *err);
/* The daemon: listen to changes, catch up with those missed, complete the list in the background. Only then is anything cached. */
ZN_MUST_USE enum zn_code zn_local_watch(struct zn_local *local, struct zn_watch *watch, struct zn_err *err);
/* After the watch has stopped, before it is freed. */
void zn_local_close(struct zn_local *local);
ZN_DEFINE_AUTO(struct zn_local, zn_local_close)

struct zn_zone_stat {
	bool known;		/* size and mtime are true for the committed state */
	uint64_t size;		/* bytes of the text */
	struct zn_stamp mtime;
	struct zn_digest_pair { uint64_t count, sum; } digest;
	bool text_fits;		/* kept text says what the rows say: shown byte for byte */
};
/* ZN_ENOTFOUND: not cached. */
ZN_MUST_USE enum zn_code zn_local_stat_get(struct zn_local *local, const struct zn_zone_info *zone, struct zn_zone_stat *ret_stat);
/* The last transaction of an env whose changes the cache knows of: what it says of a zone is true for that state at least. 0: it is not kept up. */
uint64_t zn_local_told(struct zn_local *local, enum zn_which which);
/* What was found in the states `txnid` (by enum zn_which; 0: that env had no say). Not kept when a change of the zone has been told since. Kept in a bounded table in
 * memory and written in batches off the commit path. */
void zn_local_stat_put(struct zn_local *local, const struct zn_zone_info *zone, const uint64_t txnid[2], const struct zn_zone_stat *stat);
/* Forget everything about zones: another database, for all we know. */
void zn_local_stat_drop_all(struct zn_local *local);

/* The zone list as it is shown: zones that have a SOA, each name once, in index order, own changes included at once. `after` (len 0 to begin) is moved along and
 * may be kept from one listing to the next. */
struct zn_zone_list;
struct zn_listed {
	struct zn_zone_info zone;	/* kind and stamp are not filled */
	struct zn_zone_stat stat;	/* known false: not cached */
};
ZN_MUST_USE enum zn_code zn_zone_list_begin(struct zn_local *local, struct zn_zone_list **ret_list, struct zn_err *err);
/* ZN_ENOTFOUND at the end. */
ZN_MUST_USE enum zn_code zn_zone_list_next(struct zn_zone_list *listing, struct zn_index_key *after, struct zn_listed *ret_listed, struct zn_err *err);
void zn_zone_list_end(struct zn_zone_list *listing); /* takes NULL */
ZN_DEFINE_AUTO(struct zn_zone_list, zn_zone_list_end)
/* The list is complete here: listings cost no look-ups. */
bool zn_local_complete(struct zn_local *local);

/* A name to value store for whoever needs one (findings of the last save, objects kept aside): `room` is a short prefix. */
ZN_MUST_USE enum zn_code zn_local_get(struct zn_local *local, const char *room, struct zn_view key, struct zn_buf *out, struct zn_err *err);
ZN_MUST_USE enum zn_code zn_local_put(struct zn_local *local, const char *room, struct zn_view key, struct zn_view value, struct zn_err *err);
ZN_MUST_USE enum zn_code zn_local_remove(struct zn_local *local, const char *room, struct zn_view key, struct zn_err *err);
/* How many values a room has. */
uint64_t zn_local_count(struct zn_local *local, const char *room);
