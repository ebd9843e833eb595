#include "fs/save/fault.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "fs/save/zoneid.h"
#include "store/dns/check.h"
#include "store/records.h"

#define QUEUE_MAX 65536 /* zones waiting to be judged */

struct fault {
	uint32_t id;
	size_t errors;
	char zone[ZN_ZONEID_TEXT_MAX];
	char sentence[200];
};

struct zn_faults {
	struct zn_events *events;
	struct zn_env *env;
	pthread_t thread;
	pthread_mutex_t lock;	/* guards what follows */
	pthread_cond_t work;
	bool stop;
	uint32_t *queue;
	size_t queued, capacity;
	struct fault *list;
	size_t count;
};

static struct fault *find(struct zn_faults *faults, uint32_t id)
{
	for (size_t i = 0; i < faults->count; i++)
		if (faults->list[i].id == id)
			return &faults->list[i];
	return NULL;
}

/* Under the lock. One that does not fit is judged at its next change. */
static void enqueue(struct zn_faults *faults, uint32_t id)
{
	if (faults->queued && faults->queue[faults->queued - 1] == id)
		return;
	if (faults->queued == faults->capacity) {
		size_t capacity = faults->capacity ? 2 * faults->capacity : 64;
		uint32_t *queue = capacity <= QUEUE_MAX ? realloc(faults->queue, capacity * sizeof *queue) : NULL;
		if (!queue)
			return;
		faults->queue = queue;
		faults->capacity = capacity;
	}
	faults->queue[faults->queued++] = id;
}

static void on_change(void *context, const struct zn_change *change)
{
	struct zn_faults *faults = context;

	pthread_mutex_lock(&faults->lock);
	for (size_t i = 0; i < change->count; i++)
		if (change->origin != ZN_OWN_SAVE || find(faults, change->ids[i]))
			enqueue(faults, change->ids[i]);
	if (faults->queued)
		pthread_cond_signal(&faults->work);
	pthread_mutex_unlock(&faults->lock);
}

static void keep_first(void *context, enum zn_severity severity, size_t index, size_t other, enum zn_check_part part,
	const char *sentence)
{
	struct fault *fault = context;

	(void)index;
	(void)part;
	(void)other;
	if (severity == ZN_SEVERITY_ERROR && !fault->sentence[0])
		snprintf(fault->sentence, sizeof fault->sentence, "%s", sentence);
}

/* Everything that is wrong with a zone, as it is stored now. `errors` stays 0 for one that is right, gone, or not to be read. */
static void judge(struct zn_env *env, struct fault *fault)
{
	ZN_AUTO(zn_txn_end) struct zn_txn main = {0};
	ZN_AUTO(zn_txn_end) struct zn_txn records = {0};
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *zone = NULL;
	struct zn_zone_info info;
	struct zn_zone_mode mode;

	if (zn_txn_begin(&records, env, ZN_RECORDS, ZN_TXN_READ, NULL) != ZN_OK || zn_txn_begin(&main, env, ZN_MAIN, ZN_TXN_READ, NULL) != ZN_OK)
		return;
	if (zn_zones_get(&main, fault->id, &info, NULL) != ZN_OK || zn_kind_read_only(info.kind) ||
		zn_meta_mode(&main, &info.zone, &mode, NULL) != ZN_OK)
		return;
	zn_zoneid_text(&info.zone, fault->zone);
	if (zn_records_read(&records, fault->id, &info.zone.name, &zone, NULL, NULL) != ZN_OK)
		return;
	zn_txn_end(&records);
	zn_txn_end(&main);
	struct zn_check_options options = {
		.signed_zone = mode.has_keys,
		.presigned = mode.presigned,
		.nsec = mode.dnssec == ZN_DNSSEC_NSEC,
	};
	fault->errors = zn_check_zone(zone, &options, keep_first, fault);
}

