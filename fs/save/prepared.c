#include "fs/save/prepared.h"

#include <stdlib.h>
#include <xxhash.h>

#include "fs/save/zoneid.h"

#define SLOTS 8
#define TEXT_MAX ((size_t)64 << 20) /* bytes of text in all: what was read of it takes about as much */

struct slot {
	bool used;
	uint64_t at; /* zn_clock_mono() */
	struct zn_zone_id zone;
	size_t len;
	XXH128_hash_t hash;
	struct zn_judged judged;
	struct zn_findings findings;
	struct zn_buf warnings;
};

struct zn_prepared {
	pthread_mutex_t lock; /* guards the slots */
	struct slot slots[SLOTS];
};

static void drop(struct slot *slot)
{
	zn_judged_release(&slot->judged);
	zn_findings_release(&slot->findings);
	zn_buf_release(&slot->warnings);
	*slot = (struct slot){0};
}

enum zn_code zn_prepared_new(struct zn_prepared **ret_prepared)
{
	struct zn_prepared *prepared = calloc(1, sizeof *prepared);

	if (!prepared)
		return ZN_ENOMEM;
	pthread_mutex_init(&prepared->lock, NULL);
	*ret_prepared = prepared;
	return ZN_OK;
}

void zn_prepared_free(struct zn_prepared *prepared)
{
	if (!prepared)
		return;
	for (size_t i = 0; i < SLOTS; i++)
		drop(&prepared->slots[i]);
	pthread_mutex_destroy(&prepared->lock);
	free(prepared);
}

static struct slot *free_slot(struct zn_prepared *prepared)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (!prepared->slots[i].used)
			return &prepared->slots[i];
	return NULL;
}

static size_t text_kept(const struct zn_prepared *prepared)
{
	size_t sum = 0;

	for (size_t i = 0; i < SLOTS; i++)
		sum += prepared->slots[i].len;
	return sum;
}

static void drop_oldest(struct zn_prepared *prepared)
{
	struct slot *oldest = NULL;

	for (size_t i = 0; i < SLOTS; i++)
		if (prepared->slots[i].used && (!oldest || prepared->slots[i].at < oldest->at))
			oldest = &prepared->slots[i];
	if (oldest)
		drop(oldest);
}

void zn_prepared_put(struct zn_prepared *prepared, struct task *task, uint64_t now)
{
	struct zn_view text = task->save->text;

	if (text.len > TEXT_MAX)
		return;
	XXH128_hash_t hash = XXH3_128bits(text.data, text.len);
	pthread_mutex_lock(&prepared->lock);
	for (size_t i = 0; i < SLOTS; i++) /* one text a zone */
		if (prepared->slots[i].used && zn_zoneid_equal(&prepared->slots[i].zone, &task->save->zone))
			drop(&prepared->slots[i]);
	while (!free_slot(prepared) || text_kept(prepared) > TEXT_MAX - text.len)
		drop_oldest(prepared);
	*free_slot(prepared) = (struct slot){
		.used = true, .at = now, .zone = task->save->zone, .len = text.len, .hash = hash, .judged = task->judged, .findings = task->findings,
		.warnings = task->warnings,
	};
	pthread_mutex_unlock(&prepared->lock);
	task->judged = (struct zn_judged){0};
	task->findings = (struct zn_findings){0};
	zn_buf_init(&task->warnings, task->warnings.max);
}

static bool judged_alike(const struct zn_check_options *a, const struct zn_check_options *b)
{
	return a->signed_zone == b->signed_zone && a->presigned == b->presigned && a->nsec == b->nsec;
}

bool zn_prepared_take(struct zn_prepared *prepared, struct task *task, const struct zn_check_options *options)
{
	struct zn_view text = task->save->text;
	bool found = false;

	pthread_mutex_lock(&prepared->lock);
	for (size_t i = 0; i < SLOTS && !found; i++) {
		struct slot *slot = &prepared->slots[i];

		if (!slot->used || slot->len != text.len || !zn_zoneid_equal(&slot->zone, &task->save->zone))
			continue;
		found = XXH128_isEqual(slot->hash, XXH3_128bits(text.data, text.len)) && judged_alike(&slot->judged.options, options);
		if (found) {
			task->judged = slot->judged;
			task->findings = slot->findings;
			zn_buf_release(&task->warnings);
			task->warnings = slot->warnings;
			*slot = (struct slot){0};
		}
	}
	pthread_mutex_unlock(&prepared->lock);
	return found;
}

uint64_t zn_prepared_expire(struct zn_prepared *prepared, uint64_t now)
{
	uint64_t next = UINT64_MAX;

	pthread_mutex_lock(&prepared->lock);
	for (size_t i = 0; i < SLOTS; i++) {
		struct slot *slot = &prepared->slots[i];

		if (slot->used && now - slot->at >= ZN_PREPARED_AGE)
			drop(slot);
		if (slot->used && slot->at + ZN_PREPARED_AGE < next)
			next = slot->at + ZN_PREPARED_AGE;
	}
	pthread_mutex_unlock(&prepared->lock);
	return next;
}
