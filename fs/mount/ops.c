#include "fs/mount/ops.h"

#include <errno.h>
#include <sys/stat.h>

/* Nodes and what they keep */

struct zn_body *zn_body_new(void)
{
	struct zn_body *body = calloc(1, sizeof *body);

	if (body)
		pthread_mutex_init(&body->lock, NULL);
	return body;
}

struct zn_handle *zn_handle_new(struct zn_mount *mount, struct zn_node *node)
{
	struct zn_handle *handle = calloc(1, sizeof *handle);

	if (!handle)
		return NULL;
	pthread_mutex_init(&handle->lock, NULL);
	handle->node = node;
	pthread_mutex_lock(&mount->lock);
	handle->next = mount->handles;
	if (handle->next)
		handle->next->before = handle;
	mount->handles = handle;
	pthread_mutex_unlock(&mount->lock);
	return handle;
}

void zn_handle_free(struct zn_mount *mount, struct zn_handle *handle)
{
	pthread_mutex_lock(&mount->lock);
	if (handle->before)
		handle->before->next = handle->next;
	else
		mount->handles = handle->next;
	if (handle->next)
		handle->next->before = handle->before;
	pthread_mutex_unlock(&mount->lock);
	/* Behind whoever used it last: only the kernel orders these two otherwise, unseen by a race detector. */
	pthread_mutex_lock(&handle->lock);
	pthread_mutex_unlock(&handle->lock);
	zn_listing_free(handle->listing);
	zn_buf_release(&handle->bytes);
	pthread_mutex_destroy(&handle->lock);
	free(handle);
}

/* A node that was taken out of the table. */
void zn_body_free(struct zn_mount *mount, struct zn_node *node)
{
	struct zn_body *body = node->body;

	if (body) {
		/* Whoever read last has left the lock: the kernel forgets a node after the last reply, not after what follows it here. */
		pthread_mutex_lock(&body->lock);
		pthread_mutex_unlock(&body->lock);
		zn_content_unref(body->content);
		if (body->scan)
			zn_prescan_free(body->scan);
		free(body->path);
		pthread_mutex_destroy(&body->lock);
		free(body);
	}
	pthread_mutex_lock(&mount->lock);
	zn_node_free(&mount->nodes, node);
	pthread_mutex_unlock(&mount->lock);
}

/* With mount->lock: other tables let go of a node that is spent. */
static void unlink_node(struct zn_mount *mount, struct zn_node *node)
{
	struct zn_body *body = node->body;

	if (!body)
		return;
	if (body->scratch) {
		body->scratch->node = NULL;
		if (!body->scratch->named)
			zn_scratch_free(&mount->scratches, body->scratch);
		body->scratch = NULL;
	}
	if (node->kind == ZN_NODE_CONTROL)
		zn_control_forget(mount, body);
}

void zn_node_forget(struct zn_mount *mount, uint64_t id, uint64_t count)
{
	pthread_mutex_lock(&mount->lock);
	struct zn_node *node = zn_nodes_forget(&mount->nodes, id, count);

	if (node)
		unlink_node(mount, node);
	pthread_mutex_unlock(&mount->lock);
	if (node)
		zn_body_free(mount, node);
}

/* A hold is let go. */
void zn_node_drop(struct zn_mount *mount, struct zn_node *node)
{
	pthread_mutex_lock(&mount->lock);
	node->held--;
	node = zn_nodes_spent(&mount->nodes, node);
	if (node)
		unlink_node(mount, node);
	pthread_mutex_unlock(&mount->lock);
	if (node)
		zn_body_free(mount, node);
}

uint32_t zn_node_token(uint64_t node)
{
	return (uint32_t)((node >> 32 ^ node) % 999999937 + 1);
}

void zn_reply_entry(fuse_req_t req, const struct fuse_entry_param *entry)
{
	struct zn_mount *mount = zn_mount_of(req);
	uint64_t node = entry->ino;

	if (fuse_reply_entry(req, entry) != 0)
		zn_node_forget(mount, node, 1);
}

/* Directories */

void zn_root_attr(struct zn_mount *mount, struct stat *ret_attr)
{
	*ret_attr = (struct stat){
		.st_ino = ZN_NODE_ROOT,
		.st_mode = S_IFDIR | (0777 & ~mount->options.umask),
		.st_nlink = 2,
		.st_uid = mount->options.uid,
		.st_gid = mount->options.gid,
		.st_size = 4096,
		.st_blksize = 4096,
		.st_mtim = zn_stamp_timespec(mount->started),
		.st_ctim = zn_stamp_timespec(mount->started),
		.st_atim = zn_stamp_timespec(mount->started),
	};
}

