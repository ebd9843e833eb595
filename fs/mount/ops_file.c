#include "fs/mount/ops.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/* Reading and writing */

void zn_op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	struct zn_handle *handle = zn_handle_of(fi);
	struct zn_node *node = zn_handle_node(handle);
	struct zn_body *body = node->body;
	struct zn_content *content = NULL;
	int fd = -1;

	(void)ino;
	if (node->kind == ZN_NODE_CONTROL) {
		zn_control_read_handle(req, handle, size, offset, fi->flags & O_NONBLOCK);
		return;
	}
	pthread_mutex_lock(&body->lock);
	if (body->content)
		content = zn_content_share(body->content);
	pthread_mutex_unlock(&body->lock);
	ZN_AUTO_FREE uint8_t *bytes = content && zn_content_size(content) <= ZN_CONTENT_IN_MEMORY ? malloc(ZN_CONTENT_IN_MEMORY) : NULL;

	if (!content) {
		fuse_reply_err(req, ESTALE);
		return;
	}
	if (bytes && size > ZN_CONTENT_IN_MEMORY)
		size = ZN_CONTENT_IN_MEMORY;
	size = zn_content_read(content, (size_t)offset, size, bytes, &fd);
	struct fuse_bufvec reply = FUSE_BUFVEC_INIT(size);

	if (fd >= 0) {
		reply.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
		reply.buf[0].fd = fd;
		reply.buf[0].pos = offset;
	} else {
		reply.buf[0].mem = bytes;
	}
	fuse_reply_data(req, &reply, FUSE_BUF_SPLICE_MOVE);
	zn_content_unref(content);
}

static int write_scratch(struct zn_mount *mount, struct zn_handle *handle, struct zn_view bytes, size_t offset)
{
	struct zn_body *body = handle->node->body;
	struct zn_err err = {0};

	pthread_mutex_lock(&body->lock);
	pthread_mutex_lock(&mount->lock);
	if (handle->append)
		offset = (size_t)body->scratch->size;
	uint64_t end = offset + bytes.len, before = body->scratch->size;
	enum zn_code code = end > before ? zn_scratch_resize(&mount->scratches, body->scratch, end) : ZN_OK;

	pthread_mutex_unlock(&mount->lock);
	if (code == ZN_OK) {
		code = body->content ? zn_content_write(body->content, offset, bytes, &err) : ZN_EINVAL;
		pthread_mutex_lock(&mount->lock);
		if (code != ZN_OK && end > before && zn_scratch_resize(&mount->scratches, body->scratch, before) != ZN_OK)
			code = ZN_EQUOTA;
		body->scratch->mtime = body->scratch->used = zn_clock_now();
		body->scratch->mtime_given = false;
		body->written = true;
		pthread_mutex_unlock(&mount->lock);
	}
	pthread_mutex_unlock(&body->lock);
	return zn_errno(code, &err, ZN_OP_WRITE);
}

/* Rule 19, with body->lock: complete lines are checked where close(2) has no hearer. */
static bool line_is_broken(struct zn_body *body, const struct zn_name *apex, size_t from)
{
	struct zn_loan loan;

	if (!body->scan) {
		if (zn_prescan_new(apex, &body->scan) != ZN_OK)
			return false;
	}
	if (zn_content_lend(body->content, &loan, NULL) != ZN_OK)
		return false;
	bool broken = zn_prescan_bad(body->scan, zn_view_sub(loan.view, from, SIZE_MAX));

	zn_loan_end(&loan);
	return broken;
}

