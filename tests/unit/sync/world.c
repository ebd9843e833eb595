#include "tests/unit/sync/world.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "store/base/auto.h"
#include "store/base/wire.h"
#include "store/entries.h"
#include "sync/object.h"

/* ---- the bucket ---- */

struct world_bucket {
	struct zn_bucket bucket;
	struct world *world;
};

static struct world *world_of(struct zn_bucket *bucket)
{
	return ((struct world_bucket *)bucket)->world;
}

static enum zn_code lost(struct zn_err *err)
{
	return zn_fail(err, ZN_ENET, "the bucket is gone");
}

static enum zn_code bucket_list(struct zn_bucket *bucket, const char *prefix, struct zn_listing *listing,
		struct zn_err *err)
{
	struct world *world = world_of(bucket);
	enum zn_code code = ZN_OK;

	pthread_mutex_lock(&world->lock);
	if (world->down)
		code = lost(err);
	for (size_t i = 0; i < world->count && !code; i++) {
		struct stored *stored = &world->list[i];

		if (strncmp(stored->name, prefix, strlen(prefix)) != 0)
			continue;
		if (stored->hidden)
			stored->hidden--;
		else
			code = zn_listing_add(listing, stored->name, stored->bytes.len, err);
	}
	pthread_mutex_unlock(&world->lock);
	return code;
}

static enum zn_code bucket_get(struct zn_bucket *bucket, const char *name, uint64_t max, int *ret_fd,
		struct zn_err *err)
{
	struct world *world = world_of(bucket);
	enum zn_code code = ZN_ENOTFOUND;

	(void)max;
	pthread_mutex_lock(&world->lock);
	if (world->down)
		code = lost(err);
	for (size_t i = 0; i < world->count && code == ZN_ENOTFOUND; i++) {
		struct stored *stored = &world->list[i];

		if (strcmp(stored->name, name) != 0)
			continue;
		*ret_fd = memfd_create(name, MFD_CLOEXEC);
		ck_assert_int_eq(pwrite(*ret_fd, stored->bytes.data, stored->bytes.len, 0),
				(ssize_t)stored->bytes.len);
		code = ZN_OK;
	}
	pthread_mutex_unlock(&world->lock);
	return code;
}

static void store(struct world *world, const char *name, struct zn_view bytes, unsigned hidden)
{
	size_t i = 0;

	while (i < world->count && strcmp(world->list[i].name, name) != 0)
		i++;
	if (i == world->count) {
		world->list = realloc(world->list, (i + 1) * sizeof *world->list);
		ck_assert_ptr_nonnull(world->list);
		world->list[i] = (struct stored){.name = strdup(name), .bytes = ZN_BUF_INIT((size_t)64 << 20)};
		world->count++;
	}
	zn_buf_clear(&world->list[i].bytes);
	zn_buf_add(&world->list[i].bytes, bytes);
	world->list[i].hidden = hidden;
}

static enum zn_code bucket_put(struct zn_bucket *bucket, const char *name, int fd, struct zn_err *err)
{
	struct world *world = world_of(bucket);
	ZN_AUTO(zn_buf_release) struct zn_buf bytes = ZN_BUF_INIT((size_t)64 << 20);
	uint8_t block[4096];
	ssize_t len;
	enum zn_code code = ZN_OK;

	while ((len = pread(fd, block, sizeof block, (off_t)bytes.len)) > 0)
		zn_buf_add(&bytes, zn_view(block, (size_t)len));
	pthread_mutex_lock(&world->lock);
	int fate = world->faults ? rand_r(&world->seed) % 16 : 16;
	size_t stored_len = fate == 0 ? bytes.len / 2 : bytes.len;
	if (world->down || fate == 1) {
		code = lost(err);		/* did not arrive */
	} else {
		store(world, name, zn_view_sub(zn_buf_view(&bytes), 0, stored_len), fate == 2 ? 5 : 0);
		world->puts++;
		if (fate == 3)
			code = lost(err);	/* did, but the answer was lost */
	}
	pthread_mutex_unlock(&world->lock);
	return code;
}

