#include "fs/mount/ops.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

/* A name in a directory: what it is and what is there. */
struct spot {
	struct zn_place place;
	enum zn_name_kind kind;
	bool canonical;
	struct zn_zone_id zone;
	const char *name;
	char file[ZN_FILENAME_MAX + 1];	/* the canonical name of a zone */
};

static int find_spot(struct zn_mount *mount, const struct zn_who *who, fuse_ino_t parent, const char *name, struct spot *ret_spot)
{
	*ret_spot = (struct spot){.place = zn_place(mount, parent), .kind = ZN_NAME_SCRATCH, .name = name};
	if (ret_spot->place.kind == ZN_PLACE_NOT_A_DIRECTORY)
		return ENOTDIR;
	if (mount->options.read_only)
		return EROFS;
	if (strlen(name) > ZN_FILENAME_MAX)
		return ENAMETOOLONG;
	if (ret_spot->place.kind == ZN_PLACE_CONTROL)
		return 0;
	if (ret_spot->place.kind == ZN_PLACE_TOP)
		ret_spot->kind = zn_name_kind(name, &ret_spot->zone, &ret_spot->canonical);
	if (ret_spot->kind == ZN_NAME_ZONE && zn_zone_to_filename(&ret_spot->zone.name, ret_spot->zone.variant, ret_spot->file) != ZN_OK)
		return ENAMETOOLONG;
	return zn_directory_may(mount, who, parent, W_OK | X_OK);
}

/* Zones */

/* The zone behind a visible name: ENOENT when there is none to see. A name without text has id of its file and *ret_stored false. */
static int visible_zone(struct zn_mount *mount, const struct spot *spot, struct zn_zone_info *ret_info, bool *ret_stored)
{
	enum zn_code code = zn_mount_zone(mount, &spot->zone, ret_info);

	*ret_stored = code == ZN_OK;
	if (code != ZN_OK && code != ZN_ENOTFOUND)
		return zn_errno(code, NULL, ZN_OP_OTHER);
	pthread_mutex_lock(&mount->lock);
	const struct zn_file *file = zn_tree_find(&mount->tree, &spot->zone);
	bool visible = zn_file_visible(file, *ret_stored);

	if (file && !*ret_stored)
		*ret_info = (struct zn_zone_info){.id = file->id, .zone = spot->zone, .kind = ZN_KIND_NATIVE};
	pthread_mutex_unlock(&mount->lock);
	return visible ? 0 : ENOENT;
}

/* May the name be taken away? Asks the guard, which counts it. */
static int may_vacate(struct zn_mount *mount, const struct zn_zone_info *info, const struct zn_who *who)
{
	struct zn_err err = {0};
	int error = zn_zone_may(mount, info, who, W_OK);
	enum zn_code code = error ? ZN_OK : zn_saver_may_vacate(mount->parts.saver, &info->zone, &err);

	if (code != ZN_OK) {
		zn_warning("%s", err.text);
		error = zn_errno(code, &err, ZN_OP_OTHER);
	}
	return error;
}

static int vacate(struct zn_mount *mount, const struct zn_zone_info *info, bool stored)
{
	int error = 0;

	pthread_mutex_lock(&mount->lock);
	struct zn_file *file = zn_tree_hold(&mount->tree, &info->zone, info->id, stored);

	if (!file)
		error = ENOMEM;
	else if (stored)
		zn_file_vacate(&mount->tree, file, zn_clock_mono());
	else
		file->made = false;
	zn_tree_drop(&mount->tree, file);
	pthread_mutex_unlock(&mount->lock);
	if (!error && stored)
		zn_errands_wake(mount->errands);
	return error;
}

static int unlink_zone(struct zn_mount *mount, const struct spot *spot, const struct zn_who *who)
{
	struct zn_zone_info info;
	bool stored;
	int error = visible_zone(mount, spot, &info, &stored);

	if (!error && stored)
		error = may_vacate(mount, &info, who);
	return error ? error : vacate(mount, &info, stored);
}