/* What was found, against what was known. Returns the kind of event to post, or NULL. Under the lock. */
static const char *take(struct zn_faults *faults, const struct fault *found, struct fault *ret_known)
{
	struct fault *known = find(faults, found->id);

	if (!found->errors) {
		if (!known)
			return NULL;
		*ret_known = *known;
		*known = faults->list[--faults->count];
		return "mended";
	}
	if (known) {
		bool same = known->errors == found->errors && strcmp(known->sentence, found->sentence) == 0;
		*known = *found;
		return same ? NULL : "fault";
	}
	if (faults->count < ZN_FAULTS_MAX)
		faults->list[faults->count++] = *found;
	return "fault";
}

static void look_at(struct zn_faults *faults, uint32_t id)
{
	struct zn_buf members = ZN_BUF_INIT(4096);
	struct fault found = {.id = id}, told;

	judge(faults->env, &found);
	told = found;
	pthread_mutex_lock(&faults->lock);
	const char *kind = take(faults, &found, &told);
	pthread_mutex_unlock(&faults->lock);
	if (!kind)
		return;
	if (found.errors) {
		zn_buf_addf(&members, ",\"errors\":%zu,\"text\":", found.errors);
		zn_json_string(&members, zn_view_str(found.sentence));
	}
	zn_events_post(faults->events, kind, told.zone, zn_buf_str(&members));
	zn_buf_release(&members);
}

static void *run(void *context)
{
	struct zn_faults *faults = context;

	pthread_mutex_lock(&faults->lock);
	while (!faults->stop) {
		if (!faults->queued) {
			pthread_cond_wait(&faults->work, &faults->lock);
			continue;
		}
		uint32_t id = faults->queue[--faults->queued];
		pthread_mutex_unlock(&faults->lock);
		look_at(faults, id);
		pthread_mutex_lock(&faults->lock);
	}
	pthread_mutex_unlock(&faults->lock);
	return NULL;
}

static void release(struct zn_faults *faults)
{
	pthread_mutex_destroy(&faults->lock);
	pthread_cond_destroy(&faults->work);
	free(faults->queue);
	free(faults->list);
	free(faults);
}

enum zn_code zn_faults_start(struct zn_events *events, struct zn_env *env, struct zn_watch *watch, struct zn_faults **ret_faults,
	struct zn_err *err)
{
	struct zn_faults *faults = calloc(1, sizeof *faults);

	if (!faults)
		return zn_fail(err, ZN_ENOMEM, "faults: out of memory");
	faults->events = events;
	faults->env = env;
	pthread_mutex_init(&faults->lock, NULL);
	pthread_cond_init(&faults->work, NULL);
	faults->list = calloc(ZN_FAULTS_MAX, sizeof *faults->list);
	int failed = faults->list ? pthread_create(&faults->thread, NULL, run, faults) : ENOMEM;
	if (failed) {
		release(faults);
		return zn_fail_errno(err, failed, "faults");
	}
	zn_watch_listen(watch, on_change, faults);
	*ret_faults = faults;
	return ZN_OK;
}

void zn_faults_stop(struct zn_faults *faults)
{
	if (!faults)
		return;
	pthread_mutex_lock(&faults->lock);
	faults->stop = true;
	pthread_cond_signal(&faults->work);
	pthread_mutex_unlock(&faults->lock);
	pthread_join(faults->thread, NULL);
	release(faults);
}

size_t zn_faults_count(struct zn_faults *faults)
{
	pthread_mutex_lock(&faults->lock);
	size_t count = faults->count;
	pthread_mutex_unlock(&faults->lock);
	return count;
}

void zn_faults_each(struct zn_faults *faults, void (*each)(void *context, const char *zone, size_t errors, const char *sentence), void *context)
{
	pthread_mutex_lock(&faults->lock);
	for (size_t i = 0; i < faults->count; i++)
		each(context, faults->list[i].zone, faults->list[i].errors, faults->list[i].sentence);
	pthread_mutex_unlock(&faults->lock);
}
