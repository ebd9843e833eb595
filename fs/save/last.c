#include "fs/save/last.h"

#include <pthread.h>
#include <stdlib.h>

#define SLOTS 4096 /* a newer save takes the place of an older one */

struct zn_last {
	pthread_mutex_t lock; /* guards the slots */
	struct {
		uint32_t id; /* 0: free */
		struct zn_last_save save;
	} slots[SLOTS];
};

enum zn_code zn_last_new(struct zn_last **ret_last)
{
	struct zn_last *last = calloc(1, sizeof *last);

	if (!last)
		return ZN_ENOMEM;
	pthread_mutex_init(&last->lock, NULL);
	*ret_last = last;
	return ZN_OK;
}

void zn_last_free(struct zn_last *last)
{
	if (!last)
		return;
	pthread_mutex_destroy(&last->lock);
	free(last);
}

void zn_last_remember(struct zn_last *last, uint32_t id, const struct zn_last_save *save)
{
	pthread_mutex_lock(&last->lock);
	last->slots[id % SLOTS].id = id;
	last->slots[id % SLOTS].save = *save;
	pthread_mutex_unlock(&last->lock);
}

bool zn_last_get(struct zn_last *last, uint32_t id, struct zn_last_save *ret_save)
{
	pthread_mutex_lock(&last->lock);
	bool known = last->slots[id % SLOTS].id == id;
	if (known)
		*ret_save = last->slots[id % SLOTS].save;
	pthread_mutex_unlock(&last->lock);
	return known;
}

enum zn_since zn_last_since(const struct zn_last_save *save, struct zn_digest stored, uint32_t uid)
{
	return zn_digest_equal(save->digest, stored) && save->uid == uid ? ZN_SINCE_NOBODY : ZN_SINCE_SOMEBODY;
}
