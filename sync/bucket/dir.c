/* A directory as bucket, the one Lightning Stream's "fs" storage shares: an object is a regular file
 * whose name neither begins with "." nor ends in ".tmp".
 *
 * Writing: a temporary file under a name that nobody else uses (.<name>.<pid>.<n>.tmp, hidden from LS
 * twice), fsync, rename, fsync of the directory. Killed in between, it leaves a temporary file, which a
 * later start sweeps when it is an hour old. The directory is opened for each operation, so that one
 * that was mounted over, replaced or lost to ESTALE on NFS is simply looked up again. */
#include "sync/bucket/bucket.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/base/clock.h"

#define COPY_BLOCK ((size_t)128 << 10)
#define STALE_AFTER_S 3600	/* seconds since the last write to a temporary file */
#define WATCHED (IN_MOVED_TO | IN_CLOSE_WRITE | IN_DELETE)

struct dir_bucket {
	struct zn_bucket bucket;
	char *path;
	int inotify;
	bool watching;
};

static struct dir_bucket *dir_of(struct zn_bucket *bucket)
{
	return (struct dir_bucket *)bucket;
}

static bool ends_in_tmp(const char *name)
{
	size_t len = strlen(name);

	return len >= 4 && strcmp(name + len - 4, ".tmp") == 0;
}

/* One of ours: .<something>.<digits>.<digits>.tmp */
static bool is_our_temporary(const char *name)
{
	size_t len = strlen(name);

	if (name[0] != '.' || !ends_in_tmp(name))
		return false;
	len -= 4;
	for (int part = 0; part < 2; part++) {
		size_t end = len;

		while (len > 0 && name[len - 1] >= '0' && name[len - 1] <= '9')
			len--;
		if (len == end || len < 2 || name[len - 1] != '.')
			return false;
		len--;
	}
	return len > 1;
}

/* Splits "a/b/name" into the directory below the bucket ("a/b", or "." for none) and the name. Names
 * that would leave the bucket or be invisible in it are refused. */
static enum zn_code split_name(const char *name, char dir[static 256], const char **ret_base, struct zn_err *err)
{
	const char *part = name;

	for (const char *slash; (slash = strchr(part, '/')); part = slash + 1)
		if (slash == part || *part == '.')
			return zn_fail(err, ZN_EINVAL, "not a name for an object");
	size_t len = part == name ? 0 : (size_t)(part - name) - 1;
	if (*part == 0 || *part == '.' || ends_in_tmp(part) || len > 255)
		return zn_fail(err, ZN_EINVAL, "not a name for an object");
	memcpy(dir, len ? name : ".", len ? len : 1);
	dir[len ? len : 1] = 0;
	*ret_base = part;
	return ZN_OK;
}

