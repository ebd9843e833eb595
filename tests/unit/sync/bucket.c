/* The laws of every bucket, on the directory backend; and the directory backend killed, or failing, at
 * each of its system calls (the linker wraps them). */
#include "tests/unit/suite.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sync/bucket/bucket.h"

/* ---- faults ---- */

static int countdown = -1;	/* calls until one fails; -1: none does */
static bool fault_kills;
static int fault_errno;

static bool faulty(void)
{
	if (countdown < 0 || countdown-- > 0)
		return false;
	if (fault_kills)
		_exit(9);
	errno = fault_errno;
	return true;
}

#define WRAP(type, name, params, args)       \
	type __real_##name params;           \
	type __wrap_##name params;           \
	type __wrap_##name params            \
	{                                    \
		if (faulty())                \
			return -1;           \
		return __real_##name args;   \
	}

WRAP(ssize_t, write, (int fd, const void *data, size_t len), (fd, data, len > 7 ? 7 : len))
WRAP(ssize_t, pread64, (int fd, void *data, size_t len, off_t at), (fd, data, len, at))
WRAP(int, fsync, (int fd), (fd))
WRAP(int, renameat, (int a, const char *from, int b, const char *to), (a, from, b, to))
WRAP(int, mkdirat, (int dir, const char *name, mode_t mode), (dir, name, mode))
WRAP(int, unlinkat, (int dir, const char *name, int flags), (dir, name, flags))

/* ---- helpers ---- */

static char dir[64];

