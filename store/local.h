/* store/local.h - the private env beside the database (DB-zonefs): caches and local state, never replicated; it can be deleted at any time.
 *
 * details.md 12: per zone {version, size, mtime, listed, records txnid, main txnid}. A txnid that went back or another pdns/uuid drops everything. The
 * listing of a million zones is one sequential walk here (`after` as in zones.h), with sizes and times in it. */
#pragma once
#include "store/zones.h"

struct zn_local;
ZN_MUST_USE enum zn_code zn_local_open(struct zn_env *env, struct zn_local **ret_local, struct zn_err *err);
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
/* Remembered in a bounded table in memory and written in batches off the commit path. */
void zn_local_stat_put(struct zn_local *local, const struct zn_zone_info *zone, const struct zn_zone_stat *stat);
void zn_local_stat_drop(struct zn_local *local, uint32_t id);
void zn_local_stat_drop_all(struct zn_local *local);

/* A name to value store for whoever needs one (serial policy per zone, objects kept aside): `room` is a short prefix. */
ZN_MUST_USE enum zn_code zn_local_get(struct zn_local *local, const char *room, struct zn_view key, struct zn_buf *out, struct zn_err *err);
ZN_MUST_USE enum zn_code zn_local_put(struct zn_local *local, const char *room, struct zn_view key, struct zn_view value, struct zn_err *err);
ZN_MUST_USE enum zn_code zn_local_remove(struct zn_local *local, const char *room, struct zn_view key, struct zn_err *err);
