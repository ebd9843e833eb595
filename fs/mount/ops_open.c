#include "fs/mount/ops.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

struct zn_handle *zn_handle_opened(struct zn_mount *mount, struct zn_node *node, const struct zn_who *who, int flags)
{
	struct zn_handle *handle = zn_handle_new(mount, node);

	if (!handle)
		return NULL;
	handle->writing = (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC);
	handle->append = flags & O_APPEND;
	handle->opener = who->thread;
	return handle;
}

/* The node is that of the open, for good. The lock orders this read before zn_handle_free() on another thread. */
struct zn_node *zn_handle_node(struct zn_handle *handle)
{
	pthread_mutex_lock(&handle->lock);
	struct zn_node *node = handle->node;
	pthread_mutex_unlock(&handle->lock);
	return node;
}

/* Reading a version, a fresh node, or what a draft begins with */

/* The committed text, or nothing for a name without text. */
static enum zn_code read_text(struct zn_mount *mount, const struct zn_node *node, const struct zn_zone_info *info, struct zn_content **ret_content,
	struct zn_loaded *ret_loaded, struct zn_err *err)
{
	enum zn_content_kind kind = node->kind == ZN_NODE_PRIVATE ? ZN_CONTENT_DRAFT : ZN_CONTENT_VERSION;
	enum zn_code code = zn_zone_text(mount, info, kind, ret_content, ret_loaded, err);

	if (code != ZN_ENOTFOUND)
		return code;
	pthread_mutex_lock(&mount->lock);
	const struct zn_file *file = zn_tree_find(&mount->tree, &info->zone);
	bool made = file && file->made;

	pthread_mutex_unlock(&mount->lock);
	if (!made)
		return code;
	*ret_loaded = (struct zn_loaded){.stat.mtime = mount->started};
	return zn_content_new(mount->spool, kind, ZN_TEXT_MAX, ret_content);
}

/* With mount->lock, after the text of an open version was read: is it that version's? */
static bool is_of_version(struct zn_mount *mount, const struct zn_node *node, const struct zn_loaded *loaded)
{
	if (zn_nodes_version(&mount->nodes, node->zone) != zn_node_version(node->id))
		return false;
	return !zn_nodes_observe(&mount->nodes, node->zone, loaded->txnid[ZN_RECORDS], zn_loaded_print(loaded));
}

/* Fills the body of an open node, once. 0 or an errno; ESTALE: a version that is none any more. */
static int load(struct zn_mount *mount, struct zn_node *node)
{
	struct zn_body *body = node->body;
	struct zn_content *content = NULL;
	struct zn_loaded loaded = {0};
	struct zn_err err = {0};

	pthread_mutex_lock(&mount->lock);
	while (body->loading)
		pthread_cond_wait(&mount->idle, &mount->lock);
	if (body->loaded) {
		pthread_mutex_unlock(&mount->lock);
		return 0;
	}
	body->loading = true;
	struct zn_zone_info info = body->info;

	if (node->kind == ZN_NODE_VERSION)
		content = zn_recent_find(&mount->recent, node->id, &loaded);
	pthread_mutex_unlock(&mount->lock);
	enum zn_code code = content ? ZN_OK : read_text(mount, node, &info, &content, &loaded, &err);
	int error = code == ZN_ENOTFOUND ? ESTALE : zn_errno(code, &err, ZN_OP_OTHER);

	if (error && error != ESTALE)
		zn_warning("text of zone %u: %s", info.id, err.text);
	if (!error) {
		pthread_mutex_lock(&body->lock);
		zn_content_unref(body->content);
		body->content = content;
		pthread_mutex_unlock(&body->lock);
	}
	bool news = false;
	struct zn_content *gone = NULL;
	uint64_t seen = zn_watch_seen(mount->parts.watch, ZN_RECORDS);

	pthread_mutex_lock(&mount->lock);
	zn_nodes_told(&mount->nodes, seen);
	body->loading = false;
	if (!error && node->kind == ZN_NODE_VERSION && !is_of_version(mount, node, &loaded))
		error = ESTALE, news = true;
	if (!error) {
		body->loaded = true;
		body->from = loaded;
		body->size = zn_content_size(content);
		body->mtime = loaded.stat.mtime;
		if (node->kind == ZN_NODE_VERSION)
			gone = zn_recent_keep(&mount->recent, node->id, content, &loaded);
	}
	pthread_cond_broadcast(&mount->idle);
	pthread_mutex_unlock(&mount->lock);
	zn_content_unref(gone);
	if (news)
		zn_notify_changed(mount->notify, &info.id, 1);
	return error;
}