void zn_scratch_attr(struct zn_mount *mount, const struct zn_scratch *scratch, struct stat *ret_attr)
{
	static const mode_t types[] = {S_IFREG, S_IFLNK, S_IFDIR};

	(void)mount;
	*ret_attr = (struct stat){
		.st_ino = zn_inode_scratch(scratch->number),
		.st_mode = types[scratch->type] | scratch->mode,
		.st_nlink = scratch->type == ZN_SCRATCH_DIR ? 2 : scratch->named,
		.st_uid = scratch->uid,
		.st_gid = scratch->gid,
		.st_size = scratch->type == ZN_SCRATCH_DIR ? 4096 : (off_t)scratch->size,
		.st_blksize = 4096,
		.st_blocks = (blkcnt_t)((scratch->size + 511) / 512),
		.st_mtim = zn_stamp_timespec(scratch->mtime),
		.st_ctim = zn_stamp_timespec(scratch->used),
		.st_atim = zn_stamp_timespec(scratch->mtime),
	};
}

bool zn_scratch_entry(struct zn_mount *mount, struct zn_scratch *scratch, struct fuse_entry_param *ret_entry)
{
	struct zn_node *node = scratch->node;

	if (!node) {
		struct zn_body *body = zn_body_new();

		node = body ? zn_nodes_add(&mount->nodes, ZN_NODE_SCRATCH) : NULL;
		if (!node) {
			free(body);
			return false;
		}
		node->body = body;
		body->scratch = scratch;
		scratch->node = node;
	}
	node->lookups++;
	*ret_entry = (struct fuse_entry_param){.ino = node->id, .generation = 1};
	zn_scratch_attr(mount, scratch, &ret_entry->attr);
	return true;
}

/* A node of the table by its id, from mount->lock. */
struct zn_body *zn_body_of(struct zn_mount *mount, uint64_t id, struct zn_node **ret_node)
{
	*ret_node = zn_nodes_get(&mount->nodes, id);
	return *ret_node ? (*ret_node)->body : NULL;
}

struct zn_place zn_place(struct zn_mount *mount, uint64_t id)
{
	struct zn_place place = {.kind = ZN_PLACE_TOP};
	struct zn_node *node;

	if (id == ZN_NODE_ROOT)
		return place;
	pthread_mutex_lock(&mount->lock);
	const struct zn_body *body = zn_body_of(mount, id, &node);

	place.kind = ZN_PLACE_NOT_A_DIRECTORY;
	if (node && node->kind == ZN_NODE_CONTROL)
		place = (struct zn_place){.kind = ZN_PLACE_CONTROL, .path = body->path};
	else if (node && node->kind == ZN_NODE_SCRATCH && body->scratch->type == ZN_SCRATCH_DIR)
		place = (struct zn_place){.kind = ZN_PLACE_SCRATCH, .scratch = body->scratch->number};
	pthread_mutex_unlock(&mount->lock);
	return place;
}

int zn_directory_may(struct zn_mount *mount, const struct zn_who *who, uint64_t id, int mask)
{
	struct stat attr;
	struct zn_node *node;

	zn_root_attr(mount, &attr);
	if ((mask & W_OK) && mount->options.read_only)
		return EROFS;
	if (id != ZN_NODE_ROOT) {
		pthread_mutex_lock(&mount->lock);
		const struct zn_body *body = zn_body_of(mount, id, &node);

		if (node && node->kind == ZN_NODE_SCRATCH)
			zn_scratch_attr(mount, body->scratch, &attr);
		pthread_mutex_unlock(&mount->lock);
	}
	return zn_who_may(who, attr.st_mode, attr.st_uid, attr.st_gid, mask);
}

/* LOOKUP and FORGET */

static void lookup_zone(fuse_req_t req, const struct zn_zone_id *zone, bool canonical)
{
	struct zn_mount *mount = zn_mount_of(req);
	struct zn_who who = zn_who(req);
	struct fuse_entry_param entry = {.generation = 1};
	struct zn_zone_info info = {.zone = *zone, .kind = ZN_KIND_NATIVE};
	struct zn_loaded loaded = {.stat.mtime = mount->started};
	uint32_t version = 0;
	enum zn_code code = zn_mount_zone(mount, zone, &info);
	bool stored = code == ZN_OK, fresh = false;
	struct zn_body *body = NULL;

	if (code != ZN_OK && code != ZN_ENOTFOUND) {
		fuse_reply_err(req, zn_errno(code, NULL, ZN_OP_OTHER));
		return;
	}
	if (stored && zn_mount_zone_stat(mount, &info, &loaded, &version) != ZN_OK)
		stored = false;
	pthread_mutex_lock(&mount->lock);
	struct zn_file *file = zn_tree_hold(&mount->tree, zone, info.id, stored);

	if (file && !file->saving)
		zn_tree_stored(&mount->tree, file, stored, info.id);
	if (file && !stored) {
		info.id = file->id;
		version = zn_nodes_version(&mount->nodes, info.id);
	}
	code = ZN_ENOTFOUND;
	if (!file) {
		code = ZN_ENOMEM;
	} else if (zn_file_visible(file, stored)) {
		entry.ino = zn_nodes_lookup(&mount->nodes, file, info.id, version, who.thread, zn_clock_mono(), &fresh);
		if (fresh && !(body = zn_body_new())) {
			zn_nodes_get(&mount->nodes, entry.ino)->lookups = 0;
			entry.ino = 0;
		}
		if (body) {
			zn_nodes_get(&mount->nodes, entry.ino)->body = body;
			body->info = info;
			body->from = loaded;
			body->size = loaded.stat.size;
			body->mtime = loaded.stat.mtime;
		}
		code = entry.ino ? ZN_OK : ZN_ENOMEM;
	}
	zn_tree_drop(&mount->tree, file);
	pthread_mutex_unlock(&mount->lock);
	if (code != ZN_OK) {
		fuse_reply_err(req, zn_errno(code, NULL, ZN_OP_OTHER));
		return;
	}
	zn_zone_attr(mount, &info, loaded.stat.size, loaded.stat.mtime, &entry.attr);
	if (fresh)
		entry.attr.st_atim.tv_nsec = zn_node_token(entry.ino);
	else if (canonical && stored)
		entry.entry_timeout = entry.attr_timeout = ZN_LONG_TIMEOUT;
	zn_reply_entry(req, &entry);
}

