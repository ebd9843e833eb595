/* fs/mount/table.h - pointers by a 64-bit key: node ids, zone ids, hashes of names. Not thread-safe; its owner's lock guards it. */
#pragma once
#include "store/base/bytes.h"

struct zn_table {
	struct zn_table_slot {
		uint64_t key;
		void *value;	/* NULL: free */
	} *slots;
	size_t count, capacity;	/* capacity: power of two, or 0 */
};

void zn_table_release(struct zn_table *table); /* the values are their owner's */
void *zn_table_get(const struct zn_table *table, uint64_t key);
/* Adds or replaces. ZN_ENOMEM leaves the table as it was. */
ZN_MUST_USE enum zn_code zn_table_put(struct zn_table *table, uint64_t key, void *value);
/* Takes a value out; NULL: there was none. */
void *zn_table_take(struct zn_table *table, uint64_t key);
/* Values in no order: begin with *at = 0; NULL at the end. Nothing may be put or taken meanwhile. */
void *zn_table_next(const struct zn_table *table, size_t *at);

/* A key for bytes. Two different ones may share it: values of such a table are chains. The seed is drawn at start, so that nobody can choose
 * names that collide. */
uint64_t zn_table_hash(struct zn_view bytes, uint64_t more);