/* A commit by another process that we have not been told of yet: rule 25b. */
static bool superseded_unseen(struct zn_mount *mount, const struct zn_node *node, const struct zn_zone_info *info)
{
	struct zn_loaded loaded;
	uint32_t version;

	if (zn_env_last_txnid(mount->parts.env, ZN_RECORDS) <= zn_watch_seen(mount->parts.watch, ZN_RECORDS))
		return false;
	return zn_mount_zone_stat(mount, info, &loaded, &version) == ZN_OK && version != zn_node_version(node->id);
}

/* Closing */

/* With mount->lock. The node comes back when it is spent. */
struct zn_node *zn_node_close(struct zn_mount *mount, struct zn_node *node, bool writing)
{
	struct zn_body *body = node->body;

	zn_nodes_close(&mount->nodes, node, writing, zn_clock_mono());
	node = zn_nodes_spent(&mount->nodes, node);
	if (node && body && body->scratch) {
		body->scratch->node = NULL;
		if (!body->scratch->named)
			zn_scratch_free(&mount->scratches, body->scratch);
		body->scratch = NULL;
	}
	if (node && node->kind == ZN_NODE_CONTROL)
		zn_control_forget(mount, body);
	return node;
}

/* The last handle of a draft or scratch file is gone: its text is of no use any more. Held by the caller. */
void zn_node_let_go(struct zn_mount *mount, struct zn_node *node)
{
	struct zn_body *body = node->body;
	struct zn_content *content = NULL;

	pthread_mutex_lock(&body->lock);
	pthread_mutex_lock(&mount->lock);
	bool open = node->handles > 0;

	pthread_mutex_unlock(&mount->lock);
	if (!open) {
		content = body->content;
		body->content = NULL;
	}
	pthread_mutex_unlock(&body->lock);
	zn_content_unref(content);
}

void zn_handle_end(struct zn_mount *mount, struct zn_handle *handle, const struct zn_who *who)
{
	struct zn_node *node = handle->node;
	struct zn_body *body = node->body;

	pthread_mutex_lock(&mount->lock);
	node->held++;
	bool last = node->handles == 1 && node->kind == ZN_NODE_PRIVATE;
	enum zn_commit_point point = last ? zn_edit_release(&body->edit) : ZN_POINT_NOTHING;

	pthread_mutex_unlock(&mount->lock);
	if (point == ZN_POINT_SAVE)
		zn_save_draft(mount, node, NULL, ZN_SAVING_NOBODY, ZN_SAVE_RELEASE, false, who, NULL);
	else if (point == ZN_POINT_INCOMPLETE)
		zn_keep_interrupted(mount, node, who, ZN_TEXT_INCOMPLETE);
	pthread_mutex_lock(&mount->lock);
	struct zn_node *spent = zn_node_close(mount, node, handle->writing);
	bool grace = mount->tree.vacated > 0;

	pthread_mutex_unlock(&mount->lock);
	if (!spent && (node->kind == ZN_NODE_PRIVATE || node->kind == ZN_NODE_SCRATCH))
		zn_node_let_go(mount, node);
	if (grace)
		zn_errands_wake(mount->errands); /* a grace period may run now */
	zn_node_drop(mount, node);
	zn_handle_free(mount, handle);
}