static int write_draft(struct zn_mount *mount, struct zn_handle *handle, struct zn_view bytes, size_t offset)
{
	struct zn_body *body = handle->node->body;
	struct zn_err err = {0};

	pthread_mutex_lock(&mount->lock);
	bool broken = body->edit.broken, checked = body->edit.checked;
	size_t checked_to = body->edit.checked_to;
	struct zn_name apex = body->info.zone.name;

	pthread_mutex_unlock(&mount->lock);
	if (broken)
		return EINVAL;
	pthread_mutex_lock(&body->lock);
	enum zn_code code = body->content ? zn_content_own(&body->content, &err) : zn_fail(&err, ZN_ENOMEM, "no text");
	size_t before = code == ZN_OK ? zn_content_size(body->content) : 0;

	if (handle->append)
		offset = before;
	if (code == ZN_OK)
		code = zn_content_write(body->content, offset, bytes, &err);
	size_t size = code == ZN_OK ? zn_content_size(body->content) : before;

	/* Only what is written from front to back can be judged by lines. */
	if (code == ZN_OK && checked && offset == before)
		broken = line_is_broken(body, &apex, checked_to);
	pthread_mutex_unlock(&body->lock);
	int error = zn_errno(code, &err, ZN_OP_WRITE);

	pthread_mutex_lock(&mount->lock);
	if (error) {
		zn_edit_failed(&body->edit, error);
	} else {
		zn_edit_written(&body->edit, handle->append);
		body->edit.checked = checked && offset == before;
		body->edit.checked_to = size;
		body->edit.broken |= broken;
		body->size = size;
		body->mtime = zn_draft_time(zn_clock_now());
	}
	pthread_mutex_unlock(&mount->lock);
	return broken ? EINVAL : error;
}

void zn_op_write(fuse_req_t req, fuse_ino_t ino, const char *bytes, size_t size, off_t offset, struct fuse_file_info *fi)
{
	struct zn_mount *mount = zn_mount_of(req);
	struct zn_handle *handle = zn_handle_of(fi);
	struct zn_view view = zn_view(bytes, size);
	int error = EBADF;

	(void)ino;
	switch (handle->node->kind) {
	case ZN_NODE_PRIVATE:
		error = write_draft(mount, handle, view, (size_t)offset);
		break;
	case ZN_NODE_SCRATCH:
		error = write_scratch(mount, handle, view, (size_t)offset);
		break;
	case ZN_NODE_CONTROL:
		error = zn_control_write_handle(handle, view, offset);
		break;
	case ZN_NODE_VERSION:
	case ZN_NODE_FRESH:
		break;
	}
	if (error)
		fuse_reply_err(req, error);
	else
		fuse_reply_write(req, size);
}

/* Truncating */

static int truncate_draft(struct zn_mount *mount, struct zn_node *node, size_t size)
{
	struct zn_body *body = node->body;
	struct zn_err err = {0};

	pthread_mutex_lock(&body->lock);
	enum zn_code code = body->content ? zn_content_own(&body->content, &err) : zn_fail(&err, ZN_ENOMEM, "no text");

	if (code == ZN_OK && zn_content_size(body->content) != size)
		code = zn_content_truncate(body->content, size, &err);
	pthread_mutex_unlock(&body->lock);
	if (code == ZN_OK) {
		pthread_mutex_lock(&mount->lock);
		zn_edit_truncated(&body->edit, size);
		body->size = size;
		body->mtime = zn_draft_time(zn_clock_now());
		pthread_mutex_unlock(&mount->lock);
	}
	return zn_errno(code, &err, ZN_OP_WRITE);
}

static int truncate_scratch(struct zn_mount *mount, struct zn_node *node, size_t size, const struct zn_who *who, bool by_path)
{
	struct zn_body *body = node->body;
	struct zn_err err = {0};
	int error = by_path ? zn_scratch_open(mount, node, O_WRONLY, who) : 0;

	if (error)
		return error;
	pthread_mutex_lock(&body->lock);
	pthread_mutex_lock(&mount->lock);
	enum zn_code code = zn_scratch_resize(&mount->scratches, body->scratch, size);

	body->scratch->mtime = body->scratch->used = zn_clock_now();
	body->scratch->mtime_given = false;
	pthread_mutex_unlock(&mount->lock);
	if (code == ZN_OK)
		code = body->content ? zn_content_truncate(body->content, size, &err) : ZN_EINVAL;
	pthread_mutex_unlock(&body->lock);
	if (by_path) {
		pthread_mutex_lock(&mount->lock);
		node->held++;
		zn_node_close(mount, node, true);
		pthread_mutex_unlock(&mount->lock);
		zn_node_let_go(mount, node);
		zn_node_drop(mount, node);
	}
	return zn_errno(code, &err, ZN_OP_WRITE);
}

