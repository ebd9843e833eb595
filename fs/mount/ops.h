/* fs/mount/ops.h - the fuse_lowlevel table and what its parts share: request in, reply out. What anything means is decided by tree, node, edit,
 * scratch and lock; what may wait goes to the saver, the notifier or an errand.
 *
 *   ops.c          the table; nodes and directories; lookup, forget
 *   ops_attr.c     attributes, access, statfs
 *   ops_open.c     open and create: which node a handle is of, and what a draft begins with
 *   ops_file.c     read, write, truncate; flush, fsync, release: when a draft is saved
 *   ops_lock.c     flock, fcntl locks
 *   ops_name.c     unlink, rename, mkdir, symlink and their like
 *   ops_dir.c      listings
 *   ops_control.c  .zonefs
 *   ops_save.c     from a draft or scratch file to the saver, and back to the reply
 *   ops_aside.c    what goes with saves and is none
 *   ops_zone.c     zones as the store has them: found and read; recent.c keeps the big ones last read
 *   ops_owner.c    who may do what; owner and mode of zones
 *
 * One lock, mount->lock, guards tree, nodes, drafts' edit, scratches, locks and readers; it is held for no I/O. A body has a lock for its content
 * and is never locked while mount->lock is held. */
#pragma once
#include <fuse_lowlevel.h>
#include <pthread.h>

#include "fs/mount/content.h"
#include "fs/mount/edit.h"
#include "fs/mount/errand.h"
#include "fs/mount/errmap.h"
#include "fs/mount/lock.h"
#include "fs/mount/node.h"
#include "fs/mount/notify.h"
#include "fs/mount/recent.h"
#include "fs/mount/process.h"
#include "fs/mount/scratch.h"
#include "fs/mount/session.h"
#include "fs/text/parse.h"
#include "store/base/limits.h"
#include "store/base/log.h"

#define ZN_LONG_TIMEOUT 86400.0		/* s: every change is told */
#define ZN_MAX_WRITE (1U << 20)
#define ZN_FUSE_THREADS 32		/* workers: opens of big zones read for some 50 ms each */

struct zn_parked;
struct zn_saving;
struct zn_mount {
	struct zn_mount_options options;
	struct zn_mount_parts parts;
	struct fuse_session *session;
	struct zn_notify *notify;
	struct zn_errands *errands;
	struct zn_spool *spool;
	pid_t lifeline;
	dev_t device;			/* of the mounted file system; 0: not known yet */
	struct zn_stamp started;
	pthread_t warmer;
	bool warmer_runs;
	_Atomic bool ending, warm;

	pthread_mutex_t lock;		/* guards what follows */
	pthread_cond_t idle;		/* saves_waiting went to 0, a load ended */
	struct zn_tree tree;
	struct zn_nodes nodes;
	struct zn_handle *handles;
	struct zn_recent recent;
	struct zn_scratches scratches;
	struct zn_locks locks;
	struct zn_readers readers;
	struct zn_table control_nodes;	/* hash of the path -> chain of zn_body */
	uint32_t last_control;
	struct zn_parked *parked;	/* reads of events that wait */
	struct zn_saving *savings;	/* saves on their way */
	size_t saves_waiting, judging, listening;
	size_t unlisted;		/* in the last listing that came to its end */
	uint64_t last_closes, blind_closes;
};

/* What a node keeps: zn_node.body. */
struct zn_body {
	pthread_mutex_t lock;		/* guards content and scan */
	struct zn_content *content;	/* NULL: not read, or let go */
	struct zn_prescan *scan;
	/* the rest is guarded by mount->lock */
	bool loading;
	bool loaded;
	struct zn_zone_info info;	/* of zones; id 0: a name without zone yet */
	struct zn_loaded from;		/* state of the store that was read */
	uint64_t size;			/* bytes, as programs are told */
	struct zn_stamp mtime;
	struct zn_edit edit;
	int32_t opener;
	struct zn_scratch *scratch;	/* NULL: no scratch */
	bool written;			/* scratch: since its text was last judged ahead */
	/* control */
	uint32_t number;
	char *path;
	uint64_t node;
	struct zn_body *same_hash;
};

