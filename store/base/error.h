/* store/base/error.h - how everything that can fail says so.
 *
 * A function that can fail returns an enum zn_code and takes, as its last argument, a struct zn_err
 * (or NULL) that receives one sentence for a person. The level that sees a foreign code (errno, LMDB,
 * curl) converts it there; each level above may put its context in front with zn_err_prefix():
 * "example.org: apply: the map is full". Only fs/mount/errmap.c turns a code into an errno. */
#pragma once
#include <stdarg.h>
#include <stddef.h>

#define ZN_MUST_USE __attribute__((warn_unused_result))
#define ZN_PRINTF(at, first) __attribute__((format(printf, at, first)))

enum zn_code {
	ZN_OK = 0,
	ZN_ENOMEM,	/* out of memory */
	ZN_ESYS,	/* a system call failed; zn_err.sys has the errno */
	ZN_ENOTFOUND,	/* no such zone, entry, object, file */
	ZN_EEXIST,	/* there is one already */
	ZN_EINVAL,	/* an argument or option makes no sense */
	ZN_ESYNTAX,	/* zone text with errors; the findings say which */
	ZN_EZONE,	/* records that make no valid zone */
	ZN_ETOOBIG,	/* above a ceiling of limits.h */
	ZN_EQUOTA,	/* the scratch quota is used up */
	ZN_EFULL,	/* the LMDB map is full */
	ZN_ECORRUPT,	/* foreign bytes (disk, bucket) that do not decode */
	ZN_EFORMAT,	/* well-formed, but of a kind or version we do not handle */
	ZN_EBUSY,	/* the writer lock was not to be had in time */
	ZN_ECONFLICT,	/* somebody else committed in between */
	ZN_EGUARD,	/* stopped by the mass-change guard */
	ZN_EACCES,	/* not permitted */
	ZN_EROFS,	/* mounted read-only, or a zone whose owner is elsewhere */
	ZN_EINTR,	/* the caller was interrupted or killed */
	ZN_ENET,	/* the bucket cannot be reached right now; try again */
	ZN_EDENIED,	/* the bucket answered and refused; trying again does not help */
	ZN_EAGAIN,	/* nothing to report yet; not a failure */
};

struct zn_err {
	int sys;	/* errno behind the failure, 0 where there is none */
	char text[480]; /* one sentence, no newline, NUL-terminated */
};

/* Sets the sentence and returns `code`, so that a failure is one line: return zn_fail(err, ZN_..., ...);
 * err may be NULL. */
enum zn_code zn_fail(struct zn_err *err, enum zn_code code, const char *format, ...) ZN_PRINTF(3, 4);

/* The same for a failed system call: appends ": " and the text of `sys_errno`, returns ZN_ESYS
 * (ZN_ENOMEM for ENOMEM, ZN_EACCES for EACCES and EPERM). */
enum zn_code zn_fail_errno(struct zn_err *err, int sys_errno, const char *format, ...) ZN_PRINTF(3, 4);

/* Puts "context: " in front of the sentence. Returns `code` unchanged. */
enum zn_code zn_err_prefix(struct zn_err *err, enum zn_code code, const char *format, ...) ZN_PRINTF(3, 4);

/* A fixed English phrase for a code, for when no sentence was kept. Never NULL. */
const char *zn_code_text(enum zn_code code);
