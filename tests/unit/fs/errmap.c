#include "fs/mount/errmap.h"

#include <errno.h>
#include <stdlib.h>

#include "tests/unit/suite.h"

/* clang-format off */
static const struct {
	enum zn_code code;
	enum zn_operation operation;
	int want;
} rows[] = {
	{ZN_OK, ZN_OP_WRITE, 0},
	{ZN_ESYNTAX, ZN_OP_WRITE, EINVAL}, {ZN_EZONE, ZN_OP_WRITE, EINVAL},
	{ZN_ESYNTAX, ZN_OP_FSYNC, EBADMSG}, {ZN_EZONE, ZN_OP_RENAME, EBADMSG},
	{ZN_ECONFLICT, ZN_OP_WRITE, ESTALE}, {ZN_ECONFLICT, ZN_OP_FSYNC, ESTALE}, {ZN_ECONFLICT, ZN_OP_RENAME, EBADMSG},
	{ZN_EGUARD, ZN_OP_WRITE, EINVAL}, {ZN_EGUARD, ZN_OP_RENAME, EBADMSG}, {ZN_EGUARD, ZN_OP_OTHER, EPERM},
	{ZN_EFULL, ZN_OP_WRITE, ENOSPC}, {ZN_EQUOTA, ZN_OP_WRITE, ENOSPC}, {ZN_ETOOBIG, ZN_OP_WRITE, EFBIG},
	{ZN_EBUSY, ZN_OP_WRITE, EAGAIN}, {ZN_EBUSY, ZN_OP_RENAME, EAGAIN},
	{ZN_EROFS, ZN_OP_WRITE, EACCES}, {ZN_EROFS, ZN_OP_OTHER, EROFS}, {ZN_EACCES, ZN_OP_OTHER, EACCES},
	{ZN_EINTR, ZN_OP_WRITE, EINTR}, {ZN_ENOTFOUND, ZN_OP_OTHER, ENOENT}, {ZN_EEXIST, ZN_OP_OTHER, EEXIST},
};
/* clang-format on */

START_TEST(errnos)
{
	ck_assert_int_eq(zn_errno(rows[_i].code, NULL, rows[_i].operation), rows[_i].want);
}
END_TEST

START_TEST(system_calls)
{
	struct zn_err err = {.sys = ENOSPC};

	ck_assert_int_eq(zn_errno(ZN_ESYS, &err, ZN_OP_WRITE), ENOSPC);
	ck_assert_int_eq(zn_errno(ZN_ESYS, NULL, ZN_OP_WRITE), EIO);
	/* Every code has an errno, whatever the operation. */
	for (int code = ZN_ENOMEM; code <= ZN_EAGAIN; code++)
		for (int operation = ZN_OP_WRITE; operation <= ZN_OP_OTHER; operation++)
			ck_assert_int_gt(zn_errno((enum zn_code)code, NULL, (enum zn_operation)operation), 0);
	/* A rename that got ESTALE is repeated by the kernel, one that got EINVAL is a subdirectory of itself to mv. */
	for (int code = ZN_ENOMEM; code <= ZN_EAGAIN; code++) {
		int error = zn_errno((enum zn_code)code, NULL, ZN_OP_RENAME);

		ck_assert(error != ESTALE && error != EINVAL && error != EXDEV);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("errmap");
	TCase *tests = tcase_create("errnos");

	tcase_add_loop_test(tests, errnos, 0, (int)(sizeof rows / sizeof *rows));
	tcase_add_test(tests, system_calls);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