/* By path: a save of its own, for no close will follow. */
static void truncate_zone(fuse_req_t req, uint64_t id, size_t size)
{
	struct zn_mount *mount = zn_mount_of(req);
	struct zn_who who = zn_who(req);
	enum zn_open_verdict verdict;
	struct zn_node *node;
	int error = zn_draft_open(mount, id, O_WRONLY, &who, &node, &verdict);

	if (error) {
		fuse_reply_err(req, error);
		return;
	}
	if (verdict == ZN_OPEN_STOLEN)
		zn_notify_changed(mount->notify, &node->zone, 1);
	if (verdict != ZN_OPEN_AGAIN)
		error = zn_draft_begin(mount, node, O_WRONLY, &who);
	if (!error)
		error = truncate_draft(mount, node, size);
	struct zn_handle *handle = error ? NULL : zn_handle_opened(mount, node, &who, O_WRONLY);

	if (!handle) {
		pthread_mutex_lock(&mount->lock);
		struct zn_node *spent = zn_node_close(mount, node, true);

		pthread_mutex_unlock(&mount->lock);
		if (spent)
			zn_body_free(mount, spent);
		fuse_reply_err(req, error ? error : ENOMEM);
		return;
	}
	pthread_mutex_lock(&mount->lock);
	enum zn_commit_point point = zn_edit_fsync(&((struct zn_body *)node->body)->edit);

	node->held++;
	pthread_mutex_unlock(&mount->lock);
	if (point == ZN_POINT_SAVE) {
		zn_save_draft(mount, node, req, ZN_SAVING_ATTR, ZN_SAVE_CLOSE, false, &who, NULL);
	} else {
		struct stat attr;

		zn_draft_attr(mount, node, &attr);
		fuse_reply_attr(req, &attr, 0);
	}
	zn_handle_end(mount, handle, &who);
	zn_node_drop(mount, node);
}

void zn_truncate(fuse_req_t req, fuse_ino_t ino, size_t size, struct fuse_file_info *fi)
{
	struct zn_mount *mount = zn_mount_of(req);
	struct zn_who who = zn_who(req);
	struct zn_handle *handle = fi ? zn_handle_of(fi) : NULL;
	struct stat attr = {0};
	int error = 0;

	pthread_mutex_lock(&mount->lock);
	struct zn_node *node = zn_nodes_get(&mount->nodes, ino);
	bool scratch = node && node->kind == ZN_NODE_SCRATCH, control = node && node->kind == ZN_NODE_CONTROL;

	pthread_mutex_unlock(&mount->lock);
	if (control) {
		if (handle)
			error = zn_control_truncate(handle, size);
		if (!error)
			error = zn_control_attr(mount, node->body, &attr);
	} else if (scratch) {
		error = truncate_scratch(mount, node, size, &who, !handle);
		pthread_mutex_lock(&mount->lock);
		zn_scratch_attr(mount, ((struct zn_body *)node->body)->scratch, &attr);
		pthread_mutex_unlock(&mount->lock);
	} else if (handle) {
		error = node && node->kind == ZN_NODE_PRIVATE ? truncate_draft(mount, node, size) : EBADF;
		if (!error)
			zn_draft_attr(mount, node, &attr);
	} else {
		truncate_zone(req, ino, size);
		return;
	}
	if (error)
		fuse_reply_err(req, error);
	else
		fuse_reply_attr(req, &attr, 0);
}

/* Commit points */