static enum zn_code bucket_delete(struct zn_bucket *bucket, const char *name, struct zn_err *err)
{
	(void)err;
	world_drop(world_of(bucket), name);
	return ZN_OK;
}

static void bucket_close(struct zn_bucket *bucket)
{
	free(bucket);
}

struct zn_bucket *world_bucket(struct world *world)
{
	static const struct zn_bucket_ops ops = {
			.list = bucket_list,
			.get = bucket_get,
			.put = bucket_put,
			.delete = bucket_delete,
			.close = bucket_close,
	};
	struct world_bucket *bucket = calloc(1, sizeof *bucket);

	ck_assert_ptr_nonnull(bucket);
	bucket->bucket.ops = &ops;
	bucket->world = world;
	return &bucket->bucket;
}

void world_make(struct world *world, unsigned seed)
{
	*world = (struct world){.seed = seed};
	pthread_mutex_init(&world->lock, NULL);
}

void world_remove(struct world *world)
{
	world_drop(world, "");
	free(world->list);
	pthread_mutex_destroy(&world->lock);
}

unsigned world_count(struct world *world, const char *prefix)
{
	unsigned count = 0;

	pthread_mutex_lock(&world->lock);
	for (size_t i = 0; i < world->count; i++)
		count += strncmp(world->list[i].name, prefix, strlen(prefix)) == 0;
	pthread_mutex_unlock(&world->lock);
	return count;
}

void world_newest(struct world *world, const char *prefix, char name[static ZN_OBJECT_NAME_MAX + 1])
{
	name[0] = 0;
	pthread_mutex_lock(&world->lock);
	for (size_t i = 0; i < world->count; i++)
		if (strncmp(world->list[i].name, prefix, strlen(prefix)) == 0 &&
				strcmp(world->list[i].name, name) > 0)
			snprintf(name, ZN_OBJECT_NAME_MAX + 1, "%s", world->list[i].name);
	pthread_mutex_unlock(&world->lock);
}

void world_drop(struct world *world, const char *prefix)
{
	size_t kept = 0;

	pthread_mutex_lock(&world->lock);
	for (size_t i = 0; i < world->count; i++) {
		if (strncmp(world->list[i].name, prefix, strlen(prefix)) != 0) {
			world->list[kept++] = world->list[i];
		} else {
			free(world->list[i].name);
			zn_buf_release(&world->list[i].bytes);
		}
	}
	world->count = kept;
	pthread_mutex_unlock(&world->lock);
}

void world_put(struct world *world, const char *name, struct zn_view bytes)
{
	pthread_mutex_lock(&world->lock);
	store(world, name, bytes, 0);
	pthread_mutex_unlock(&world->lock);
}

void world_cut(struct world *world, const char *name)
{
	pthread_mutex_lock(&world->lock);
	for (size_t i = 0; i < world->count; i++)
		if (strcmp(world->list[i].name, name) == 0)
			world->list[i].bytes.len /= 2;
	pthread_mutex_unlock(&world->lock);
}

/* ---- nodes ---- */

void node_make(struct node *node, struct world *world, const char *instance)
{
	*node = (struct node){.world = world};
	snprintf(node->instance, sizeof node->instance, "%s", instance);
	scratch_make(&node->scratch);
}

void node_open(struct node *node)
{
	node->env = scratch_open(&node->scratch);
	ck_ok(zn_commit_start(node->env, &node->commit, &err));
	ck_ok(zn_watch_start(node->env, &node->watch, &err));
}

void node_sync(struct node *node)
{
	char spool[160];

	snprintf(spool, sizeof spool, "%s/spool", node->scratch.dir);
	struct zn_syncer_options options = {
			.bucket = "mem:",
			.instance = node->instance,
			.spool = spool,
			.poll = 10 * ZN_NS_PER_MS,
			.receive = node->receive,
	};
	ck_ok(zn_syncer_start_on(&options, world_bucket(node->world), node->env, node->commit, node->watch,
			&node->syncer, &err));
}

void node_start(struct node *node)
{
	node_open(node);
	node_sync(node);
}