static void reply_open(fuse_req_t req, struct fuse_file_info *fi, struct zn_handle *handle)
{
	struct zn_mount *mount = zn_mount_of(req);
	struct zn_who who = zn_who(req);

	fi->fh = (uint64_t)(uintptr_t)handle;
	if (fuse_reply_open(req, fi) != 0)
		zn_handle_end(mount, handle, &who); /* the opener is gone: no RELEASE will come */
}

/* Opening */

void zn_note_reader(struct zn_mount *mount, const struct zn_node *node, int32_t thread)
{
	const struct zn_body *body = node->body;

	if (!thread)
		return;
	pthread_mutex_lock(&mount->lock);
	struct zn_basis basis = zn_basis_of(&body->from);

	if (body->info.id)
		zn_readers_note(&mount->readers, node->zone, thread, zn_boot_time(), &basis);
	pthread_mutex_unlock(&mount->lock);
}

/* With a private node that has just been opened for the first time. */
int zn_draft_begin(struct zn_mount *mount, struct zn_node *node, int flags, const struct zn_who *who)
{
	struct zn_body *body = node->body;
	int error = 0;

	pthread_mutex_lock(&mount->lock);
	struct zn_zone_info info = body->info;

	/* A reader of this very node (reopened by descriptor) may have read it already: that text is where the draft begins. */
	body->opener = who->thread;
	pthread_mutex_unlock(&mount->lock);
	if (flags & O_TRUNC) {
		struct zn_content *content;

		if (zn_content_new(mount->spool, ZN_CONTENT_DRAFT, ZN_TEXT_MAX, &content) != ZN_OK)
			return ENOMEM;
		pthread_mutex_lock(&body->lock);
		zn_content_unref(body->content);
		body->content = content;
		pthread_mutex_unlock(&body->lock);
	} else {
		error = load(mount, node);
	}
	if (error)
		return error;
	/* Who can read what he writes to has read it; who cannot, writes what he read before (vim). */
	if (!(flags & O_TRUNC) && ((flags & O_ACCMODE) == O_RDWR || (flags & O_APPEND)))
		zn_note_reader(mount, node, who->thread);
	struct zn_basis basis = zn_basis_for(mount, info.id, who->thread);

	pthread_mutex_lock(&mount->lock);
	body->loaded = true;
	if (flags & O_TRUNC) {
		body->size = 0;
		body->mtime = zn_draft_time(zn_clock_now());
	} else if (!basis.known) {
		basis = zn_basis_of(&body->from);
	}
	body->edit.basis = basis;
	zn_edit_open(&body->edit, flags & O_APPEND, flags & O_TRUNC, body->size, true);
	pthread_mutex_unlock(&mount->lock);
	return 0;
}

/* Another handle of a draft. */
static int join_draft(struct zn_mount *mount, struct zn_node *node, int flags)
{
	struct zn_body *body = node->body;
	struct zn_err err;
	enum zn_code code = ZN_OK;

	if (flags & O_TRUNC) {
		pthread_mutex_lock(&body->lock);
		code = zn_content_own(&body->content, &err);
		if (code == ZN_OK)
			code = zn_content_truncate(body->content, 0, &err);
		pthread_mutex_unlock(&body->lock);
	}
	pthread_mutex_lock(&mount->lock);
	if (code == ZN_OK) {
		zn_edit_open(&body->edit, flags & O_APPEND, flags & O_TRUNC, body->size, false);
		if (flags & O_TRUNC)
			body->size = 0;
	}
	pthread_mutex_unlock(&mount->lock);
	return zn_errno(code, &err, ZN_OP_WRITE);
}

