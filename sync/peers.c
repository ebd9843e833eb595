#include "sync/peers.h"

#include <stdlib.h>

void zn_peers_release(struct zn_peers *peers)
{
	for (size_t i = 0; i < peers->count; i++) {
		free(peers->list[i].instance);
		zn_vector_release(&peers->list[i].covers);
	}
	for (size_t i = 0; i < peers->refused_count; i++)
		free(peers->refused[i]);
	free(peers->list);
	free(peers->refused);
	*peers = (struct zn_peers){0};
}

static size_t place(const struct zn_peers *peers, struct zn_view instance, bool *ret_found)
{
	size_t low = 0, high = peers->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = zn_view_cmp(zn_view_str(peers->list[middle].instance), instance);

		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_found = false;
	return low;
}

struct zn_peer *zn_peers_find(struct zn_peers *peers, struct zn_view instance)
{
	bool found;
	size_t at = place(peers, instance, &found);

	return found ? &peers->list[at] : NULL;
}

static enum zn_code add_peer(struct zn_peers *peers, struct zn_view instance, struct zn_peer **ret_peer,
		struct zn_err *err)
{
	bool found;
	size_t at = place(peers, instance, &found);

	if (!found) {
		if (peers->count == ZN_VECTOR_MAX)
			return zn_fail(err, ZN_ETOOBIG, "more than %d instances in the bucket", ZN_VECTOR_MAX);
		char *name = strndup((const char *)instance.data, instance.len);
		struct zn_peer *list = realloc(peers->list, (peers->count + 1) * sizeof *list);
		if (list)
			peers->list = list;
		if (!name || !list) {
			free(name);
			return zn_fail(err, ZN_ENOMEM, "%s", zn_code_text(ZN_ENOMEM));
		}
		memmove(list + at + 1, list + at, (peers->count - at) * sizeof *list);
		list[at] = (struct zn_peer){.instance = name};
		peers->count++;
	}
	*ret_peer = &peers->list[at];
	return ZN_OK;
}

static bool is_listed(const struct zn_listing *listing, const char *name)
{
	size_t low = 0, high = listing->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(listing->items[middle].name, name);

		if (order == 0)
			return true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

enum zn_code zn_peers_update(struct zn_peers *peers, const struct zn_listing *listing, struct zn_view db,
		struct zn_err *err)
{
	size_t kept = 0;

	for (size_t i = 0; i < peers->count; i++)
		peers->list[i].listed.ns = 0;
	for (size_t i = 0; i < listing->count; i++) {
		struct zn_object object;
		struct zn_peer *peer = NULL;

		if (!zn_object_parse(zn_view_str(listing->items[i].name), &object) ||
				!zn_view_equal(object.db, db))
			continue;
		enum zn_code code = add_peer(peers, object.instance, &peer, err);
		if (code)
			return code;
		peer->listed = object.stamp; /* in order: the last one stays */
	}
	for (size_t i = 0; i < peers->refused_count; i++) {
		if (is_listed(listing, peers->refused[i]))
			peers->refused[kept++] = peers->refused[i];
		else
			free(peers->refused[i]);
	}
	peers->refused_count = kept;
	return ZN_OK;
}

static bool is_refused(const struct zn_peers *peers, const char *name)
{
	for (size_t i = 0; i < peers->refused_count; i++)
		if (strcmp(peers->refused[i], name) == 0)
			return true;
	return false;
}

void zn_peers_refuse(struct zn_peers *peers, const char *name)
{
	if (is_refused(peers, name))
		return;
	if (peers->refused_count == ZN_REFUSED_MAX) { /* forget the oldest: tried once more, no harm */
		free(peers->refused[0]);
		memmove(peers->refused, peers->refused + 1, --peers->refused_count * sizeof *peers->refused);
	}
	char **refused = realloc(peers->refused, (peers->refused_count + 1) * sizeof *refused);
	char *copy = strdup(name);
	if (refused)
		peers->refused = refused;
	if (refused && copy)
		peers->refused[peers->refused_count++] = copy;
	else
		free(copy);
}

const char *zn_peers_candidate(const struct zn_peers *peers, const struct zn_listing *listing, struct zn_view db,
		struct zn_view instance, struct zn_stamp merged, struct zn_stamp now)
{
	struct zn_stamp floor = {now.ns > ZN_REJOIN_NS ? now.ns - ZN_REJOIN_NS : 0};
	struct zn_stamp newest_of_all = {0};
	const char *newest = NULL;
	struct zn_stamp stamp = {0};

	for (size_t i = 0; i < listing->count; i++) {
		struct zn_object object;
		const char *name = listing->items[i].name;

		if (!zn_object_parse(zn_view_str(name), &object) || !zn_view_equal(object.db, db))
			continue;
		if (object.stamp.ns > newest_of_all.ns)
			newest_of_all = object.stamp;
		if (zn_view_equal(object.instance, instance) && !is_refused(peers, name)) {
			newest = name;
			stamp = object.stamp;
		}
	}
	if (stamp.ns < floor.ns && newest_of_all.ns >= floor.ns)
		return NULL;
	return stamp.ns > merged.ns ? newest : NULL;
}

bool zn_peers_ahead(const struct zn_peers *peers, struct zn_view own, struct zn_stamp now)
{
	size_t ahead = 0, present = 1;

	for (size_t i = 0; i < peers->count; i++) {
		const struct zn_peer *peer = &peers->list[i];

		if (peer->listed.ns == 0 || zn_view_is(own, peer->instance))
			continue;
		if (peer->listed.ns > now.ns + ZN_SYNC_DAY_NS)
			ahead++;
		else
			present++;
	}
	return ahead > present;
}

struct zn_stamp zn_peers_covering(const struct zn_peers *peers, const struct zn_vector *vector)
{
	struct zn_stamp newest = {0};

	for (size_t i = 0; i < peers->count; i++) {
		const struct zn_peer *peer = &peers->list[i];
		bool covers = peer->listed.ns && peer->read.ns == peer->listed.ns;

		for (size_t k = 0; k < vector->count && covers; k++) {
			struct zn_view name = zn_view_str(vector->items[k].name);
			uint64_t has = zn_view_is(name, peer->instance) ? peer->read.ns
									  : zn_vector_get(&peer->covers, name);
			covers = has >= vector->items[k].number;
		}
		if (covers && peer->listed.ns > newest.ns)
			newest = peer->listed;
	}
	return newest;
}
