#include "fs/mount/ops.h"

#include <errno.h>
#include <stdio.h>

#define APPEND_TRIES 16	/* an append that lost a race against somebody else's commit begins again with his text */

/* A save on its way. Its thread changes: worker, validation pool, commit thread, notifier; the state says whose it is. */
struct zn_saving {
	struct zn_save save;
	struct zn_word word;
	struct zn_errand errand;
	struct zn_saving *next_turn, *next, *previous;	/* guarded by mount->lock */
	struct zn_mount *mount;
	fuse_req_t req;
	enum zn_saving_reply reply;
	struct zn_who who;
	struct zn_node *node;		/* NULL: a scratch file; else held */
	struct zn_file *file;		/* held */
	struct zn_zone_info info;
	uint32_t scratch;		/* 0: a draft */
	struct zn_content *draft, *content;	/* what was written; what is saved */
	struct zn_loan loan;
	uint64_t changes, asked;
	size_t size, grown_from;
	bool appending, has_turn, interrupted, unlock;
	bool watched, ended;	/* zn_saves_end() waits for its end, and frees it then */
	uint64_t lock_owner;
	unsigned tries;
	enum { PREPARING, WAITING, SUBMITTED, ANSWERED } state;
	int error;
	struct zn_save_result result;
};

static struct zn_saving *saving_of_word(struct zn_word *word)
{
	return (struct zn_saving *)(void *)((char *)word - offsetof(struct zn_saving, word));
}

static struct zn_saving *saving_of_errand(struct zn_errand *errand)
{
	return (struct zn_saving *)(void *)((char *)errand - offsetof(struct zn_saving, errand));
}

/* The end */

static void reply(struct zn_saving *saving)
{
	struct stat attr;

	if (!saving->req)
		return;
	/* From here on no interrupt comes any more, nor runs. */
	fuse_req_interrupt_func(saving->req, NULL, NULL);
	if (saving->error || saving->reply != ZN_SAVING_ATTR) {
		fuse_reply_err(saving->req, saving->error);
		return;
	}
	zn_zone_attr(saving->mount, &saving->result.zone, saving->result.loaded.stat.size, saving->result.loaded.stat.mtime, &attr);
	fuse_reply_attr(saving->req, &attr, 0);
}

static void finish(struct zn_word *word)
{
	struct zn_saving *saving = saving_of_word(word);
	struct zn_mount *mount = saving->mount;

	if (saving->unlock)
		zn_unlock(mount, saving->node, ZN_LOCK_POSIX, saving->lock_owner);
	reply(saving);
	zn_loan_end(&saving->loan);
	zn_content_unref(saving->content);
	zn_content_unref(saving->draft);
	if (saving->node)
		zn_node_drop(mount, saving->node);
	pthread_mutex_lock(&mount->lock);
	zn_tree_drop(&mount->tree, saving->file);
	*(saving->previous ? &saving->previous->next : &mount->savings) = saving->next;
	if (saving->next)
		saving->next->previous = saving->previous;
	mount->saves_waiting--;
	saving->ended = true;
	bool watched = saving->watched;

	pthread_cond_broadcast(&mount->idle);
	pthread_mutex_unlock(&mount->lock);
	if (!watched)
		free(saving);
}

static void run_submit(struct zn_errand *errand);

/* With mount->lock: whoever waits for this file's turn has it. If this one had to go for the writer lock's sake he has waited for the same lock as long. */
static void pass_turn(struct zn_saving *saving)
{
	struct zn_file *file = saving->file;
	struct zn_saving *next = file->turns;

	if (!saving->has_turn)
		return;
	saving->has_turn = false;
	file->saving = next != NULL;
	if (!next)
		return;
	file->turns = next->next_turn;
	next->has_turn = true;
	next->save.asked = saving->result.code == ZN_EBUSY ? next->asked : 0;
	next->state = PREPARING;
	next->errand.run = run_submit;
	zn_errands_add(saving->mount->errands, &next->errand);
}

