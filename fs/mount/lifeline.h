/* fs/mount/lifeline.h - a small process that cuts the connection when the daemon is killed.
 *
 * The notifier may be in the kernel, waiting for a directory's lock, when SIGKILL comes. The lock's holder waits for a reply that nobody gives
 * any more; the notifier cannot die before it has the lock; and the connection is not closed before the notifier is dead. Everybody who touches the
 * mount would wait for ever. The child is told of the death of the thread that made it (PR_SET_PDEATHSIG, also while other threads of the
 * dead process linger) and aborts the connection: all who wait get ENOTCONN, as after any other death of a FUSE daemon. */
#pragma once
#include <sys/types.h>

#include "store/base/error.h"

/* From the thread that lives as long as the process. `device`: st_dev of the mount. Returns the child's pid; 0: there is none, and things go on. */
pid_t zn_lifeline_start(const char *mountpoint, dev_t device);
void zn_lifeline_stop(pid_t child);
