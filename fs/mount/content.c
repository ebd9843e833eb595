#include "fs/mount/content.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>

struct zn_spool {
	int directory;
	uint64_t quota;
	_Atomic uint64_t used;
};

struct zn_content {
	atomic_uint references;
	struct zn_spool *spool;
	enum zn_content_kind kind;
	size_t max;
	bool named;		/* a scratch file: the bytes stay in it */
	pthread_rwlock_t lock;	/* guards what follows */
	int fd;			/* -1: in memory */
	uint8_t *data;
	size_t size, capacity;
	uint64_t charged;
};

enum zn_code zn_spool_open(const char *directory, uint64_t quota, struct zn_spool **ret_spool, struct zn_err *err)
{
	if (mkdir(directory, 0700) != 0 && errno != EEXIST)
		return zn_fail_errno(err, errno, "%s", directory);
	ZN_AUTO_CLOSE int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return zn_fail_errno(err, errno, "%s", directory);
	struct zn_spool *spool = calloc(1, sizeof *spool);

	if (!spool)
		return zn_fail(err, ZN_ENOMEM, "out of memory");
	spool->directory = fd;
	spool->quota = quota;
	fd = -1;
	*ret_spool = spool;
	return ZN_OK;
}

void zn_spool_close(struct zn_spool *spool)
{
	if (!spool)
		return;
	close(spool->directory);
	free(spool);
}

int zn_spool_directory(const struct zn_spool *spool)
{
	return spool->directory;
}

uint64_t zn_spool_used(struct zn_spool *spool)
{
	return atomic_load(&spool->used);
}

uint64_t zn_spool_quota(const struct zn_spool *spool)
{
	return spool->quota;
}

enum zn_code zn_spool_charge(struct zn_spool *spool, uint64_t bytes)
{
	uint64_t used = atomic_load(&spool->used);

	do {
		if (bytes > spool->quota || used > spool->quota - bytes)
			return ZN_EQUOTA;
	} while (!atomic_compare_exchange_weak(&spool->used, &used, used + bytes));
	return ZN_OK;
}

void zn_spool_charge_anyway(struct zn_spool *spool, uint64_t bytes)
{
	atomic_fetch_add(&spool->used, bytes);
}

void zn_spool_discharge(struct zn_spool *spool, uint64_t bytes)
{
	atomic_fetch_sub(&spool->used, bytes);
}

enum zn_code zn_content_new(struct zn_spool *spool, enum zn_content_kind kind, size_t max, struct zn_content **ret_content)
{
	struct zn_content *content = calloc(1, sizeof *content);

	if (!content)
		return ZN_ENOMEM;
	atomic_init(&content->references, 1);
	content->spool = spool;
	content->kind = kind;
	content->max = max;
	content->fd = -1;
	pthread_rwlock_init(&content->lock, NULL);
	*ret_content = content;
	return ZN_OK;
}

enum zn_code zn_content_of_file(struct zn_spool *spool, int fd, size_t max, struct zn_content **ret_content, struct zn_err *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return zn_fail_errno(err, errno, "scratch file");
	enum zn_code code = zn_content_new(spool, ZN_CONTENT_DRAFT, max, ret_content);

	if (code != ZN_OK)
		return zn_fail(err, code, "out of memory");
	(*ret_content)->named = true;
	(*ret_content)->fd = fd;
	(*ret_content)->size = (size_t)st.st_size;
	return ZN_OK;
}

struct zn_content *zn_content_share(struct zn_content *content)
{
	atomic_fetch_add(&content->references, 1);
	return content;
}

void zn_content_unref(struct zn_content *content)
{
	if (!content || atomic_fetch_sub(&content->references, 1) != 1)
		return;
	if (content->fd >= 0)
		close(content->fd);
	zn_spool_discharge(content->spool, content->charged);
	pthread_rwlock_destroy(&content->lock);
	free(content->data);
	free(content);
}

size_t zn_content_size(struct zn_content *content)
{
	pthread_rwlock_rdlock(&content->lock);
	size_t size = content->size;

	pthread_rwlock_unlock(&content->lock);
	return size;
}