/* With mount->lock: the zone is as the result says. Returns whether its name had been vacated. */
static bool take_success(struct zn_saving *saving)
{
	struct zn_mount *mount = saving->mount;
	const struct zn_save_result *result = &saving->result;
	struct zn_file *file = saving->file;
	uint32_t zone = result->zone.id;
	struct zn_basis basis = zn_basis_of(&result->loaded);

	zn_tree_stored(&mount->tree, file, true, zone);
	bool returned = zn_file_return(&mount->tree, file);

	if (saving->node) {
		struct zn_body *body = saving->node->body;

		saving->node->creation = false;
		body->info = result->zone;
		zn_edit_answered(&body->edit, saving->changes, saving->save.way, 0);
		zn_edit_saved(&body->edit, saving->size, &result->loaded);
		if (!zn_edit_dirty(&body->edit))
			body->mtime = zn_draft_time(result->loaded.stat.mtime);
	}
	/* Its new version began when the commit thread told everybody. */
	if (saving->who.thread)
		zn_readers_note(&mount->readers, zone, saving->who.thread, zn_boot_time(), &basis);
	if (saving->scratch) {
		struct zn_scratch *scratch = zn_scratch_get(&mount->scratches, saving->scratch);

		if (scratch && scratch->named)
			zn_scratch_unlink(&mount->scratches, scratch);
	}
	return returned;
}

/* With mount->lock: nothing has changed but what the writer is told. The committed zone is there again (rule 12). */
static bool take_failure(struct zn_saving *saving)
{
	struct zn_file *file = saving->file;

	if (saving->node) {
		struct zn_body *body = saving->node->body;

		zn_edit_answered(&body->edit, saving->changes, saving->save.way, saving->error);
		saving->node->creation = false;
	}
	if (!file->stored)
		file->made = false;
	return zn_file_return(&saving->mount->tree, file);
}

static enum zn_operation operation_of(enum zn_save_way way)
{
	switch (way) {
	case ZN_SAVE_FSYNC:
		return ZN_OP_FSYNC;
	case ZN_SAVE_RENAME:
		return ZN_OP_RENAME;
	case ZN_SAVE_CLOSE:
	case ZN_SAVE_RELEASE:
	case ZN_SAVE_COMMAND:
		break;
	}
	return ZN_OP_WRITE;
}

static void run_erase_scratch(struct zn_errand *errand)
{
	struct zn_saving *saving = saving_of_errand(errand);

	zn_scratch_persist(&saving->mount->scratches, saving->scratch);
	finish(&saving->word);
}

/* The result is known: whoever calls must not be made to wait (the commit thread). */
static void complete(struct zn_saving *saving)
{
	struct zn_mount *mount = saving->mount;
	const struct zn_save_result *result = &saving->result;
	char *name = saving->word.entry;
	bool returned = false, success = result->code == ZN_OK;

	saving->error = zn_errno(result->code, &result->err, operation_of(saving->save.way));
	if (zn_zone_to_filename(&saving->info.zone.name, saving->info.zone.variant, name) != ZN_OK)
		name[0] = '\0';
	/* The saver has said what is wrong with the text; that nobody could hear it is ours to say. */
	if (!success && saving->save.way == ZN_SAVE_RELEASE)
		zn_warning("%s: its writer was not told that it was not saved", name);
	pthread_mutex_lock(&mount->lock);
	saving->state = ANSWERED;
	if (result->code == ZN_ECONFLICT && saving->appending && ++saving->tries < APPEND_TRIES) {
		saving->state = PREPARING;
		saving->errand.run = run_submit;
		zn_errands_add(mount->errands, &saving->errand);
		pthread_mutex_unlock(&mount->lock);
		return;
	}
	if (saving->save.validate_only) {
		if (success)
			saving->error = 0;
	} else {
		returned = success ? take_success(saving) : take_failure(saving);
	}
	pass_turn(saving);
	pthread_mutex_unlock(&mount->lock);
	if (returned)
		zn_saver_returned(mount->parts.saver, &saving->info.zone);
	/* What others' caches show has changed only when a text has. */
	if (!success || saving->save.validate_only || (!result->changed && !result->text_changed && !result->created && !returned))
		name[0] = '\0';
	saving->word.node = 0;
	saving->word.then = finish;
	if (saving->scratch) {
		/* A rename holds the directory's lock: it is answered at once. The new name is looked up at its next use anyway. */
		reply(saving);
		saving->req = NULL;
		saving->errand.run = run_erase_scratch;
		zn_errands_add(mount->errands, &saving->errand);
		return;
	}
	zn_notify_word(mount->notify, &saving->word);
}

