#include "fs/mount/ops.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

void zn_draft_attr(struct zn_mount *mount, const struct zn_node *node, struct stat *ret_attr)
{
	const struct zn_body *body = node->body;

	zn_zone_attr(mount, &body->info, body->size, body->mtime, ret_attr);
	ret_attr->st_ino = zn_inode_zone(node->zone);
	if (node->kind != ZN_NODE_VERSION)
		ret_attr->st_atim.tv_nsec = zn_node_token(node->id);
}

/* A version that nobody has open. */
static int version_attr(struct zn_mount *mount, uint64_t id, struct stat *ret_attr, double *ret_timeout)
{
	struct zn_zone_info info = {.id = zn_node_zone(id)};
	struct zn_loaded loaded;
	uint32_t version;

	if (zn_mount_zone_by_id(mount, info.id, &info) != ZN_OK || zn_mount_zone_stat(mount, &info, &loaded, &version) != ZN_OK) {
		pthread_mutex_lock(&mount->lock);
		const struct zn_file *file = zn_tree_find_id(&mount->tree, info.id);
		bool made = file && file->made;

		if (made)
			info.zone = file->zone;
		pthread_mutex_unlock(&mount->lock);
		if (!made)
			return ESTALE;
		info.kind = ZN_KIND_NATIVE;
		zn_zone_attr(mount, &info, 0, mount->started, ret_attr);
		return 0;
	}
	if (version != zn_node_version(id))
		return ESTALE; /* the path leads to another node by now */
	zn_zone_attr(mount, &info, loaded.stat.size, loaded.stat.mtime, ret_attr);
	*ret_timeout = ZN_LONG_TIMEOUT;
	return 0;
}

static int attr_of(struct zn_mount *mount, uint64_t id, struct stat *ret_attr, double *ret_timeout)
{
	struct zn_node *node;
	int error = 0;

	*ret_timeout = 0;
	if (id == ZN_NODE_ROOT) {
		zn_root_attr(mount, ret_attr);
		return 0;
	}
	pthread_mutex_lock(&mount->lock);
	struct zn_body *body = zn_body_of(mount, id, &node);

	if (!node || !body || (node->kind == ZN_NODE_VERSION && !body->loaded)) {
		pthread_mutex_unlock(&mount->lock);
		return ZN_NODE_IS_VERSION(id) ? version_attr(mount, id, ret_attr, ret_timeout) : ESTALE;
	}
	/* Reading the owner is I/O: copy what is needed first. */
	node->held++;
	if (node->kind == ZN_NODE_SCRATCH)
		zn_scratch_attr(mount, body->scratch, ret_attr);
	struct zn_body copy = {.info = body->info, .size = body->size, .mtime = body->mtime};
	struct zn_node shown = *node;

	pthread_mutex_unlock(&mount->lock);
	shown.body = &copy;
	switch (shown.kind) {
	case ZN_NODE_VERSION:
		*ret_timeout = ZN_LONG_TIMEOUT;
		zn_draft_attr(mount, &shown, ret_attr);
		break;
	case ZN_NODE_FRESH:
	case ZN_NODE_PRIVATE:
		zn_draft_attr(mount, &shown, ret_attr);
		break;
	case ZN_NODE_CONTROL:
		error = zn_control_attr(mount, body, ret_attr);
		break;
	case ZN_NODE_SCRATCH:
		break;
	}
	zn_node_drop(mount, node);
	return error;
}

static void reply_attr(fuse_req_t req, uint64_t id)
{
	struct stat attr;
	double timeout;
	int error = attr_of(zn_mount_of(req), id, &attr, &timeout);

	if (error)
		fuse_reply_err(req, error);
	else
		fuse_reply_attr(req, &attr, timeout);
}

void zn_op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct zn_handle *handle = fi ? zn_handle_of(fi) : NULL;
	struct stat attr;

	/* A control file shows what its handle holds. */
	if (handle && handle->node && handle->node->kind == ZN_NODE_CONTROL && !handle->events && !handle->listing &&
	    zn_control_attr(zn_mount_of(req), handle->node->body, &attr) == 0) {
		pthread_mutex_lock(&handle->lock);
		attr.st_size = (off_t)handle->bytes.len;
		pthread_mutex_unlock(&handle->lock);
		fuse_reply_attr(req, &attr, 0);
		return;
	}
	reply_attr(req, ino);
}

