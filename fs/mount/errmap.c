#include "fs/mount/errmap.h"

#include <errno.h>

/* The text is no zone. */
static int refused(enum zn_operation operation)
{
	switch (operation) {
	case ZN_OP_FSYNC:
	case ZN_OP_RENAME:
		return EBADMSG;
	case ZN_OP_WRITE:
	case ZN_OP_OTHER:
		break;
	}
	return EINVAL;
}

int zn_errno(enum zn_code code, const struct zn_err *err, enum zn_operation operation)
{
	switch (code) {
	case ZN_OK:
		return 0;
	case ZN_ENOMEM:
		return ENOMEM;
	case ZN_ESYS:
		return err && err->sys > 0 ? err->sys : EIO;
	case ZN_ENOTFOUND:
		return ENOENT;
	case ZN_EEXIST:
		return EEXIST;
	case ZN_EINVAL:
	case ZN_ESYNTAX:
	case ZN_EZONE:
		return refused(operation);
	case ZN_ETOOBIG:
		return EFBIG;
	case ZN_EQUOTA:
	case ZN_EFULL:
		return ENOSPC;
	case ZN_ECORRUPT:
	case ZN_EFORMAT:
		return EIO;
	case ZN_EBUSY:
		return EAGAIN;
	case ZN_ECONFLICT:
		return operation == ZN_OP_RENAME ? EBADMSG : ESTALE;
	case ZN_EGUARD:
		/* A save is refused like a finding; taking a name away is not permitted. */
		return operation == ZN_OP_OTHER ? EPERM : refused(operation);
	case ZN_EACCES:
		return EACCES;
	case ZN_EROFS:
		return operation == ZN_OP_OTHER ? EROFS : EACCES;
	case ZN_EINTR:
		return EINTR;
	case ZN_ENET:
		return ENETUNREACH;
	case ZN_EDENIED:
		return EACCES;
	case ZN_EAGAIN:
		return EAGAIN;
	}
	return EIO;
}
