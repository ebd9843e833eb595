/* fs/save/last.h - who saved a zone last, with which serial in the text, and what they left: rule 23. In memory, bounded: who is forgotten was nobody.
 * Thread-safe. */
#pragma once
#include "fs/save/decide.h"
#include "store/dns/zone.h"

struct zn_last;
struct zn_last_save {
	struct zn_digest digest;	/* of the zone as it was left */
	uint32_t serial;		/* as it stood in the text that was saved */
	uint32_t uid;
};
ZN_MUST_USE enum zn_code zn_last_new(struct zn_last **ret_last);
void zn_last_free(struct zn_last *last);
void zn_last_remember(struct zn_last *last, uint32_t id, const struct zn_last_save *save);
bool zn_last_get(struct zn_last *last, uint32_t id, struct zn_last_save *ret_save);

/* Who changed a zone that is `stored` now since this writer saw a text with `serial` in it? An editor that saves its buffer again, and a source that is
 * pushed again, come with the serial of the last save; whoever comes with another one, or as another user, has not seen it. */
enum zn_since zn_last_since(const struct zn_last_save *save, struct zn_digest stored, uint32_t serial, uint32_t uid);