/* An open file or directory: fuse_file_info.fh. */
struct zn_handle {
	struct zn_node *node;		/* NULL: the top directory */
	bool writing, append;
	int32_t opener;
	/* control files */
	pthread_mutex_t lock;
	struct zn_buf bytes;
	bool changed, events;
	uint64_t events_at;
	/* directories */
	struct zn_listing *listing;
	struct zn_handle *next, *before;	/* all handles of the mount, under its lock */
};
/* NULL: out of memory. Those that the kernel never releases, for the daemon ends first, are freed with the mount. */
struct zn_handle *zn_handle_new(struct zn_mount *mount, struct zn_node *node);
void zn_handle_free(struct zn_mount *mount, struct zn_handle *handle);
void zn_listing_free(struct zn_listing *listing); /* takes NULL */
static inline struct zn_handle *zn_handle_of(const struct fuse_file_info *fi)
{
	return (struct zn_handle *)(uintptr_t)fi->fh;
}

/* Who asks. */
struct zn_who {
	uid_t uid;
	gid_t gid;
	int32_t thread;
};
struct zn_who zn_who(fuse_req_t req);
struct zn_actor zn_who_actor(const struct zn_who *who);
/* 0, or EACCES: mode bits, owner and group against R_OK, W_OK, X_OK. */
int zn_who_may(const struct zn_who *who, mode_t mode, uid_t uid, gid_t gid, int mask);

static inline struct zn_mount *zn_mount_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

/* Reply with a directory entry; when the kernel no longer wants it, its lookup is taken back. */
void zn_reply_entry(fuse_req_t req, const struct fuse_entry_param *entry);

/* ops.c */
extern const struct fuse_lowlevel_ops zn_ops;
struct zn_body *zn_body_new(void);
void zn_body_free(struct zn_mount *mount, struct zn_node *node);
/* Takes back lookups, holds and handles; frees what is spent. Without mount->lock. */
void zn_node_forget(struct zn_mount *mount, uint64_t id, uint64_t count);
void zn_node_drop(struct zn_mount *mount, struct zn_node *node);
/* Directories: whether who may search or change the directory with this node id. 0 or an errno. */
int zn_directory_may(struct zn_mount *mount, const struct zn_who *who, uint64_t node, int mask);
/* Which directory a node is: the top, a scratch directory (its number), or .zonefs (its body's path, borrowed while the lookup lasts). */
enum zn_place_kind { ZN_PLACE_TOP, ZN_PLACE_SCRATCH, ZN_PLACE_CONTROL, ZN_PLACE_NOT_A_DIRECTORY };
struct zn_place {
	enum zn_place_kind kind;
	uint32_t scratch;		/* 0: the top directory */
	const char *path;
};
struct zn_place zn_place(struct zn_mount *mount, uint64_t node);
void zn_scratch_attr(struct zn_mount *mount, const struct zn_scratch *scratch, struct stat *ret_attr);
/* Entry of a scratch: a lookup more. With mount->lock. false: out of memory. */
bool zn_scratch_entry(struct zn_mount *mount, struct zn_scratch *scratch, struct fuse_entry_param *ret_entry);
void zn_root_attr(struct zn_mount *mount, struct stat *ret_attr);

/* What a node of the table keeps, and the node; NULL for one that is not there. With mount->lock. */
struct zn_body *zn_body_of(struct zn_mount *mount, uint64_t id, struct zn_node **ret_node);

/* ops_attr.c */
void zn_op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void zn_op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi);
void zn_op_access(fuse_req_t req, fuse_ino_t ino, int mask);
void zn_op_statfs(fuse_req_t req, fuse_ino_t ino);
/* Of a draft, fresh node or open version. Reads the owner, so without mount->lock, of a node that cannot change meanwhile. */
void zn_draft_attr(struct zn_mount *mount, const struct zn_node *node, struct stat *ret_attr);