/* What the node shows: its body when it has one, else the zone of the version. */
static int zone_of_node(struct zn_mount *mount, uint64_t id, struct zn_zone_info *ret_info, bool *ret_stored)
{
	pthread_mutex_lock(&mount->lock);
	const struct zn_node *node = zn_nodes_get(&mount->nodes, id);
	const struct zn_body *body = node ? node->body : NULL;
	const struct zn_file *file = NULL;

	if (body)
		*ret_info = body->info;
	else if (ZN_NODE_IS_VERSION(id))
		file = zn_tree_find_id(&mount->tree, zn_node_zone(id));
	bool made = file && file->made;

	if (made)
		*ret_info = (struct zn_zone_info){.id = file->id, .zone = file->zone, .kind = ZN_KIND_NATIVE};
	pthread_mutex_unlock(&mount->lock);
	*ret_stored = !made;
	if (body || made)
		return 0;
	if (!ZN_NODE_IS_VERSION(id))
		return ESTALE;
	return zn_mount_zone_by_id(mount, zn_node_zone(id), ret_info) == ZN_OK ? 0 : ESTALE;
}

/* OPEN (or truncate by path) of a zone's node: 0 with a node that has a handle more, or an errno. */
int zn_draft_open(struct zn_mount *mount, uint64_t id, int flags, const struct zn_who *who, struct zn_node **ret_node,
	enum zn_open_verdict *ret_verdict)
{
	bool writing = (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC), stored;
	int mask = ((flags & O_ACCMODE) != O_WRONLY ? R_OK : 0) | (writing ? W_OK : 0);
	struct zn_zone_info info;
	struct zn_body *spare = zn_body_new();
	int error = spare ? zone_of_node(mount, id, &info, &stored) : ENOMEM;

	if (!error)
		error = zn_zone_may(mount, &info, who, mask);
	if (error) {
		free(spare);
		return error;
	}
	pthread_mutex_lock(&mount->lock);
	struct zn_file *file = zn_tree_hold(&mount->tree, &info.zone, info.id, stored);
	enum zn_open_verdict verdict = ZN_OPEN_ENOMEM;

	if (file)
		verdict = zn_nodes_open(&mount->nodes, id, file, writing, who->thread, zn_clock_mono(), ret_node);
	bool opened = verdict != ZN_OPEN_STALE && verdict != ZN_OPEN_ENOMEM;

	if (opened && !(*ret_node)->body) {
		(*ret_node)->body = spare;
		spare->info = info;
		spare = NULL;
	}
	zn_tree_drop(&mount->tree, file);
	pthread_mutex_unlock(&mount->lock);
	free(spare);
	*ret_verdict = verdict;
	return verdict == ZN_OPEN_STALE ? ESTALE : verdict == ZN_OPEN_ENOMEM ? ENOMEM : 0;
}

static void open_zone_file(fuse_req_t req, uint64_t id, struct fuse_file_info *fi)
{
	struct zn_mount *mount = zn_mount_of(req);
	struct zn_who who = zn_who(req);
	enum zn_open_verdict verdict;
	struct zn_node *node;
	int error = zn_draft_open(mount, id, fi->flags, &who, &node, &verdict);

	if (error) {
		fuse_reply_err(req, error);
		return;
	}
	struct zn_handle *handle = zn_handle_opened(mount, node, &who, fi->flags);

	switch (verdict) {
	case ZN_OPEN_VERSION:
		fi->keep_cache = 1;
		error = load(mount, node);
		if (!error && superseded_unseen(mount, node, &((struct zn_body *)node->body)->info))
			error = ESTALE;
		if (!error)
			zn_note_reader(mount, node, who.thread);
		break;
	case ZN_OPEN_FRESH:
		error = load(mount, node);
		if (!error)
			zn_note_reader(mount, node, who.thread);
		break;
	case ZN_OPEN_STOLEN:
		zn_notify_changed(mount->notify, &node->zone, 1);
		error = zn_draft_begin(mount, node, fi->flags, &who);
		break;
	case ZN_OPEN_PRIVATE:
		error = zn_draft_begin(mount, node, fi->flags, &who);
		break;
	case ZN_OPEN_AGAIN:
		error = join_draft(mount, node, fi->flags);
		break;
	case ZN_OPEN_STALE:
	case ZN_OPEN_ENOMEM:
		break;
	}
	if (!handle)
		error = ENOMEM;
	if (!error) {
		reply_open(req, fi, handle);
		return;
	}
	if (handle)
		zn_handle_free(mount, handle);
	pthread_mutex_lock(&mount->lock);
	if (error == ESTALE) {
		const struct zn_body *body = node->body;
		struct zn_file *file = zn_tree_hold(&mount->tree, &body->info.zone, node->zone, true);

		zn_nodes_superseded(file, id, who.thread, zn_clock_mono());
		zn_tree_drop(&mount->tree, file);
	}
	struct zn_node *spent = zn_node_close(mount, node, (fi->flags & O_ACCMODE) != O_RDONLY || (fi->flags & O_TRUNC));

	pthread_mutex_unlock(&mount->lock);
	if (spent)
		zn_body_free(mount, spent);
	fuse_reply_err(req, error);
}