static void lookup_scratch(fuse_req_t req, uint32_t directory, const char *name)
{
	struct zn_mount *mount = zn_mount_of(req);
	struct fuse_entry_param entry;
	int error = ENOENT;

	pthread_mutex_lock(&mount->lock);
	struct zn_scratch *scratch = zn_scratch_find(&mount->scratches, directory, name);

	if (scratch)
		error = zn_scratch_entry(mount, scratch, &entry) ? 0 : ENOMEM;
	pthread_mutex_unlock(&mount->lock);
	if (error)
		fuse_reply_err(req, error);
	else
		zn_reply_entry(req, &entry);
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct zn_mount *mount = zn_mount_of(req);
	struct zn_who who = zn_who(req);
	struct zn_place place = zn_place(mount, parent);
	struct zn_zone_id zone;
	bool canonical;
	int error = place.kind == ZN_PLACE_CONTROL ? 0 : zn_directory_may(mount, &who, parent, X_OK);

	if (place.kind == ZN_PLACE_NOT_A_DIRECTORY)
		error = ENOTDIR;
	if (error) {
		fuse_reply_err(req, error);
		return;
	}
	if (strlen(name) > ZN_FILENAME_MAX) {
		fuse_reply_err(req, ENAMETOOLONG);
		return;
	}
	if (place.kind == ZN_PLACE_CONTROL) {
		zn_control_lookup(req, place.path, name);
		return;
	}
	if (place.kind == ZN_PLACE_SCRATCH) {
		lookup_scratch(req, place.scratch, name);
		return;
	}
	switch (zn_name_kind(name, &zone, &canonical)) {
	case ZN_NAME_ZONE:
		lookup_zone(req, &zone, canonical);
		break;
	case ZN_NAME_CONTROL:
		zn_control_lookup(req, NULL, "");
		break;
	case ZN_NAME_SCRATCH:
		lookup_scratch(req, 0, name);
		break;
	}
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
	if (!ZN_NODE_IS_VERSION(ino))
		zn_node_forget(zn_mount_of(req), ino, count);
	fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	for (size_t i = 0; i < count; i++)
		if (!ZN_NODE_IS_VERSION(forgets[i].ino))
			zn_node_forget(zn_mount_of(req), forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	(void)userdata;
	conn->max_write = ZN_MAX_WRITE;
	/* Off though libfuse would not ask for them: write-back makes the kernel's size win (editor-behaviour 4), handles by number outlive
	 * nodes. */
	conn->want &= ~(unsigned)(FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_EXPORT_SUPPORT);
	if (conn->capable & FUSE_CAP_SPLICE_WRITE)
		conn->want |= FUSE_CAP_SPLICE_WRITE;
}

/* xattr, ioctl, poll, fallocate, copy_file_range and lseek are left to the kernel: it gives up asking after one ENOSYS. */
const struct fuse_lowlevel_ops zn_ops = {
	.init = op_init,
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = zn_op_getattr,
	.setattr = zn_op_setattr,
	.access = zn_op_access,
	.statfs = zn_op_statfs,
	.readlink = zn_op_readlink,
	.mknod = zn_op_mknod,
	.mkdir = zn_op_mkdir,
	.unlink = zn_op_unlink,
	.rmdir = zn_op_rmdir,
	.symlink = zn_op_symlink,
	.rename = zn_op_rename,
	.link = zn_op_link,
	.open = zn_op_open,
	.create = zn_op_create,
	.read = zn_op_read,
	.write = zn_op_write,
	.flush = zn_op_flush,
	.fsync = zn_op_fsync,
	.release = zn_op_release,
	.opendir = zn_op_opendir,
	.readdir = zn_op_readdir,
	.readdirplus = zn_op_readdirplus,
	.releasedir = zn_op_releasedir,
	.fsyncdir = zn_op_fsyncdir,
	.getlk = zn_op_getlk,
	.setlk = zn_op_setlk,
	.flock = zn_op_flock,
};
