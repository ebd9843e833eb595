/* fs/save/known.h - the faults that a stored zone has already, so that they are only warned of in lines that a save does not touch. zone-text 2: what
 * PowerDNS or a merge made wrong never refuses a new edit. */
#pragma once
#include "fs/save/load.h"
#include "fs/text/parse.h"

struct zn_known_faults {
	uint64_t *list;	/* hashes of entry and sentence */
	size_t count, capacity;
	bool failed;	/* out of memory */
};
void zn_known_release(struct zn_known_faults *known);
/* Judges the text that readers of the zone get now. */
ZN_MUST_USE enum zn_code zn_known_find(struct zn_known_faults *known, struct zn_loader *loader, const struct zn_zone_info *zone,
	const struct zn_check_options *check, struct zn_err *err);
/* zn_parse_options.known_fault; the context is a const struct zn_known_faults. */
bool zn_known_forgive(void *context, struct zn_view entry, const char *sentence);
