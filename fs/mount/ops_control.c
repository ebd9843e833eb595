#include "fs/mount/ops.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define CONTROL_MAX ((size_t)64 << 20)	/* bytes of one control file */

static uint64_t path_key(const char *path)
{
	return zn_table_hash(zn_view_str(path), 3);
}

static struct zn_body *find(const struct zn_mount *mount, const char *path)
{
	struct zn_body *body = zn_table_get(&mount->control_nodes, path_key(path));

	while (body && strcmp(body->path, path) != 0)
		body = body->same_hash;
	return body;
}

/* With mount->lock: the node of a path, one lookup more. NULL: out of memory. */
static struct zn_node *node_of(struct zn_mount *mount, const char *path)
{
	struct zn_body *body = find(mount, path);
	struct zn_node *node = body ? zn_nodes_get(&mount->nodes, body->node) : NULL;

	if (node) {
		node->lookups++;
		return node;
	}
	body = zn_body_new();
	if (!body || !(body->path = strdup(path)) || !(node = zn_nodes_add(&mount->nodes, ZN_NODE_CONTROL))) {
		if (body)
			free(body->path);
		free(body);
		return NULL;
	}
	body->same_hash = zn_table_get(&mount->control_nodes, path_key(path));
	if (zn_table_put(&mount->control_nodes, path_key(path), body) != ZN_OK) {
		free(body->path);
		free(body);
		zn_table_take(&mount->nodes.by_id, node->id);
		free(node);
		return NULL;
	}
	body->number = ++mount->last_control;
	body->node = node->id;
	node->body = body;
	node->lookups = 1;
	return node;
}

void zn_control_forget(struct zn_mount *mount, struct zn_body *body)
{
	struct zn_body *head = zn_table_take(&mount->control_nodes, path_key(body->path)), **link = &head;

	while (*link && *link != body)
		link = &(*link)->same_hash;
	if (*link)
		*link = body->same_hash;
	if (head && zn_table_put(&mount->control_nodes, path_key(body->path), head) != ZN_OK)
		abort(); /* cannot be: the slot was just freed */
}

static int attr_of_path(struct zn_mount *mount, const char *path, uint32_t number, struct stat *ret_attr)
{
	struct zn_control_stat st;
	enum zn_code code = zn_control_stat(mount->parts.control, path, &st);

	if (code != ZN_OK)
		return zn_errno(code, NULL, ZN_OP_OTHER);
	*ret_attr = (struct stat){
		.st_ino = zn_inode_control(number),
		.st_mode = (st.type == ZN_CONTROL_DIR ? S_IFDIR : S_IFREG) | st.mode,
		.st_nlink = st.type == ZN_CONTROL_DIR ? 2 : 1,
		.st_uid = mount->options.uid,
		.st_gid = mount->options.gid,
		.st_size = (off_t)st.size,
		.st_blksize = 4096,
		.st_blocks = (blkcnt_t)((st.size + 511) / 512),
		.st_mtim = zn_stamp_timespec(st.mtime),
		.st_ctim = zn_stamp_timespec(st.mtime),
		.st_atim = zn_stamp_timespec(st.mtime),
	};
	return 0;
}

int zn_control_attr(struct zn_mount *mount, const struct zn_body *body, struct stat *ret_attr)
{
	return attr_of_path(mount, body->path, body->number, ret_attr);
}

/* "directory/name"; the tree's top is "". */
static char *join(const char *directory, const char *name)
{
	char *path = NULL;

	if (!directory || !*directory)
		return strdup(name);
	return asprintf(&path, "%s/%s", directory, name) < 0 ? NULL : path;
}

/* An entry of a path that is there. */
static int entry_of(struct zn_mount *mount, const char *path, struct fuse_entry_param *ret_entry)
{
	struct stat attr;
	int error = attr_of_path(mount, path, 0, &attr);

	if (error)
		return error;
	pthread_mutex_lock(&mount->lock);
	const struct zn_node *node = node_of(mount, path);
	const struct zn_body *body = node ? node->body : NULL;

	if (node) {
		attr.st_ino = zn_inode_control(body->number);
		*ret_entry = (struct fuse_entry_param){.ino = node->id, .generation = 1, .attr = attr};
	}
	pthread_mutex_unlock(&mount->lock);
	return node ? 0 : ENOMEM;
}

