#include "sync/merge.h"

static struct zn_view value_of(const struct zn_merge_entry *entry)
{
	return entry->deleted ? zn_view(NULL, 0) : entry->value;
}

bool zn_merge_takes(const struct zn_merge_entry *local, const struct zn_merge_entry *incoming,
		struct zn_stamp cutoff)
{
	if (!local)
		return !incoming->deleted || incoming->stamp.ns >= cutoff.ns;
	if (incoming->stamp.ns != local->stamp.ns)
		return incoming->stamp.ns > local->stamp.ns;
	int order = zn_view_cmp(value_of(incoming), value_of(local));
	if (order)
		return order < 0;
	return incoming->deleted && !local->deleted;
}
