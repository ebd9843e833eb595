#include "fs/mount/lock.h"

#include <stdlib.h>

#include "tests/unit/suite.h"

/* Owners a to d lock ranges of one file. k: kind, p posix, f flock; t: type, s shared, x exclusive, u unlock. */
struct step {
	char owner, kind, type;
	uint64_t start, end;
	enum zn_code want;
};
/* clang-format off */
static const struct {
	const char *name;
	struct step steps[8];
} cases[] = {
	{"two readers, no writer", {{'a', 'p', 's', 0, 9, ZN_OK}, {'b', 'p', 's', 5, 20, ZN_OK}, {'c', 'p', 'x', 9, 9, ZN_EBUSY}}},
	{"ranges apart", {{'a', 'p', 'x', 0, 9, ZN_OK}, {'b', 'p', 'x', 10, UINT64_MAX, ZN_OK}}},
	{"the middle given back", {{'a', 'p', 'x', 0, 99, ZN_OK}, {'a', 'p', 'u', 40, 59, ZN_OK}, {'b', 'p', 'x', 40, 59, ZN_OK}, {'b', 'p', 'x', 39, 39, ZN_EBUSY}, {'b', 'p', 'x', 60, 60, ZN_EBUSY}}},
	{"one's own lock is no obstacle", {{'a', 'p', 'x', 0, 99, ZN_OK}, {'a', 'p', 's', 0, 99, ZN_OK}, {'b', 'p', 's', 0, 99, ZN_OK}, {'a', 'p', 'x', 0, 99, ZN_EBUSY}}},
	{"flock and fcntl do not meet", {{'a', 'f', 'x', 0, UINT64_MAX, ZN_OK}, {'b', 'p', 'x', 0, UINT64_MAX, ZN_OK}, {'b', 'f', 's', 0, UINT64_MAX, ZN_EBUSY}}},
	{"unlocking what is not locked", {{'a', 'p', 'u', 0, UINT64_MAX, ZN_OK}, {'b', 'p', 'x', 0, 0, ZN_OK}}},
};
/* clang-format on */

static struct zn_lock lock_of(const struct step *step)
{
	return (struct zn_lock){
		.kind = step->kind == 'p' ? ZN_LOCK_POSIX : ZN_LOCK_FLOCK,
		.type = step->type == 's' ? ZN_LOCK_SHARED : step->type == 'x' ? ZN_LOCK_EXCLUSIVE : ZN_LOCK_NONE,
		.owner = (uint64_t)step->owner,
		.pid = step->owner,
		.start = step->start,
		.end = step->end,
	};
}

START_TEST(ranges)
{
	struct zn_locks locks = {0};

	for (const struct step *step = cases[_i].steps; step->owner; step++) {
		struct zn_lock lock = lock_of(step);

		ck_assert_msg(zn_lock_set(&locks, 7, &lock) == step->want, "%s, step %d", cases[_i].name, (int)(step - cases[_i].steps));
		/* Another file knows nothing of it. */
		ck_assert_ptr_null(zn_lock_test(&locks, 8, &lock));
	}
	zn_locks_release(&locks);
}
END_TEST

START_TEST(waiting)
{
	struct zn_locks locks = {0};
	struct step holder = {'a', 'p', 'x', 0, 9, ZN_OK}, gone = {'a', 'p', 'u', 0, 9, ZN_OK};
	struct step wanted = {'b', 'p', 's', 0, 0, ZN_OK}, late = {'c', 'p', 's', 9, 9, ZN_OK};
	struct zn_lock lock = lock_of(&holder);
	struct zn_lock_wait first = {.inode = 7, .want = lock_of(&wanted)}, second = {.inode = 7, .want = lock_of(&late)};

	ck_assert_int_eq(zn_lock_set(&locks, 7, &lock), ZN_OK);
	ck_assert_int_eq(zn_lock_park(&locks, &first), ZN_OK);
	ck_assert_int_eq(zn_lock_park(&locks, &second), ZN_OK);
	ck_assert_ptr_null(zn_lock_grant(&locks));
	ck_assert_int_eq(zn_lock_test(&locks, 7, &first.want)->pid, 'a');
	lock = lock_of(&gone);
	ck_assert_int_eq(zn_lock_set(&locks, 7, &lock), ZN_OK);
	ck_assert_ptr_eq(zn_lock_grant(&locks), &first);
	ck_assert_ptr_eq(zn_lock_grant(&locks), &second);
	ck_assert_ptr_null(zn_lock_grant(&locks));
	ck_assert(!zn_lock_unpark(&locks, &first));
	zn_locks_release(&locks);
}
END_TEST

START_TEST(deadlock)
{
	struct zn_locks locks = {0};
	struct step a = {'a', 'p', 'x', 0, 0, ZN_OK}, b = {'b', 'p', 'x', 1, 1, ZN_OK};
	struct step a_wants = {'a', 'p', 'x', 1, 1, ZN_OK}, b_wants = {'b', 'p', 'x', 0, 0, ZN_OK};
	struct zn_lock lock = lock_of(&a);
	struct zn_lock_wait first = {.inode = 7, .want = lock_of(&a_wants)}, second = {.inode = 7, .want = lock_of(&b_wants)};

	ck_assert_int_eq(zn_lock_set(&locks, 7, &lock), ZN_OK);
	lock = lock_of(&b);
	ck_assert_int_eq(zn_lock_set(&locks, 7, &lock), ZN_OK);
	ck_assert_int_eq(zn_lock_park(&locks, &first), ZN_OK);
	ck_assert_int_eq(zn_lock_park(&locks, &second), ZN_EINVAL);
	ck_assert(zn_lock_unpark(&locks, &first));
	zn_locks_release(&locks);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lock");
	TCase *tests = tcase_create("locks");

	tcase_add_loop_test(tests, ranges, 0, (int)(sizeof cases / sizeof *cases));
	tcase_add_test(tests, waiting);
	tcase_add_test(tests, deadlock);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