/* Scratch */

/* The body's content is the open file. */
static int open_scratch_content(struct zn_mount *mount, struct zn_node *node, uint32_t number, bool make, int flags)
{
	struct zn_body *body = node->body;
	struct zn_err err = {0};
	enum zn_code code = ZN_OK;

	pthread_mutex_lock(&body->lock);
	if (!body->content)
		code = zn_scratch_content(&mount->scratches, number, make, &body->content, &err);
	if (code == ZN_OK && (flags & O_TRUNC))
		code = zn_content_truncate(body->content, 0, &err);
	pthread_mutex_unlock(&body->lock);
	if (code == ZN_OK && (flags & O_TRUNC)) {
		pthread_mutex_lock(&mount->lock);
		if (zn_scratch_resize(&mount->scratches, body->scratch, 0) == ZN_OK)
			body->scratch->mtime_given = false;
		pthread_mutex_unlock(&mount->lock);
	}
	return zn_errno(code, &err, ZN_OP_OTHER);
}

int zn_scratch_open(struct zn_mount *mount, struct zn_node *node, int flags, const struct zn_who *who)
{
	struct zn_body *body = node->body;
	bool writing = (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC);
	struct stat attr;

	pthread_mutex_lock(&mount->lock);
	zn_scratch_attr(mount, body->scratch, &attr);
	body->scratch->used = zn_clock_now();
	uint32_t number = body->scratch->number;

	node->handles++;
	node->writers += writing;
	pthread_mutex_unlock(&mount->lock);
	int error = !S_ISREG(attr.st_mode) ? ELOOP : writing && mount->options.read_only ? EROFS : 0;

	if (!error)
		error = zn_who_may(who, attr.st_mode, attr.st_uid, attr.st_gid,
			((flags & O_ACCMODE) != O_WRONLY ? R_OK : 0) | (writing ? W_OK : 0));
	if (!error)
		error = open_scratch_content(mount, node, number, false, flags);
	if (error) {
		pthread_mutex_lock(&mount->lock);
		struct zn_node *spent = zn_node_close(mount, node, writing);

		pthread_mutex_unlock(&mount->lock);
		if (spent)
			zn_body_free(mount, spent);
	}
	return error;
}

void zn_op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct zn_mount *mount = zn_mount_of(req);
	struct zn_who who = zn_who(req);

	pthread_mutex_lock(&mount->lock);
	struct zn_node *node = zn_nodes_get(&mount->nodes, ino);
	bool scratch = node && node->kind == ZN_NODE_SCRATCH, control = node && node->kind == ZN_NODE_CONTROL;

	pthread_mutex_unlock(&mount->lock);
	if (control) {
		zn_control_open(req, node, fi);
		return;
	}
	if (!scratch) {
		open_zone_file(req, ino, fi);
		return;
	}
	int error = zn_scratch_open(mount, node, fi->flags, &who);
	struct zn_handle *handle = error ? NULL : zn_handle_opened(mount, node, &who, fi->flags);

	if (error || !handle)
		fuse_reply_err(req, error ? error : ENOMEM);
	else
		reply_open(req, fi, handle);
}

