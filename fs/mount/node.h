/* fs/mount/node.h - what the kernel's inodes are: versions, fresh and private nodes. Pure. editor-behaviour 4, "Torn reads, and the way out";
 * details.md 13.
 *
 * Nobody may share an inode with a writer, and no two versions may share one, because size and pages belong to the inode:
 *
 *   LOOKUP                            the version node (zone, version): nothing is stored for it
 *   OPEN for reading, version node    a reader of that version; the node exists while it is open
 *   OPEN for writing, version node    ESTALE: the kernel walks the path again. From here to that writer's next OPEN the file is
 *                                     *awaited*: every LOOKUP of it makes a fresh node
 *   OPEN for writing, fresh node      it becomes private: the writer's own
 *   the same thread opens the same    it reopens by descriptor (/dev/fd/3): that node becomes private, and readers get a new
 *   version node again                version
 *   OPEN for reading, private node    a reader who met a writer's LOOKUP: ESTALE, once
 *
 * With the daemon in another PID name space all threads are 0: the file is awaited for some seconds after an ESTALE.
 *
 * A version also says to which state of the database it belongs, so that a commit by another process that we have not been told of yet
 * is noticed when the zone is next looked at. */
#pragma once
#include "fs/mount/tree.h"
#include "store/base/clock.h"

#define ZN_AWAIT (30 * ZN_NS_PER_S)		/* for a thread that was answered ESTALE and never came back */
#define ZN_AWAIT_BLIND (2 * ZN_NS_PER_S)	/* the same, when we cannot see who */
#define ZN_VERSIONS_MAX ((size_t)1 << 16)	/* zones whose version is kept one by one; beyond, all get a new one */

enum zn_node_kind {
	ZN_NODE_VERSION,	/* open */
	ZN_NODE_FRESH,
	ZN_NODE_PRIVATE,
	ZN_NODE_SCRATCH,	/* file, symlink or directory */
	ZN_NODE_CONTROL,
};
struct zn_node {
	uint64_t id;
	enum zn_node_kind kind;
	uint64_t lookups;	/* the kernel's; not counted for versions */
	unsigned handles, writers;
	unsigned held;		/* by saves and loads */
	struct zn_file *file;	/* fresh, private: held */
	uint32_t zone;		/* version, fresh, private */
	bool read;		/* fresh: somebody opened it for reading */
	bool creation;		/* private, made by creating a vacated name */
	void *body;		/* what ops keeps with it */
};

struct zn_version {
	uint32_t zone, version;
	uint64_t txnid;		/* of the records env: the state it began with; 0: any that was told */
	uint64_t print;		/* of size, mtime, serial and records (zn_print()); 0: not known */
};

struct zn_nodes {
	struct zn_tree *tree;
	struct zn_table by_id;		/* zn_node */
	struct zn_table versions;	/* zone id -> zn_version */
	uint32_t last_version;		/* counter of the mount */
	uint32_t base_version;		/* of every zone not in `versions` */
	uint64_t seen;			/* records txnid up to which changes were told */
	uint64_t next_id;
};

/* An ESTALE on its way back: who was told, about which node. Kept in the file; `again` once that thread has looked the name up. */
struct zn_ask {
	struct zn_ask *next;
	int32_t thread;
	uint64_t node, until;
	bool writer, walked;
};

void zn_nodes_init(struct zn_nodes *nodes, struct zn_tree *tree, uint64_t seen);
void zn_nodes_release(struct zn_nodes *nodes);
struct zn_node *zn_nodes_get(const struct zn_nodes *nodes, uint64_t id);
/* A node that is neither version nor fresh. NULL: out of memory. lookups is 0. */
struct zn_node *zn_nodes_add(struct zn_nodes *nodes, enum zn_node_kind kind);
/* A draft of the file, already private (CREATE). */
struct zn_node *zn_nodes_add_private(struct zn_nodes *nodes, struct zn_file *file);
/* The kernel forgot `count` lookups. Gives the node when it is of no use any more: taken out, for the caller to free with its body. */
struct zn_node *zn_nodes_forget(struct zn_nodes *nodes, uint64_t id, uint64_t count);
/* The same after a handle or a hold was let go. */
struct zn_node *zn_nodes_spent(struct zn_nodes *nodes, struct zn_node *node);
/* Frees a node that was taken out (not its body). */
void zn_node_free(struct zn_nodes *nodes, struct zn_node *node);

