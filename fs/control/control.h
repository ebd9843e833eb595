/* fs/control/control.h - the .zonefs tree: files by path, made when looked at. architecture 4; rule 30.
 *
 * Paths are relative to .zonefs, without leading or trailing '/'; "" is the directory itself. One file of this room per kind of file. What is written takes
 * effect at the last close and is answered there. */
#pragma once
#include "fs/save/save.h"

struct zn_control;
struct zn_events;

/* Numbers and texts that come from rooms this one does not know (sync, mount): filled in on request. */
struct zn_control_source {
	void *context;
	void (*status)(void *context, struct zn_buf *json_members);	/* appends ,"sync":{...},"mount":{...} */
	void (*status_text)(void *context, struct zn_buf *out);
};
struct zn_control_options {
	struct zn_env *env;
	struct zn_local *local;
	struct zn_loader *loader;
	struct zn_saver *saver;
	struct zn_commit *commit;
	struct zn_events *events;
	const char *spool;
	const char *config_text;	/* effective options, no secrets */
	struct zn_control_source source;
};
ZN_MUST_USE enum zn_code zn_control_new(const struct zn_control_options *options, struct zn_control **ret_control);
void zn_control_free(struct zn_control *control);

enum zn_control_type { ZN_CONTROL_DIR, ZN_CONTROL_FILE, ZN_CONTROL_EVENTS };
struct zn_control_stat {
	enum zn_control_type type;
	uint16_t mode;			/* permission bits */
	uint64_t size;			/* exact for files, as of now */
	struct zn_stamp mtime;
};
/* ZN_ENOTFOUND: nothing there by that name. */
ZN_MUST_USE enum zn_code zn_control_stat(struct zn_control *control, const char *path, struct zn_control_stat *ret_stat);
/* Names of a directory, in no order. Stops with the first failure of `each`. ZN_EINVAL: no directory. */
ZN_MUST_USE enum zn_code zn_control_list(struct zn_control *control, const char *path,
	enum zn_code (*each)(void *context, const char *name, enum zn_control_type type), void *context);
/* The whole file, appended. `events` is read through events.h. */
ZN_MUST_USE enum zn_code zn_control_read(struct zn_control *control, const char *path, struct zn_buf *out, struct zn_err *err);
/* Replaces the file; waits for the commit where one follows, so never on a FUSE worker. ZN_EINVAL: no such value. ZN_EACCES: not to be written. */
ZN_MUST_USE enum zn_code zn_control_write(struct zn_control *control, const char *path, struct zn_view bytes, const struct zn_actor *actor, struct zn_err *err);
/* A refused text, or a setting of a zone (back to the default); waits as a write does. */
ZN_MUST_USE enum zn_code zn_control_remove(struct zn_control *control, const char *path, struct zn_err *err);
