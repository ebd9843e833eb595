#include "fs/mount/table.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

void zn_table_release(struct zn_table *table)
{
	free(table->slots);
	*table = (struct zn_table){0};
}

static uint64_t spread(uint64_t key)
{
	key ^= key >> 33;
	key *= UINT64_C(0xff51afd7ed558ccd);
	key ^= key >> 33;
	key *= UINT64_C(0xc4ceb9fe1a85ec53);
	return key ^ key >> 33;
}

/* The slot that has the key, or the free one where it would go. */
static size_t find(const struct zn_table *table, uint64_t key)
{
	size_t mask = table->capacity - 1, at = (size_t)spread(key) & mask;

	while (table->slots[at].value && table->slots[at].key != key)
		at = (at + 1) & mask;
	return at;
}

void *zn_table_get(const struct zn_table *table, uint64_t key)
{
	return table->capacity ? table->slots[find(table, key)].value : NULL;
}

static enum zn_code grow(struct zn_table *table)
{
	struct zn_table bigger = {.capacity = table->capacity ? table->capacity * 2 : 16, .count = table->count};

	bigger.slots = calloc(bigger.capacity, sizeof *bigger.slots);
	if (!bigger.slots)
		return ZN_ENOMEM;
	for (size_t i = 0; i < table->capacity; i++)
		if (table->slots[i].value)
			bigger.slots[find(&bigger, table->slots[i].key)] = table->slots[i];
	free(table->slots);
	*table = bigger;
	return ZN_OK;
}

enum zn_code zn_table_put(struct zn_table *table, uint64_t key, void *value)
{
	if (4 * (table->count + 1) > 3 * table->capacity && grow(table) != ZN_OK)
		return ZN_ENOMEM;
	size_t at = find(table, key);

	table->count += !table->slots[at].value;
	table->slots[at] = (struct zn_table_slot){key, value};
	return ZN_OK;
}

void *zn_table_take(struct zn_table *table, uint64_t key)
{
	if (!table->capacity)
		return NULL;
	size_t mask = table->capacity - 1, hole = find(table, key);
	void *value = table->slots[hole].value;

	if (!value)
		return NULL;
	table->slots[hole].value = NULL;
	table->count--;
	/* Close the gap, so that what was pushed past it is found again. */
	for (size_t at = (hole + 1) & mask; table->slots[at].value; at = (at + 1) & mask) {
		size_t home = (size_t)spread(table->slots[at].key) & mask;

		if (((at - home) & mask) < ((at - hole) & mask))
			continue;
		table->slots[hole] = table->slots[at];
		table->slots[at].value = NULL;
		hole = at;
	}
	return value;
}

void *zn_table_next(const struct zn_table *table, size_t *at)
{
	while (*at < table->capacity) {
		void *value = table->slots[(*at)++].value;

		if (value)
			return value;
	}
	return NULL;
}

static uint64_t seed;

static void draw_seed(void)
{
	if (getrandom(&seed, sizeof seed, 0) != sizeof seed)
		seed = UINT64_C(0x9e3779b97f4a7c15);
}

uint64_t zn_table_hash(struct zn_view bytes, uint64_t more)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, draw_seed);
	uint64_t hash = seed ^ spread(more);

	for (size_t i = 0; i < bytes.len; i++)
		hash = (hash ^ bytes.data[i]) * UINT64_C(0x100000001b3);
	return spread(hash);
}
