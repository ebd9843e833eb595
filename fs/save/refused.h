/* fs/save/refused.h - refused texts, kept beside the database until the zone is good again. rules 16 to 18; zonefs(8), refused saves.
 *
 *   DB-spool/rejected/example.com.zone          the newest refused text, byte for byte
 *                     example.com.zone.error    why: time, user, program, findings
 *                     example.com.zone.1 … .4   older ones, with their .error
 *
 * They survive a restart. Thread-safe; does file I/O, so never on the commit thread or a FUSE worker but to read. */
#pragma once
#include "store/base/auto.h"
#include "store/zones.h"

struct zn_refused;
/* Makes DB-spool/rejected where there is none. Without `writable` (a read-only mount) nothing is made and nothing kept. */
ZN_MUST_USE enum zn_code zn_refused_open(const char *spool, bool writable, struct zn_refused **ret_refused, struct zn_err *err);
void zn_refused_close(struct zn_refused *refused);

/* The older ones move on. */
ZN_MUST_USE enum zn_code zn_refused_keep(struct zn_refused *refused, const struct zn_zone_id *zone, struct zn_view text, struct zn_view why,
	struct zn_err *err);
/* All texts of a zone: it was saved well, or buried. Cheap when there are none. */
void zn_refused_clear(struct zn_refused *refused, const struct zn_zone_id *zone);
/* One system call; may be asked anywhere. */
bool zn_refused_has(struct zn_refused *refused, const struct zn_zone_id *zone);

/* Zones with a refused text, by file name ("example.com.zone"), in no order. */
size_t zn_refused_count(struct zn_refused *refused);
void zn_refused_each_zone(struct zn_refused *refused, void (*each)(void *context, const char *file), void *context);

/* The directory as people see it (rejected/). ZN_ENOTFOUND: no such file. */
struct zn_refused_stat {
	uint64_t size;
	struct zn_stamp mtime;
};
ZN_MUST_USE enum zn_code zn_refused_list(struct zn_refused *refused, enum zn_code (*each)(void *context, const char *file), void *context);
ZN_MUST_USE enum zn_code zn_refused_stat(struct zn_refused *refused, const char *file, struct zn_refused_stat *ret_stat);
ZN_MUST_USE enum zn_code zn_refused_read(struct zn_refused *refused, const char *file, struct zn_buf *out, struct zn_err *err);
ZN_MUST_USE enum zn_code zn_refused_remove(struct zn_refused *refused, const char *file, struct zn_err *err);
