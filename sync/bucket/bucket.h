/* sync/bucket/bucket.h - named objects somewhere else: list, get, put, delete; opened by URL.
 *
 * The promise of every backend: a name is either absent or complete, whatever is killed when. Nothing
 * else is promised: a listing may lag, go backwards for a while or lack a name that was there, so what
 * a listing lacks never means that data is gone. No feature rests on conditional writes.
 *
 * Objects travel as files, so that an upload can be sent again and a download can be read twice; they
 * never pass through memory as a whole. Names are UTF-8 without NUL; a "/" in one makes a directory in a
 * directory bucket. A bucket is used by one thread at a time. */
#pragma once
#include <stdbool.h>

#include "store/base/auto.h"
#include "store/base/bytes.h"
#include "store/base/error.h"

#define ZN_BUCKET_LIST_MAX 1000000	/* names of one listing */

struct zn_bucket;

struct zn_listed {
	char *name;
	uint64_t size;		/* bytes */
};

/* Sorted bytewise, each name once. */
struct zn_listing {
	struct zn_listed *items;
	size_t count;
	size_t room;
};

/* Open what `url` names: file:///dir (made when missing). ZN_EINVAL: no URL of a bucket, said in words
 * for its user. ZN_EACCES, ZN_ESYS, ZN_ENET, ZN_EDENIED: it cannot be used, now. */
ZN_MUST_USE enum zn_code zn_bucket_open(const char *url, struct zn_bucket **ret_bucket, struct zn_err *err);
void zn_bucket_close(struct zn_bucket *bucket);
ZN_DEFINE_AUTO(struct zn_bucket, zn_bucket_close)

/* All names that begin with `prefix`; released by zn_listing_release(). With no "/" in the prefix a
 * directory bucket lists only what lies directly in it. */
ZN_MUST_USE enum zn_code zn_bucket_list(struct zn_bucket *bucket, const char *prefix,
		struct zn_listing *ret_listing, struct zn_err *err);

/* An open file of the object's bytes, complete, read-only for the caller, who closes it.
 * ZN_ENOTFOUND: there is none (somebody cleaned up since the listing). ZN_ETOOBIG: above `max` bytes. */
ZN_MUST_USE enum zn_code zn_bucket_get(struct zn_bucket *bucket, const char *name, uint64_t max, int *ret_fd,
		struct zn_err *err);

/* Store the whole of the file `fd` (borrowed, read by offset) under `name`; replaces. On failure it is
 * unknown whether it was stored: put it again under a later name, or the same bytes under this one. */
ZN_MUST_USE enum zn_code zn_bucket_put(struct zn_bucket *bucket, const char *name, int fd, struct zn_err *err);

/* A missing object is no error. */
ZN_MUST_USE enum zn_code zn_bucket_delete(struct zn_bucket *bucket, const char *name, struct zn_err *err);

/* A descriptor that poll(2) finds readable when something may be new, or -1 where the backend cannot
 * tell. A hint: it can miss what others do (NFS), and is then replaced by polling. */
int zn_bucket_watch_fd(struct zn_bucket *bucket);
/* Take note: the descriptor is quiet until the next change. */
void zn_bucket_watch_clear(struct zn_bucket *bucket);

void zn_listing_release(struct zn_listing *listing);

/* ---- for backends ---- */

struct zn_bucket_ops {
	enum zn_code (*list)(struct zn_bucket *, const char *prefix, struct zn_listing *, struct zn_err *);
	enum zn_code (*get)(struct zn_bucket *, const char *name, uint64_t max, int *ret_fd, struct zn_err *);
	enum zn_code (*put)(struct zn_bucket *, const char *name, int fd, struct zn_err *);
	enum zn_code (*delete)(struct zn_bucket *, const char *name, struct zn_err *);
	int (*watch_fd)(struct zn_bucket *);		/* NULL: cannot tell */
	void (*watch_clear)(struct zn_bucket *);
	void (*close)(struct zn_bucket *);
};

/* A backend's own struct begins with one. */
struct zn_bucket {
	const struct zn_bucket_ops *ops;
};

ZN_MUST_USE enum zn_code zn_bucket_open_dir(const char *path, struct zn_bucket **ret_bucket, struct zn_err *err);

/* Add in any order; zn_bucket_list() sorts and drops doubles. The name is copied. */
ZN_MUST_USE enum zn_code zn_listing_add(struct zn_listing *listing, const char *name, uint64_t size,
		struct zn_err *err);