/* Making names */

static int make_scratch(struct zn_mount *mount, uint32_t directory, const char *name, mode_t mode, int flags, const struct zn_who *who,
	struct zn_handle **ret_handle, struct fuse_entry_param *ret_entry)
{
	enum zn_code code = ZN_OK;
	int error = 0;

	pthread_mutex_lock(&mount->lock);
	struct zn_scratch *scratch = zn_scratch_find(&mount->scratches, directory, name);
	bool make = !scratch;

	if (scratch && (flags & O_EXCL))
		error = EEXIST;
	else if (scratch && scratch->type != ZN_SCRATCH_FILE)
		error = scratch->type == ZN_SCRATCH_DIR ? EISDIR : ELOOP;
	if (make)
		code = zn_scratch_add(&mount->scratches, ZN_SCRATCH_FILE, directory, name, NULL, mode & 07777, who->uid, who->gid, &scratch);
	if (!error && (code != ZN_OK || !zn_scratch_entry(mount, scratch, ret_entry)))
		error = ENOMEM;
	uint32_t number = scratch ? scratch->number : 0;
	struct zn_node *node = error ? NULL : scratch->node;

	if (node && make) {
		node->handles++;
		node->writers++;
	}
	pthread_mutex_unlock(&mount->lock);
	if (error)
		return error;
	/* Whoever makes a file may write it, whatever its mode. */
	error = make ? open_scratch_content(mount, node, number, true, 0) : zn_scratch_open(mount, node, flags, who);
	if (!error && make)
		zn_scratch_persist(&mount->scratches, number);
	struct zn_handle *handle = error ? NULL : zn_handle_opened(mount, node, who, make ? flags | O_WRONLY : flags);

	if (handle && ret_handle) {
		*ret_handle = handle;
		return 0;
	}
	if (handle)
		zn_handle_end(mount, handle, who);
	return error ? error : ret_handle ? ENOMEM : 0;
}

static int make_zone(struct zn_mount *mount, const struct zn_zone_id *zone, int flags, const struct zn_who *who, struct zn_handle **ret_handle,
	struct fuse_entry_param *ret_entry)
{
	struct zn_zone_info info;
	enum zn_code code = zn_mount_zone(mount, zone, &info);
	bool stored = code == ZN_OK, shown;
	struct zn_node *node = NULL;
	int error = 0;

	if (code == ZN_ENOTFOUND)
		code = zn_zone_reserve(mount, zone, &info);
	if (code != ZN_OK)
		return zn_errno(code, NULL, ZN_OP_OTHER);
	if (stored)
		error = zn_zone_may(mount, &info, who, W_OK);
	if (error)
		return error;
	struct zn_body *body = zn_body_new();

	if (!body)
		return ENOMEM;
	body->info = info;
	body->mtime = zn_draft_time(zn_clock_now());
	pthread_mutex_lock(&mount->lock);
	struct zn_file *file = zn_tree_hold(&mount->tree, zone, info.id, stored);

