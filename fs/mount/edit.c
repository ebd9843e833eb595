#include "fs/mount/edit.h"

void zn_edit_open(struct zn_edit *edit, bool append, bool truncate, size_t base, bool first)
{
	if (first) {
		edit->appending = append && !truncate;
		edit->grown_from = edit->checked_to = truncate ? 0 : base;
		edit->checked = append;
	} else if (!append && edit->changes == 0) {
		edit->appending = false;
	}
	if (truncate)
		zn_edit_truncated(edit, 0);
}

void zn_edit_written(struct zn_edit *edit, bool append)
{
	edit->changes++;
	edit->mtime = (struct zn_stamp){0};
	if (!append)
		edit->appending = false;
}

void zn_edit_truncated(struct zn_edit *edit, size_t size)
{
	edit->changes++;
	edit->mtime = (struct zn_stamp){0};
	edit->appending = false;
	if (size == 0) {
		edit->emptied = true;
		edit->failed = 0;
	}
}

void zn_edit_failed(struct zn_edit *edit, int error)
{
	edit->changes++;
	edit->failed = error;
}

static enum zn_commit_point begin(struct zn_edit *edit, enum zn_commit_point point)
{
	edit->answered = edit->changes;
	edit->answer = 0;
	edit->told = false;
	return point != ZN_POINT_INTERRUPTED && edit->failed ? ZN_POINT_INCOMPLETE : point;
}

enum zn_commit_point zn_edit_flush(struct zn_edit *edit, const struct zn_closer *closer)
{
	if (!zn_edit_dirty(edit)) {
		/* A name was made or opened and not written yet, and somebody else still has the descriptor. */
		if (edit->changes == 0 && !closer->visible)
			edit->shared = true;
		return ZN_POINT_NOTHING;
	}
	if (closer->visible && closer->killed)
		return closer->remaining ? ZN_POINT_NOTHING : begin(edit, ZN_POINT_INTERRUPTED);
	if (closer->visible) {
		if (closer->remaining == 0)
			return begin(edit, ZN_POINT_SAVE);
		edit->checked = true;
		edit->answer = 0;
		return ZN_POINT_NOTHING;
	}
	/* Emptied at open and nothing written: `>` closes the first descriptor before anything is written. */
	if (edit->emptied && edit->changes == 1) {
		edit->shared = true;
		edit->checked = true;
		return ZN_POINT_NOTHING;
	}
	return edit->shared && !edit->failed ? ZN_POINT_JUDGE : begin(edit, ZN_POINT_SAVE);
}

enum zn_commit_point zn_edit_fsync(struct zn_edit *edit)
{
	return zn_edit_dirty(edit) ? begin(edit, ZN_POINT_SAVE) : ZN_POINT_NOTHING;
}

enum zn_commit_point zn_edit_release(struct zn_edit *edit)
{
	return zn_edit_dirty(edit) ? begin(edit, ZN_POINT_SAVE) : ZN_POINT_NOTHING;
}

void zn_edit_answered(struct zn_edit *edit, uint64_t changes, enum zn_save_way way, int answer)
{
	if (edit->answered != changes)
		return; /* a later commit point has begun */
	edit->told = answer && way == ZN_SAVE_FSYNC;
	edit->answer = edit->told ? 0 : answer;
}

void zn_edit_saved(struct zn_edit *edit, size_t size, const struct zn_loaded *loaded)
{
	edit->basis = (struct zn_basis){
		.known = true,
		.serial = loaded->serial,
		.digest = {loaded->stat.digest.count, loaded->stat.digest.sum},
	};
	if (edit->appending)
		edit->grown_from = size;
	edit->broken = false;
}

void zn_readers_note(struct zn_readers *readers, uint32_t zone, int32_t thread, uint64_t boot_ns, const struct zn_basis *basis)
{
	struct zn_reader_note note = {zone, thread, boot_ns, *basis};

	for (size_t i = 0; i < ZN_READERS_MAX; i++)
		if (readers->notes[i].zone == zone && readers->notes[i].thread == thread && readers->notes[i].basis.known) {
			readers->notes[i] = note;
			return;
		}
	readers->notes[readers->next] = note;
	readers->next = (readers->next + 1) % ZN_READERS_MAX;
}

struct zn_basis zn_readers_find(const struct zn_readers *readers, uint32_t zone, bool (*is_his)(void *context, const struct zn_reader_note *note),
	void *context)
{
	const struct zn_reader_note *newest = NULL;

	for (size_t i = 0; i < ZN_READERS_MAX; i++) {
		const struct zn_reader_note *note = &readers->notes[i];

		if (note->basis.known && note->zone == zone && (!newest || note->boot_ns > newest->boot_ns) && is_his(context, note))
			newest = note;
	}
	return newest ? newest->basis : (struct zn_basis){0};
}