/* Which version a zone is at. */
uint32_t zn_nodes_version(const struct zn_nodes *nodes, uint32_t zone);
/* Every change up to this transaction has been told. */
void zn_nodes_told(struct zn_nodes *nodes, uint64_t txnid);
/* The state that was read belongs to this version; a state nobody told us of makes a new one. Returns true then. */
bool zn_nodes_observe(struct zn_nodes *nodes, uint32_t zone, uint64_t txnid, uint64_t print);
/* The state is not one before the current version began: what was read there is this version's, after zn_nodes_observe(). */
bool zn_nodes_covers(const struct zn_nodes *nodes, uint32_t zone, uint64_t txnid);
/* Told of a change: a new version, unless the one there is includes it. Returns true for a new one. */
bool zn_nodes_changed(struct zn_nodes *nodes, uint32_t zone, uint64_t txnid);
void zn_nodes_changed_all(struct zn_nodes *nodes, uint64_t txnid);
/* One number for what a reader can tell apart; never 0. */
uint64_t zn_print(uint64_t size, struct zn_stamp mtime, uint32_t serial, uint64_t count, uint64_t sum);

/* LOOKUP of a visible zone by a thread (0: not visible to us), whose attributes were found to be those of `version`. Returns the node id: that
 * version's, or that of a fresh node with one lookup counted (*ret_fresh): when the file is awaited, and when the zone has another version by now, for no
 * node may ever be shown with the size of another version. 0: out of memory. */
uint64_t zn_nodes_lookup(struct zn_nodes *nodes, struct zn_file *file, uint32_t zone, uint32_t version, int32_t thread, uint64_t now, bool *ret_fresh);

enum zn_open_verdict {
	ZN_OPEN_STALE,		/* answer ESTALE */
	ZN_OPEN_VERSION,	/* a reader of the version */
	ZN_OPEN_FRESH,		/* a reader of a fresh node: as of the current version, pages not to be kept */
	ZN_OPEN_PRIVATE,	/* a writer: the node has just become his */
	ZN_OPEN_STOLEN,		/* the same by descriptor: tell the kernel that the name is another node now */
	ZN_OPEN_AGAIN,		/* another handle of a private node */
	ZN_OPEN_ENOMEM,
};
/* OPEN of a version, fresh or private node. `file` as in lookup, made by the caller when `writing` (a version has no pointer to it). From
 * everything but ZN_OPEN_STALE and ENOMEM the node has a handle more (writers too when writing); close it by zn_nodes_close(). */
enum zn_open_verdict zn_nodes_open(struct zn_nodes *nodes, uint64_t id, struct zn_file *file, bool writing, int32_t thread, uint64_t now,
	struct zn_node **ret_node);
/* truncate(2) by path is an open for writing that no close will follow. */
enum zn_open_verdict zn_nodes_truncate(struct zn_nodes *nodes, uint64_t id, struct zn_file *file, int32_t thread, uint64_t now,
	struct zn_node **ret_node);
/* A handle is gone; the node may be spent. */
void zn_nodes_close(struct zn_nodes *nodes, struct zn_node *node, bool writing, uint64_t now);
/* A reader's node turned out to show what is not its version (or is a writer's): he was answered ESTALE, and his next LOOKUP makes a fresh
 * node, which can show whatever is there when it is opened: its attributes are not kept. file may be NULL. */
void zn_nodes_superseded(struct zn_file *file, uint64_t id, int32_t thread, uint64_t now);
/* Is a writer on his way? Forgets the asks that are over. */
bool zn_file_awaited(struct zn_file *file, uint64_t now);
/* Forgets files of which nothing but asks that are over was left. */
void zn_nodes_sweep(struct zn_nodes *nodes, uint64_t now);
