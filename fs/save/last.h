/* fs/save/last.h - who saved a zone last, and what they left: rule 23. In memory, bounded: who is forgotten was nobody.
 * Thread-safe. */
#pragma once
#include "fs/save/decide.h"
#include "store/dns/zone.h"

struct zn_last;
struct zn_last_save {
	struct zn_digest digest;	/* of the zone as it was left */
	uint32_t uid;
};
ZN_MUST_USE enum zn_code zn_last_new(struct zn_last **ret_last);
void zn_last_free(struct zn_last *last);
void zn_last_remember(struct zn_last *last, uint32_t id, const struct zn_last_save *save);
bool zn_last_get(struct zn_last *last, uint32_t id, struct zn_last_save *ret_save);

/* Did somebody else change the zone, which is `stored` now, since this user wrote it? */
enum zn_since zn_last_since(const struct zn_last_save *save, struct zn_digest stored, uint32_t uid);
