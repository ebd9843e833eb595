/* fs/cmd/running.c - commands that speak to a running mount through its .zonefs directory: status, allow. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "fs/cmd/cmd.h"
#include "store/base/auto.h"
#include "store/base/bytes.h"

/* mountinfo writes blanks and the like as \ooo. */
static void unescape(char *path)
{
	char *to = path;

	for (const char *from = path; *from; from++) {
		unsigned value;
		if (from[0] == '\\' && sscanf(from + 1, "%3o", &value) == 1) {
			*to++ = (char)value;
			from += 3;
		} else {
			*to++ = *from;
		}
	}
	*to = '\0';
}

/* The mount point of the one zonefs that is mounted. Says what is wrong and returns false when there is none, or several. */
static bool find_mount(char path[static PATH_MAX])
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t size = 0;
	unsigned found = 0;

	while (file && getline(&line, &size, file) >= 0) {
		char at[PATH_MAX], type[64];
		const char *tail = strstr(line, " - ");
		if (!tail || sscanf(tail, " - %63s", type) != 1 || strcmp(type, "fuse.zonefs") != 0)
			continue;
		if (sscanf(line, "%*s %*s %*s %*s %4095s", at) != 1)
			continue;
		unescape(at);
		snprintf(path, PATH_MAX, "%s", at);
		found++;
	}
	free(line);
	if (file)
		fclose(file);
	if (found == 1)
		return true;
	fprintf(stderr, found ? "zonefs: several zonefs are mounted: name the mount point\n" : "zonefs: no zonefs is mounted here\n");
	return false;
}

/* Opens MOUNTPOINT/.zonefs/name; prints what is wrong. */
static int open_control(const char *mountpoint, const char *name, int flags)
{
	char found[PATH_MAX];
	struct zn_buf path = ZN_BUF_INIT(PATH_MAX);
	int fd = -1;

	if (!mountpoint && !find_mount(found))
		return -1;
	zn_buf_addf(&path, "%s/.zonefs/%s", mountpoint ? mountpoint : found, name);
	fd = open(zn_buf_str(&path), flags | O_CLOEXEC);
	if (fd < 0)
		fprintf(stderr, "zonefs: %s: %s\n", zn_buf_str(&path), strerror(errno));
	zn_buf_release(&path);
	return fd;
}

int zn_cmd_status(int argc, char **argv)
{
	const char *mountpoint = NULL;
	const char *name = "status";
	char bytes[65536];
	ssize_t len;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			name = "status.json";
		else if (argv[i][0] != '-' && !mountpoint)
			mountpoint = argv[i];
		else {
			fprintf(stderr, "usage: zonefs status [--json] [MOUNTPOINT]\n");
			return EX_USAGE;
		}
	}
	ZN_AUTO_CLOSE int fd = open_control(mountpoint, name, O_RDONLY);
	if (fd < 0)
		return EX_UNAVAILABLE;
	while ((len = read(fd, bytes, sizeof bytes)) > 0)
		if (fwrite(bytes, 1, (size_t)len, stdout) != (size_t)len)
			return EX_IOERR;
	return len == 0 && fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}

int zn_cmd_allow(int argc, char **argv)
{
	if (argc > 2 || (argc == 2 && argv[1][0] == '-')) {
		fprintf(stderr, "usage: zonefs allow [MOUNTPOINT]\n");
		return EX_USAGE;
	}
	int fd = open_control(argc == 2 ? argv[1] : NULL, "allow", O_WRONLY | O_TRUNC);
	if (fd < 0)
		return EX_UNAVAILABLE;
	bool written = write(fd, "once\n", 5) == 5;
	if (close(fd) != 0 || !written) {
		fprintf(stderr, "zonefs: allow: %s\n", strerror(errno));
		return EX_NOPERM;
	}
	return EX_OK;
}