static void on_done(struct zn_save *save, const struct zn_save_result *result)
{
	struct zn_saving *saving = (struct zn_saving *)save;

	saving->result = *result;
	complete(saving);
}

/* Taken back, or never begun. On an errand thread: keeping the text is I/O. */
static void run_give_up(struct zn_errand *errand)
{
	struct zn_saving *saving = saving_of_errand(errand);
	struct zn_loan loan;

	if (zn_content_lend(saving->draft, &loan, NULL) == ZN_OK) {
		zn_saver_keep_refused(saving->mount->parts.saver, &saving->info.zone, loan.view, &saving->save.actor,
			"interrupted: the save was given up before it was committed");
		zn_loan_end(&loan);
	}
	complete(saving);
}

static void give_up(struct zn_saving *saving)
{
	saving->result = (struct zn_save_result){.code = ZN_EINTR};
	snprintf(saving->result.err.text, sizeof saving->result.err.text, "interrupted");
	saving->errand.run = run_give_up;
	zn_errands_add(saving->mount->errands, &saving->errand);
}

/* Takes it back when it still waits: true, and it is the caller's to give up. With nothing locked. */
static bool take_back(struct zn_saving *saving)
{
	struct zn_mount *mount = saving->mount;
	bool ours = false;

	pthread_mutex_lock(&mount->lock);
	bool submitted = saving->state == SUBMITTED;

	if (saving->state == PREPARING)
		saving->interrupted = true;
	if (saving->state == WAITING) {
		struct zn_saving *at = saving->file->turns;

		if (at == saving)
			saving->file->turns = saving->next_turn;
		while (at && at->next_turn != saving)
			at = at->next_turn;
		if (at)
			at->next_turn = saving->next_turn;
		saving->state = ANSWERED;
		ours = true;
	}
	pthread_mutex_unlock(&mount->lock);
	return ours || (submitted && zn_saver_withdraw(mount->parts.saver, &saving->save));
}

static void on_interrupt(fuse_req_t req, void *data)
{
	(void)req;
	if (take_back(data))
		give_up(data);
}

/* The beginning */

/* Rule 1: what an appender adds goes behind the text as it is now. */
static enum zn_code append_to_current(struct zn_saving *saving, struct zn_err *err)
{
	struct zn_loaded loaded;
	ZN_AUTO_PTR(zn_content_unref) struct zn_content *text = NULL;
	enum zn_code code = zn_zone_text(saving->mount, &saving->info, ZN_CONTENT_DRAFT, &text, &loaded, err);

	if (code == ZN_ENOTFOUND)
		return ZN_OK; /* gone meanwhile: the draft is all there is */
	if (code != ZN_OK)
		return code;
	code = zn_content_append_from(text, saving->draft, saving->grown_from, saving->size - saving->grown_from, err);
	if (code != ZN_OK)
		return code;
	zn_content_unref(saving->content);
	saving->content = zn_steal(&text);
	saving->save.basis = zn_basis_of(&loaded);
	return ZN_OK;
}