static void setup(void)
{
	snprintf(dir, sizeof dir, "/tmp/zn-bucket-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void teardown(void)
{
	char command[128];

	snprintf(command, sizeof command, "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static struct zn_bucket *open_bucket(void)
{
	struct zn_bucket *bucket;
	struct zn_err err;
	char url[80];

	snprintf(url, sizeof url, "file://%s", dir);
	enum zn_code code = zn_bucket_open(url, &bucket, &err);
	ck_assert_msg(!code, "%s", err.text);
	return bucket;
}

static int file_of(const char *text)
{
	int fd = memfd_create("object", MFD_CLOEXEC);

	ck_assert_int_eq(ftruncate(fd, (off_t)strlen(text)), 0);
	ck_assert_int_eq(pwrite(fd, text, strlen(text), 0), (ssize_t)strlen(text));
	return fd;
}

static enum zn_code put(struct zn_bucket *bucket, const char *name, const char *text)
{
	ZN_AUTO_CLOSE int fd = file_of(text);

	return zn_bucket_put(bucket, name, fd, NULL);
}

/* The object's text in `text`, or the code. */
static enum zn_code get(struct zn_bucket *bucket, const char *name, uint64_t max, char text[static 256])
{
	ZN_AUTO_CLOSE int fd = -1;
	enum zn_code code = zn_bucket_get(bucket, name, max, &fd, NULL);

	if (code)
		return code;
	ssize_t len = read(fd, text, 255);
	ck_assert_int_ge(len, 0);
	text[len] = 0;
	return ZN_OK;
}

/* Names of a listing, joined by spaces. */
static const char *list(struct zn_bucket *bucket, const char *prefix, struct zn_buf *out)
{
	ZN_AUTO(zn_listing_release) struct zn_listing listing = {0};

	zn_buf_clear(out);
	ck_assert_int_eq(zn_bucket_list(bucket, prefix, &listing, NULL), ZN_OK);
	for (size_t i = 0; i < listing.count; i++)
		zn_buf_addf(out, "%s%s:%u", i ? " " : "", listing.items[i].name,
				(unsigned)listing.items[i].size);
	return zn_buf_str(out);
}

static unsigned files_in_dir(void)
{
	DIR *d = opendir(dir);
	unsigned count = 0;

	while (readdir(d))
		count++;
	closedir(d);
	return count - 2;
}

/* ---- the laws ---- */

START_TEST(laws)
{
	ZN_AUTO_PTR(zn_bucket_close) struct zn_bucket *bucket = open_bucket();
	ZN_AUTO(zn_buf_release) struct zn_buf out = ZN_BUF_INIT(4096);
	char text[256];

	ck_assert_str_eq(list(bucket, "", &out), "");
	ck_assert_int_eq(get(bucket, "main__a", 100, text), ZN_ENOTFOUND);
	ck_assert_int_eq(put(bucket, "main__b", "bb"), ZN_OK);
	ck_assert_int_eq(put(bucket, "main__a", "a"), ZN_OK);
	ck_assert_int_eq(put(bucket, "main", ""), ZN_OK);
	ck_assert_int_eq(put(bucket, "shard__a", "a"), ZN_OK);
	ck_assert_str_eq(list(bucket, "main__", &out), "main__a:1 main__b:2");
	ck_assert_str_eq(list(bucket, "", &out), "main:0 main__a:1 main__b:2 shard__a:1");
	ck_assert_int_eq(get(bucket, "main__b", 2, text), ZN_OK);
	ck_assert_str_eq(text, "bb");
	ck_assert_int_eq(get(bucket, "main__b", 1, text), ZN_ETOOBIG);
	ck_assert_int_eq(put(bucket, "main__b", "other"), ZN_OK);
	ck_assert_int_eq(get(bucket, "main__b", 100, text), ZN_OK);
	ck_assert_str_eq(text, "other");
	ck_assert_int_eq(zn_bucket_delete(bucket, "main__b", NULL), ZN_OK);
	ck_assert_int_eq(zn_bucket_delete(bucket, "main__b", NULL), ZN_OK);
	ck_assert_str_eq(list(bucket, "main__", &out), "main__a:1");

	/* Below zonefs/, out of Lightning Stream's sight. */
	ck_assert_str_eq(list(bucket, "zonefs/head/", &out), "");
	ck_assert_int_eq(put(bucket, "zonefs/head/ns1.00ff", "h"), ZN_OK);
	ck_assert_str_eq(list(bucket, "zonefs/head/", &out), "zonefs/head/ns1.00ff:1");
	ck_assert_str_eq(list(bucket, "", &out), "main:0 main__a:1 shard__a:1");
	ck_assert_int_eq(get(bucket, "zonefs/head/ns1.00ff", 100, text), ZN_OK);
	ck_assert_int_eq(zn_bucket_delete(bucket, "zonefs/head/ns1.00ff", NULL), ZN_OK);
	ck_assert_str_eq(list(bucket, "zonefs/head/", &out), "");
}
END_TEST

START_TEST(names_refused)
{
	static const char *const names[] = {"", ".hidden", "a.tmp", "../up", "a/../../up", "a/", "/a", "a/.b", "a//b",
			"./a", "a/./b"};
	ZN_AUTO_PTR(zn_bucket_close) struct zn_bucket *bucket = open_bucket();
	char text[256];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		ck_assert_msg(put(bucket, names[i], "x") == ZN_EINVAL, "%s", names[i]);
		ck_assert_msg(get(bucket, names[i], 9, text) == ZN_EINVAL, "%s", names[i]);
		ck_assert_msg(zn_bucket_delete(bucket, names[i], NULL) == ZN_EINVAL, "%s", names[i]);
	}
	ck_assert_uint_eq(files_in_dir(), 0);
}
END_TEST

START_TEST(urls)
{
	struct zn_bucket *bucket;
	struct zn_err err;

	ck_assert_int_eq(zn_bucket_open("/srv/bucket", &bucket, &err), ZN_EINVAL);
	ck_assert_int_eq(zn_bucket_open("file://srv/bucket", &bucket, &err), ZN_EINVAL);
	ck_assert_int_eq(zn_bucket_open("ftp://srv/bucket", &bucket, &err), ZN_EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "file:///"));
	ck_assert_int_eq(zn_bucket_open("file:///proc/self/status", &bucket, &err), ZN_ESYS);
	ck_assert_ptr_nonnull(strstr(err.text, "/proc/self/status"));
}
END_TEST

/* What Lightning Stream does not see, we do not either. */
START_TEST(foreign_files)
{
	ZN_AUTO_PTR(zn_bucket_close) struct zn_bucket *bucket = open_bucket();
	ZN_AUTO(zn_buf_release) struct zn_buf out = ZN_BUF_INIT(4096);
	char command[512], text[256];

	snprintf(command, sizeof command,
			"cd %s && mkdir main__dir && ln -s /etc/passwd main__link && mkfifo main__fifo && "
			"touch .main__hidden main__x.tmp main__x", dir);
	ck_assert_int_eq(system(command), 0);
	ck_assert_str_eq(list(bucket, "", &out), "main__x:0");
	ck_assert_int_eq(get(bucket, "main__link", 1 << 20, text), ZN_ENOTFOUND);
	ck_assert_int_eq(get(bucket, "main__fifo", 1 << 20, text), ZN_ENOTFOUND);
	ck_assert_int_eq(get(bucket, "main__dir", 1 << 20, text), ZN_ENOTFOUND);
}
END_TEST

/* Temporary files of dead writers go when they are old; those of others stay. */
START_TEST(stale_files)
{
	char command[512];

	snprintf(command, sizeof command,
			"cd %s && touch -d '3 hours ago' .main__a.12.3.tmp .main__a.tmp .12.3.tmp main__a.tmp .a.b.3.tmp && "
			"touch .main__b.12.3.tmp", dir);
	ck_assert_int_eq(system(command), 0);
	zn_bucket_close(open_bucket());
	snprintf(command, sizeof command, "cd %s && ls -A | LC_ALL=C sort | tr '\\n' ' ' | "
			"grep -qx '[.]12[.]3[.]tmp [.]a[.]b[.]3[.]tmp [.]main__a[.]tmp [.]main__b[.]12[.]3[.]tmp main__a[.]tmp '",
			dir);
	ck_assert_int_eq(system(command), 0);
}
END_TEST

static bool readable(int fd, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, timeout_ms) == 1;
}

START_TEST(watching)
{
	ZN_AUTO_PTR(zn_bucket_close) struct zn_bucket *bucket = open_bucket();
	ZN_AUTO_PTR(zn_bucket_close) struct zn_bucket *other = open_bucket();
	int fd = zn_bucket_watch_fd(bucket);
	char command[160];

	if (fd < 0)
		return; /* no inotify here: polling serves */
	zn_bucket_watch_clear(bucket);
	ck_assert(!readable(fd, 0));
	ck_assert_int_eq(put(other, "main__a", "a"), ZN_OK);
	ck_assert(readable(fd, 30000));
	zn_bucket_watch_clear(bucket);
	ck_assert(!readable(fd, 0));

	/* The directory is replaced by another: watched again. */
	snprintf(command, sizeof command, "rm -r %s && mkdir %s", dir, dir);
	ck_assert_int_eq(system(command), 0);
	ck_assert(readable(fd, 30000));
	zn_bucket_watch_clear(bucket);
	ck_assert_int_eq(zn_bucket_watch_fd(bucket), fd);
	ck_assert_int_eq(put(other, "main__b", "b"), ZN_OK);
	ck_assert(readable(fd, 30000));
}
END_TEST

/* ---- faults ---- */

#define TEXT "a text that is written in several calls"

/* Killed at its n-th system call, for every n: the name is absent, the old object, or the new one. */
START_TEST(killed)
{
	const char *name = _i ? "zonefs/log/ns1/1" : "main__a";
	bool seen_old = false, seen_new = false;
	char text[256];

	for (int n = 0;; n++) {
		ZN_AUTO_PTR(zn_bucket_close) struct zn_bucket *bucket = open_bucket();

		ck_assert_int_eq(put(bucket, name, "old"), ZN_OK);
		ZN_AUTO_CLOSE int fd = file_of(TEXT);
		pid_t child = fork();
		if (child == 0) {
			fault_kills = true;
			countdown = n;
			_exit(zn_bucket_put(bucket, name, fd, NULL) ? 1 : 0);
		}
		int status;
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		ck_assert(WIFEXITED(status));
		ck_assert_int_eq(get(bucket, name, 100, text), ZN_OK);
		seen_old = seen_old || strcmp(text, "old") == 0;
		seen_new = seen_new || strcmp(text, TEXT) == 0;
		ck_assert_msg(strcmp(text, "old") == 0 || strcmp(text, TEXT) == 0, "step %d: %s", n, text);
		if (WEXITSTATUS(status) == 0) {
			ck_assert_str_eq(text, TEXT);
			break;
		}
		ck_assert_int_eq(WEXITSTATUS(status), 9);
	}
	ck_assert(seen_old && seen_new);
}
END_TEST

/* The same, each call failing: an error with a sentence, no temporary file left, nothing half. */
START_TEST(failing)
{
	static const int errnos[] = {ENOSPC, EIO, EINTR};
	ZN_AUTO_PTR(zn_bucket_close) struct zn_bucket *bucket = open_bucket();
	struct zn_err err;
	char text[256];

	fault_errno = errnos[_i];
	ck_assert_int_eq(put(bucket, "main__a", "old"), ZN_OK);
	for (int n = 0;; n++) {
		ZN_AUTO_CLOSE int fd = file_of(TEXT);

		err = (struct zn_err){0};
		countdown = n;
		enum zn_code code = zn_bucket_put(bucket, "main__a", fd, &err);
		bool happened = countdown < 0;
		countdown = -1;
		ck_assert_int_eq(get(bucket, "main__a", 100, text), ZN_OK);
		ck_assert_uint_eq(files_in_dir(), 1);
		if (!code)
			ck_assert_str_eq(text, TEXT);
		else
			ck_assert_ptr_nonnull(strstr(err.text, "main__a"));
		if (!happened)
			break;
		ck_assert_int_eq(put(bucket, "main__a", "old"), ZN_OK);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sync/bucket");
	TCase *tests = tcase_create("all");

	tcase_set_timeout(tests, 120);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, laws);
	tcase_add_test(tests, names_refused);
	tcase_add_test(tests, urls);
	tcase_add_test(tests, foreign_files);
	tcase_add_test(tests, stale_files);
	tcase_add_test(tests, watching);
	tcase_add_loop_test(tests, killed, 0, 2);
	tcase_add_loop_test(tests, failing, 0, 3);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