uint64_t zn_bury_due(struct zn_mount *mount, bool all)
{
	static const struct zn_actor actor = {.program = "zonefs"};
	uint64_t next;

	for (;;) {
		struct zn_err err = {0};
		char name[ZN_FILENAME_MAX + 1] = "";

		pthread_mutex_lock(&mount->lock);
		zn_nodes_sweep(&mount->nodes, zn_clock_mono());
		struct zn_file *file = zn_tree_due(&mount->tree, zn_clock_mono(), all, &next);
		struct zn_zone_id zone = {0};

		if (file)
			zone = file->zone;
		pthread_mutex_unlock(&mount->lock);
		if (!file)
			return next;
		enum zn_code code = zn_saver_bury(mount->parts.saver, &zone, &actor, &err);

		if (zn_zone_to_filename(&zone.name, zone.variant, name) != ZN_OK)
			name[0] = '\0';
		if (code == ZN_OK)
			zn_info("%s: deleted", name);
		else if (code != ZN_ENOTFOUND)
			zn_warning("%s: not deleted, and shown again: %s", name, err.text);
		pthread_mutex_lock(&mount->lock);
		/* A writer may have come back meanwhile: then his save makes the zone anew. */
		if (code == ZN_OK || code == ZN_ENOTFOUND)
			zn_tree_stored(&mount->tree, file, false, file->id);
		zn_file_return(&mount->tree, file);
		zn_tree_drop(&mount->tree, file);
		pthread_mutex_unlock(&mount->lock);
	}
}

/* Scratch */

static int unlink_scratch(struct zn_mount *mount, uint32_t directory, const char *name, bool rmdir)
{
	int error = 0;

	pthread_mutex_lock(&mount->lock);
	struct zn_scratch *scratch = zn_scratch_find(&mount->scratches, directory, name);
	uint32_t number = scratch ? scratch->number : 0;

	if (!scratch)
		error = ENOENT;
	else if (rmdir != (scratch->type == ZN_SCRATCH_DIR))
		error = rmdir ? ENOTDIR : EISDIR;
	else if (scratch->children)
		error = ENOTEMPTY;
	else
		zn_scratch_unlink(&mount->scratches, scratch);
	pthread_mutex_unlock(&mount->lock);
	if (!error)
		zn_scratch_persist(&mount->scratches, number);
	return error;
}

void zn_op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct zn_mount *mount = zn_mount_of(req);
	struct zn_who who = zn_who(req);
	struct spot spot;
	int error = find_spot(mount, &who, parent, name, &spot);

	if (!error && spot.place.kind == ZN_PLACE_CONTROL) {
		zn_control_unlink(req, spot.place.path, name);
		return;
	}
	if (!error)
		switch (spot.kind) {
		case ZN_NAME_ZONE:
			error = unlink_zone(mount, &spot, &who);
			break;
		case ZN_NAME_CONTROL:
			error = EPERM;
			break;
		case ZN_NAME_SCRATCH:
			error = unlink_scratch(mount, spot.place.scratch, name, false);
			break;
		}
	fuse_reply_err(req, error);
}

void zn_op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct zn_mount *mount = zn_mount_of(req);
	struct zn_who who = zn_who(req);
	struct spot spot;
	int error = find_spot(mount, &who, parent, name, &spot);

	if (!error && spot.place.kind == ZN_PLACE_CONTROL)
		error = EPERM;
	else if (!error)
		error = spot.kind == ZN_NAME_ZONE      ? ENOTDIR
			: spot.kind == ZN_NAME_CONTROL ? EPERM
						       : unlink_scratch(mount, spot.place.scratch, name, true);
	fuse_reply_err(req, error);
}