static void submit(struct zn_saving *saving)
{
	struct zn_mount *mount = saving->mount;
	struct zn_err err = {0};
	enum zn_code code = ZN_OK;

	zn_loan_end(&saving->loan);
	if (!saving->content)
		saving->content = zn_content_share(saving->draft);
	if (saving->appending)
		code = append_to_current(saving, &err);
	if (code == ZN_OK)
		code = zn_content_lend(saving->content, &saving->loan, &err);
	if (code != ZN_OK) {
		saving->result = (struct zn_save_result){.code = code, .err = err};
		complete(saving);
		return;
	}
	saving->save.text = saving->loan.view;
	pthread_mutex_lock(&mount->lock);
	bool interrupted = saving->interrupted;

	saving->state = interrupted ? ANSWERED : SUBMITTED;
	pthread_mutex_unlock(&mount->lock);
	if (interrupted)
		give_up(saving);
	else
		zn_saver_submit(mount->parts.saver, &saving->save);
}

static void run_submit(struct zn_errand *errand)
{
	submit(saving_of_errand(errand));
}

/* With mount->lock. */
static void enlist(struct zn_mount *mount, struct zn_saving *saving)
{
	saving->next = mount->savings;
	if (saving->next)
		saving->next->previous = saving;
	mount->savings = saving;
	mount->saves_waiting++;
}

/* A request may go on only when it has not been given up meanwhile. */
static bool listen_for_interrupt(struct zn_saving *saving)
{
	if (saving->req)
		fuse_req_interrupt_func(saving->req, on_interrupt, saving);
	pthread_mutex_lock(&saving->mount->lock);
	bool interrupted = saving->interrupted;

	if (interrupted)
		saving->state = ANSWERED;
	pthread_mutex_unlock(&saving->mount->lock);
	return !interrupted;
}

static void refuse(fuse_req_t req, int error)
{
	if (req)
		fuse_reply_err(req, error);
}

void zn_save_draft(struct zn_mount *mount, struct zn_node *node, fuse_req_t req, enum zn_saving_reply reply_kind, enum zn_save_way way,
	bool validate_only, const struct zn_who *who, const uint64_t *lock_owner)
{
	struct zn_body *body = node->body;
	struct zn_saving *saving = calloc(1, sizeof *saving);

	if (!saving) {
		refuse(req, ENOMEM);
		return;
	}
	pthread_mutex_lock(&body->lock);
	saving->draft = body->content ? zn_content_share(body->content) : NULL;
	saving->size = saving->draft ? zn_content_size(saving->draft) : 0;
	pthread_mutex_lock(&mount->lock);
	saving->mount = mount;
	saving->req = req;
	saving->reply = reply_kind;
	saving->who = *who;
	saving->node = node;
	saving->unlock = lock_owner != NULL;
	saving->lock_owner = lock_owner ? *lock_owner : 0;
	saving->file = node->file;
	saving->info = body->info;
	saving->changes = body->edit.changes;
	saving->asked = zn_clock_mono();
	saving->appending = body->edit.appending && !validate_only;
	saving->grown_from = body->edit.grown_from < saving->size ? body->edit.grown_from : saving->size;
	saving->save.zone = body->info.zone;
	saving->save.mtime = body->edit.mtime;
	saving->save.basis = body->edit.basis;
	saving->save.way = way;
	saving->save.validate_only = validate_only;
	saving->save.done = on_done;
	if (saving->draft) {
		node->held++;
		node->file->held++;
		enlist(mount, saving);
	}
	pthread_mutex_unlock(&mount->lock);
	pthread_mutex_unlock(&body->lock);
	if (!saving->draft) {
		free(saving);
		refuse(req, EIO);
		return;
	}
	saving->save.actor = zn_who_actor(who);
	/* What its process read or wrote since it was opened counts as well: that was not somebody else. */
	struct zn_basis basis = zn_basis_for(mount, saving->info.id, who->thread);

	if (basis.known)
		saving->save.basis = basis;
	if (!listen_for_interrupt(saving)) {
		give_up(saving);
		return;
	}
	pthread_mutex_lock(&mount->lock);
	if (saving->file->saving) {
		struct zn_saving **link = (struct zn_saving **)&saving->file->turns;

		while (*link)
			link = &(*link)->next_turn;
		*link = saving;
		saving->state = WAITING;
	} else {
		saving->file->saving = saving->has_turn = true;
	}
	bool go = saving->has_turn;

	pthread_mutex_unlock(&mount->lock);
	if (go)
		submit(saving);
}