static struct zn_stamp wanted_mtime(const struct stat *attr, int to_set)
{
	return to_set & FUSE_SET_ATTR_MTIME_NOW ? zn_clock_now() : zn_stamp_from_timespec(attr->st_mtim);
}

static void set_scratch_attr(fuse_req_t req, struct zn_node *node, const struct stat *attr, int to_set)
{
	struct zn_mount *mount = zn_mount_of(req);
	struct zn_who who = zn_who(req);
	struct zn_scratch *scratch = ((struct zn_body *)node->body)->scratch;
	bool his = who.uid == 0 || who.uid == scratch->uid;
	int error = 0;

	if ((to_set & FUSE_SET_ATTR_MODE) && !his)
		error = EPERM;
	if ((to_set & FUSE_SET_ATTR_UID) && attr->st_uid != scratch->uid && who.uid != 0)
		error = EPERM;
	if ((to_set & FUSE_SET_ATTR_GID) && attr->st_gid != scratch->gid && who.uid != 0 &&
	    !(his && (who.gid == attr->st_gid || zn_process_has_group(who.thread, attr->st_gid))))
		error = EPERM;
	if ((to_set & (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW)) && !his)
		error = zn_who_may(&who, S_IFREG | scratch->mode, scratch->uid, scratch->gid, W_OK);
	if (error) {
		fuse_reply_err(req, error);
		return;
	}
	pthread_mutex_lock(&mount->lock);
	if (to_set & FUSE_SET_ATTR_MODE)
		scratch->mode = attr->st_mode & 07777;
	if (to_set & FUSE_SET_ATTR_UID)
		scratch->uid = attr->st_uid;
	if (to_set & FUSE_SET_ATTR_GID)
		scratch->gid = attr->st_gid;
	if (to_set & (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW)) {
		scratch->mtime = wanted_mtime(attr, to_set);
		scratch->mtime_given = true;
	}
	scratch->used = zn_clock_now();
	uint32_t number = scratch->number;
	bool named = scratch->named;

	pthread_mutex_unlock(&mount->lock);
	if (named)
		zn_scratch_persist(&mount->scratches, number);
	reply_attr(req, node->id);
}

/* Owner and mode with owners=keep wait for a commit. */
struct owner_errand {
	struct zn_errand errand;
	struct zn_mount *mount;
	fuse_req_t req;
	uint64_t node;
	struct zn_zone_info info;
	struct zn_who who;
	struct stat attr;
	int to_set;
};

static void run_owner(struct zn_errand *errand)
{
	struct owner_errand *o = (struct owner_errand *)errand;
	int error = zn_zone_set_owner(o->mount, &o->info, &o->who, &o->attr, o->to_set);

	if (error)
		fuse_reply_err(o->req, error);
	else
		reply_attr(o->req, o->node);
	free(o);
}

/* Mode, owner and times of a zone, by path or on a draft. */
static void set_zone_attr(fuse_req_t req, uint64_t id, const struct zn_zone_info *info, struct zn_node *draft, const struct stat *attr, int to_set)
{
	struct zn_mount *mount = zn_mount_of(req);
	struct zn_who who = zn_who(req);
	int error = zn_zone_may(mount, info, &who, W_OK);

	if (error) {
		fuse_reply_err(req, error == EACCES ? EPERM : error);
		return;
	}
	if ((to_set & (FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)) && mount->options.keep_owners) {
		struct owner_errand *o = malloc(sizeof *o);

		if (!o) {
			fuse_reply_err(req, ENOMEM);
			return;
		}
		*o = (struct owner_errand){{.run = run_owner}, mount, req, id, *info, who, *attr, to_set};
		zn_errands_add(mount->errands, &o->errand);
		return;
	}
	if (to_set & (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW)) {
		struct zn_stamp mtime = wanted_mtime(attr, to_set);
		bool with_save = false;

		pthread_mutex_lock(&mount->lock);
		if (draft) {
			struct zn_body *body = draft->body;

			/* Before its save it goes along with it; after, it is the zone's. */
			with_save = zn_edit_dirty(&body->edit) || draft->file->made || draft->creation;
			body->mtime = mtime;
			if (with_save)
				body->edit.mtime = mtime;
		}
		pthread_mutex_unlock(&mount->lock);
		if (!with_save && info->id) {
			struct stat shown;
			double timeout;

			error = attr_of(mount, id, &shown, &timeout);
			if (error)
				fuse_reply_err(req, error);
			else
				zn_save_mtime(mount, req, info, mtime, &shown);
			return;
		}
	}
	reply_attr(req, id);
}

