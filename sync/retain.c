#include "sync/retain.h"

#include <stdlib.h>

#include "sync/object.h"

static bool is_own(const char *name, struct zn_view db, struct zn_view instance)
{
	struct zn_object object;

	return zn_object_parse(zn_view_str(name), &object) && zn_view_equal(object.db, db) &&
	       zn_view_equal(object.instance, instance);
}

void zn_retain_release(struct zn_retain *retain)
{
	for (size_t i = 0; i < retain->count; i++)
		free(retain->seen[i].name);
	free(retain->seen);
	*retain = (struct zn_retain){0};
}

/* The own names of the listing, with the times that are known of them. */
static enum zn_code note(struct zn_retain *retain, const struct zn_listing *listing, struct zn_view db,
		struct zn_view instance, uint64_t now)
{
	struct zn_retain next = {.seen = calloc(listing->count + 1, sizeof *next.seen)};
	size_t old = 0;

	if (!next.seen)
		return ZN_ENOMEM;
	for (size_t i = 0; i < listing->count; i++) {
		const char *name = listing->items[i].name;

		if (!is_own(name, db, instance))
			continue;
		while (old < retain->count && strcmp(retain->seen[old].name, name) < 0)
			old++;
		bool known = old < retain->count && strcmp(retain->seen[old].name, name) == 0;
		char *copy = strdup(name);
		if (!copy) {
			zn_retain_release(&next);
			return ZN_ENOMEM;
		}
		next.seen[next.count++] = (struct zn_retain_seen){copy, known ? retain->seen[old].since : now};
	}
	zn_retain_release(retain);
	*retain = next;
	return ZN_OK;
}

enum zn_code zn_retain_plan(struct zn_retain *retain, const struct zn_listing *listing, struct zn_view db,
		struct zn_view instance, uint64_t now, void (*visit)(void *arg, const char *name), void *arg)
{
	enum zn_code code = note(retain, listing, db, instance, now);
	size_t newest = retain->count;

	if (code)
		return code;
	/* The newest one that everybody has had the time to see: what sorts before it may go. */
	while (newest > 0 && now - retain->seen[newest - 1].since < ZN_RETAIN_KEEP_NS)
		newest--;
	for (size_t i = 0; i + 1 < newest; i++)
		if (now - retain->seen[i].since >= ZN_RETAIN_KEEP_NS)
			visit(arg, retain->seen[i].name);
	return ZN_OK;
}