/* A directory or link of scratch. */
static void make(fuse_req_t req, fuse_ino_t parent, const char *name, enum zn_scratch_type type, const char *target, mode_t mode)
{
	struct zn_mount *mount = zn_mount_of(req);
	struct zn_who who = zn_who(req);
	struct fuse_entry_param entry;
	struct spot spot;
	uint32_t number = 0;
	int error = find_spot(mount, &who, parent, name, &spot);

	if (!error && spot.kind == ZN_NAME_CONTROL)
		error = EEXIST;
	/* What git would keep in .git must not live where it expires; directories have one level; a zone is a file. */
	if (!error && (spot.place.kind == ZN_PLACE_CONTROL || spot.kind == ZN_NAME_ZONE))
		error = EPERM;
	if (!error && type == ZN_SCRATCH_DIR && (spot.place.kind != ZN_PLACE_TOP || strcmp(name, ".git") == 0))
		error = EPERM;
	if (!error) {
		struct zn_scratch *scratch;

		pthread_mutex_lock(&mount->lock);
		if (zn_scratch_find(&mount->scratches, spot.place.scratch, name))
			error = EEXIST;
		else if (zn_scratch_add(&mount->scratches, type, spot.place.scratch, name, target, mode, who.uid, who.gid, &scratch) != ZN_OK ||
			 !zn_scratch_entry(mount, scratch, &entry))
			error = ENOMEM;
		else
			number = scratch->number;
		pthread_mutex_unlock(&mount->lock);
	}
	if (error) {
		fuse_reply_err(req, error);
		return;
	}
	zn_scratch_persist(&mount->scratches, number);
	zn_reply_entry(req, &entry);
}

void zn_op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	make(req, parent, name, ZN_SCRATCH_DIR, NULL, mode & 07777);
}

void zn_op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	make(req, parent, name, ZN_SCRATCH_LINK, target, 0777);
}

void zn_op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device)
{
	struct fuse_entry_param entry;
	int error = S_ISREG(mode) ? zn_make_name(req, parent, name, mode, O_WRONLY | O_EXCL, NULL, &entry) : EPERM;

	(void)device;
	if (error)
		fuse_reply_err(req, error);
	else
		zn_reply_entry(req, &entry);
}

void zn_op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct zn_mount *mount = zn_mount_of(req);
	ZN_AUTO_FREE char *target = NULL;

	pthread_mutex_lock(&mount->lock);
	const struct zn_node *node = zn_nodes_get(&mount->nodes, ino);
	const struct zn_body *body = node && node->kind == ZN_NODE_SCRATCH ? node->body : NULL;

	if (body && body->scratch->target)
		target = strdup(body->scratch->target);
	pthread_mutex_unlock(&mount->lock);
	if (target)
		fuse_reply_readlink(req, target);
	else
		fuse_reply_err(req, EINVAL);
}

/* git and rsync do without. */
void zn_op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	(void)ino;
	(void)parent;
	(void)name;
	fuse_reply_err(req, EPERM);
}

/* Renames */

/* With mount->lock: makes room for a scratch name. *ret_gone: number of what was there, for its files. */
static int clear_target(struct zn_mount *mount, const struct zn_scratch *source, uint32_t directory, const char *name, uint32_t *ret_gone)
{
	struct zn_scratch *target = zn_scratch_find(&mount->scratches, directory, name);

	*ret_gone = 0;
	if (!target || target == source)
		return 0;
	if (source && (source->type == ZN_SCRATCH_DIR) != (target->type == ZN_SCRATCH_DIR))
		return target->type == ZN_SCRATCH_DIR ? EISDIR : ENOTDIR;
	if (!source && target->type == ZN_SCRATCH_DIR)
		return EISDIR;
	if (target->children)
		return ENOTEMPTY;
	*ret_gone = target->number;
	zn_scratch_unlink(&mount->scratches, target);
	return 0;
}

static int rename_scratch(struct zn_mount *mount, const struct spot *from, const struct spot *to, unsigned flags)
{
	uint32_t gone = 0, number = 0;
	int error = 0;

	pthread_mutex_lock(&mount->lock);
	struct zn_scratch *scratch = zn_scratch_find(&mount->scratches, from->place.scratch, from->name);
	const struct zn_scratch *target = zn_scratch_find(&mount->scratches, to->place.scratch, to->name);

	if (!scratch)
		error = ENOENT;
	else if (target && (flags & RENAME_NOREPLACE))
		error = EEXIST;
	else if (scratch->type == ZN_SCRATCH_DIR && to->place.kind != ZN_PLACE_TOP)
		error = EPERM;
	else if (target != scratch)
		error = clear_target(mount, scratch, to->place.scratch, to->name, &gone);
	if (!error && target != scratch) {
		number = scratch->number;
		zn_scratch_rename(&mount->scratches, scratch, to->place.scratch, to->name);
	}
	pthread_mutex_unlock(&mount->lock);
	if (gone)
		zn_scratch_persist(&mount->scratches, gone);
	if (number)
		zn_scratch_persist(&mount->scratches, number);
	return error;
}