void zn_save_scratch(struct zn_mount *mount, uint32_t scratch, struct zn_content *content, const struct zn_zone_info *info, fuse_req_t req,
	const struct zn_who *who)
{
	struct zn_saving *saving = calloc(1, sizeof *saving);
	struct zn_basis basis = zn_basis_for(mount, info->id, who->thread);

	if (!saving) {
		zn_content_unref(content);
		refuse(req, ENOMEM);
		return;
	}
	*saving = (struct zn_saving){
		.mount = mount,
		.req = req,
		.reply = ZN_SAVING_ERR,
		.who = *who,
		.info = *info,
		.scratch = scratch,
		.draft = content,
		.save = {.zone = info->zone, .basis = basis, .way = ZN_SAVE_RENAME, .actor = zn_who_actor(who), .done = on_done},
	};
	pthread_mutex_lock(&mount->lock);
	const struct zn_scratch *from = zn_scratch_get(&mount->scratches, scratch);

	if (from && from->mtime_given)
		saving->save.mtime = from->mtime;
	saving->file = zn_tree_hold(&mount->tree, &info->zone, info->id, false);
	if (saving->file)
		enlist(mount, saving);
	pthread_mutex_unlock(&mount->lock);
	if (!saving->file) {
		zn_content_unref(content);
		free(saving);
		refuse(req, ENOMEM);
		return;
	}
	if (listen_for_interrupt(saving))
		submit(saving); /* out of turn: it holds the directory's lock */
	else
		give_up(saving);
}

/* Changes, own and from elsewhere: on the thread that found out. */
void zn_watch_changed(void *context, const struct zn_change *change)
{
	struct zn_mount *mount = context;
	uint64_t txnid = change->txnid[ZN_RECORDS];

	pthread_mutex_lock(&mount->lock);
	if (change->all)
		zn_nodes_changed_all(&mount->nodes, txnid);
	for (size_t i = 0; i < change->count; i++)
		zn_nodes_changed(&mount->nodes, change->ids[i], txnid);
	bool own = change->origin == ZN_OWN_SAVE && change->count == 1 && !change->all;
	const struct zn_file *file = own ? zn_tree_find_id(&mount->tree, change->ids[0]) : NULL;
	bool told_by_save = file && file->saving; /* with its reply */

	pthread_mutex_unlock(&mount->lock);
	if (change->all)
		zn_notify_changed_all(mount->notify);
	else if (!told_by_save)
		zn_notify_changed(mount->notify, change->ids, change->count);
}

void zn_saves_end(struct zn_mount *mount, uint64_t deadline)
{
	struct timespec until = zn_stamp_timespec((struct zn_stamp){deadline});

	pthread_mutex_lock(&mount->lock);
	while (mount->saves_waiting && pthread_cond_timedwait(&mount->idle, &mount->lock, &until) == 0)
		;
	/* Somebody else has the writer lock: what still waits is taken back, its text kept. What is being committed is answered by itself. */
	while (mount->savings) {
		struct zn_saving *saving = mount->savings;

		saving->watched = true;
		pthread_mutex_unlock(&mount->lock);
		if (take_back(saving))
			give_up(saving);
		pthread_mutex_lock(&mount->lock);
		while (!saving->ended)
			pthread_cond_wait(&mount->idle, &mount->lock);
		free(saving);
	}
	while (mount->judging)
		pthread_cond_wait(&mount->idle, &mount->lock);
	pthread_mutex_unlock(&mount->lock);
}
