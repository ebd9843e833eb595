/* fs/mount/tree.h - names of the top directory: which is a zone's, what is remembered of it, and the numbers programs see. Pure.
 * editor-behaviour 7, rules 8, 11, 12, 15, 21; details.md 13, 19.
 *
 * Of a zone that nobody is touching nothing is remembered. A zn_file exists while there is something to know of a name beyond the
 * database: it was vacated, it was made and nothing saved under it, a writer is on his way or has it open, a save is running.
 *
 *   stored  vacated  made
 *     1       0       0     a zone, served
 *     1       1       0     its name was unlinked or renamed away; still served; buried at `deadline`
 *     0       0       1     a name without text: size 0, not served
 *     0       0       0     nothing under this name; something runs that may make it a zone */
#pragma once
#include "fs/mount/table.h"
#include "fs/text/zonefile.h"
#include "store/zones.h"

/* Node ids and inode numbers. */
#define ZN_NODE_ROOT UINT64_C(1)
#define ZN_NODE_IS_VERSION(node) ((node) >> 63)
#define ZN_VERSION_MAX UINT32_C(0x7fffffff)
static inline uint64_t zn_version_node(uint32_t zone, uint32_t version)
{
	return UINT64_C(1) << 63 | (uint64_t)zone << 31 | (version & ZN_VERSION_MAX);
}
static inline uint32_t zn_node_zone(uint64_t node)
{
	return (uint32_t)(node >> 31);
}
static inline uint32_t zn_node_version(uint64_t node)
{
	return (uint32_t)node & ZN_VERSION_MAX;
}
/* st_ino: kind and number, so that no two listed names share one. */
static inline uint64_t zn_inode_zone(uint32_t zone) { return UINT64_C(1) << 32 | zone; }
static inline uint64_t zn_inode_scratch(uint32_t number) { return UINT64_C(2) << 32 | number; }
static inline uint64_t zn_inode_control(uint32_t number) { return UINT64_C(3) << 32 | number; }

#define ZN_CONTROL_NAME ".zonefs"

enum zn_name_kind {
	ZN_NAME_ZONE,
	ZN_NAME_CONTROL,	/* .zonefs */
	ZN_NAME_SCRATCH,	/* everything else */
};
/* What a name of the top directory is. ret_zone and ret_canonical only for zones: a spelling that is not canonical names the same file. */
enum zn_name_kind zn_name_kind(const char *name, struct zn_zone_id *ret_zone, bool *ret_canonical);

/* The zone that a scratch file is likely to be renamed onto: .Z.XXXXXX of rsync, Z.new, but no swap file and no backup. */
bool zn_name_foretells(const char *name, struct zn_zone_id *ret_zone);

struct zn_ask;
struct zn_file {
	struct zn_zone_id zone;
	uint32_t id;		/* the zone's, or the one reserved for it when the name was made */
	bool stored, vacated, made;
	uint64_t deadline;	/* zn_clock_mono() when a vacated zone is buried; UINT64_MAX: not running */
	bool burying;		/* the burial is on its way */
	unsigned drafts;	/* private nodes with open handles */
	unsigned creations;	/* of them, made by creating the vacated name: the grace period does not run */
	unsigned held;		/* by requests and saves that still need this struct */
	/* node.c: writers that were answered ESTALE and have not opened yet */
	struct zn_ask *asks;
	uint64_t blind_until;
	/* save.c: saves take turns */
	bool saving;
	void *turns;
	/* links of the tables */
	struct zn_file *same_hash;
};

struct zn_tree {
	struct zn_table names;	/* hash of the zone's name -> chain of zn_file */
	struct zn_table ids;	/* zone id -> zn_file */
	size_t vacated;
	uint64_t grace;		/* ns; UINT64_MAX: the name comes back by itself */
};
#define ZN_GRACE_DEFAULT (3 * ZN_NS_PER_S)

void zn_tree_release(struct zn_tree *tree);
struct zn_file *zn_tree_find(const struct zn_tree *tree, const struct zn_zone_id *zone);
struct zn_file *zn_tree_find_id(const struct zn_tree *tree, uint32_t id);
/* Finds or makes; NULL: out of memory. Held once more; zn_tree_drop() lets go. */
struct zn_file *zn_tree_hold(struct zn_tree *tree, const struct zn_zone_id *zone, uint32_t id, bool stored);
/* Lets go, and forgets a file of which there is nothing to remember. */
void zn_tree_drop(struct zn_tree *tree, struct zn_file *file);
/* The database says that the zone has this id (a new one may get another than was reserved), or no longer is. */
void zn_tree_stored(struct zn_tree *tree, struct zn_file *file, bool stored, uint32_t id);

/* Is there a name to see? file may be NULL (nothing remembered). A name recreated and not saved shows what is committed. */
bool zn_file_visible(const struct zn_file *file, bool stored);

void zn_file_vacate(struct zn_tree *tree, struct zn_file *file, uint64_t now);
/* A save under the name succeeded, or was refused (the committed zone is there again), or the zone is gone. True: it had been vacated. */
bool zn_file_return(struct zn_tree *tree, struct zn_file *file);
/* A handle made by creating the vacated name opens and closes. */
void zn_file_creation_begin(struct zn_file *file);
void zn_file_creation_end(struct zn_tree *tree, struct zn_file *file, uint64_t now);

/* Of the vacated whose time has come, one (held once more, marked burying, or with grace=never returned already and not given); *ret_next: the
 * earliest deadline that is left, UINT64_MAX for none. `all`: as if every period were over. */
struct zn_file *zn_tree_due(struct zn_tree *tree, uint64_t now, bool all, uint64_t *ret_next);