/* ops_zone.c: without mount->lock */
enum zn_code zn_mount_zone(struct zn_mount *mount, const struct zn_zone_id *zone, struct zn_zone_info *ret_info);
enum zn_code zn_mount_zone_by_id(struct zn_mount *mount, uint32_t id, struct zn_zone_info *ret_info);
/* Size and time of the committed text, and which version that is: ZN_VERSION_NONE when commits come so fast that nobody can say. */
#define ZN_VERSION_NONE UINT32_MAX
enum zn_code zn_mount_zone_stat(struct zn_mount *mount, const struct zn_zone_info *info, struct zn_loaded *ret_loaded, uint32_t *ret_version);
void zn_zone_attr(struct zn_mount *mount, const struct zn_zone_info *info, uint64_t size, struct zn_stamp mtime, struct stat *ret_attr);
/* The text of the zone as it is now. */
enum zn_code zn_zone_text(struct zn_mount *mount, const struct zn_zone_info *info, enum zn_content_kind kind, struct zn_content **ret_content,
	struct zn_loaded *ret_loaded, struct zn_err *err);
/* 0 or an errno: may `who` read or write this zone. */
int zn_zone_may(struct zn_mount *mount, const struct zn_zone_info *info, const struct zn_who *who, int mask);
/* What a zone will be when it is made: id reserved. */
enum zn_code zn_zone_reserve(struct zn_mount *mount, const struct zn_zone_id *zone, struct zn_zone_info *ret_info);
/* owners=keep: 0 or an errno. */
int zn_zone_set_owner(struct zn_mount *mount, const struct zn_zone_info *info, const struct zn_who *who, const struct stat *attr, int to_set);
static inline struct zn_basis zn_basis_of(const struct zn_loaded *loaded)
{
	return (struct zn_basis){true, loaded->serial, {loaded->stat.digest.count, loaded->stat.digest.sum}};
}
static inline uint64_t zn_loaded_print(const struct zn_loaded *loaded)
{
	return zn_print(loaded->stat.size, loaded->stat.mtime, loaded->serial, loaded->stat.digest.count, loaded->stat.digest.sum);
}
/* Atime of a node: what /proc counts drafts by (process.h). */
uint32_t zn_node_token(uint64_t node);
struct zn_notify_names zn_zone_names(struct zn_mount *mount);
uint64_t zn_boot_time(void);

/* ops_open.c */
void zn_op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void zn_op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi);
/* Make a name; ret_handle NULL for mknod(2). Returns an errno. */
int zn_make_name(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, int flags, struct zn_handle **ret_handle,
	struct fuse_entry_param *ret_entry);
/* A handle of a node that was opened so. NULL: out of memory. */
struct zn_handle *zn_handle_opened(struct zn_mount *mount, struct zn_node *node, const struct zn_who *who, int flags);
/* The node is that of the open, for good. The lock orders this read before zn_handle_free() on another thread. */
struct zn_node *zn_handle_node(struct zn_handle *handle);
/* With mount->lock. The node comes back when it is spent. */
struct zn_node *zn_node_close(struct zn_mount *mount, struct zn_node *node, bool writing);
/* The last handle of a draft or scratch file is gone: its text is of no use any more. Held by the caller. */
void zn_node_let_go(struct zn_mount *mount, struct zn_node *node);
void zn_handle_end(struct zn_mount *mount, struct zn_handle *handle, const struct zn_who *who);
/* Rule 23: what the node shows is what the process of this thread has before it now. */
void zn_note_reader(struct zn_mount *mount, const struct zn_node *node, int32_t thread);
/* With a private node that has just been opened for the first time. */
int zn_draft_begin(struct zn_mount *mount, struct zn_node *node, int flags, const struct zn_who *who);
/* OPEN (or truncate by path) of a zone's node: 0 with a node that has a handle more, or an errno. */
int zn_draft_open(struct zn_mount *mount, uint64_t id, int flags, const struct zn_who *who, struct zn_node **ret_node,
	enum zn_open_verdict *ret_verdict);
int zn_scratch_open(struct zn_mount *mount, struct zn_node *node, int flags, const struct zn_who *who);
/* ops_file.c */
void zn_op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void zn_op_write(fuse_req_t req, fuse_ino_t ino, const char *bytes, size_t size, off_t offset, struct fuse_file_info *fi);
void zn_op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void zn_op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
void zn_op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
/* setattr's size, of a handle or (fi NULL) by path; replies. */
void zn_truncate(fuse_req_t req, fuse_ino_t ino, size_t size, struct fuse_file_info *fi);

