#include "fs/save/guard.h"

#include <pthread.h>
#include <stdlib.h>

#include "fs/save/zoneid.h"

#define HOW_TO_ALLOW "to let it pass once: echo once > .zonefs/allow"

struct zn_guard {
	struct zn_guard_limits records, zones;
	pthread_mutex_t lock; /* guards all below */
	bool allowed;
	/* Names vacated within the window, oldest first. */
	struct zn_vacated *list;
	size_t count, capacity;
	uint64_t known_zones; /* at least so many zones there are, counted within this burst */
};

enum zn_code zn_guard_new(struct zn_guard_limits records, struct zn_guard_limits zones, struct zn_guard **ret_guard)
{
	struct zn_guard *guard = calloc(1, sizeof *guard);

	if (!guard)
		return ZN_ENOMEM;
	guard->records = records;
	guard->zones = zones;
	pthread_mutex_init(&guard->lock, NULL);
	*ret_guard = guard;
	return ZN_OK;
}

void zn_guard_free(struct zn_guard *guard)
{
	if (!guard)
		return;
	pthread_mutex_destroy(&guard->lock);
	free(guard->list);
	free(guard);
}

void zn_guard_allow(struct zn_guard *guard)
{
	pthread_mutex_lock(&guard->lock);
	guard->allowed = true;
	pthread_mutex_unlock(&guard->lock);
}

bool zn_guard_allowed(struct zn_guard *guard)
{
	pthread_mutex_lock(&guard->lock);
	bool allowed = guard->allowed;
	pthread_mutex_unlock(&guard->lock);
	return allowed;
}

static bool take_allowance(struct zn_guard *guard)
{
	pthread_mutex_lock(&guard->lock);
	bool taken = guard->allowed;
	guard->allowed = false;
	pthread_mutex_unlock(&guard->lock);
	return taken;
}

static bool exceeds(struct zn_guard_limits limits, uint64_t gone, uint64_t all)
{
	return limits.percent && gone >= limits.min && gone * 100 > all * limits.percent;
}

enum zn_code zn_guard_records(struct zn_guard *guard, uint64_t deleted, uint64_t stored, bool *ret_taken, struct zn_err *err)
{
	*ret_taken = false;
	if (!exceeds(guard->records, deleted, stored))
		return ZN_OK;
	if (take_allowance(guard)) {
		*ret_taken = true;
		return ZN_OK;
	}
	return zn_fail(err, ZN_EGUARD, "%llu of %llu records would be deleted, more than %u %% at once; " HOW_TO_ALLOW,
		(unsigned long long)deleted, (unsigned long long)stored, guard->records.percent);
}

static void expire(struct zn_guard *guard, uint64_t now)
{
	size_t old = 0;

	while (old < guard->count && now - guard->list[old].at > ZN_GUARD_WINDOW)
		old++;
	guard->count -= old;
	if (old)
		memmove(guard->list, guard->list + old, guard->count * sizeof *guard->list);
	if (guard->count == 0)
		guard->known_zones = 0;
}

static bool add(struct zn_guard *guard, const struct zn_zone_id *zone, uint64_t now)
{
	if (guard->count == guard->capacity) {
		size_t capacity = guard->capacity ? 2 * guard->capacity : 16;
		struct zn_vacated *list = realloc(guard->list, capacity * sizeof *list);

		if (!list)
			return false;
		guard->list = list;
		guard->capacity = capacity;
	}
	guard->list[guard->count++] = (struct zn_vacated){*zone, now};
	return true;
}

enum zn_code zn_guard_vacate(struct zn_guard *guard, const struct zn_zone_id *zone, uint64_t now, zn_count_zones *count_zones,
	void *context, struct zn_err *err)
{
	enum zn_code code = ZN_OK;

	if (!guard->zones.percent)
		return ZN_OK;
	pthread_mutex_lock(&guard->lock);
	expire(guard, now);
	uint64_t gone = guard->count + 1;
	/* Asked for twice what is needed, so that a long burst over many zones counts them a few times only. */
	if (exceeds(guard->zones, gone, guard->known_zones)) {
		uint64_t known = 0, enough = 2 * (gone * 100 / guard->zones.percent + 1);

		code = count_zones(context, guard->list, guard->count, enough, &known);
		if (code == ZN_OK && known > guard->known_zones)
			guard->known_zones = known;
	}
	if (code == ZN_OK && exceeds(guard->zones, gone, guard->known_zones)) {
		if (guard->allowed) {
			guard->allowed = false;
		} else {
			code = zn_fail(err, ZN_EGUARD, "%llu of %llu zones would be deleted, more than %u %% within a minute; " HOW_TO_ALLOW,
				(unsigned long long)gone, (unsigned long long)guard->known_zones, guard->zones.percent);
		}
	}
	if (code == ZN_OK && !add(guard, zone, now))
		code = zn_fail(err, ZN_ENOMEM, "out of memory");
	pthread_mutex_unlock(&guard->lock);
	return code;
}

void zn_guard_returned(struct zn_guard *guard, const struct zn_zone_id *zone)
{
	pthread_mutex_lock(&guard->lock);
	for (size_t i = guard->count; i > 0; i--) {
		if (!zn_zoneid_equal(&guard->list[i - 1].zone, zone))
			continue;
		guard->count--;
		memmove(guard->list + i - 1, guard->list + i, (guard->count - (i - 1)) * sizeof *guard->list);
		break;
	}
	pthread_mutex_unlock(&guard->lock);
}
