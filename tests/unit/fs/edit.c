#include "fs/mount/edit.h"

#include <stdlib.h>

#include "tests/unit/suite.h"

/* What a program does to a draft, and what the commit point comes to: n nothing, s save, j judge, i interrupted, x incomplete. */
enum event { END, WRITE, FAILED_WRITE, APPEND, CUT, FLUSH, FLUSH_MORE, FLUSH_BLIND, FLUSH_KILLED, FSYNC, RELEASE, REFUSED_CLOSE, REFUSED_FSYNC };
static const char points[] = {
	[ZN_POINT_NOTHING] = 'n', [ZN_POINT_SAVE] = 's', [ZN_POINT_JUDGE] = 'j', [ZN_POINT_INTERRUPTED] = 'i',
	[ZN_POINT_INCOMPLETE] = 'x',
};
enum opened { PLAIN, TRUNCATED, APPENDED };

/* clang-format off */
static const struct {
	const char *name;
	enum opened opened;
	struct { enum event event; char want; int answer; } events[10];
} lives[] = {
	{"cp", TRUNCATED, {{WRITE, 0, 0}, {FLUSH, 's', 0}, {RELEASE, 'n', 0}}},
	{"a probe that writes nothing (micro, emacs)", PLAIN, {{FLUSH, 'n', 0}, {RELEASE, 'n', 0}}},
	{"emptied and nothing written is judged", TRUNCATED, {{FLUSH, 's', 0}}},
	{"fsync, then close", TRUNCATED, {{WRITE, 0, 0}, {FSYNC, 's', 0}, {FLUSH, 'n', 0}, {RELEASE, 'n', 0}}},
	{"writes between fsync and close", TRUNCATED, {{WRITE, 0, 0}, {FSYNC, 's', 0}, {WRITE, 0, 0}, {FLUSH, 's', 0}}},
	{"refused by fsync: the close succeeds (nvi)", TRUNCATED, {{WRITE, 0, 0}, {FSYNC, 's', 0}, {REFUSED_FSYNC, 0, 0}, {FLUSH, 'n', 0}, {RELEASE, 'n', 0}}},
	{"refused by close: closing a duplicate says it again", TRUNCATED, {{WRITE, 0, 0}, {FLUSH, 's', 0}, {REFUSED_CLOSE, 0, 0}, {FLUSH, 'n', 22}}},
	{"shell: { a; b; } > Z", TRUNCATED, {{FLUSH_MORE, 'n', 0}, {WRITE, 0, 0}, {FLUSH_MORE, 'n', 0}, {WRITE, 0, 0}, {FLUSH, 's', 0}}},
	{"the same out of sight: judged, saved at release", TRUNCATED, {{FLUSH_BLIND, 'n', 0}, {WRITE, 0, 0}, {FLUSH_BLIND, 'j', 0}, {WRITE, 0, 0}, {FLUSH_BLIND, 'j', 0}, {RELEASE, 's', 0}}},
	{"cp out of sight: its close is taken for the last", TRUNCATED, {{WRITE, 0, 0}, {FLUSH_BLIND, 's', 0}, {RELEASE, 'n', 0}}},
	{"made and closed once out of sight, then written (bash)", PLAIN, {{FLUSH_BLIND, 'n', 0}, {WRITE, 0, 0}, {FLUSH_BLIND, 'j', 0}, {RELEASE, 's', 0}}},
	{"killed half-way", TRUNCATED, {{WRITE, 0, 0}, {FLUSH_KILLED, 'i', 0}, {RELEASE, 'n', 0}}},
	{"no room for the second half", TRUNCATED, {{WRITE, 0, 0}, {FAILED_WRITE, 0, 0}, {WRITE, 0, 0}, {FLUSH, 'x', 0}, {RELEASE, 'n', 0}}},
	{"the same with fsync, and out of sight", TRUNCATED, {{FLUSH_BLIND, 'n', 0}, {FAILED_WRITE, 0, 0}, {FSYNC, 'x', 0}, {WRITE, 0, 0}, {FLUSH_BLIND, 'x', 0}, {RELEASE, 'n', 0}}},
	{"nothing could be added", APPENDED, {{FAILED_WRITE, 0, 0}, {FLUSH, 'x', 0}}},
	{"written once more from the beginning", TRUNCATED, {{FAILED_WRITE, 0, 0}, {CUT, 0, 0}, {WRITE, 0, 0}, {FLUSH, 's', 0}}},
	{"killed when there was no room", TRUNCATED, {{FAILED_WRITE, 0, 0}, {FLUSH_KILLED, 'i', 0}}},
	{"a mapping written after the close", PLAIN, {{FLUSH, 'n', 0}, {WRITE, 0, 0}, {RELEASE, 's', 0}}},
	{"appended and closed", APPENDED, {{APPEND, 0, 0}, {FLUSH, 's', 0}}},
};
/* clang-format on */

