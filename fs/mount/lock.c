#include "fs/mount/lock.h"

#include <stdlib.h>

#include "store/base/auto.h"

void zn_locks_release(struct zn_locks *locks)
{
	size_t at = 0;
	struct zn_lock *lock;

	while ((lock = zn_table_next(&locks->inodes, &at)))
		while (lock) {
			struct zn_lock *next = lock->next;

			free(lock);
			lock = next;
		}
	zn_table_release(&locks->inodes);
}

static bool in_the_way(const struct zn_lock *held, const struct zn_lock *want)
{
	return held->kind == want->kind && held->owner != want->owner && held->start <= want->end && held->end >= want->start &&
	       (held->type == ZN_LOCK_EXCLUSIVE || want->type == ZN_LOCK_EXCLUSIVE);
}

const struct zn_lock *zn_lock_test(const struct zn_locks *locks, uint64_t inode, const struct zn_lock *want)
{
	const struct zn_lock *held = zn_table_get(&locks->inodes, inode);

	if (want->type == ZN_LOCK_NONE)
		return NULL;
	while (held && !in_the_way(held, want))
		held = held->next;
	return held;
}

enum zn_code zn_lock_set(struct zn_locks *locks, uint64_t inode, const struct zn_lock *want)
{
	if (zn_lock_test(locks, inode, want))
		return ZN_EBUSY;
	/* Both may be needed: the new range, and the rest of one that is cut in two. */
	ZN_AUTO_FREE struct zn_lock *taken = calloc(1, sizeof *taken), *rest = calloc(1, sizeof *rest);

	if (!taken || !rest)
		return ZN_ENOMEM;
	struct zn_lock *head = zn_table_take(&locks->inodes, inode), **link = &head;

	while (*link) {
		struct zn_lock *held = *link;

		if (held->kind != want->kind || held->owner != want->owner || held->start > want->end || held->end < want->start) {
			link = &held->next;
			continue;
		}
		if (held->start < want->start && held->end > want->end) {
			*rest = *held;
			rest->start = want->end + 1;
			held->end = want->start - 1;
			held->next = rest;
			link = &held->next->next;
			rest = NULL; /* in the list now */
		} else if (held->start < want->start) {
			held->end = want->start - 1;
			link = &held->next;
		} else if (held->end > want->end) {
			held->start = want->end + 1;
			link = &held->next;
		} else {
			*link = held->next;
			free(held);
		}
	}
	if (want->type != ZN_LOCK_NONE) {
		*taken = *want;
		taken->next = head;
		head = zn_steal(&taken);
	}
	if (head && zn_table_put(&locks->inodes, inode, head) != ZN_OK) {
		/* No room for the list: it is as if nobody had a lock. The table only grows, so this is its first growth. */
		while (head) {
			struct zn_lock *next = head->next;

			free(head);
			head = next;
		}
		return ZN_ENOMEM;
	}
	return ZN_OK;
}

/* Does `owner` wait, directly or through others, for what `holder` has? */
static bool waits_for(const struct zn_locks *locks, uint64_t owner, uint64_t holder, unsigned depth)
{
	if (depth > 16)
		return false;
	for (const struct zn_lock_wait *wait = locks->first; wait; wait = wait->next) {
		if (wait->want.owner != owner || wait->want.kind != ZN_LOCK_POSIX)
			continue;
		for (const struct zn_lock *held = zn_table_get(&locks->inodes, wait->inode); held; held = held->next)
			if (in_the_way(held, &wait->want) && (held->owner == holder || waits_for(locks, held->owner, holder, depth + 1)))
				return true;
	}
	return false;
}

enum zn_code zn_lock_park(struct zn_locks *locks, struct zn_lock_wait *wait)
{
	const struct zn_lock *held = zn_lock_test(locks, wait->inode, &wait->want);

	if (held && wait->want.kind == ZN_LOCK_POSIX && waits_for(locks, held->owner, wait->want.owner, 0))
		return ZN_EINVAL;
	struct zn_lock_wait **link = &locks->first;

	while (*link)
		link = &(*link)->next;
	wait->next = NULL;
	*link = wait;
	return ZN_OK;
}

bool zn_lock_unpark(struct zn_locks *locks, const struct zn_lock_wait *wait)
{
	for (struct zn_lock_wait **link = &locks->first; *link; link = &(*link)->next)
		if (*link == wait) {
			*link = wait->next;
			return true;
		}
	return false;
}

struct zn_lock_wait *zn_lock_grant(struct zn_locks *locks)
{
	for (struct zn_lock_wait **link = &locks->first; *link; link = &(*link)->next) {
		struct zn_lock_wait *wait = *link;

		if (zn_lock_set(locks, wait->inode, &wait->want) != ZN_OK)
			continue;
		*link = wait->next;
		return wait;
	}
	return NULL;
}
