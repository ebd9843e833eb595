#include "fs/mount/notify.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "fs/mount/errand.h"

#define IDS_MAX 65536	/* more changed zones than this and all are told */

struct zn_notify {
	struct fuse_session *session;
	struct zn_notify_names names;
	pthread_t thread;
	atomic_bool quiet;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t more;
	struct zn_word *first, **last;
	uint32_t *ids;
	size_t count, capacity;
	bool all, stopping;
	/* the notifier's own */
	bool walking;
	struct zn_index_key after;
};

static void forget_entry(struct zn_notify *notify, uint64_t parent, const char *name)
{
	if (!atomic_load(&notify->quiet))
		fuse_lowlevel_notify_inval_entry(notify->session, parent, name, strlen(name));
}

static void finish(struct zn_notify *notify, struct zn_word *word)
{
	if (word->entry[0])
		forget_entry(notify, word->parent ? word->parent : FUSE_ROOT_ID, word->entry);
	if (word->node && !atomic_load(&notify->quiet))
		fuse_lowlevel_notify_inval_inode(notify->session, word->node, 0, 0);
	word->then(word);
}

static void forget_each(void *context, const char *name)
{
	forget_entry(context, FUSE_ROOT_ID, name);
}

/* One change from elsewhere, or a slice of the walk over all; called with the lock, which it lets go meanwhile. */
static void one_change(struct zn_notify *notify)
{
	if (notify->all) {
		notify->all = false;
		notify->count = 0;
		notify->walking = true;
		notify->after = (struct zn_index_key){0};
	}
	if (notify->count) {
		uint32_t zone = notify->ids[--notify->count];
		char name[ZN_FILENAME_MAX + 1];

		pthread_mutex_unlock(&notify->lock);
		if (notify->names.name(notify->names.context, zone, name))
			forget_entry(notify, FUSE_ROOT_ID, name);
	} else {
		pthread_mutex_unlock(&notify->lock);
		notify->walking = notify->names.slice(notify->names.context, &notify->after, forget_each, notify);
	}
	pthread_mutex_lock(&notify->lock);
}

static void *notify_thread(void *argument)
{
	struct zn_notify *notify = argument;

	pthread_mutex_lock(&notify->lock);
	for (;;) {
		struct zn_word *word = notify->first;

		if (word) {
			notify->first = word->next;
			if (!notify->first)
				notify->last = &notify->first;
			pthread_mutex_unlock(&notify->lock);
			finish(notify, word);
			pthread_mutex_lock(&notify->lock);
		} else if (notify->stopping) {
			break;
		} else if (!atomic_load(&notify->quiet) && (notify->count || notify->all || notify->walking)) {
			one_change(notify);
		} else {
			pthread_cond_wait(&notify->more, &notify->lock);
		}
	}
	pthread_mutex_unlock(&notify->lock);
	return NULL;
}

enum zn_code zn_notify_start(struct fuse_session *session, const struct zn_notify_names *names, struct zn_notify **ret_notify, struct zn_err *err)
{
	struct zn_notify *notify = calloc(1, sizeof *notify);

	if (!notify)
		return zn_fail(err, ZN_ENOMEM, "out of memory");
	notify->session = session;
	notify->names = *names;
	notify->last = &notify->first;
	pthread_mutex_init(&notify->lock, NULL);
	pthread_cond_init(&notify->more, NULL);
	enum zn_code code = zn_thread_start(&notify->thread, notify_thread, notify, "notifier", err);

	if (code != ZN_OK) {
		free(notify);
		return code;
	}
	*ret_notify = notify;
	return ZN_OK;
}

void zn_notify_word(struct zn_notify *notify, struct zn_word *word)
{
	word->next = NULL;
	pthread_mutex_lock(&notify->lock);
	*notify->last = word;
	notify->last = &word->next;
	pthread_cond_signal(&notify->more);
	pthread_mutex_unlock(&notify->lock);
}

void zn_notify_changed(struct zn_notify *notify, const uint32_t *zones, size_t count)
{
	pthread_mutex_lock(&notify->lock);
	if (notify->count + count > notify->capacity && !notify->all) {
		size_t capacity = notify->capacity ? notify->capacity * 2 : 64;

		while (capacity < notify->count + count)
			capacity *= 2;
		uint32_t *ids = capacity <= IDS_MAX ? realloc(notify->ids, capacity * sizeof *ids) : NULL;

		if (ids) {
			notify->ids = ids;
			notify->capacity = capacity;
		} else {
			notify->all = true;
		}
	}
	if (!notify->all)
		for (size_t i = 0; i < count; i++) {
			size_t known = 0;
			size_t recent = notify->count < 16 ? notify->count : 16;

			/* A zone that is saved again and again is told once a round. */
			while (known < recent && notify->ids[notify->count - 1 - known] != zones[i])
				known++;
			if (known == recent)
				notify->ids[notify->count++] = zones[i];
		}
	pthread_cond_signal(&notify->more);
	pthread_mutex_unlock(&notify->lock);
}

void zn_notify_changed_all(struct zn_notify *notify)
{
	pthread_mutex_lock(&notify->lock);
	notify->all = true;
	pthread_cond_signal(&notify->more);
	pthread_mutex_unlock(&notify->lock);
}

void zn_notify_quiet(struct zn_notify *notify)
{
	atomic_store(&notify->quiet, true);
}

void zn_notify_stop(struct zn_notify *notify)
{
	if (!notify)
		return;
	pthread_mutex_lock(&notify->lock);
	notify->stopping = true;
	pthread_cond_signal(&notify->more);
	pthread_mutex_unlock(&notify->lock);
	pthread_join(notify->thread, NULL);
	pthread_cond_destroy(&notify->more);
	pthread_mutex_destroy(&notify->lock);
	free(notify->ids);
	free(notify);
}
