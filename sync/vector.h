/* sync/vector.h - what has been merged: instance -> number, mostly the stamp of the newest object of it
 * that was merged. Kept sorted by name, so equal vectors have equal bytes. Pure.
 *
 *   u8 format 1 | varint n | n x ( u8 length, name, u64 number )
 *
 * A reader of a newer format gives ZN_EFORMAT; the caller then knows nothing and merges everything. */
#pragma once
#include <stdbool.h>

#include "store/base/bytes.h"

#define ZN_VECTOR_MAX 10000	/* instances; beyond it the bucket is somebody's joke */

struct zn_vector_item {
	char *name;		/* owned, at most 255 bytes */
	uint64_t number;
};

struct zn_vector {
	struct zn_vector_item *items;	/* sorted bytewise */
	size_t count;
};

void zn_vector_release(struct zn_vector *vector);

/* 0 for a name that is not in it. */
uint64_t zn_vector_get(const struct zn_vector *vector, struct zn_view name);
/* ZN_ETOOBIG: too many names, or one too long. */
ZN_MUST_USE enum zn_code zn_vector_set(struct zn_vector *vector, struct zn_view name, uint64_t number,
		struct zn_err *err);
/* The greater number of the two, name by name. */
ZN_MUST_USE enum zn_code zn_vector_join(struct zn_vector *into, const struct zn_vector *from,
		struct zn_err *err);
/* Whether no number in `other` is above ours. */
bool zn_vector_covers(const struct zn_vector *vector, const struct zn_vector *other);

void zn_vector_encode(const struct zn_vector *vector, struct zn_buf *out);
/* Replaces *vector on success. ZN_ECORRUPT, ZN_EFORMAT, ZN_ETOOBIG, ZN_ENOMEM. */
ZN_MUST_USE enum zn_code zn_vector_decode(struct zn_view bytes, struct zn_vector *vector,
		struct zn_err *err);
