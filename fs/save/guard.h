/* fs/save/guard.h - the mass-change guard: what deletes too much at once needs to be allowed. architecture 5; details.md 19. Thread-safe, no I/O.
 *
 * Records: a save that deletes more than `percent` of a zone's records and at least `min` of them. Zones: names vacated within 60 s that have not come
 * back, more than `percent` of all zones and at least `min`. An allowance lets one save or one deletion past. */
#pragma once
#include "store/zones.h"

struct zn_guard_limits {
	unsigned percent;	/* 0: off */
	unsigned min;
};
#define ZN_GUARD_WINDOW (60 * ZN_NS_PER_S)

struct zn_guard;
ZN_MUST_USE enum zn_code zn_guard_new(struct zn_guard_limits records, struct zn_guard_limits zones, struct zn_guard **ret_guard);
void zn_guard_free(struct zn_guard *guard);

/* The next save or deletion may pass. */
void zn_guard_allow(struct zn_guard *guard);
bool zn_guard_allowed(struct zn_guard *guard);

/* A save deletes `deleted` of `stored` records. ZN_EGUARD with a sentence. An allowance that was needed is taken: `ret_taken`; whoever does not commit
 * after all gives it back with zn_guard_allow(). */
ZN_MUST_USE enum zn_code zn_guard_records(struct zn_guard *guard, uint64_t deleted, uint64_t stored, bool *ret_taken, struct zn_err *err);

struct zn_vacated {
	struct zn_zone_id zone;
	uint64_t at;	/* zn_clock_mono() */
};
/* How many zones there are, or at least `enough` of them, those of the list that are buried already included. */
typedef enum zn_code zn_count_zones(void *context, const struct zn_vacated *list, size_t list_count, uint64_t enough, uint64_t *ret_count);
/* May one more name be vacated at `now` (zn_clock_mono())? Counts it when so. `count_zones` is asked only near the limit. */
ZN_MUST_USE enum zn_code zn_guard_vacate(struct zn_guard *guard, const struct zn_zone_id *zone, uint64_t now, zn_count_zones *count_zones,
	void *context, struct zn_err *err);
/* The name has come back. */
void zn_guard_returned(struct zn_guard *guard, const struct zn_zone_id *zone);