static enum zn_code write_all(int fd, size_t offset, struct zn_view bytes, struct zn_err *err)
{
	while (bytes.len) {
		ssize_t n = pwrite(fd, bytes.data, bytes.len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return zn_fail_errno(err, errno, "spool file");
		offset += (size_t)n;
		bytes = zn_view_sub(bytes, (size_t)n, SIZE_MAX);
	}
	return ZN_OK;
}

/* Bytes go from memory to a file. */
static enum zn_code spill(struct zn_content *content, struct zn_err *err)
{
	ZN_AUTO_CLOSE int fd = openat(content->spool->directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		return zn_fail_errno(err, errno, "spool file");
	enum zn_code code = write_all(fd, 0, zn_view(content->data, content->size), err);

	if (code != ZN_OK)
		return code;
	free(content->data);
	content->data = NULL;
	content->capacity = 0;
	content->fd = fd;
	fd = -1;
	return ZN_OK;
}

/* Room for `size` bytes, in memory and in the quota. Bytes of named files are counted by the scratch table: they outlive this. */
static enum zn_code make_room(struct zn_content *content, size_t size, struct zn_err *err)
{
	if (size > content->max)
		return zn_fail(err, ZN_ETOOBIG, "more than %zu bytes", content->max);
	if (size <= content->size)
		return ZN_OK;
	if (content->kind == ZN_CONTENT_DRAFT && !content->named && size > content->charged) {
		uint64_t more = size - content->charged;

		if (zn_spool_charge(content->spool, more) != ZN_OK)
			return zn_fail(err, ZN_EQUOTA, "the quota of scratch files is used up");
		content->charged += more;
	}
	if (content->fd >= 0)
		return ZN_OK;
	if (size > ZN_CONTENT_IN_MEMORY)
		return spill(content, err);
	if (size > content->capacity) {
		size_t capacity = content->capacity ? content->capacity : 1024;

		while (capacity < size)
			capacity *= 2;
		uint8_t *data = realloc(content->data, capacity);

		if (!data)
			return zn_fail(err, ZN_ENOMEM, "out of memory");
		content->data = data;
		content->capacity = capacity;
	}
	return ZN_OK;
}

static enum zn_code write_locked(struct zn_content *content, size_t offset, struct zn_view bytes, struct zn_err *err)
{
	if (bytes.len > SIZE_MAX - offset)
		return zn_fail(err, ZN_ETOOBIG, "more than %zu bytes", content->max);
	size_t end = offset + bytes.len;
	enum zn_code code = make_room(content, end, err);

	if (code != ZN_OK)
		return code;
	if (content->fd >= 0) {
		code = write_all(content->fd, offset, bytes, err);
		if (code != ZN_OK)
			return code;
	} else if (bytes.len) {
		if (offset > content->size)
			memset(content->data + content->size, 0, offset - content->size);
		memcpy(content->data + offset, bytes.data, bytes.len);
	}
	if (end > content->size && bytes.len)
		content->size = end;
	return ZN_OK;
}

enum zn_code zn_content_write(struct zn_content *content, size_t offset, struct zn_view bytes, struct zn_err *err)
{
	pthread_rwlock_wrlock(&content->lock);
	enum zn_code code = write_locked(content, offset, bytes, err);

	pthread_rwlock_unlock(&content->lock);
	return code;
}

enum zn_code zn_content_append(struct zn_content *content, struct zn_view bytes, struct zn_err *err)
{
	pthread_rwlock_wrlock(&content->lock);
	enum zn_code code = write_locked(content, content->size, bytes, err);

	pthread_rwlock_unlock(&content->lock);
	return code;
}

static enum zn_code truncate_locked(struct zn_content *content, size_t size, struct zn_err *err)
{
	enum zn_code code = make_room(content, size, err);

	if (code != ZN_OK)
		return code;
	if (content->fd >= 0) {
		if (ftruncate(content->fd, (off_t)size) != 0)
			return zn_fail_errno(err, errno, "spool file");
	} else if (size > content->size) {
		memset(content->data + content->size, 0, size - content->size);
	}
	content->size = size;
	if (content->charged > size) {
		zn_spool_discharge(content->spool, content->charged - size);
		content->charged = size;
	}
	return ZN_OK;
}

enum zn_code zn_content_truncate(struct zn_content *content, size_t size, struct zn_err *err)
{
	pthread_rwlock_wrlock(&content->lock);
	enum zn_code code = truncate_locked(content, size, err);