/* ops_lock.c */
void zn_op_getlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *lock);
void zn_op_setlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *lock, int sleep);
void zn_op_flock(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, int op);
/* A descriptor was closed: POSIX locks of the owner go; and at its release, flock's. */
void zn_unlock(struct zn_mount *mount, const struct zn_node *node, enum zn_lock_kind kind, uint64_t owner);
/* Every waiting lock is refused: unmount. */
void zn_locks_end(struct zn_mount *mount);

/* ops_name.c */
void zn_op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void zn_op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void zn_op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void zn_op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device);
void zn_op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);
void zn_op_readlink(fuse_req_t req, fuse_ino_t ino);
void zn_op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name);
void zn_op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent, const char *new_name, unsigned flags);
/* Bury those whose time has come (all: every vacated one); when to come again. On an errand thread. */
uint64_t zn_bury_due(struct zn_mount *mount, bool all);

/* ops_dir.c */
void zn_op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void zn_op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void zn_op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void zn_op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void zn_op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);

/* ops_control.c */
void zn_control_lookup(fuse_req_t req, const char *directory, const char *name);
int zn_control_attr(struct zn_mount *mount, const struct zn_body *body, struct stat *ret_attr);
void zn_control_open(fuse_req_t req, struct zn_node *node, struct fuse_file_info *fi);
int zn_control_create(fuse_req_t req, const char *directory, const char *name, struct zn_handle **ret_handle, struct fuse_entry_param *ret_entry);
/* nonblocking: as the descriptor is now, not as it was opened (fcntl). */
void zn_control_read_handle(fuse_req_t req, struct zn_handle *handle, size_t size, off_t offset, bool nonblocking);
int zn_control_write_handle(struct zn_handle *handle, struct zn_view bytes, off_t offset);
int zn_control_truncate(struct zn_handle *handle, size_t size);
/* Replies when what was written has taken effect. */
void zn_control_flush(fuse_req_t req, struct zn_handle *handle);
void zn_control_unlink(fuse_req_t req, const char *directory, const char *name);
void zn_control_forget(struct zn_mount *mount, struct zn_body *body);
/* Something was posted: serve the parked reads of events. Ending: all of them end. */
void zn_events_posted(void *mount);
void zn_events_end_parked(struct zn_mount *mount);

/* ops_save.c */
enum zn_saving_reply { ZN_SAVING_NOBODY, ZN_SAVING_ERR, ZN_SAVING_ATTR };
/* Save a draft: its content as of now. `req` gets the answer (NOBODY: NULL), errors too. `lock_owner`: whose POSIX locks end with it, before he is
 * answered and not before others would see what he wrote; NULL: nobody's. */
void zn_save_draft(struct zn_mount *mount, struct zn_node *node, fuse_req_t req, enum zn_saving_reply reply, enum zn_save_way way,
	bool validate_only, const struct zn_who *who, const uint64_t *lock_owner);
/* Save a scratch file onto a zone name: replies to a rename. Owns content. */
void zn_save_scratch(struct zn_mount *mount, uint32_t scratch, struct zn_content *content, const struct zn_zone_info *info, fuse_req_t req,
	const struct zn_who *who);
/* Rule 25a: a scratch file whose name tells its zone was closed: judge it now, so that the rename has only to commit. */
void zn_judge_ahead(struct zn_mount *mount, struct zn_node *node, const struct zn_who *who);
/* A text that is not whole: its writer was killed, or a write failed. */
#define ZN_TEXT_INCOMPLETE "incomplete: not all that its writer had for it could be written"
void zn_keep_interrupted(struct zn_mount *mount, struct zn_node *node, const struct zn_who *who, const char *reason);
/* At the end, when no request comes any more: drafts that somebody still had open are kept the same way. */
void zn_drafts_end(struct zn_mount *mount);
/* mtime given on a committed zone; replies with `attr`, those of the node, and this time. */
void zn_save_mtime(struct zn_mount *mount, fuse_req_t req, const struct zn_zone_info *info, struct zn_stamp mtime, const struct stat *attr);
/* What a process last read or wrote of the zone. Without mount->lock. */
struct zn_basis zn_basis_for(struct zn_mount *mount, uint32_t zone, int32_t thread);
void zn_watch_changed(void *mount, const struct zn_change *change);
/* Ending: those still waiting are taken back, their text kept. */
void zn_saves_end(struct zn_mount *mount, uint64_t deadline);
