#include "fs/mount/ops.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>

/* A lock that waits, or was granted and is on its way to whoever asked. */
struct waiting {
	struct zn_lock_wait wait;
	struct zn_errand errand;
	struct zn_word word;
	struct zn_mount *mount;
	fuse_req_t req;
	struct zn_node *node;	/* held; NULL: a directory */
	int32_t thread;
	int error;
	bool interrupted;	/* before it was parked; guarded by mount->lock */
};

static uint64_t lock_inode(const struct zn_node *node)
{
	const struct zn_body *body = node ? node->body : NULL;

	if (!node)
		return ZN_NODE_ROOT;
	switch (node->kind) {
	case ZN_NODE_VERSION:
	case ZN_NODE_FRESH:
	case ZN_NODE_PRIVATE:
		break;
	case ZN_NODE_SCRATCH:
		return zn_inode_scratch(body->scratch->number);
	case ZN_NODE_CONTROL:
		return zn_inode_control(body->number);
	}
	return zn_inode_zone(node->zone);
}

static void answer(struct zn_word *word)
{
	struct waiting *w = (struct waiting *)(void *)((char *)word - offsetof(struct waiting, word));

	fuse_req_interrupt_func(w->req, NULL, NULL);
	fuse_reply_err(w->req, w->error);
	if (w->node)
		zn_node_drop(w->mount, w->node);
	free(w);
}

/* Whoever has the lock sees what was saved before it: a draft that nothing was written to begins again with the text as it is now. */
static void rebase(struct waiting *w)
{
	struct zn_mount *mount = w->mount;
	struct zn_node *node = w->node;
	struct zn_body *body = node->body;
	struct zn_content *text = NULL;
	struct zn_loaded loaded;

	pthread_mutex_lock(&mount->lock);
	bool clean = node->kind == ZN_NODE_PRIVATE && body->edit.changes == 0 && body->loaded && body->info.id;
	struct zn_zone_info info = body->info;

	pthread_mutex_unlock(&mount->lock);
	if (!clean || zn_zone_text(mount, &info, ZN_CONTENT_DRAFT, &text, &loaded, NULL) != ZN_OK)
		return;
	pthread_mutex_lock(&body->lock);
	pthread_mutex_lock(&mount->lock);
	if (body->edit.changes == 0 && body->content) {
		struct zn_content *old = body->content;

		body->content = text;
		text = old;
		body->from = loaded;
		body->size = zn_content_size(body->content);
		body->mtime = loaded.stat.mtime;
		body->edit.basis = zn_basis_of(&loaded);
		body->edit.grown_from = body->edit.checked_to = (size_t)body->size;
		w->word.node = node->id;
	}
	pthread_mutex_unlock(&mount->lock);
	pthread_mutex_unlock(&body->lock);
	zn_content_unref(text);
	if (w->word.node)
		zn_note_reader(mount, node, w->thread);
}

static void run_granted(struct zn_errand *errand)
{
	struct waiting *w = (struct waiting *)(void *)((char *)errand - offsetof(struct waiting, errand));

	if (!w->error && w->node && w->wait.want.type != ZN_LOCK_NONE)
		rebase(w);
	w->word.then = answer;
	if (w->word.node)
		zn_notify_word(w->mount->notify, &w->word);
	else
		answer(&w->word);
}

/* With mount->lock, after something was given back. */
static void grant(struct zn_mount *mount)
{
	struct zn_lock_wait *wait;

	while ((wait = zn_lock_grant(&mount->locks))) {
		struct waiting *w = (struct waiting *)wait;

		w->errand.run = run_granted;
		zn_errands_add(mount->errands, &w->errand);
	}
}

static void on_interrupt(fuse_req_t req, void *data)
{
	struct waiting *w = data;

	(void)req;
	pthread_mutex_lock(&w->mount->lock);
	bool ours = zn_lock_unpark(&w->mount->locks, &w->wait);

	w->interrupted = true;
	pthread_mutex_unlock(&w->mount->lock);
	if (!ours)
		return;
	w->error = EINTR;
	w->errand.run = run_granted;
	zn_errands_add(w->mount->errands, &w->errand);
}

