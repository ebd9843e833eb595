/* fs/mount/recent.h - the big texts that were read last, kept after their last handle is gone.
 *
 * A name server, a backup and a person often read the same zone one after the other, and loading a million records costs as much as reading them. A text is kept
 * under the node id of its version, which never means another one while the mount lasts; whether that version is still the current one is asked at
 * every open anyway. A few unlinked spool files, in disk space bounded by the two numbers below. Guarded by the owner's lock. */
#pragma once
#include "fs/mount/content.h"
#include "fs/save/load.h"

#define ZN_RECENT_COUNT 4
#define ZN_RECENT_MAX ((size_t)64 << 20) /* bytes of one text; a larger one is loaded again */

struct zn_recent {
	struct zn_recent_text {
		uint64_t node;			/* 0: free */
		struct zn_content *content;
		struct zn_loaded loaded;
	} texts[ZN_RECENT_COUNT];
	unsigned next;				/* the oldest: it makes room */
};

/* Shares a text for the caller, or NULL. */
struct zn_content *zn_recent_find(struct zn_recent *recent, uint64_t node, struct zn_loaded *ret_loaded);
/* Keeps a share of its own of what is worth it: in a file, and not too big. Returns what had to go, for zn_content_unref() without the lock. */
struct zn_content *zn_recent_keep(struct zn_recent *recent, uint64_t node, struct zn_content *content, const struct zn_loaded *loaded);
void zn_recent_release(struct zn_recent *recent);