void node_stop(struct node *node)
{
	uint64_t deadline = zn_clock_mono() + WAIT_NS;

	zn_syncer_stop(node->syncer, deadline);
	zn_commit_stop(node->commit, deadline);
	zn_watch_stop(node->watch);
	zn_syncer_free(node->syncer);
	zn_watch_free(node->watch);
	zn_env_close(node->env);
	node->syncer = NULL;
}

void node_remove(struct node *node)
{
	node_stop(node);
	scratch_remove(&node->scratch);
}

/* ---- rows ---- */

static struct zn_view row_key(enum zn_which which, uint32_t zone, const char *name, uint8_t key[static 64])
{
	size_t len = strlen(name);

	ck_assert_uint_lt(len, 40);
	zn_put_u32(key, zone);
	memcpy(key + 4, name, len);
	if (which == ZN_MAIN)
		return zn_view(key, 4 + len);
	memcpy(key + 4 + len, "\0\0\1", 3); /* end of the name, type A */
	return zn_view(key, 7 + len);
}

struct put_job {
	struct zn_job job;
	struct zn_view key;
	const char *text;
	struct zn_stamp stamp;
};

static enum zn_code run_put(struct zn_job *job, struct zn_txn *txn, struct zn_err *err)
{
	struct put_job *put = (struct put_job *)job;
	const char *name = txn->which == ZN_MAIN ? "extra_v1" : "records_v5";
	struct zn_stamp stamp = put->stamp;
	struct zn_dbi_info dbi;
	struct zn_header header;
	struct zn_view value;
	enum zn_code code = zn_txn_dbi(txn, name, &dbi, err);

	if (code)
		return code;
	if (!stamp.ns) { /* as zn_txn_put() stamps a user's write */
		stamp = txn->now;
		if (zn_txn_get_any(txn, dbi.handle, put->key, &value, err) == ZN_OK &&
				zn_header_read(value, &header, &value) == ZN_OK && header.stamp.ns + 1024 > stamp.ns)
			stamp.ns = header.stamp.ns + 1024;
	}
	return zn_txn_put_any(txn, dbi.handle, put->key, stamp, put->text ? 0 : ZN_HEADER_DELETED,
			put->text ? zn_view_str(put->text) : zn_view(NULL, 0), err);
}

/* As whoever saves does. */
static void done_put(struct zn_job *job, enum zn_code code, const struct zn_err *err)
{
	(void)job;
	(void)code;
	(void)err;
}

void node_put_stamp(struct node *node, enum zn_which which, uint32_t zone, const char *name, const char *text,
		struct zn_stamp stamp)
{
	uint8_t key[64];
	struct put_job put = {
			.job = {.class = ZN_JOB_SAVE,
					.order = which == ZN_MAIN ? ZN_JOB_MAIN : ZN_JOB_RECORDS,
					.run = run_put,
					.done = done_put},
			.key = row_key(which, zone, name, key),
			.text = text,
			.stamp = stamp,
	};

	ck_ok(zn_commit_run(node->commit, &put.job, &err));
}

void node_put(struct node *node, enum zn_which which, uint32_t zone, const char *name, const char *text)
{
	node_put_stamp(node, which, zone, name, text, (struct zn_stamp){0});
}

const char *node_get(struct node *node, enum zn_which which, uint32_t zone, const char *name)
{
	static _Thread_local char text[256];
	ZN_AUTO(zn_txn_end) struct zn_txn txn = {0};
	struct zn_dbi_info dbi;
	struct zn_header header;
	struct zn_view value;
	uint8_t key[64];

	ck_ok(zn_txn_begin(&txn, node->env, which, ZN_TXN_READ, &err));
	if (zn_txn_dbi(&txn, which == ZN_MAIN ? "extra_v1" : "records_v5", &dbi, NULL) != ZN_OK ||
			zn_txn_get_any(&txn, dbi.handle, row_key(which, zone, name, key), &value, NULL) != ZN_OK)
		return NULL;
	ck_assert_int_eq(zn_header_read(value, &header, &value), ZN_OK);
	if (zn_header_deleted(&header))
		return NULL;
	snprintf(text, sizeof text, "%.*s", (int)value.len, (const char *)value.data);
	return text;
}

