/* What goes with saves and is none: texts judged ahead or kept because their writer was interrupted, times, and who read what. */
#include "fs/mount/ops.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

/* Judged ahead: of use to the rename that follows, and to nobody else. */
struct ahead {
	struct zn_save save;
	struct zn_errand errand;
	struct zn_mount *mount;
	struct zn_content *content;
	struct zn_loan loan;
};

static void ahead_end(struct ahead *ahead)
{
	struct zn_mount *mount = ahead->mount;

	zn_loan_end(&ahead->loan);
	zn_content_unref(ahead->content);
	free(ahead);
	pthread_mutex_lock(&mount->lock);
	mount->judging--;
	pthread_cond_broadcast(&mount->idle);
	pthread_mutex_unlock(&mount->lock);
}

static void ahead_done(struct zn_save *save, const struct zn_save_result *result)
{
	(void)result;
	ahead_end((struct ahead *)save);
}

static void run_ahead(struct zn_errand *errand)
{
	struct ahead *ahead = (struct ahead *)(void *)((char *)errand - offsetof(struct ahead, errand));

	if (ahead->mount->ending || zn_content_lend(ahead->content, &ahead->loan, NULL) != ZN_OK) {
		ahead_end(ahead);
		return;
	}
	ahead->save.text = ahead->loan.view;
	zn_saver_submit(ahead->mount->parts.saver, &ahead->save);
}

void zn_judge_ahead(struct zn_mount *mount, struct zn_node *node, const struct zn_who *who)
{
	struct zn_body *body = node->body;
	struct ahead *ahead = calloc(1, sizeof *ahead);

	if (!ahead)
		return;
	pthread_mutex_lock(&body->lock);
	pthread_mutex_lock(&mount->lock);
	bool tells = body->written && body->scratch && body->scratch->named && body->content &&
		     zn_name_foretells(body->scratch->name, &ahead->save.zone);

	body->written = false;
	if (tells) {
		ahead->content = zn_content_share(body->content);
		mount->judging++;
	}
	pthread_mutex_unlock(&mount->lock);
	pthread_mutex_unlock(&body->lock);
	if (!tells) {
		free(ahead);
		return;
	}
	ahead->mount = mount;
	ahead->save.way = ZN_SAVE_RENAME;
	ahead->save.validate_only = ahead->save.ahead = true;
	ahead->save.actor = (struct zn_actor){.uid = who->uid, .gid = who->gid, .pid = who->thread};
	ahead->save.done = ahead_done;
	ahead->errand.run = run_ahead;
	zn_errands_add(mount->errands, &ahead->errand);
}

void zn_keep_interrupted(struct zn_mount *mount, struct zn_node *node, const struct zn_who *who, const char *reason)
{
	struct zn_body *body = node->body;
	struct zn_actor actor = zn_who_actor(who);
	struct zn_content *content = NULL;
	struct zn_loan loan;

	pthread_mutex_lock(&body->lock);
	if (body->content)
		content = zn_content_share(body->content);
	pthread_mutex_unlock(&body->lock);
	if (content && zn_content_lend(content, &loan, NULL) == ZN_OK) {
		zn_saver_keep_refused(mount->parts.saver, &body->info.zone, loan.view, &actor, reason);
		zn_loan_end(&loan);
	}
	zn_content_unref(content);
	pthread_mutex_lock(&mount->lock);
	bool returned = zn_file_return(&mount->tree, node->file);

	if (!node->file->stored)
		node->file->made = false;
	node->creation = false;
	pthread_mutex_unlock(&mount->lock);
	if (returned)
		zn_saver_returned(mount->parts.saver, &body->info.zone);
}

/* Who opened a file, as far as it can still be found out. */
static struct zn_who opener_of(const struct zn_handle *handle)
{
	struct zn_who who = {.thread = handle->opener};
	char path[64];
	struct stat st;

	snprintf(path, sizeof path, "/proc/%d", (int)handle->opener);
	if (handle->opener > 0 && stat(path, &st) == 0) {
		who.uid = st.st_uid;
		who.gid = st.st_gid;
	}
	return who;
}

void zn_drafts_end(struct zn_mount *mount)
{
	for (struct zn_handle *handle = mount->handles; handle; handle = handle->next) {
		struct zn_body *body = handle->node ? handle->node->body : NULL;

		if (!handle->writing || !body || handle->node->kind != ZN_NODE_PRIVATE || !zn_edit_dirty(&body->edit) || body->size == 0)
			continue;
		struct zn_who who = opener_of(handle);

		body->edit.answered = body->edit.changes; /* once, however many handles it has */
		zn_keep_interrupted(mount, handle->node, &who, "interrupted: the mount ended while it was still open");
	}
}

/* mtime given by utimens */

struct mtime_save {
	struct zn_word word;
	struct zn_mount *mount;
	fuse_req_t req;
	struct stat attr;
	int error;
};

static void finish_mtime(struct zn_word *word)
{
	struct mtime_save *m = (struct mtime_save *)word;

	if (m->error)
		fuse_reply_err(m->req, m->error);
	else
		fuse_reply_attr(m->req, &m->attr, 0);
	free(m);
}

static void mtime_done(void *context, enum zn_code code, const struct zn_err *err)
{
	struct mtime_save *m = context;

	m->error = zn_errno(code, err, ZN_OP_OTHER);
	if (code != ZN_OK)
		m->word.entry[0] = '\0';
	zn_notify_word(m->mount->notify, &m->word);
}

void zn_save_mtime(struct zn_mount *mount, fuse_req_t req, const struct zn_zone_info *info, struct zn_stamp mtime, const struct stat *attr)
{
	struct mtime_save *m = calloc(1, sizeof *m);

	if (!m) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	*m = (struct mtime_save){.mount = mount, .req = req, .attr = *attr, .word.then = finish_mtime};
	m->attr.st_mtim = m->attr.st_ctim = zn_stamp_timespec(mtime);
	if (zn_zone_to_filename(&info->zone.name, info->zone.variant, m->word.entry) != ZN_OK)
		m->word.entry[0] = '\0';
	zn_saver_set_mtime(mount->parts.saver, &info->zone, mtime, mtime_done, m);
}

/* Who last read or wrote */

struct his {
	int32_t thread, process;
	uint64_t began;
};

static bool is_his(void *context, const struct zn_reader_note *note)
{
	const struct his *his = context;

	return note->boot_ns >= his->began && (note->thread == his->thread || note->thread == his->process ||
							zn_process_has_thread(his->process, note->thread));
}

struct zn_basis zn_basis_for(struct zn_mount *mount, uint32_t zone, int32_t thread)
{
	struct his his = {.thread = thread, .process = zn_process_of(thread)};
	ZN_AUTO_FREE struct zn_readers *copy = malloc(sizeof *copy);

	his.began = zn_process_began(his.process);
	if (!copy || his.began == UINT64_MAX)
		return (struct zn_basis){0};
	pthread_mutex_lock(&mount->lock);
	*copy = mount->readers;
	pthread_mutex_unlock(&mount->lock);
	return zn_readers_find(copy, zone, is_his, &his);
}
