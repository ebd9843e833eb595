#include "fs/save/refused.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/text/zonefile.h"

#define DIRECTORY "rejected"
#define OLDER_MAX 4
#define SUFFIX_MAX 8 /* ".4.error" */
/* Written under this name, then renamed: a crash leaves no half text behind. */
#define DRAFT ".draft"

struct zn_refused {
	int dir;	/* -1: nothing is kept */
	pthread_mutex_t lock; /* one change of the files at a time */
};

/* The file of a zone. A name that would be too long for a directory entry with its suffixes is a hash. */
static void file_of(const struct zn_zone_id *zone, char file[static ZN_FILENAME_MAX + 1])
{
	enum zn_code code = zn_zone_to_filename(&zone->name, zone->variant, file);

	if (code != ZN_OK || strlen(file) > ZN_FILENAME_MAX - SUFFIX_MAX)
		snprintf(file, ZN_FILENAME_MAX + 1, "~%08x.zone", zn_jenkins(zn_name_view(&zone->name), 0));
}

/* "example.com.zone" with or without a number and .error behind: the zone's own part. */
static struct zn_view zone_part(const char *file)
{
	struct zn_view name = zn_view_str(file);
	struct zn_view error = ZN_VIEW(".error");

	if (name.len > error.len && zn_view_equal(zn_view_sub(name, name.len - error.len, error.len), error))
		name.len -= error.len;
	if (name.len > 2 && name.data[name.len - 2] == '.' && name.data[name.len - 1] >= '1' && name.data[name.len - 1] <= '0' + OLDER_MAX)
		name.len -= 2;
	return name;
}

