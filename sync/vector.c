#include "sync/vector.h"

#include <stdlib.h>

#include "store/base/auto.h"
#include "store/base/wire.h"

#define FORMAT 1
#define NAME_MAX_BYTES 255

void zn_vector_release(struct zn_vector *vector)
{
	for (size_t i = 0; i < vector->count; i++)
		free(vector->items[i].name);
	free(vector->items);
	*vector = (struct zn_vector){0};
}

/* The place of a name, or where it belongs. */
static size_t find(const struct zn_vector *vector, struct zn_view name, bool *ret_found)
{
	size_t low = 0, high = vector->count;

	*ret_found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = zn_view_cmp(zn_view_str(vector->items[middle].name), name);

		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

uint64_t zn_vector_get(const struct zn_vector *vector, struct zn_view name)
{
	bool found;
	size_t at = find(vector, name, &found);

	return found ? vector->items[at].number : 0;
}

enum zn_code zn_vector_set(struct zn_vector *vector, struct zn_view name, uint64_t number, struct zn_err *err)
{
	bool found;
	size_t at = find(vector, name, &found);

	if (found) {
		vector->items[at].number = number;
		return ZN_OK;
	}
	if (name.len == 0 || name.len > NAME_MAX_BYTES || memchr(name.data, 0, name.len))
		return zn_fail(err, ZN_EINVAL, "an instance name of %zu bytes", name.len);
	if (vector->count == ZN_VECTOR_MAX)
		return zn_fail(err, ZN_ETOOBIG, "more than %d instances", ZN_VECTOR_MAX);
	char *copy = strndup((const char *)name.data, name.len);
	struct zn_vector_item *items = realloc(vector->items, (vector->count + 1) * sizeof *items);
	if (items)
		vector->items = items;
	if (!copy || !items) {
		free(copy);
		return zn_fail(err, ZN_ENOMEM, "vector: %s", zn_code_text(ZN_ENOMEM));
	}
	memmove(items + at + 1, items + at, (vector->count - at) * sizeof *items);
	items[at] = (struct zn_vector_item){copy, number};
	vector->count++;
	return ZN_OK;
}

enum zn_code zn_vector_join(struct zn_vector *into, const struct zn_vector *from, struct zn_err *err)
{
	for (size_t i = 0; i < from->count; i++) {
		struct zn_view name = zn_view_str(from->items[i].name);

		if (zn_vector_get(into, name) >= from->items[i].number)
			continue;
		enum zn_code code = zn_vector_set(into, name, from->items[i].number, err);
		if (code)
			return code;
	}
	return ZN_OK;
}

bool zn_vector_covers(const struct zn_vector *vector, const struct zn_vector *other)
{
	for (size_t i = 0; i < other->count; i++)
		if (zn_vector_get(vector, zn_view_str(other->items[i].name)) < other->items[i].number)
			return false;
	return true;
}

void zn_vector_encode(const struct zn_vector *vector, struct zn_buf *out)
{
	zn_write_u8(out, FORMAT);
	zn_write_varint(out, vector->count);
	for (size_t i = 0; i < vector->count; i++) {
		struct zn_view name = zn_view_str(vector->items[i].name);

		zn_write_u8(out, (uint8_t)name.len);
		zn_buf_add(out, name);
		zn_write_u64(out, vector->items[i].number);
	}
}

enum zn_code zn_vector_decode(struct zn_view bytes, struct zn_vector *vector, struct zn_err *err)
{
	ZN_AUTO(zn_vector_release) struct zn_vector read = {0};
	struct zn_reader r = zn_reader_init(bytes);

	if (zn_read_u8(&r) != FORMAT && !r.failed)
		return zn_fail(err, ZN_EFORMAT, "a vector of a newer program");
	uint64_t count = zn_read_varint(&r);
	if (count > ZN_VECTOR_MAX)
		return zn_fail(err, ZN_ETOOBIG, "a vector of more than %d instances", ZN_VECTOR_MAX);
	for (uint64_t i = 0; i < count && !r.failed; i++) {
		struct zn_view name = zn_read_view(&r, zn_read_u8(&r));
		uint64_t number = zn_read_u64(&r);

		if (r.failed)
			break;
		enum zn_code code = zn_vector_set(&read, name, number, err);
		if (code)
			return code == ZN_EINVAL ? zn_err_prefix(err, ZN_ECORRUPT, "vector") : code;
	}
	if (r.failed || zn_reader_left(&r))
		return zn_fail(err, ZN_ECORRUPT, "a damaged vector");
	zn_vector_release(vector);
	*vector = read;
	read = (struct zn_vector){0};
	return ZN_OK;
}
