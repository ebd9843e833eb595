#include "store/base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void set_text(struct zn_err *err, int sys, const char *format, va_list args)
{
	if (!err)
		return;
	err->sys = sys;
	vsnprintf(err->text, sizeof err->text, format, args);
}

enum zn_code zn_fail(struct zn_err *err, enum zn_code code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	set_text(err, 0, format, args);
	va_end(args);
	return code;
}

enum zn_code zn_fail_errno(struct zn_err *err, int sys_errno, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	set_text(err, sys_errno, format, args);
	va_end(args);
	if (err) {
		size_t len = strlen(err->text);
		char reason[128];

		snprintf(err->text + len, sizeof err->text - len, ": %s",
			strerror_r(sys_errno, reason, sizeof reason));
	}
	switch (sys_errno) {
	case ENOMEM:
		return ZN_ENOMEM;
	case EACCES:
	case EPERM:
		return ZN_EACCES;
	default:
		return ZN_ESYS;
	}
}

enum zn_code zn_err_prefix(struct zn_err *err, enum zn_code code, const char *format, ...)
{
	struct zn_err out = {.sys = err ? err->sys : 0};
	va_list args;

	if (!err)
		return code;
	va_start(args, format);
	vsnprintf(out.text, sizeof out.text, format, args);
	va_end(args);
	/* Cut the context rather than the reason when both do not fit. */
	size_t reason = strlen(err->text);
	size_t context = strlen(out.text);
	size_t room = sizeof out.text - 3 - (reason < sizeof out.text - 3 ? reason : sizeof out.text - 3);
	if (context > room)
		context = room;
	memcpy(out.text + context, ": ", 2);
	snprintf(out.text + context + 2, sizeof out.text - context - 2, "%s", err->text);
	*err = out;
	return code;
}

const char *zn_code_text(enum zn_code code)
{
	switch (code) {
	case ZN_OK: return "success";
	case ZN_ENOMEM: return "out of memory";
	case ZN_ESYS: return "a system call failed";
	case ZN_ENOTFOUND: return "not found";
	case ZN_EEXIST: return "exists already";
	case ZN_EINVAL: return "invalid argument";
	case ZN_ESYNTAX: return "the text has errors";
	case ZN_EZONE: return "the records make no valid zone";
	case ZN_ETOOBIG: return "too big";
	case ZN_EQUOTA: return "the quota is used up";
	case ZN_EFULL: return "the database map is full";
	case ZN_ECORRUPT: return "damaged data";
	case ZN_EFORMAT: return "unsupported format";
	case ZN_EBUSY: return "the database is busy";
	case ZN_ECONFLICT: return "somebody else changed it meanwhile";
	case ZN_EGUARD: return "stopped by the mass-change guard";
	case ZN_EACCES: return "not permitted";
	case ZN_EROFS: return "read-only";
	case ZN_EINTR: return "interrupted";
	case ZN_ENET: return "the bucket cannot be reached";
	case ZN_EDENIED: return "the bucket refused";
	case ZN_EAGAIN: return "nothing yet";
	}
	return "unknown error";
}