	pthread_rwlock_unlock(&content->lock);
	return code;
}

enum zn_code zn_content_append_from(struct zn_content *content, struct zn_content *other, size_t from, size_t len, struct zn_err *err)
{
	size_t chunk = (size_t)256 << 10, size = zn_content_size(other);
	enum zn_code code = ZN_OK;
	ZN_AUTO_FREE uint8_t *bytes = malloc(chunk);

	if (!bytes)
		return zn_fail(err, ZN_ENOMEM, "out of memory");
	if (from > size)
		from = size;
	if (len > size - from)
		len = size - from;
	while (code == ZN_OK && len) {
		int fd;
		size_t n = zn_content_read(other, from, len < chunk ? len : chunk, bytes, &fd);

		if (fd >= 0) {
			ssize_t got = pread(fd, bytes, n, (off_t)from);

			if (got < 0)
				return zn_fail_errno(err, errno, "spool file");
			n = (size_t)got;
		}
		if (n == 0)
			break;
		code = zn_content_append(content, zn_view(bytes, n), err);
		from += n;
		len -= n;
	}
	return code;
}

enum zn_code zn_content_own(struct zn_content **content, struct zn_err *err)
{
	struct zn_content *shared = *content;

	if (shared->named || atomic_load(&shared->references) == 1)
		return ZN_OK;
	ZN_AUTO_PTR(zn_content_unref) struct zn_content *copy = NULL;
	enum zn_code code = zn_content_new(shared->spool, ZN_CONTENT_DRAFT, shared->max, &copy);

	if (code == ZN_OK)
		code = zn_content_append_from(copy, shared, 0, SIZE_MAX, err);
	if (code != ZN_OK)
		return code;
	*content = zn_steal(&copy);
	zn_content_unref(shared);
	return ZN_OK;
}

enum zn_code zn_content_sync(struct zn_content *content, struct zn_err *err)
{
	if (content->named && fdatasync(content->fd) != 0)
		return zn_fail_errno(err, errno, "scratch file");
	return ZN_OK;
}

size_t zn_content_read(struct zn_content *content, size_t offset, size_t len, uint8_t *into, int *ret_fd)
{
	pthread_rwlock_rdlock(&content->lock);
	if (offset > content->size)
		offset = content->size;
	if (len > content->size - offset)
		len = content->size - offset;
	*ret_fd = content->fd;
	if (content->fd < 0 && len)
		memcpy(into, content->data + offset, len);
	pthread_rwlock_unlock(&content->lock);
	return len;
}

enum zn_code zn_content_lend(struct zn_content *content, struct zn_loan *ret_loan, struct zn_err *err)
{
	struct zn_loan loan = {0};
	enum zn_code code = ZN_OK;

	pthread_rwlock_rdlock(&content->lock);
	if (content->fd < 0) {
		loan.view = zn_view(content->data, content->size);
	} else if (content->named && content->size) {
		/* The file may still be written to through a descriptor that outlives its name: judge a copy. */
		loan.copied = malloc(content->size);
		ssize_t got = loan.copied ? pread(content->fd, loan.copied, content->size, 0) : 0;

		if (!loan.copied)
			code = zn_fail(err, ZN_ENOMEM, "out of memory");
		else if (got < 0)
			code = zn_fail_errno(err, errno, "scratch file");
		else
			loan.view = zn_view(loan.copied, (size_t)got);
	} else if (content->size) {
		loan.mapped = mmap(NULL, content->size, PROT_READ, MAP_SHARED, content->fd, 0);
		if (loan.mapped == MAP_FAILED) {
			loan.mapped = NULL;
			code = zn_fail_errno(err, errno, "spool file");
		} else {
			loan.mapped_len = content->size;
			loan.view = zn_view(loan.mapped, content->size);
		}
	}
	pthread_rwlock_unlock(&content->lock);
	if (code == ZN_OK)
		*ret_loan = loan;
	else
		zn_loan_end(&loan);
	return code;
}

void zn_loan_end(struct zn_loan *loan)
{
	if (loan->mapped)
		munmap(loan->mapped, loan->mapped_len);
	free(loan->copied);
	*loan = (struct zn_loan){0};
}
