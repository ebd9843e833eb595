#include "fs/mount/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define EXITING 0x4		/* PF_EXITING */
#define SIGNALED 0x400		/* PF_SIGNALED */

/* A small file of /proc, NUL-terminated. Bytes read, 0 for none. */
static size_t slurp(const char *path, char *text, size_t size)
{
	ZN_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;

	while (fd >= 0 && len < size - 1) {
		ssize_t n = read(fd, text + len, size - 1 - len);

		if (n <= 0)
			break;
		len += (size_t)n;
	}
	text[len] = '\0';
	return len;
}

/* The n-th field of a stat line (from 1, as proc(5) counts; only behind the name). */
static unsigned long long stat_field(const char *stat, unsigned field)
{
	const char *at = strrchr(stat, ')');

	for (unsigned i = 2; at && i < field; i++) {
		at = strchr(at, ' ');
		at = at ? at + 1 : NULL;
	}
	return at ? strtoull(at, NULL, 10) : 0;
}

static bool writing(int32_t thread, const char *descriptor)
{
	char path[64], text[512];

	snprintf(path, sizeof path, "/proc/%d/fdinfo/%s", thread, descriptor);
	if (!slurp(path, text, sizeof text))
		return false;
	const char *flags = strstr(text, "flags:");

	return flags && (strtoul(flags + 6, NULL, 8) & O_ACCMODE) != O_RDONLY;
}

/* Writing descriptors of a process on the draft; *ret_visible says whether we may look. */
static unsigned count(int32_t thread, const struct zn_draft_mark *mark, bool *ret_visible)
{
	char path[64];
	unsigned found = 0;

	snprintf(path, sizeof path, "/proc/%d/fd", thread);
	DIR *dir = opendir(path);

	*ret_visible = dir != NULL;
	if (!dir)
		return 0;
	struct dirent *entry;

	while (errno = 0, (entry = readdir(dir))) {
		struct statx st;

		if (entry->d_name[0] == '.')
			continue;
		/* What the kernel knows: no request to any file system. */
		if (statx(dirfd(dir), entry->d_name, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_INO | STATX_ATIME, &st) != 0)
			continue;
		if (makedev(st.stx_dev_major, st.stx_dev_minor) == mark->device && st.stx_ino == mark->inode &&
		    st.stx_atime.tv_nsec == mark->token)
			found += writing(thread, entry->d_name);
	}
	if (errno == EACCES || errno == EPERM)
		*ret_visible = false;
	closedir(dir);
	return found;
}

struct zn_closer zn_process_closing(int32_t closing, int32_t opener, const struct zn_draft_mark *mark)
{
	struct zn_closer closer = {0};
	char path[64], stat[1024];
	bool opener_visible;

	if (closing == 0 || mark->device == 0)
		return closer;
	closer.remaining = count(closing, mark, &closer.visible);
	if (!closer.visible)
		return closer;
	if (opener && opener != closing)
		closer.remaining += count(opener, mark, &opener_visible);
	snprintf(path, sizeof path, "/proc/%d/stat", closing);
	if (!slurp(path, stat, sizeof stat))
		return closer;
	unsigned long flags = (unsigned long)stat_field(stat, 9);

	if (!(flags & EXITING) || !(flags & SIGNALED))
		return closer;
	/* Threads that exit_group() ends look killed too; the exit code of the whole tells. */
	int32_t process = zn_process_of(closing);

	snprintf(path, sizeof path, "/proc/%d/stat", process ? process : closing);
	closer.killed = !slurp(path, stat, sizeof stat) || (stat_field(stat, 52) & 0x7f) != 0;
	return closer;
}

/* The value behind a name in /proc/T/status, as text that goes to the end of its line. */
static bool status_line(int32_t thread, const char *name, char *value, size_t size)
{
	char path[64];
	ZN_AUTO_FREE char *text = malloc(65536);

	snprintf(path, sizeof path, "/proc/%d/status", thread);
	if (thread <= 0 || !text || !slurp(path, text, 65536))
		return false;
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		size_t len = strlen(name);

		if (strncmp(line, name, len) != 0)
			continue;
		snprintf(value, size, "%.*s", (int)strcspn(line + len, "\n"), line + len);
		return true;
	}
	return false;
}

bool zn_process_has_group(int32_t thread, gid_t group)
{
	ZN_AUTO_FREE char *groups = malloc(65536);

	if (!groups || !status_line(thread, "Groups:", groups, 65536))
		return false;
	for (char *at = groups, *end;; at = end) {
		unsigned long each = strtoul(at, &end, 10);

		if (end == at)
			return false;
		if (each == group)
			return true;
	}
}

int32_t zn_process_of(int32_t thread)
{
	char value[32];

	return status_line(thread, "Tgid:", value, sizeof value) ? (int32_t)strtol(value, NULL, 10) : 0;
}

bool zn_process_has_thread(int32_t process, int32_t thread)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/task/%d", process, thread);
	return access(path, F_OK) == 0;
}

uint64_t zn_process_began(int32_t process)
{
	char path[64], stat[1024];

	snprintf(path, sizeof path, "/proc/%d/stat", process);
	if (process <= 0 || !slurp(path, stat, sizeof stat))
		return UINT64_MAX;
	return stat_field(stat, 22) * (ZN_NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
}

void zn_process_name(int32_t thread, char name[static 32])
{
	char path[64];

	name[0] = '\0';
	snprintf(path, sizeof path, "/proc/%d/comm", thread);
	if (thread > 0 && slurp(path, name, 32))
		name[strcspn(name, "\n")] = '\0';
}