void zn_control_lookup(fuse_req_t req, const char *directory, const char *name)
{
	ZN_AUTO_FREE char *path = join(directory, name);
	struct fuse_entry_param entry;
	int error = path ? entry_of(zn_mount_of(req), path, &entry) : ENOMEM;

	if (error)
		fuse_reply_err(req, error);
	else
		zn_reply_entry(req, &entry);
}

/* Open files */

static int open_node(struct zn_mount *mount, struct zn_node *node, int flags, const struct zn_who *who, struct zn_handle **ret_handle)
{
	struct zn_body *body = node->body;
	bool writing = (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC);
	struct zn_control_stat st;
	struct stat attr;
	int error = zn_control_attr(mount, body, &attr);

	if (error)
		return error;
	if (S_ISDIR(attr.st_mode))
		return EISDIR;
	error = writing && mount->options.read_only ? EROFS : 0;
	if (!error)
		error = zn_who_may(who, attr.st_mode, attr.st_uid, attr.st_gid, ((flags & O_ACCMODE) != O_WRONLY ? R_OK : 0) | (writing ? W_OK : 0));
	struct zn_handle *handle = error ? NULL : zn_handle_new(mount, node);

	if (!handle)
		return error ? error : ENOMEM;
	zn_buf_init(&handle->bytes, CONTROL_MAX);
	handle->writing = writing;
	handle->append = flags & O_APPEND;
	handle->opener = who->thread;
	handle->events = zn_control_stat(mount->parts.control, body->path, &st) == ZN_OK && st.type == ZN_CONTROL_EVENTS;
	if (!handle->events && !(flags & O_TRUNC) && zn_control_read(mount->parts.control, body->path, &handle->bytes, NULL) != ZN_OK)
		zn_buf_clear(&handle->bytes);
	pthread_mutex_lock(&mount->lock);
	node->handles++;
	node->writers += writing;
	pthread_mutex_unlock(&mount->lock);
	*ret_handle = handle;
	return 0;
}

static void undo_open(struct zn_mount *mount, struct zn_handle *handle)
{
	struct zn_node *node = handle->node;

	pthread_mutex_lock(&mount->lock);
	node->held++;
	zn_nodes_close(&mount->nodes, node, handle->writing, 0);
	pthread_mutex_unlock(&mount->lock);
	zn_node_drop(mount, node);
	zn_handle_free(mount, handle);
}

void zn_control_open(fuse_req_t req, struct zn_node *node, struct fuse_file_info *fi)
{
	struct zn_mount *mount = zn_mount_of(req);
	struct zn_who who = zn_who(req);
	struct zn_handle *handle = NULL;
	int error = open_node(mount, node, fi->flags, &who, &handle);

	if (error) {
		fuse_reply_err(req, error);
		return;
	}
	fi->fh = (uint64_t)(uintptr_t)handle;
	fi->direct_io = 1; /* what it says is made when it is opened; the size of an earlier look does not cut it */
	if (fuse_reply_open(req, fi) != 0)
		undo_open(mount, handle);
}

int zn_control_create(fuse_req_t req, const char *directory, const char *name, struct zn_handle **ret_handle, struct fuse_entry_param *ret_entry)
{
	struct zn_mount *mount = zn_mount_of(req);
	struct zn_who who = zn_who(req);
	ZN_AUTO_FREE char *path = join(directory, name);
	int error = path ? entry_of(mount, path, ret_entry) : ENOMEM;

	/* Files of this tree are there or are not; none is made by its name alone. */
	if (error)
		return error == ENOENT ? EPERM : error;
	if (!ret_handle)
		return EEXIST;
	pthread_mutex_lock(&mount->lock);
	struct zn_node *node = zn_nodes_get(&mount->nodes, ret_entry->ino);

	pthread_mutex_unlock(&mount->lock);
	error = open_node(mount, node, O_RDWR | O_TRUNC, &who, ret_handle);
	if (error)
		zn_node_forget(mount, ret_entry->ino, 1);
	return error;
}

int zn_control_write_handle(struct zn_handle *handle, struct zn_view bytes, off_t offset)
{
	pthread_mutex_lock(&handle->lock);
	size_t at = handle->append ? handle->bytes.len : (size_t)offset;

	if (at > handle->bytes.len)
		zn_buf_add_fill(&handle->bytes, 0, at - handle->bytes.len);
	zn_buf_splice(&handle->bytes, at, bytes.len < handle->bytes.len - at ? bytes.len : handle->bytes.len - at, bytes);
	handle->changed = true;
	enum zn_code code = handle->bytes.failed;

	pthread_mutex_unlock(&handle->lock);
	return zn_errno(code, NULL, ZN_OP_WRITE);
}