static void free_word(struct zn_word *word)
{
	free(word);
}

/* Rule 11: the new name is a scratch file with a copy of the text, and the zone's name is vacated. */
static int rename_away(struct zn_mount *mount, const struct spot *from, const struct spot *to, unsigned flags, const struct zn_who *who,
	uint64_t *ret_moved)
{
	struct zn_zone_info info;
	struct zn_loaded loaded = {.stat.mtime = mount->started};
	ZN_AUTO_PTR(zn_content_unref) struct zn_content *text = NULL, *copy = NULL;
	struct zn_err err = {0};
	uint32_t gone = 0, number = 0;
	struct stat attr;
	bool stored;
	int error = visible_zone(mount, from, &info, &stored);

	if (!error && stored)
		error = may_vacate(mount, &info, who);
	if (error)
		return error;
	enum zn_code code = stored ? zn_zone_text(mount, &info, ZN_CONTENT_VERSION, &text, &loaded, &err) : ZN_OK;

	zn_zone_attr(mount, &info, 0, loaded.stat.mtime, &attr);
	pthread_mutex_lock(&mount->lock);
	if (code == ZN_OK && (flags & RENAME_NOREPLACE) && zn_scratch_find(&mount->scratches, to->place.scratch, to->name))
		error = EEXIST;
	if (code == ZN_OK && !error)
		error = clear_target(mount, NULL, to->place.scratch, to->name, &gone);
	struct zn_scratch *scratch = NULL;

	if (code == ZN_OK && !error) {
		code = zn_scratch_add(&mount->scratches, ZN_SCRATCH_FILE, to->place.scratch, to->name, NULL, attr.st_mode & 0777, attr.st_uid,
			attr.st_gid, &scratch);
		if (code == ZN_OK && text)
			code = zn_scratch_resize(&mount->scratches, scratch, zn_content_size(text));
		if (scratch) {
			number = scratch->number;
			scratch->mtime = loaded.stat.mtime;
			scratch->mtime_given = true;
		}
	}
	pthread_mutex_unlock(&mount->lock);
	if (gone)
		zn_scratch_persist(&mount->scratches, gone);
	if (code == ZN_OK && !error)
		code = zn_scratch_content(&mount->scratches, number, true, &copy, &err);
	if (code == ZN_OK && !error && text)
		code = zn_content_append_from(copy, text, 0, SIZE_MAX, &err);
	if (code == ZN_OK && !error)
		error = vacate(mount, &info, stored);
	if (code == ZN_OK && !error) {
		zn_scratch_persist(&mount->scratches, number);
		pthread_mutex_lock(&mount->lock);
		*ret_moved = zn_version_node(info.id, zn_nodes_version(&mount->nodes, info.id));
		zn_nodes_changed(&mount->nodes, info.id, 0);
		pthread_mutex_unlock(&mount->lock);
		return 0;
	}
	pthread_mutex_lock(&mount->lock);
	scratch = number ? zn_scratch_get(&mount->scratches, number) : NULL;
	if (scratch)
		zn_scratch_unlink(&mount->scratches, scratch);
	pthread_mutex_unlock(&mount->lock);
	if (number)
		zn_scratch_persist(&mount->scratches, number);
	if (stored)
		zn_saver_returned(mount->parts.saver, &info.zone);
	return error ? error : zn_errno(code, &err, ZN_OP_OTHER);
}