static void take(fuse_req_t req, struct zn_node *node, const struct zn_lock *want, bool wait)
{
	struct zn_mount *mount = zn_mount_of(req);
	struct waiting *w = calloc(1, sizeof *w);

	if (!w) {
		fuse_reply_err(req, ENOLCK);
		return;
	}
	w->mount = mount;
	w->req = req;
	w->node = node;
	w->thread = zn_who(req).thread;
	w->wait.want = *want;
	w->errand.run = run_granted;
	if (wait)
		fuse_req_interrupt_func(req, on_interrupt, w);
	pthread_mutex_lock(&mount->lock);
	if (node)
		node->held++;
	w->wait.inode = lock_inode(node);
	enum zn_code code = zn_lock_set(&mount->locks, w->wait.inode, want);
	bool parked = code == ZN_EBUSY && wait && !mount->ending && !w->interrupted;
	int busy = w->interrupted ? EINTR : EAGAIN;

	if (parked && zn_lock_park(&mount->locks, &w->wait) != ZN_OK) {
		parked = false;
		code = ZN_EINVAL;
	}
	if (code == ZN_OK)
		grant(mount); /* less may be locked than before */
	bool draft = node && node->kind == ZN_NODE_PRIVATE && code == ZN_OK && want->type != ZN_LOCK_NONE;

	pthread_mutex_unlock(&mount->lock);
	if (parked)
		return;
	w->error = code == ZN_OK ? 0 : code == ZN_EBUSY ? busy : code == ZN_EINVAL ? EDEADLK : ENOLCK;
	if (draft)
		zn_errands_add(mount->errands, &w->errand);
	else
		answer(&w->word);
}

static struct zn_lock posix_lock(const struct flock *lock, uint64_t owner)
{
	return (struct zn_lock){
		.kind = ZN_LOCK_POSIX,
		.type = lock->l_type == F_WRLCK ? ZN_LOCK_EXCLUSIVE : lock->l_type == F_RDLCK ? ZN_LOCK_SHARED : ZN_LOCK_NONE,
		.owner = owner,
		.pid = lock->l_pid,
		.start = (uint64_t)lock->l_start,
		.end = lock->l_len ? (uint64_t)lock->l_start + (uint64_t)lock->l_len - 1 : UINT64_MAX,
	};
}

void zn_op_getlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *lock)
{
	struct zn_mount *mount = zn_mount_of(req);
	struct zn_lock want = posix_lock(lock, fi->lock_owner);
	struct flock found = {.l_type = F_UNLCK, .l_whence = SEEK_SET};

	(void)ino;
	pthread_mutex_lock(&mount->lock);
	const struct zn_lock *held = zn_lock_test(&mount->locks, lock_inode(zn_handle_of(fi)->node), &want);

	if (held)
		found = (struct flock){
			.l_type = held->type == ZN_LOCK_EXCLUSIVE ? F_WRLCK : F_RDLCK,
			.l_whence = SEEK_SET,
			.l_start = (off_t)held->start,
			.l_len = held->end >= INT64_MAX ? 0 : (off_t)(held->end - held->start + 1),
			.l_pid = held->pid,
		};
	pthread_mutex_unlock(&mount->lock);
	fuse_reply_lock(req, &found);
}

void zn_op_setlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *lock, int sleep)
{
	struct zn_lock want = posix_lock(lock, fi->lock_owner);

	(void)ino;
	take(req, zn_handle_of(fi)->node, &want, sleep);
}

void zn_op_flock(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, int op)
{
	struct zn_lock want = {
		.kind = ZN_LOCK_FLOCK,
		.type = op & LOCK_EX ? ZN_LOCK_EXCLUSIVE : op & LOCK_SH ? ZN_LOCK_SHARED : ZN_LOCK_NONE,
		.owner = fi->lock_owner,
		.end = UINT64_MAX,
	};

	(void)ino;
	take(req, zn_handle_of(fi)->node, &want, !(op & LOCK_NB));
}

void zn_unlock(struct zn_mount *mount, const struct zn_node *node, enum zn_lock_kind kind, uint64_t owner)
{
	struct zn_lock none = {.kind = kind, .owner = owner, .end = UINT64_MAX};

	pthread_mutex_lock(&mount->lock);
	uint64_t inode = lock_inode(node);

	if (zn_table_get(&mount->locks.inodes, inode) && zn_lock_set(&mount->locks, inode, &none) == ZN_OK)
		grant(mount);
	pthread_mutex_unlock(&mount->lock);
}

void zn_locks_end(struct zn_mount *mount)
{
	pthread_mutex_lock(&mount->lock);
	while (mount->locks.first) {
		struct waiting *w = (struct waiting *)mount->locks.first;

		zn_lock_unpark(&mount->locks, &w->wait);
		w->error = EINTR;
		w->errand.run = run_granted;
		zn_errands_add(mount->errands, &w->errand);
	}
	pthread_mutex_unlock(&mount->lock);
}