/* Commands refuse texts too, beside a running daemon: the directory is what counts, not what we remember. */
static bool is_there(const struct zn_refused *refused, const char *file)
{
	return refused->dir >= 0 && faccessat(refused->dir, file, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

enum zn_code zn_refused_list(struct zn_refused *refused, enum zn_code (*each)(void *context, const char *file), void *context)
{
	enum zn_code code = ZN_OK;
	int fd = refused->dir < 0 ? -1 : openat(refused->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return ZN_OK; /* nothing is kept, so nothing is listed */
	}
	for (struct dirent *entry; code == ZN_OK && (entry = readdir(dir));)
		if (entry->d_name[0] != '.')
			code = each(context, entry->d_name);
	closedir(dir);
	return code;
}

enum zn_code zn_refused_open(const char *spool, bool writable, struct zn_refused **ret_refused, struct zn_err *err)
{
	struct zn_refused *refused = calloc(1, sizeof *refused);

	if (!refused)
		return zn_fail(err, ZN_ENOMEM, "out of memory");
	pthread_mutex_init(&refused->lock, NULL);
	int spool_fd = open(spool, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (spool_fd >= 0) {
		if (writable && mkdirat(spool_fd, DIRECTORY, 0700) != 0 && errno != EEXIST) {
			enum zn_code code = zn_fail_errno(err, errno, "make directory %s/" DIRECTORY, spool);

			close(spool_fd);
			refused->dir = -1;
			zn_refused_close(refused);
			return code;
		}
		refused->dir = openat(spool_fd, DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(spool_fd);
	} else {
		refused->dir = -1;
	}
	if (refused->dir < 0 && writable) {
		enum zn_code code = zn_fail_errno(err, errno, "open %s/" DIRECTORY, spool);

		zn_refused_close(refused);
		return code;
	}
	*ret_refused = refused;
	return ZN_OK;
}

void zn_refused_close(struct zn_refused *refused)
{
	if (!refused)
		return;
	if (refused->dir >= 0)
		close(refused->dir);
	pthread_mutex_destroy(&refused->lock);
	free(refused);
}

static enum zn_code write_file(struct zn_refused *refused, const char *file, struct zn_view bytes, struct zn_err *err)
{
	ZN_AUTO_CLOSE int fd = openat(refused->dir, DRAFT, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		return zn_fail_errno(err, errno, "keep the refused text");
	for (size_t done = 0; done < bytes.len;) {
		ssize_t len = write(fd, bytes.data + done, bytes.len - done);

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0) {
			enum zn_code code = zn_fail_errno(err, errno, "keep the refused text");

			unlinkat(refused->dir, DRAFT, 0);
			return code;
		}
		done += (size_t)len;
	}
	if (renameat(refused->dir, DRAFT, refused->dir, file) != 0)
		return zn_fail_errno(err, errno, "keep the refused text");
	return ZN_OK;
}

struct names {
	char text[ZN_FILENAME_MAX + SUFFIX_MAX + 1], error[ZN_FILENAME_MAX + SUFFIX_MAX + 1];
};

static void name_version(const char *file, unsigned number, struct names *ret_names)
{
	char suffix[4] = "";

	if (number)
		snprintf(suffix, sizeof suffix, ".%u", number);
	snprintf(ret_names->text, sizeof ret_names->text, "%s%s", file, suffix);
	snprintf(ret_names->error, sizeof ret_names->error, "%s%s.error", file, suffix);
}

/* A version that is not there is no failure. */
static void move_version(struct zn_refused *refused, const char *file, unsigned from, unsigned to)
{
	struct names source, target;

	name_version(file, from, &source);
	name_version(file, to, &target);
	if (renameat(refused->dir, source.text, refused->dir, target.text) != 0)
		unlinkat(refused->dir, target.text, 0);
	if (renameat(refused->dir, source.error, refused->dir, target.error) != 0)
		unlinkat(refused->dir, target.error, 0);
}

enum zn_code zn_refused_keep(struct zn_refused *refused, const struct zn_zone_id *zone, struct zn_view text, struct zn_view why,
	struct zn_err *err)
{
	char file[ZN_FILENAME_MAX + 1];
	struct names names;

	if (refused->dir < 0)
		return ZN_OK;
	file_of(zone, file);
	name_version(file, 0, &names);
	pthread_mutex_lock(&refused->lock);
	if (is_there(refused, file))
		for (unsigned i = OLDER_MAX; i > 0; i--)
			move_version(refused, file, i - 1, i);
	enum zn_code code = write_file(refused, names.text, text, err);
	if (code == ZN_OK)
		code = write_file(refused, names.error, why, err);
	pthread_mutex_unlock(&refused->lock);
	return code;
}

void zn_refused_clear(struct zn_refused *refused, const struct zn_zone_id *zone)
{
	char file[ZN_FILENAME_MAX + 1];

	if (refused->dir < 0)
		return;
	file_of(zone, file);
	pthread_mutex_lock(&refused->lock);
	if (is_there(refused, file)) {
		for (unsigned i = 0; i <= OLDER_MAX; i++) {
			struct names names;

			name_version(file, i, &names);
			unlinkat(refused->dir, names.text, 0);
			unlinkat(refused->dir, names.error, 0);
		}
	}
	pthread_mutex_unlock(&refused->lock);
}

bool zn_refused_has(struct zn_refused *refused, const struct zn_zone_id *zone)
{
	char file[ZN_FILENAME_MAX + 1];

	file_of(zone, file);
	return is_there(refused, file);
}

struct visit {
	void (*each)(void *context, const char *file);
	void *context;
};

static enum zn_code visit_newest(void *context, const char *file)
{
	const struct visit *visit = context;

	if (zn_view_is(zone_part(file), file))
		visit->each(visit->context, file);
	return ZN_OK;
}

void zn_refused_each_zone(struct zn_refused *refused, void (*each)(void *context, const char *file), void *context)
{
	struct visit visit = {each, context};

	enum zn_code code = zn_refused_list(refused, visit_newest, &visit);
	(void)code; /* none of its own, and visiting cannot fail */
}

static void count_one(void *context, const char *file)
{
	(void)file;
	++*(size_t *)context;
}

size_t zn_refused_count(struct zn_refused *refused)
{
	size_t count = 0;

	zn_refused_each_zone(refused, count_one, &count);
	return count;
}

/* A name of this directory, and no way out of it. */
static bool inside(const struct zn_refused *refused, const char *file)
{
	return refused->dir >= 0 && file[0] && file[0] != '.' && !strchr(file, '/');
}

enum zn_code zn_refused_stat(struct zn_refused *refused, const char *file, struct zn_refused_stat *ret_stat)
{
	struct stat st;

	if (!inside(refused, file) || fstatat(refused->dir, file, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
		return ZN_ENOTFOUND;
	*ret_stat = (struct zn_refused_stat){(uint64_t)st.st_size, zn_stamp_from_timespec(st.st_mtim)};
	return ZN_OK;
}

enum zn_code zn_refused_read(struct zn_refused *refused, const char *file, struct zn_buf *out, struct zn_err *err)
{
	if (!inside(refused, file))
		return ZN_ENOTFOUND;
	ZN_AUTO_CLOSE int fd = openat(refused->dir, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? ZN_ENOTFOUND : zn_fail_errno(err, errno, "read rejected/%s", file);
	for (;;) {
		if (!zn_buf_reserve(out, 1 << 16))
			return zn_buf_check(out, file, err);
		ssize_t len = read(fd, out->data + out->len, 1 << 16);

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return zn_fail_errno(err, errno, "read rejected/%s", file);
		out->len += (size_t)len;
		out->data[out->len] = 0;
		if (len == 0)
			return ZN_OK;
	}
}

enum zn_code zn_refused_remove(struct zn_refused *refused, const char *file, struct zn_err *err)
{
	if (!inside(refused, file))
		return ZN_ENOTFOUND;
	pthread_mutex_lock(&refused->lock);
	enum zn_code code = ZN_OK;
	if (unlinkat(refused->dir, file, 0) != 0)
		code = errno == ENOENT ? ZN_ENOTFOUND : zn_fail_errno(err, errno, "remove rejected/%s", file);
	pthread_mutex_unlock(&refused->lock);
	return code;
}