/* The top directory's mode, owner and times are those of the mount: rsync -a and cp -a set them and must not fail for it. */
static void set_root_attr(fuse_req_t req)
{
	struct zn_who who = zn_who(req);
	int error = zn_directory_may(zn_mount_of(req), &who, ZN_NODE_ROOT, W_OK);

	if (error)
		fuse_reply_err(req, error == EACCES ? EPERM : error);
	else
		reply_attr(req, ZN_NODE_ROOT);
}

void zn_op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi)
{
	struct zn_mount *mount = zn_mount_of(req);
	struct zn_zone_info info;
	struct zn_node *node;

	if (mount->options.read_only) {
		fuse_reply_err(req, EROFS);
		return;
	}
	if (to_set & FUSE_SET_ATTR_SIZE) {
		zn_truncate(req, ino, (size_t)attr->st_size, fi);
		return;
	}
	if (ino == ZN_NODE_ROOT) {
		set_root_attr(req);
		return;
	}
	pthread_mutex_lock(&mount->lock);
	struct zn_body *body = zn_body_of(mount, ino, &node);
	bool known = node && body;

	if (known) {
		node->held++;
		info = body->info;
	}
	pthread_mutex_unlock(&mount->lock);
	if (known && node->kind == ZN_NODE_SCRATCH)
		set_scratch_attr(req, node, attr, to_set);
	else if (known && node->kind == ZN_NODE_CONTROL)
		reply_attr(req, ino); /* modes and times of control files mean nothing, and programs set them */
	else if (known)
		set_zone_attr(req, ino, &info, node->kind == ZN_NODE_PRIVATE ? node : NULL, attr, to_set);
	else if (!ZN_NODE_IS_VERSION(ino))
		fuse_reply_err(req, ESTALE);
	else if (zn_mount_zone_by_id(mount, zn_node_zone(ino), &info) == ZN_OK)
		set_zone_attr(req, ino, &info, NULL, attr, to_set);
	else
		reply_attr(req, ino); /* a name without text: touch */
	if (known)
		zn_node_drop(mount, node);
}

void zn_op_access(fuse_req_t req, fuse_ino_t ino, int mask)
{
	struct zn_mount *mount = zn_mount_of(req);
	struct zn_who who = zn_who(req);
	struct stat attr;
	double timeout;
	int error = attr_of(mount, ino, &attr, &timeout);

	if (!error && (mask & W_OK) && mount->options.read_only)
		error = EROFS;
	/* A zone that is not ours to write shows no write bits, for root as well. */
	if (!error && (mask & W_OK) && S_ISREG(attr.st_mode) && !(attr.st_mode & 0222) && ino != ZN_NODE_ROOT &&
	    attr.st_ino >> 32 == zn_inode_zone(0) >> 32)
		error = EACCES;
	if (!error)
		error = zn_who_may(&who, attr.st_mode, attr.st_uid, attr.st_gid, mask);
	fuse_reply_err(req, error);
}

void zn_op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct zn_mount *mount = zn_mount_of(req);
	struct zn_env_usage usage[2] = {0};
	struct statvfs st = {.f_bsize = 4096, .f_frsize = 4096, .f_namemax = ZN_FILENAME_MAX};

	(void)ino;
	for (enum zn_which which = ZN_MAIN; which <= ZN_RECORDS; which++)
		if (zn_env_usage(mount->parts.env, which, &usage[which], NULL) != ZN_OK)
			usage[which] = (struct zn_env_usage){0};
	/* Zones are records: what fills up is that map. */
	uint64_t size = usage[ZN_RECORDS].map_size, used = usage[ZN_RECORDS].used;

	st.f_blocks = size / st.f_frsize;
	st.f_bfree = st.f_bavail = used < size ? (size - used) / st.f_frsize : 0;
	fuse_reply_statfs(req, &st);
}
