/* sync/stage.h - the entries of one object that would change our database, in the order in which they
 * are to be written.
 *
 * Entries come in as the object has them; blocks of them are compared under a read transaction of its
 * own, so that none lives across reading the object; what would win is spilled to a temporary file and
 * indexed with 16 bytes. When all is in, the index is sorted into groups (a zone; in main an object and
 * its index row), which belong into one transaction each, and groups that only bury behind those that
 * put. Memory: one block, and the index of at most ZN_STAGE_ROWS rows. */
#pragma once
#include "sync/engine.h"
#include "sync/snapshot.h"

#define ZN_STAGE_ROWS ((size_t)1 << 20)	/* then what is staged has to be applied before more comes in */

struct zn_staged {
	uint64_t offset;	/* in the file */
	uint32_t group;		/* zone id; 0: no zone */
	uint32_t later : 1;	/* in a group that only buries; in main: a row of the zone list */
	uint32_t deleted : 1;
};

struct zn_stage {
	struct zn_sync *sync;
	enum zn_which which;
	const struct zn_snapshot_info *info;
	struct zn_stamp latest;		/* stamps beyond it are kept aside */
	struct zn_buf block;		/* entries not compared yet, as in the file */
	int fd;
	uint64_t size;
	const uint8_t *map;		/* the file, once sealed */
	struct zn_staged *rows;
	size_t count, room;
	size_t later;			/* first row of the groups that only bury; `count` when there are none */
	uint64_t aside;			/* entries from the future */
	struct zn_stamp aside_first;	/* the earliest stamp among them */
	char skipped[200];		/* DBIs that cannot be merged, in words; "" mostly */
};

struct zn_stage_row {
	const char *dbi;
	unsigned flags;		/* of the DBI, for creating it */
	struct zn_entry entry;	/* borrowed from the stage */
	uint32_t group;
};

ZN_MUST_USE enum zn_code zn_stage_init(struct zn_stage *stage, struct zn_sync *sync, enum zn_which which,
		const struct zn_snapshot_info *info, struct zn_err *err);
void zn_stage_release(struct zn_stage *stage);

/* ZN_ETOOBIG: full; seal, apply, empty, and add it again. */
ZN_MUST_USE enum zn_code zn_stage_add(struct zn_stage *stage, const struct zn_snapshot_dbi *dbi,
		const struct zn_snapshot_entry *entry, struct zn_err *err);
/* Compares what is left and sorts. No adding until emptied. */
ZN_MUST_USE enum zn_code zn_stage_seal(struct zn_stage *stage, struct zn_err *err);
ZN_MUST_USE enum zn_code zn_stage_empty(struct zn_stage *stage, struct zn_err *err);

/* A row of a sealed stage. */
struct zn_stage_row zn_stage_at(const struct zn_stage *stage, size_t index);
/* One past the last row of the group that `index` belongs to. */
size_t zn_stage_group_end(const struct zn_stage *stage, size_t index);