	shown = file && zn_file_visible(file, stored);
	if (!file) {
		error = ENOMEM;
	} else if (shown && (flags & O_EXCL)) {
		error = EEXIST;
	} else {
		node = zn_nodes_add_private(&mount->nodes, file);
		error = node ? 0 : ENOMEM;
	}
	if (node) {
		node->body = body;
		node->lookups = 1;
		if (stored && file->vacated) {
			node->creation = true;
			zn_file_creation_begin(file);
		}
		if (!stored)
			file->made = true;
		/* Another may have made the name meanwhile: then this is opening what is there. */
		shown = shown && stored;
	}
	zn_tree_drop(&mount->tree, file);
	pthread_mutex_unlock(&mount->lock);
	if (!node) {
		free(body);
		return error;
	}
	error = zn_draft_begin(mount, node, shown ? flags : flags | O_TRUNC, who);
	if (!error && !shown) {
		/* Making a name is no change of a text yet. */
		pthread_mutex_lock(&mount->lock);
		body->edit.changes = 0;
		body->edit.emptied = false;
		body->edit.checked = flags & O_APPEND;
		pthread_mutex_unlock(&mount->lock);
	}
	*ret_entry = (struct fuse_entry_param){.ino = node->id, .generation = 1};
	pthread_mutex_lock(&mount->lock);
	struct zn_body copy = {.info = body->info, .size = body->size, .mtime = body->mtime};
	struct zn_node shown_node = *node;

	pthread_mutex_unlock(&mount->lock);
	shown_node.body = &copy;
	zn_draft_attr(mount, &shown_node, &ret_entry->attr);
	struct zn_handle *handle = error ? NULL : zn_handle_opened(mount, node, who, flags | O_WRONLY);

	if (handle && ret_handle) {
		*ret_handle = handle;
		return 0;
	}
	if (handle) {
		zn_handle_end(mount, handle, who);
	} else {
		pthread_mutex_lock(&mount->lock);
		struct zn_node *spent = zn_node_close(mount, node, true);

		pthread_mutex_unlock(&mount->lock);
		if (spent)
			zn_body_free(mount, spent);
		zn_node_forget(mount, ret_entry->ino, 1);
	}
	return error ? error : ret_handle ? ENOMEM : 0;
}

int zn_make_name(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, int flags, struct zn_handle **ret_handle,
	struct fuse_entry_param *ret_entry)
{
	struct zn_mount *mount = zn_mount_of(req);
	struct zn_who who = zn_who(req);
	struct zn_place place = zn_place(mount, parent);
	struct zn_zone_id zone;
	bool canonical;

	if (place.kind == ZN_PLACE_NOT_A_DIRECTORY)
		return ENOTDIR;
	if (mount->options.read_only)
		return EROFS;
	if (place.kind == ZN_PLACE_CONTROL)
		return zn_control_create(req, place.path, name, ret_handle, ret_entry);
	int error = zn_directory_may(mount, &who, parent, W_OK | X_OK);

	if (error)
		return error;
	if (strlen(name) > ZN_FILENAME_MAX)
		return ENAMETOOLONG;
	if (place.kind == ZN_PLACE_SCRATCH)
		return make_scratch(mount, place.scratch, name, mode, flags, &who, ret_handle, ret_entry);
	switch (zn_name_kind(name, &zone, &canonical)) {
	case ZN_NAME_ZONE:
		return make_zone(mount, &zone, flags, &who, ret_handle, ret_entry);
	case ZN_NAME_CONTROL:
		return EEXIST;
	case ZN_NAME_SCRATCH:
		break;
	}
	return make_scratch(mount, 0, name, mode, flags, &who, ret_handle, ret_entry);
}

void zn_op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	struct zn_mount *mount = zn_mount_of(req);
	struct zn_who who = zn_who(req);
	struct fuse_entry_param entry;
	struct zn_handle *handle = NULL;
	int error = zn_make_name(req, parent, name, mode, fi->flags, &handle, &entry);

	if (error) {
		fuse_reply_err(req, error);
		return;
	}
	uint64_t node = entry.ino;

	fi->fh = (uint64_t)(uintptr_t)handle;
	fi->direct_io = handle->node->kind == ZN_NODE_CONTROL;
	if (fuse_reply_create(req, &entry, fi) != 0) {
		zn_handle_end(mount, handle, &who);
		zn_node_forget(mount, node, 1);
	}
}
