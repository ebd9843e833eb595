/* tests/unit/sync/world.h - nodes of one process around a bucket in memory that loses, delays and cuts off
 * what is put into it, on demand. */
#pragma once
#include "tests/unit/support.h"

#include "store/commit.h"
#include "store/watch.h"
#include "sync/bucket/bucket.h"
#include "sync/syncer.h"

#define WAIT_NS (UINT64_C(120) * 1000000000)	/* nothing takes this long, on any machine */

struct stored {
	char *name;
	struct zn_buf bytes;
	unsigned hidden;	/* listings that do not show it yet */
};

struct world {
	pthread_mutex_t lock;
	struct stored *list;
	size_t count;
	unsigned seed;
	bool faults;		/* one put in four goes wrong in one of four ways */
	bool down;		/* every operation fails */
	unsigned puts;		/* objects stored */
};

void world_make(struct world *world, unsigned seed);
void world_remove(struct world *world);
/* A bucket on the world, one for each node. */
struct zn_bucket *world_bucket(struct world *world);
/* Objects whose name begins with prefix. */
unsigned world_count(struct world *world, const char *prefix);
/* The newest such name, "" for none; and removal. */
void world_newest(struct world *world, const char *prefix, char name[static ZN_OBJECT_NAME_MAX + 1]);
void world_drop(struct world *world, const char *prefix);
/* Put bytes as they are. */
void world_put(struct world *world, const char *name, struct zn_view bytes);
/* Keep only the first half of an object's bytes. */
void world_cut(struct world *world, const char *name);

struct node {
	struct scratch scratch;
	struct world *world;
	char instance[32];
	bool receive;
	struct zn_env *env;
	struct zn_commit *commit;
	struct zn_watch *watch;
	struct zn_syncer *syncer;
};

void node_make(struct node *node, struct world *world, const char *instance);
void node_start(struct node *node);	/* opens and starts everything */
void node_open(struct node *node);	/* without the syncer */
void node_sync(struct node *node);	/* starts the syncer */
void node_stop(struct node *node);	/* as on SIGTERM; syncer NULL is fine */
void node_remove(struct node *node);

/* A user's write of one row into records_v5 (zone, name) or, in main, a DBI of nobody's ("extra_v1"); NULL buries. */
void node_put(struct node *node, enum zn_which which, uint32_t zone, const char *name, const char *text);
/* The same with a stamp. */
void node_put_stamp(struct node *node, enum zn_which which, uint32_t zone, const char *name, const char *text,
		struct zn_stamp stamp);
/* "text", or NULL where there is none; valid until the next call. */
const char *node_get(struct node *node, enum zn_which which, uint32_t zone, const char *name);
/* All replicated rows but pdns of both envs as lines: dbi key stamp =payload or -. */
void node_print(struct node *node, struct zn_buf *out);

void node_round(struct node *node);	/* one round has been made; it must not fail */
struct zn_syncer_status node_status(struct node *node);
/* Until `node` has what `other` has, row by row. */
void wait_same(struct node *node, struct node *other);
/* Until a row reads as `text`. */
void wait_row(struct node *node, enum zn_which which, uint32_t zone, const char *name, const char *text);
