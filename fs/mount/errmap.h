/* fs/mount/errmap.h - what a program is told: zn_code to errno, by the operation it made. editor-behaviour 3, "Choice of error number". */
#pragma once
#include "store/base/error.h"

enum zn_operation {
	ZN_OP_WRITE,	/* write(2), truncate(2), close(2) */
	ZN_OP_FSYNC,	/* EINVAL is taken for "not supported" there by emacs */
	ZN_OP_RENAME,	/* EINVAL and ESTALE have meanings of their own there */
	ZN_OP_OTHER,	/* open, stat, unlink, … */
};

/* err may be NULL; its errno counts for ZN_ESYS alone. 0 for ZN_OK. */
int zn_errno(enum zn_code code, const struct zn_err *err, enum zn_operation operation);
