#include "sync/bucket/bucket.h"

enum zn_code zn_bucket_open(const char *url, struct zn_bucket **ret_bucket, struct zn_err *err)
{
	static const char scheme[] = "file://";

	if (strncmp(url, scheme, sizeof scheme - 1) != 0)
		return zn_fail(err, ZN_EINVAL, "bucket=%s: not a bucket URL; a directory is written file:///path",
				url);
	if (url[sizeof scheme - 1] != '/')
		return zn_fail(err, ZN_EINVAL,
				"bucket=%s: the path must be absolute, with three slashes: file:///path", url);
	return zn_bucket_open_dir(url + sizeof scheme - 1, ret_bucket, err);
}

void zn_bucket_close(struct zn_bucket *bucket)
{
	if (bucket)
		bucket->ops->close(bucket);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct zn_listed *)a)->name, ((const struct zn_listed *)b)->name);
}

static void sort_listing(struct zn_listing *listing)
{
	size_t kept = 0;

	if (listing->count == 0)
		return;
	qsort(listing->items, listing->count, sizeof *listing->items, by_name);
	for (size_t i = 1; i < listing->count; i++) {
		if (by_name(&listing->items[i], &listing->items[kept]) == 0)
			free(listing->items[i].name);
		else
			listing->items[++kept] = listing->items[i];
	}
	listing->count = kept + 1;
}

enum zn_code zn_bucket_list(struct zn_bucket *bucket, const char *prefix, struct zn_listing *ret_listing,
		struct zn_err *err)
{
	ZN_AUTO(zn_listing_release) struct zn_listing listing = {0};
	enum zn_code code = bucket->ops->list(bucket, prefix, &listing, err);

	if (code)
		return zn_err_prefix(err, code, "list %s*", prefix);
	sort_listing(&listing);
	*ret_listing = listing;
	listing = (struct zn_listing){0};
	return ZN_OK;
}

enum zn_code zn_bucket_get(struct zn_bucket *bucket, const char *name, uint64_t max, int *ret_fd,
		struct zn_err *err)
{
	enum zn_code code = bucket->ops->get(bucket, name, max, ret_fd, err);

	return code ? zn_err_prefix(err, code, "get %s", name) : ZN_OK;
}

enum zn_code zn_bucket_put(struct zn_bucket *bucket, const char *name, int fd, struct zn_err *err)
{
	enum zn_code code = bucket->ops->put(bucket, name, fd, err);

	return code ? zn_err_prefix(err, code, "put %s", name) : ZN_OK;
}

enum zn_code zn_bucket_delete(struct zn_bucket *bucket, const char *name, struct zn_err *err)
{
	enum zn_code code = bucket->ops->delete(bucket, name, err);

	return code ? zn_err_prefix(err, code, "delete %s", name) : ZN_OK;
}

int zn_bucket_watch_fd(struct zn_bucket *bucket)
{
	return bucket->ops->watch_fd ? bucket->ops->watch_fd(bucket) : -1;
}

void zn_bucket_watch_clear(struct zn_bucket *bucket)
{
	if (bucket->ops->watch_clear)
		bucket->ops->watch_clear(bucket);
}

enum zn_code zn_listing_add(struct zn_listing *listing, const char *name, uint64_t size, struct zn_err *err)
{
	if (listing->count == ZN_BUCKET_LIST_MAX)
		return zn_fail(err, ZN_ETOOBIG, "more than %d names", ZN_BUCKET_LIST_MAX);
	if (listing->count == listing->room) {
		size_t room = listing->room ? 2 * listing->room : 64;
		struct zn_listed *items = realloc(listing->items, room * sizeof *items);

		if (!items)
			return zn_fail(err, ZN_ENOMEM, "%s", zn_code_text(ZN_ENOMEM));
		listing->items = items;
		listing->room = room;
	}
	char *copy = strdup(name);
	if (!copy)
		return zn_fail(err, ZN_ENOMEM, "%s", zn_code_text(ZN_ENOMEM));
	listing->items[listing->count++] = (struct zn_listed){copy, size};
	return ZN_OK;
}

void zn_listing_release(struct zn_listing *listing)
{
	for (size_t i = 0; i < listing->count; i++)
		free(listing->items[i].name);
	free(listing->items);
	*listing = (struct zn_listing){0};
}