struct printing {
	struct zn_buf *out;
	const char *dbi;
};

static enum zn_code print_entry(void *context, const struct zn_entry *entry)
{
	struct printing *p = context;

	zn_buf_addf(p->out, "%s ", p->dbi);
	zn_buf_add_hex(p->out, entry->key);
	zn_buf_addf(p->out, " %llu ", (unsigned long long)entry->stamp.ns);
	zn_buf_add_str(p->out, entry->deleted ? "-" : "=");
	zn_buf_add(p->out, entry->payload);
	zn_buf_add_byte(p->out, '\n');
	return ZN_OK;
}

void node_print(struct node *node, struct zn_buf *out)
{
	for (int which = 0; which < 2; which++) {
		ZN_AUTO(zn_txn_end) struct zn_txn txn = {0};
		ZN_AUTO_FREE struct zn_dbi_info *dbis = NULL;
		size_t count;

		ck_ok(zn_txn_begin(&txn, node->env, (enum zn_which)which, ZN_TXN_READ, &err));
		ck_ok(zn_txn_dbis(&txn, &dbis, &count, &err));
		for (size_t i = 0; i < count; i++) {
			struct printing p = {out, dbis[i].name};

			if (strcmp(dbis[i].name, "pdns") != 0)
				ck_ok(zn_entries_each(&txn, &dbis[i], 0, print_entry, &p, &err));
		}
	}
}

/* ---- waiting ---- */

void node_round(struct node *node)
{
	ck_ok(zn_syncer_round(node->syncer, zn_clock_mono() + WAIT_NS, &err));
}

struct zn_syncer_status node_status(struct node *node)
{
	struct zn_syncer_status status;

	ck_assert_int_eq(zn_syncer_status(node->syncer, &status), ZN_OK);
	return status;
}

static void pause_briefly(void)
{
	usleep(2000);
}

/* Lines in any order of DBIs: sorted to be compared. */
static int by_line(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sorted_lines(struct node *node, struct zn_buf *out)
{
	ZN_AUTO(zn_buf_release) struct zn_buf lines = ZN_BUF_INIT((size_t)64 << 20);
	char *list[8192], *save = NULL;
	size_t count = 0;

	node_print(node, &lines);
	for (char *line = lines.data ? strtok_r((char *)lines.data, "\n", &save) : NULL; line;
			line = strtok_r(NULL, "\n", &save)) {
		ck_assert_uint_lt(count, 8192);
		list[count++] = line;
	}
	if (count)
		qsort(list, count, sizeof *list, by_line);
	for (size_t i = 0; i < count; i++)
		zn_buf_addf(out, "%s\n", list[i]);
}

void wait_same(struct node *node, struct node *other)
{
	uint64_t deadline = zn_clock_mono() + WAIT_NS;

	for (;;) {
		ZN_AUTO(zn_buf_release) struct zn_buf a = ZN_BUF_INIT((size_t)64 << 20);
		ZN_AUTO(zn_buf_release) struct zn_buf b = ZN_BUF_INIT((size_t)64 << 20);

		sorted_lines(node, &a);
		sorted_lines(other, &b);
		if (zn_view_equal(zn_buf_view(&a), zn_buf_view(&b)))
			return;
		ck_assert_msg(zn_clock_mono() < deadline, "%s:\n%s\n%s:\n%s", node->instance, zn_buf_str(&a),
				other->instance, zn_buf_str(&b));
		pause_briefly();
	}
}

void wait_row(struct node *node, enum zn_which which, uint32_t zone, const char *name, const char *text)
{
	uint64_t deadline = zn_clock_mono() + WAIT_NS;

	for (;;) {
		const char *have = node_get(node, which, zone, name);

		if (have == text || (have && text && strcmp(have, text) == 0))
			return;
		ck_assert_msg(zn_clock_mono() < deadline, "%s: %s is %s, not %s", node->instance, name,
				have ? have : "gone", text ? text : "gone");
		pause_briefly();
	}
}