START_TEST(commit_points)
{
	struct zn_edit edit = {0};

	zn_edit_open(&edit, lives[_i].opened == APPENDED, lives[_i].opened == TRUNCATED, 100, true);
	for (int i = 0; lives[_i].events[i].event != END; i++) {
		struct zn_closer closer = {.visible = true};
		enum zn_commit_point point = ZN_POINT_NOTHING;
		char got = 0;

		switch (lives[_i].events[i].event) {
		case WRITE:
		case APPEND:
			zn_edit_written(&edit, lives[_i].events[i].event == APPEND);
			continue;
		case FAILED_WRITE:
			zn_edit_failed(&edit, 28);
			continue;
		case CUT:
			zn_edit_truncated(&edit, 0);
			continue;
		case REFUSED_CLOSE:
		case REFUSED_FSYNC:
			zn_edit_answered(&edit, edit.changes, lives[_i].events[i].event == REFUSED_FSYNC ? ZN_SAVE_FSYNC : ZN_SAVE_CLOSE, 22);
			continue;
		case FLUSH_MORE:
			closer.remaining = 1;
			point = zn_edit_flush(&edit, &closer);
			break;
		case FLUSH_BLIND:
			closer.visible = false;
			point = zn_edit_flush(&edit, &closer);
			break;
		case FLUSH_KILLED:
			closer.killed = true;
			point = zn_edit_flush(&edit, &closer);
			break;
		case FLUSH:
			point = zn_edit_flush(&edit, &closer);
			break;
		case FSYNC:
			point = zn_edit_fsync(&edit);
			break;
		case RELEASE:
			point = zn_edit_release(&edit);
			break;
		case END:
			break;
		}
		got = points[point];
		ck_assert_msg(got == lives[_i].events[i].want, "%s, event %d: %c", lives[_i].name, i, got);
		if (got == 'n')
			ck_assert_msg(edit.answer == lives[_i].events[i].answer, "%s, event %d: answer %d", lives[_i].name, i, edit.answer);
	}
}
END_TEST

/* Rule 1: what was only added goes behind the text as it is by then. */
START_TEST(appends)
{
	struct zn_edit edit = {0};
	struct zn_loaded loaded = {.serial = 5, .stat.digest = {3, 4}};

	zn_edit_open(&edit, true, false, 100, true);
	ck_assert(edit.appending && edit.checked);
	zn_edit_written(&edit, true);
	ck_assert_uint_eq(edit.grown_from, 100);
	zn_edit_saved(&edit, 120, &loaded);
	ck_assert_uint_eq(edit.grown_from, 120);
	ck_assert(edit.basis.known && edit.basis.serial == 5 && edit.basis.digest.count == 3);
	zn_edit_written(&edit, false);
	ck_assert(!edit.appending);

	edit = (struct zn_edit){0};
	zn_edit_open(&edit, true, true, 100, true);
	ck_assert(!edit.appending); /* emptied: it is a new text */
	edit = (struct zn_edit){0};
	zn_edit_open(&edit, true, false, 100, true);
	zn_edit_truncated(&edit, 50);
	ck_assert(!edit.appending);
}
END_TEST

START_TEST(times)
{
	struct zn_edit edit = {.mtime = {5}};

	zn_edit_written(&edit, false);
	ck_assert_uint_eq(edit.mtime.ns, 0); /* given before the last write, it is not the text's */
	ck_assert_uint_eq(zn_draft_time((struct zn_stamp){1234567}).ns, 1234500);
}
END_TEST

static bool is_thread(void *context, const struct zn_reader_note *note)
{
	return note->thread == *(int32_t *)context;
}

/* Rule 23: the newest that this process read or wrote. */
START_TEST(readers)
{
	static struct zn_readers notes;
	struct zn_basis basis = {true, 7, {1, 1}};
	int32_t thread = 50;

	ck_assert(!zn_readers_find(&notes, 1, is_thread, &thread).known);
	zn_readers_note(&notes, 1, 50, 10, &basis);
	basis.serial = 8;
	zn_readers_note(&notes, 1, 51, 20, &basis);
	ck_assert_uint_eq(zn_readers_find(&notes, 1, is_thread, &thread).serial, 7);
	zn_readers_note(&notes, 1, 50, 30, &basis);
	ck_assert_uint_eq(zn_readers_find(&notes, 1, is_thread, &thread).serial, 8);
	ck_assert(!zn_readers_find(&notes, 2, is_thread, &thread).known);
	for (int32_t i = 0; i < 2 * ZN_READERS_MAX; i++)
		zn_readers_note(&notes, 3, 1000 + i, 40, &basis);
	ck_assert(!zn_readers_find(&notes, 1, is_thread, &thread).known); /* bounded */
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("edit");
	TCase *tests = tcase_create("drafts");

	tcase_add_loop_test(tests, commit_points, 0, (int)(sizeof lives / sizeof *lives));
	tcase_add_test(tests, appends);
	tcase_add_test(tests, times);
	tcase_add_test(tests, readers);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