int zn_control_truncate(struct zn_handle *handle, size_t size)
{
	pthread_mutex_lock(&handle->lock);
	if (size < handle->bytes.len)
		zn_buf_splice(&handle->bytes, size, handle->bytes.len - size, (struct zn_view){0});
	else
		zn_buf_add_fill(&handle->bytes, 0, size - handle->bytes.len);
	handle->changed = true;
	enum zn_code code = handle->bytes.failed;

	pthread_mutex_unlock(&handle->lock);
	return zn_errno(code, NULL, ZN_OP_WRITE);
}

/* What was written takes effect at the close, which may wait for a commit. */
struct control_errand {
	struct zn_errand errand;
	struct zn_mount *mount;
	fuse_req_t req;
	char *path;
	struct zn_buf bytes;
	struct zn_actor actor;
	bool remove;
};

static void run_control(struct zn_errand *errand)
{
	struct control_errand *c = (struct control_errand *)errand;
	struct zn_err err = {0};
	enum zn_code code = c->remove ? zn_control_remove(c->mount->parts.control, c->path, &err)
				      : zn_control_write(c->mount->parts.control, c->path, zn_buf_view(&c->bytes), &c->actor, &err);

	if (code != ZN_OK)
		zn_info(".zonefs/%s: %s", c->path, err.text);
	fuse_reply_err(c->req, zn_errno(code, &err, c->remove ? ZN_OP_OTHER : ZN_OP_WRITE));
	zn_buf_release(&c->bytes);
	free(c->path);
	free(c);
}

static void send_errand(fuse_req_t req, const char *path, struct zn_view bytes, bool remove)
{
	struct zn_mount *mount = zn_mount_of(req);
	struct zn_who who = zn_who(req);
	struct control_errand *c = calloc(1, sizeof *c);

	if (!c || !(c->path = strdup(path))) {
		free(c);
		fuse_reply_err(req, ENOMEM);
		return;
	}
	zn_buf_init(&c->bytes, CONTROL_MAX);
	zn_buf_add(&c->bytes, bytes);
	c->errand.run = run_control;
	c->mount = mount;
	c->req = req;
	c->actor = zn_who_actor(&who);
	c->remove = remove;
	zn_errands_add(mount->errands, &c->errand);
}

void zn_control_flush(fuse_req_t req, struct zn_handle *handle)
{
	const struct zn_body *body = handle->node->body;

	pthread_mutex_lock(&handle->lock);
	bool changed = handle->changed;

	handle->changed = false;
	if (changed)
		send_errand(req, body->path, zn_buf_view(&handle->bytes), false);
	pthread_mutex_unlock(&handle->lock);
	if (!changed)
		fuse_reply_err(req, 0);
}

void zn_control_unlink(fuse_req_t req, const char *directory, const char *name)
{
	struct zn_mount *mount = zn_mount_of(req);
	struct zn_who who = zn_who(req);
	ZN_AUTO_FREE char *path = join(directory, name);
	struct stat attr;
	int error = path ? attr_of_path(mount, path, 0, &attr) : ENOMEM;

	if (!error)
		error = zn_who_may(&who, S_IFREG | (0666 & ~mount->options.umask), mount->options.uid, mount->options.gid, W_OK);
	if (error)
		fuse_reply_err(req, error);
	else
		send_errand(req, path, (struct zn_view){0}, true);
}

/* The event stream: details.md 16 */

struct zn_parked {
	struct zn_parked *next;
	struct zn_errand errand;
	struct zn_mount *mount;
	fuse_req_t req;
	struct zn_handle *handle;
	size_t size;
	int error;
	bool interrupted;	/* while it was not parked; guarded by mount->lock */
};

/* Bytes from where the handle is; ZN_EAGAIN: none yet. */
static enum zn_code take_events(struct zn_mount *mount, struct zn_handle *handle, size_t size, struct zn_buf *out)
{
	pthread_mutex_lock(&handle->lock);
	enum zn_code code = zn_events_read(mount->parts.events, &handle->events_at, size, out);

	pthread_mutex_unlock(&handle->lock);
	return code;
}

static bool unpark(struct zn_mount *mount, const struct zn_parked *parked)
{
	pthread_mutex_lock(&mount->lock);
	struct zn_parked **link = &mount->parked;

	while (*link && *link != parked)
		link = &(*link)->next;
	bool found = *link != NULL;

	if (found)
		*link = parked->next;
	pthread_mutex_unlock(&mount->lock);
	return found;
}