static void answer_flush(struct zn_mount *mount, fuse_req_t req, struct zn_node *node, enum zn_commit_point point, enum zn_save_way way, int answer,
	const struct zn_who *who, const uint64_t *lock_owner)
{
	struct zn_body *body = node->body;

	switch (point) {
	case ZN_POINT_NOTHING:
		fuse_reply_err(req, answer);
		break;
	case ZN_POINT_SAVE:
	case ZN_POINT_JUDGE:
		zn_save_draft(mount, node, req, ZN_SAVING_ERR, way, point == ZN_POINT_JUDGE, who, lock_owner);
		break;
	case ZN_POINT_INTERRUPTED:
		zn_keep_interrupted(mount, node, who, "interrupted: its writer was killed before it was complete");
		fuse_reply_err(req, EINTR);
		break;
	case ZN_POINT_INCOMPLETE:
		zn_keep_interrupted(mount, node, who, ZN_TEXT_INCOMPLETE);
		pthread_mutex_lock(&mount->lock);
		answer = body->edit.failed;
		zn_edit_answered(&body->edit, body->edit.answered, way, answer);
		pthread_mutex_unlock(&mount->lock);
		fuse_reply_err(req, answer);
		break;
	}
}

void zn_op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct zn_mount *mount = zn_mount_of(req);
	struct zn_handle *handle = zn_handle_of(fi);
	struct zn_node *node = handle->node;
	struct zn_body *body = node->body;
	struct zn_who who = zn_who(req);

	(void)ino;
	if (node->kind == ZN_NODE_SCRATCH && handle->writing)
		zn_judge_ahead(mount, node, &who);
	if (node->kind != ZN_NODE_PRIVATE || !handle->writing) {
		zn_unlock(mount, node, ZN_LOCK_POSIX, fi->lock_owner);
		if (node->kind == ZN_NODE_CONTROL)
			zn_control_flush(req, handle);
		else
			fuse_reply_err(req, 0);
		return;
	}
	struct zn_draft_mark mark = {mount->device, zn_inode_zone(node->zone), zn_node_token(node->id)};
	struct zn_closer closer = zn_process_closing(who.thread, handle->opener, &mark);

	pthread_mutex_lock(&mount->lock);
	enum zn_commit_point point = zn_edit_flush(&body->edit, &closer);
	int answer = body->edit.answer;

	if (point != ZN_POINT_NOTHING)
		*(closer.visible ? &mount->last_closes : &mount->blind_closes) += 1;
	pthread_mutex_unlock(&mount->lock);
	/* Who waits for the lock is to see what is being saved. */
	bool saves = point == ZN_POINT_SAVE || point == ZN_POINT_JUDGE;

	if (!saves)
		zn_unlock(mount, node, ZN_LOCK_POSIX, fi->lock_owner);
	answer_flush(mount, req, node, point, ZN_SAVE_CLOSE, answer, &who, saves ? &fi->lock_owner : NULL);
}

void zn_op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct zn_mount *mount = zn_mount_of(req);
	struct zn_handle *handle = zn_handle_of(fi);
	struct zn_node *node = handle->node;
	struct zn_body *body = node->body;
	struct zn_who who = zn_who(req);
	enum zn_commit_point point = ZN_POINT_NOTHING;
	struct zn_err err = {0};
	int answer = 0;

	(void)ino;
	(void)datasync;
	if (node->kind == ZN_NODE_SCRATCH) {
		struct zn_content *content = NULL;

		pthread_mutex_lock(&body->lock);
		if (body->content)
			content = zn_content_share(body->content);
		pthread_mutex_unlock(&body->lock);
		if (content)
			answer = zn_errno(zn_content_sync(content, &err), &err, ZN_OP_FSYNC);
		zn_content_unref(content);
	} else if (node->kind == ZN_NODE_PRIVATE && handle->writing) {
		pthread_mutex_lock(&mount->lock);
		point = zn_edit_fsync(&body->edit);
		pthread_mutex_unlock(&mount->lock);
	}
	answer_flush(mount, req, node, point, ZN_SAVE_FSYNC, answer, &who, NULL);
}

void zn_op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct zn_mount *mount = zn_mount_of(req);
	struct zn_handle *handle = zn_handle_of(fi);
	struct zn_who who = zn_who(req);

	(void)ino;
	if (fi->flock_release)
		zn_unlock(mount, handle->node, ZN_LOCK_FLOCK, fi->lock_owner);
	if (!who.thread)
		who.thread = handle->opener;
	zn_handle_end(mount, handle, &who);
	fuse_reply_err(req, 0);
}