static int open_dir(struct dir_bucket *d, const char *below)
{
	ZN_AUTO_CLOSE int root = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return root < 0 ? -1 : openat(root, below, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Some file systems cannot sync a directory and say so; there is nothing more to be had there. */
static int sync_dir(int fd)
{
	return fsync(fd) == 0 || errno == EINVAL || errno == ENOTSUP || errno == EROFS ? 0 : -1;
}

/* ---- list ---- */

static enum zn_code dir_list(struct zn_bucket *bucket, const char *prefix, struct zn_listing *listing,
		struct zn_err *err)
{
	struct dir_bucket *d = dir_of(bucket);
	const char *slash = strrchr(prefix, '/');
	char below[256] = ".";
	char name[512];

	if (slash && (size_t)(slash - prefix) < sizeof below) {
		memcpy(below, prefix, (size_t)(slash - prefix));
		below[slash - prefix] = 0;
	}
	const char *begin = slash ? slash + 1 : prefix;
	int fd = open_dir(d, below);
	if (fd < 0 && errno == ENOENT && slash && access(d->path, F_OK) == 0)
		return ZN_OK;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		enum zn_code code = zn_fail_errno(err, errno, "%s", d->path);
		if (fd >= 0)
			close(fd);
		return code;
	}
	enum zn_code code = ZN_OK;
	for (;;) {
		struct stat st;

		errno = 0;
		struct dirent *entry = readdir(dir);
		if (!entry) {
			if (errno && errno != ENOENT)
				code = zn_fail_errno(err, errno, "%s", d->path);
			break;
		}
		if (entry->d_name[0] == '.' || ends_in_tmp(entry->d_name) ||
				strncmp(entry->d_name, begin, strlen(begin)) != 0)
			continue;
		/* Gone meanwhile, or no regular file: no object. */
		if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
			continue;
		snprintf(name, sizeof name, "%.*s%s", slash ? (int)(slash - prefix) + 1 : 0, prefix,
				entry->d_name);
		code = zn_listing_add(listing, name, (uint64_t)st.st_size, err);
		if (code)
			break;
	}
	closedir(dir);
	return code;
}

/* ---- get ---- */

static enum zn_code dir_get(struct zn_bucket *bucket, const char *name, uint64_t max, int *ret_fd,
		struct zn_err *err)
{
	char below[256];
	const char *base;
	struct stat st;
	enum zn_code code = split_name(name, below, &base, err);

	if (code)
		return code;
	ZN_AUTO_CLOSE int dir = open_dir(dir_of(bucket), below);
	ZN_AUTO_CLOSE int fd = dir < 0 ? -1 : openat(dir, base, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		if (errno == ENOENT || errno == ESTALE || errno == ELOOP)
			return zn_fail(err, ZN_ENOTFOUND, "there is no such object");
		return zn_fail_errno(err, errno, "open");
	}
	if (!S_ISREG(st.st_mode))
		return zn_fail(err, ZN_ENOTFOUND, "not an object");
	if ((uint64_t)st.st_size > max)
		return zn_fail(err, ZN_ETOOBIG, "%lld bytes", (long long)st.st_size);
	*ret_fd = fd;
	fd = -1;
	return ZN_OK;
}

/* ---- put ---- */

static enum zn_code copy_file(int from, int to, struct zn_err *err)
{
	ZN_AUTO_FREE uint8_t *block = malloc(COPY_BLOCK);
	off_t at = 0;

	if (!block)
		return zn_fail(err, ZN_ENOMEM, "%s", zn_code_text(ZN_ENOMEM));
	for (;;) {
		ssize_t len = pread(from, block, COPY_BLOCK, at);

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return zn_fail_errno(err, errno, "read");
		if (len == 0)
			return ZN_OK;
		for (ssize_t done = 0; done < len;) {
			ssize_t part = write(to, block + done, (size_t)(len - done));

			if (part < 0 && errno == EINTR)
				continue;
			if (part < 0)
				return zn_fail_errno(err, errno, "write");
			done += part;
		}
		at += len;
	}
}

/* Makes the directories of "a/b" one by one. */
static enum zn_code make_dirs(struct dir_bucket *d, const char *below, struct zn_err *err)
{
	ZN_AUTO_CLOSE int root = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char part[256];

	if (root < 0)
		return zn_fail_errno(err, errno, "%s", d->path);
	for (size_t len = 0; below[len]; len++) {
		part[len] = below[len];
		part[len + 1] = 0;
		if (below[len + 1] != '/' && below[len + 1] != 0)
			continue;
		if (mkdirat(root, part, 0777) < 0 && errno != EEXIST)
			return zn_fail_errno(err, errno, "make directory %s", part);
	}
	return sync_dir(root) < 0 ? zn_fail_errno(err, errno, "sync %s", d->path) : ZN_OK;
}

/* A rename whose answer was lost on NFS is tried again by the client and then finds nothing: it worked
 * when our file is there under its name. */
static bool renamed_after_all(int dir, const char *base, int fd)
{
	struct stat ours, there;

	return fstat(fd, &ours) == 0 && fstatat(dir, base, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

static enum zn_code put_in(int dir, const char *base, int from, struct zn_err *err)
{
	static _Atomic unsigned counter;
	char temporary[384];
	ZN_AUTO_CLOSE int to = -1;

	do {
		snprintf(temporary, sizeof temporary, ".%s.%ld.%u.tmp", base, (long)getpid(),
				atomic_fetch_add(&counter, 1));
		to = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
	} while (to < 0 && errno == EEXIST);
	if (to < 0)
		return zn_fail_errno(err, errno, "create a temporary file");

	enum zn_code code = copy_file(from, to, err);
	if (!code && fsync(to) < 0)
		code = zn_fail_errno(err, errno, "sync");
	if (!code && renameat(dir, temporary, dir, base) < 0 &&
			!(errno == ENOENT && renamed_after_all(dir, base, to)))
		code = zn_fail_errno(err, errno, "rename");
	if (code) {
		unlinkat(dir, temporary, 0);
		return code;
	}
	return sync_dir(dir) < 0 ? zn_fail_errno(err, errno, "sync the directory") : ZN_OK;
}

static enum zn_code dir_put(struct zn_bucket *bucket, const char *name, int from, struct zn_err *err)
{
	struct dir_bucket *d = dir_of(bucket);
	char below[256];
	const char *base;
	enum zn_code code = split_name(name, below, &base, err);

	if (!code && strcmp(below, ".") != 0)
		code = make_dirs(d, below, err);
	if (code)
		return code;
	ZN_AUTO_CLOSE int dir = open_dir(d, below);
	return dir < 0 ? zn_fail_errno(err, errno, "%s", d->path) : put_in(dir, base, from, err);
}

static enum zn_code dir_delete(struct zn_bucket *bucket, const char *name, struct zn_err *err)
{
	char below[256];
	const char *base;
	enum zn_code code = split_name(name, below, &base, err);

	if (code)
		return code;
	ZN_AUTO_CLOSE int dir = open_dir(dir_of(bucket), below);
	if (dir < 0 || unlinkat(dir, base, 0) < 0)
		return errno == ENOENT || errno == ESTALE ? ZN_OK : zn_fail_errno(err, errno, "unlink");
	return ZN_OK;
}

/* ---- watch ---- */

static void watch(struct dir_bucket *d)
{
	d->watching = inotify_add_watch(d->inotify, d->path, WATCHED | IN_ONLYDIR) >= 0;
}

static int dir_watch_fd(struct zn_bucket *bucket)
{
	struct dir_bucket *d = dir_of(bucket);

	if (d->inotify >= 0 && !d->watching)
		watch(d);
	return d->inotify;
}

static void dir_watch_clear(struct zn_bucket *bucket)
{
	struct dir_bucket *d = dir_of(bucket);
	_Alignas(struct inotify_event) char events[4096];
	ssize_t len;

	while (d->inotify >= 0 && (len = read(d->inotify, events, sizeof events)) > 0) {
		for (ssize_t at = 0; at < len;) {
			struct inotify_event event;

			memcpy(&event, events + at, sizeof event);
			if (event.mask & IN_IGNORED) /* the directory is another one now */
				d->watching = false;
			at += (ssize_t)(sizeof event + event.len);
		}
	}
}

/* ---- open and close ---- */

static void sweep(struct dir_bucket *d)
{
	int fd = open_dir(d, ".");
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	time_t now = time(NULL);
	struct dirent *entry;
	struct stat st;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(dir)))
		if (is_our_temporary(entry->d_name) &&
				fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
				S_ISREG(st.st_mode) && st.st_mtime + STALE_AFTER_S < now)
			unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
}

static void dir_close(struct zn_bucket *bucket)
{
	struct dir_bucket *d = dir_of(bucket);

	if (d->inotify >= 0)
		close(d->inotify);
	free(d->path);
	free(d);
}

static const struct zn_bucket_ops dir_ops = {
		.list = dir_list,
		.get = dir_get,
		.put = dir_put,
		.delete = dir_delete,
		.watch_fd = dir_watch_fd,
		.watch_clear = dir_watch_clear,
		.close = dir_close,
};

enum zn_code zn_bucket_open_dir(const char *path, struct zn_bucket **ret_bucket, struct zn_err *err)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return zn_fail_errno(err, errno, "bucket directory %s", path);
	struct dir_bucket *d = calloc(1, sizeof *d);
	if (!d)
		return zn_fail(err, ZN_ENOMEM, "%s", zn_code_text(ZN_ENOMEM));
	d->bucket.ops = &dir_ops;
	d->inotify = -1;
	d->path = strdup(path);
	int fd = d->path ? open_dir(d, ".") : -1;
	if (fd < 0) {
		enum zn_code code = d->path ? zn_fail_errno(err, errno, "bucket directory %s", path)
					    : zn_fail(err, ZN_ENOMEM, "%s", zn_code_text(ZN_ENOMEM));
		dir_close(&d->bucket);
		return code;
	}
	close(fd);
	d->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (d->inotify >= 0)
		watch(d);
	sweep(d);
	*ret_bucket = &d->bucket;
	return ZN_OK;
}