static void park(struct zn_parked *parked);

static void run_parked(struct zn_errand *errand)
{
	struct zn_parked *parked = (struct zn_parked *)(void *)((char *)errand - offsetof(struct zn_parked, errand));
	struct zn_mount *mount = parked->mount;
	ZN_AUTO(zn_buf_release) struct zn_buf out = ZN_BUF_INIT(parked->size);
	enum zn_code code = parked->error ? ZN_OK : take_events(mount, parked->handle, parked->size, &out);

	if (code == ZN_EAGAIN && !mount->ending) {
		park(parked);
		return;
	}
	fuse_req_interrupt_func(parked->req, NULL, NULL);
	if (parked->error)
		fuse_reply_err(parked->req, parked->error);
	else
		fuse_reply_buf(parked->req, (char *)out.data, out.len); /* at the end of the mount: the end of the file */
	free(parked);
	pthread_mutex_lock(&mount->lock);
	mount->listening--;
	pthread_cond_broadcast(&mount->idle);
	pthread_mutex_unlock(&mount->lock);
}

static void on_interrupt(fuse_req_t req, void *data)
{
	struct zn_parked *parked = data;

	(void)req;
	if (unpark(parked->mount, parked)) {
		parked->error = EINTR;
		zn_errands_add(parked->mount->errands, &parked->errand);
		return;
	}
	pthread_mutex_lock(&parked->mount->lock);
	parked->interrupted = true;
	pthread_mutex_unlock(&parked->mount->lock);
}

/* Waits for the next event; one that came in between is not missed: it is in the ring before we are told of it. */
static void park(struct zn_parked *parked)
{
	struct zn_mount *mount = parked->mount;

	pthread_mutex_lock(&parked->handle->lock);
	uint64_t at = parked->handle->events_at;

	pthread_mutex_unlock(&parked->handle->lock);
	pthread_mutex_lock(&mount->lock);
	if (parked->interrupted)
		parked->error = EINTR;
	bool wait = !parked->interrupted && !mount->ending && zn_events_end(mount->parts.events) <= at;

	if (wait) {
		parked->next = mount->parked;
		mount->parked = parked;
	}
	pthread_mutex_unlock(&mount->lock);
	if (!wait)
		zn_errands_add(mount->errands, &parked->errand);
}

void zn_control_read_handle(fuse_req_t req, struct zn_handle *handle, size_t size, off_t offset, bool nonblocking)
{
	struct zn_mount *mount = zn_mount_of(req);

	if (!handle->events) {
		pthread_mutex_lock(&handle->lock);
		struct zn_view view = zn_view_sub(zn_buf_view(&handle->bytes), (size_t)offset, size);

		fuse_reply_buf(req, (const char *)view.data, view.len);
		pthread_mutex_unlock(&handle->lock);
		return;
	}
	ZN_AUTO(zn_buf_release) struct zn_buf out = ZN_BUF_INIT(size);
	enum zn_code code = take_events(mount, handle, size, &out);

	if (code != ZN_EAGAIN) {
		if (code == ZN_OK)
			fuse_reply_buf(req, (char *)out.data, out.len);
		else
			fuse_reply_err(req, zn_errno(code, NULL, ZN_OP_OTHER));
		return;
	}
	struct zn_parked *parked = nonblocking ? NULL : calloc(1, sizeof *parked);

	if (!parked) {
		fuse_reply_err(req, nonblocking ? EAGAIN : ENOMEM);
		return;
	}
	*parked = (struct zn_parked){.mount = mount, .req = req, .handle = handle, .size = size, .errand.run = run_parked};
	pthread_mutex_lock(&mount->lock);
	mount->listening++;
	pthread_mutex_unlock(&mount->lock);
	fuse_req_interrupt_func(req, on_interrupt, parked);
	park(parked);
}

void zn_events_posted(void *context)
{
	struct zn_mount *mount = context;

	pthread_mutex_lock(&mount->lock);
	struct zn_parked *parked = mount->parked;

	mount->parked = NULL;
	pthread_mutex_unlock(&mount->lock);
	while (parked) {
		struct zn_parked *next = parked->next;

		zn_errands_add(mount->errands, &parked->errand);
		parked = next;
	}
}

void zn_events_end_parked(struct zn_mount *mount)
{
	zn_events_posted(mount);
	pthread_mutex_lock(&mount->lock);
	while (mount->listening)
		pthread_cond_wait(&mount->idle, &mount->lock);
	pthread_mutex_unlock(&mount->lock);
}
