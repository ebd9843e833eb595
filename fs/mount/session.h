/* fs/mount/session.h - the mount: made, served and taken down. All of fs/mount/ that the program sees.
 *
 *   zn_mount_start()   mounts; from then on the kernel queues requests
 *   zn_mount_run()     answers them on worker threads until SIGTERM, SIGINT, SIGHUP or an unmount from outside
 *   zn_mount_stop()    buries what is vacated, ends what is on its way, unmounts
 *
 * Nothing here knows that anything is replicated: merges arrive through store/watch.h. */
#pragma once
#include "fs/control/control.h"
#include "fs/save/events.h"
#include "fs/save/save.h"

struct zn_mount_options {
	const char *mountpoint;
	const char *source;		/* label in mount tables */
	const char *kernel_options;	/* words for the kernel, comma-separated; "" or NULL: none */
	const char *spool;		/* DB-spool/: scratch files and unlinked spool files */
	bool read_only, allow_other, allow_root;
	bool keep_owners;		/* owners=keep: editor-behaviour 27 */
	uid_t uid;			/* owner and bits taken off 0666 and 0777 of what is shown */
	gid_t gid;
	mode_t umask;
	uint64_t grace;			/* ns a vacated name waits; 0: at once; ZN_GRACE_NEVER: it comes back */
	uint64_t lock_wait;		/* ns; how long ending waits for saves on their way */
	uint64_t quota;			/* bytes of scratch */
	void (*ready)(void *context);	/* on the thread of run(): the mount answers */
	void *context;
};
#define ZN_GRACE_NEVER UINT64_MAX

/* Borrowed until the mount is stopped. */
struct zn_mount_parts {
	struct zn_env *env;
	struct zn_local *local;
	struct zn_commit *commit;
	struct zn_watch *watch;
	struct zn_loader *loader;
	struct zn_saver *saver;
	struct zn_events *events;
	struct zn_control *control;
};

struct zn_mount;
/* ZN_ESYS with a sentence that says what stands in the way: no /dev/fuse, a stale mount, user_allow_other missing. */
ZN_MUST_USE enum zn_code zn_mount_start(const struct zn_mount_options *options, const struct zn_mount_parts *parts,
	struct zn_mount **ret_mount, struct zn_err *err);
ZN_MUST_USE enum zn_code zn_mount_run(struct zn_mount *mount, struct zn_err *err);
void zn_mount_stop(struct zn_mount *mount);
ZN_DEFINE_AUTO(struct zn_mount, zn_mount_stop)

/* For .zonefs/status; NULL gives zeroes. */
struct zn_mount_status {
	size_t versions_open, drafts_open, vacated, scratch_files;
	uint64_t scratch_bytes, scratch_quota;
	size_t saves_waiting;
	size_t unlisted;		/* zones whose file name would pass 255 bytes, in the last listing */
	uint64_t last_closes;		/* last closes told apart by /proc */
	uint64_t blind_closes;		/* closes by processes we cannot see (details.md 14) */
	bool warm;			/* size and mtime of every zone are cached */
};
void zn_mount_status(struct zn_mount *mount, struct zn_mount_status *ret_status);