/* A rename onto a zone's name is a save; it replies by itself, or returns an errno. */
static int rename_onto_zone(fuse_req_t req, const struct spot *from, const struct spot *to, unsigned flags, const struct zn_who *who)
{
	struct zn_mount *mount = zn_mount_of(req);
	struct zn_zone_info info;
	struct zn_content *content = NULL;
	struct zn_err err = {0};
	enum zn_code code = zn_mount_zone(mount, &to->zone, &info);
	bool stored = code == ZN_OK;
	int error = 0;

	if (code == ZN_ENOTFOUND)
		code = zn_zone_reserve(mount, &to->zone, &info);
	if (code != ZN_OK)
		return zn_errno(code, &err, ZN_OP_OTHER);
	if (stored)
		error = zn_zone_may(mount, &info, who, W_OK);
	if (error)
		return error;
	pthread_mutex_lock(&mount->lock);
	const struct zn_scratch *scratch = zn_scratch_find(&mount->scratches, from->place.scratch, from->name);
	uint32_t number = scratch ? scratch->number : 0;
	struct zn_node *node = scratch ? scratch->node : NULL;

	if (!scratch)
		error = ENOENT;
	else if (scratch->type != ZN_SCRATCH_FILE)
		error = scratch->type == ZN_SCRATCH_DIR ? ENOTDIR : EPERM;
	else if ((flags & RENAME_NOREPLACE) && zn_file_visible(zn_tree_find(&mount->tree, &to->zone), stored))
		error = EEXIST;
	if (node)
		node->held++;
	pthread_mutex_unlock(&mount->lock);
	if (!error && node) {
		/* Still open, or known: what its descriptor has. */
		struct zn_body *body = node->body;

		pthread_mutex_lock(&body->lock);
		if (body->content)
			content = zn_content_share(body->content);
		pthread_mutex_unlock(&body->lock);
	}
	if (!error && !content)
		error = zn_errno(zn_scratch_content(&mount->scratches, number, false, &content, &err), &err, ZN_OP_OTHER);
	if (node)
		zn_node_drop(mount, node);
	if (!error)
		zn_save_scratch(mount, number, content, &info, req, who);
	else
		zn_content_unref(content);
	return error;
}

void zn_op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent, const char *new_name, unsigned flags)
{
	struct zn_mount *mount = zn_mount_of(req);
	struct zn_who who = zn_who(req);
	struct spot from, to;
	int error = flags & ~(unsigned)RENAME_NOREPLACE ? EINVAL : find_spot(mount, &who, parent, name, &from);

	if (!error)
		error = find_spot(mount, &who, new_parent, new_name, &to);
	if (!error && from.kind == ZN_NAME_CONTROL)
		error = EPERM;
	if (!error && to.kind == ZN_NAME_CONTROL)
		error = EEXIST;
	/* mv copies then, and the text is judged where it goes. */
	if (!error && (from.place.kind == ZN_PLACE_CONTROL || to.place.kind == ZN_PLACE_CONTROL))
		error = EXDEV;
	if (!error && from.kind == ZN_NAME_ZONE && to.kind == ZN_NAME_ZONE) {
		fuse_reply_err(req, strcmp(from.file, to.file) == 0 ? 0 : EXDEV);
		return;
	}
	if (!error && to.kind == ZN_NAME_ZONE) {
		error = rename_onto_zone(req, &from, &to, flags, &who);
		if (!error)
			return;
	} else if (!error && from.kind == ZN_NAME_ZONE) {
		uint64_t moved = 0;

		error = rename_away(mount, &from, &to, flags, &who, &moved);
		/* Until the new name is looked up again it is the zone's node; asked for its attributes, that one says that it is stale. This
		 * notification takes no lock of the kernel's that a request may hold. */
		if (moved)
			fuse_lowlevel_notify_inval_inode(mount->session, moved, -1, 0);
		/* The kernel has moved the zone's node to the new name: it must ask again, after the reply and not before. */
		struct zn_word *word = error ? NULL : calloc(1, sizeof *word);

		fuse_reply_err(req, error);
		if (word) {
			snprintf(word->entry, sizeof word->entry, "%s", new_name);
			word->parent = new_parent;
			word->then = free_word;
			zn_notify_word(mount->notify, word);
		}
		return;
	} else if (!error) {
		error = rename_scratch(mount, &from, &to, flags);
	}
	fuse_reply_err(req, error);
}
