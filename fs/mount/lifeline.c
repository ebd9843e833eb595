#include "fs/mount/lifeline.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/base/log.h"

/* In the child of a process with threads: system calls only. */
static void wait_and_cut(const char *mountpoint, const char *abort_file, pid_t parent, const sigset_t *death)
{
	int signal;

	if (prctl(PR_SET_PDEATHSIG, SIGUSR1) != 0)
		_exit(1);
	/* A terminal's ^C is for the daemon; this one goes when it is told to. */
	setsid();
	/* Nothing of the daemon's stays open here: not its locks, and not the connection. */
	close_range(0, ~0U, 0);
	if (getppid() == parent)
		sigwait(death, &signal);
	int fd = open(abort_file, O_WRONLY);

	if (fd < 0 || write(fd, "1", 1) != 1) {
		/* A forced unmount cuts it, too. The descriptor keeps the dead mount where it is: what is written there now must
		 * fail, and not land in the directory below. */
		int kept = open(mountpoint, O_PATH | O_DIRECTORY | O_CLOEXEC);

		umount2(mountpoint, MNT_FORCE);
		(void)kept;
	}
	_exit(0);
}

pid_t zn_lifeline_start(const char *mountpoint, dev_t device)
{
	char abort_file[64];
	sigset_t all, death, before;
	pid_t parent = getpid();

	snprintf(abort_file, sizeof abort_file, "/sys/fs/fuse/connections/%u/abort", minor(device));
	sigfillset(&all);
	sigemptyset(&death);
	sigaddset(&death, SIGUSR1);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid_t child = fork();

	if (child == 0)
		wait_and_cut(mountpoint, abort_file, parent, &death);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (child < 0) {
		zn_warning("nobody will cut the mount's connection if this process is killed: fork: error %d", errno);
		return 0;
	}
	return child;
}

void zn_lifeline_stop(pid_t child)
{
	if (child <= 0)
		return;
	kill(child, SIGKILL);
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
}
