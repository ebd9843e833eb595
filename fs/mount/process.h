/* fs/mount/process.h - what /proc says about the process behind a request. editor-behaviour 4 and 7, rules 3, 5, 27; details.md 14.
 *
 * A request carries a thread id in our PID name space, 0 when it is not visible there. Nothing here makes a request to the mount. */
#pragma once
#include <sys/types.h>

#include "fs/mount/edit.h"

/* A draft as the kernel shows it: statx(2) of a descriptor, without asking us. No two drafts have the same three. */
struct zn_draft_mark {
	dev_t device;		/* of the mount; 0: not known, and nobody can be counted */
	uint64_t inode;
	uint32_t token;		/* nanoseconds of atime, drawn for the node */
};

/* The process that closes, and the one that opened (0: not known). */
struct zn_closer zn_process_closing(int32_t closing, int32_t opener, const struct zn_draft_mark *mark);

/* Supplementary groups of a thread include this one. */
bool zn_process_has_group(int32_t thread, gid_t group);
/* Process (thread group) of a thread; 0: not visible. */
int32_t zn_process_of(int32_t thread);
/* The thread belongs to the process now. */
bool zn_process_has_thread(int32_t process, int32_t thread);
/* When a process began, CLOCK_BOOTTIME in ns; UINT64_MAX: not visible. */
uint64_t zn_process_began(int32_t process);
/* Name of the program, for events and refused texts; "" when not visible. */
void zn_process_name(int32_t thread, char name[static 32]);
