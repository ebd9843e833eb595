#include "fs/mount/scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#define DESCRIPTION ".is"
static const char type_letters[] = {'f', 'l', 'd'};

static uint64_t name_key(uint32_t parent, const char *name)
{
	return zn_table_hash(zn_view_str(name), parent);
}

struct zn_scratch *zn_scratch_find(const struct zn_scratches *table, uint32_t parent, const char *name)
{
	struct zn_scratch *s = zn_table_get(&table->names, name_key(parent, name));

	while (s && (s->parent != parent || strcmp(s->name, name) != 0))
		s = s->same_hash;
	return s;
}

struct zn_scratch *zn_scratch_get(const struct zn_scratches *table, uint32_t number)
{
	return zn_table_get(&table->numbers, number);
}

struct zn_scratch *zn_scratch_after(const struct zn_scratches *table, uint32_t parent, uint32_t number)
{
	struct zn_scratch *s = zn_scratch_get(table, number);

	if (s)
		s = s->next;
	else
		for (s = table->first; s && s->number <= number; s = s->next)
			;
	while (s && (!s->named || s->parent != parent))
		s = s->next;
	return s;
}

static enum zn_code link_name(struct zn_scratches *table, struct zn_scratch *s)
{
	uint64_t key = name_key(s->parent, s->name);

	s->same_hash = zn_table_get(&table->names, key);
	if (zn_table_put(&table->names, key, s) != ZN_OK)
		return ZN_ENOMEM;
	s->named = true;
	table->count++;
	struct zn_scratch *directory = zn_scratch_get(table, s->parent);

	if (directory)
		directory->children++;
	return ZN_OK;
}

static void unlink_name(struct zn_scratches *table, struct zn_scratch *s)
{
	uint64_t key = name_key(s->parent, s->name);
	struct zn_scratch *head = zn_table_take(&table->names, key), **link = &head;

	while (*link != s)
		link = &(*link)->same_hash;
	*link = s->same_hash;
	if (head && zn_table_put(&table->names, key, head) != ZN_OK)
		abort(); /* cannot be: the slot was just freed */
	s->named = false;
	table->count--;
	struct zn_scratch *directory = zn_scratch_get(table, s->parent);

	if (directory)
		directory->children--;
}

/* An entry with its number; in the list by number. */
static enum zn_code insert(struct zn_scratches *table, struct zn_scratch *s)
{
	if (zn_table_put(&table->numbers, s->number, s) != ZN_OK)
		return ZN_ENOMEM;
	struct zn_scratch *before = table->last;

	while (before && before->number > s->number)
		before = before->previous;
	s->previous = before;
	s->next = before ? before->next : table->first;
	*(before ? &before->next : &table->first) = s;
	*(s->next ? &s->next->previous : &table->last) = s;
	if (s->number > table->last_number)
		table->last_number = s->number;
	return ZN_OK;
}

static void take_out(struct zn_scratches *table, struct zn_scratch *s)
{
	zn_table_take(&table->numbers, s->number);
	*(s->previous ? &s->previous->next : &table->first) = s->next;
	*(s->next ? &s->next->previous : &table->last) = s->previous;
}

static struct zn_scratch *new_scratch(enum zn_scratch_type type, const char *name, const char *target)
{
	struct zn_scratch *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->type = type;
	snprintf(s->name, sizeof s->name, "%s", name);
	if (target) {
		s->target = strdup(target);
		s->size = strlen(target);
		if (!s->target) {
			free(s);
			return NULL;
		}
	}
	return s;
}

static void free_scratch(struct zn_scratch *s)
{
	free(s->target);
	free(s);
}

enum zn_code zn_scratch_add(struct zn_scratches *table, enum zn_scratch_type type, uint32_t parent, const char *name, const char *target,
	uint32_t mode, uint32_t uid, uint32_t gid, struct zn_scratch **ret_scratch)
{
	struct zn_scratch *s = new_scratch(type, name, target);

	if (!s)
		return ZN_ENOMEM;
	s->number = table->last_number + 1;
	s->parent = parent;
	s->mode = mode;
	s->uid = uid;
	s->gid = gid;
	s->mtime = s->used = zn_clock_now();
	if (insert(table, s) != ZN_OK) {
		free_scratch(s);
		return ZN_ENOMEM;
	}
	if (link_name(table, s) != ZN_OK) {
		take_out(table, s);
		free_scratch(s);
		return ZN_ENOMEM;
	}
	*ret_scratch = s;
	return ZN_OK;
}

void zn_scratch_free(struct zn_scratches *table, struct zn_scratch *s)
{
	if (s->type == ZN_SCRATCH_FILE)
		zn_spool_discharge(table->spool, s->size);
	take_out(table, s);
	free_scratch(s);
}

bool zn_scratch_unlink(struct zn_scratches *table, struct zn_scratch *s)
{
	unlink_name(table, s);
	if (s->node)
		return false;
	zn_scratch_free(table, s);
	return true;
}

void zn_scratch_rename(struct zn_scratches *table, struct zn_scratch *s, uint32_t parent, const char *name)
{
	unlink_name(table, s);
	s->parent = parent;
	snprintf(s->name, sizeof s->name, "%s", name);
	s->used = zn_clock_now();
	if (link_name(table, s) != ZN_OK)
		abort(); /* the slot of the old name was just freed */
}

enum zn_code zn_scratch_resize(struct zn_scratches *table, struct zn_scratch *s, uint64_t size)
{
	if (size > s->size && zn_spool_charge(table->spool, size - s->size) != ZN_OK)
		return ZN_EQUOTA;
	if (size < s->size)
		zn_spool_discharge(table->spool, s->size - size);
	s->size = size;
	return ZN_OK;
}

struct zn_scratch *zn_scratch_expired(struct zn_scratches *table, struct zn_stamp now)
{
	const uint64_t age = ZN_SCRATCH_DAYS * 24 * 3600 * ZN_NS_PER_S;

	for (struct zn_scratch *s = table->first; s; s = s->next)
		if (s->named && !s->node && !s->children && s->used.ns + age < now.ns)
			return s;
	return NULL;
}

/* Disk */

struct path {
	char text[32];
};

static struct path data_path(uint32_t number)
{
	struct path path;

	snprintf(path.text, sizeof path.text, "%08x", number);
	return path;
}

static struct path description_path(uint32_t number)
{
	struct path path;

	snprintf(path.text, sizeof path.text, "%08x" DESCRIPTION, number);
	return path;
}

static void describe(const struct zn_scratch *s, struct zn_buf *out)
{
	zn_buf_addf(out, "%c %04o %u %u ", type_letters[s->type], s->mode, s->uid, s->gid);
	if (s->mtime_given || s->type != ZN_SCRATCH_FILE)
		zn_buf_addf(out, "%llu", (unsigned long long)s->mtime.ns);
	else
		zn_buf_add_byte(out, '-');
	zn_buf_addf(out, " %u %s", s->parent, s->name);
	if (s->target)
		zn_buf_addf(out, "/%s", s->target);
}

void zn_scratch_persist(struct zn_scratches *table, uint32_t number)
{
	ZN_AUTO(zn_buf_release) struct zn_buf text = ZN_BUF_INIT(PATH_MAX - 1);
	struct path description = description_path(number);

	pthread_mutex_lock(&table->disk);
	pthread_mutex_lock(table->guard);
	struct zn_scratch *s = zn_scratch_get(table, number);

	if (s && s->named)
		describe(s, &text);
	pthread_mutex_unlock(table->guard);
	if (!text.len) {
		unlinkat(table->directory, description.text, 0);
		unlinkat(table->directory, data_path(number).text, 0);
	} else if (!text.failed && symlinkat(zn_buf_str(&text), table->directory, "new") == 0) {
		if (renameat(table->directory, "new", table->directory, description.text) != 0)
			unlinkat(table->directory, "new", 0);
	}
	pthread_mutex_unlock(&table->disk);
}

enum zn_code zn_scratch_content(struct zn_scratches *table, uint32_t number, bool make, struct zn_content **ret_content, struct zn_err *err)
{
	ZN_AUTO_CLOSE int fd = openat(table->directory, data_path(number).text, O_RDWR | O_CLOEXEC | (make ? O_CREAT | O_TRUNC : 0), 0600);

	if (fd < 0)
		return zn_fail_errno(err, errno, "scratch file");
	enum zn_code code = zn_content_of_file(table->spool, fd, ZN_SCRATCH_FILE_MAX, ret_content, err);

	if (code == ZN_OK)
		fd = -1;
	return code;
}

/* Reading what an earlier daemon left. */

static struct zn_scratch *parse_description(uint32_t number, char *text)
{
	char letter, when[24];
	unsigned mode, uid, gid, parent;
	int at = 0;

	if (sscanf(text, "%c %o %u %u %23s %u %n", &letter, &mode, &uid, &gid, when, &parent, &at) != 6 || at == 0)
		return NULL;
	char *name = text + at, *target = strchr(name, '/');
	const char *type = memchr(type_letters, letter, sizeof type_letters);

	if (target)
		*target++ = '\0';
	if (!type || !*name || strlen(name) > ZN_SCRATCH_NAME_MAX || !target != (letter != 'l'))
		return NULL;
	struct zn_scratch *s = new_scratch((enum zn_scratch_type)(type - type_letters), name, target);

	if (!s)
		return NULL;
	s->number = number;
	s->parent = parent;
	s->mode = mode & 07777;
	s->uid = uid;
	s->gid = gid;
	s->mtime_given = when[0] != '-';
	s->mtime.ns = s->mtime_given ? strtoull(when, NULL, 10) : 0;
	return s;
}

static void load_one(struct zn_scratches *table, const char *file)
{
	char text[PATH_MAX], *end;
	unsigned long number = strtoul(file, &end, 16);
	struct stat st, data;

	if (end != file + 8 || strcmp(end, DESCRIPTION) != 0 || number == 0 || number > UINT32_MAX)
		return;
	ssize_t len = readlinkat(table->directory, file, text, sizeof text - 1);

	if (len <= 0 || fstatat(table->directory, file, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return;
	text[len] = '\0';
	struct zn_scratch *s = parse_description((uint32_t)number, text);

	if (!s)
		return;
	s->used = zn_stamp_from_timespec(st.st_ctim);
	if (s->type == ZN_SCRATCH_FILE) {
		if (fstatat(table->directory, data_path(s->number).text, &data, AT_SYMLINK_NOFOLLOW) != 0) {
			free_scratch(s);
			return;
		}
		struct zn_stamp changed = zn_stamp_from_timespec(data.st_ctim);

		s->used = changed.ns > s->used.ns ? changed : s->used;
		if (!s->mtime_given)
			s->mtime = zn_stamp_from_timespec(data.st_mtim);
		s->size = (uint64_t)data.st_size;
		zn_spool_charge_anyway(table->spool, s->size); /* beyond a lowered quota it is still the user's */
	}
	if (insert(table, s) != ZN_OK) {
		free_scratch(s);
		return;
	}
	if (zn_scratch_find(table, s->parent, s->name) || link_name(table, s) != ZN_OK)
		zn_scratch_free(table, s);
}

/* Files without a description: a crash came between the two. Entries of directories that are gone. */
static void tidy(struct zn_scratches *table, DIR *dir)
{
	struct dirent *entry;

	rewinddir(dir);
	while ((entry = readdir(dir))) {
		char *end;
		unsigned long number = strtoul(entry->d_name, &end, 16);

		if (entry->d_name[0] != '.' && (end != entry->d_name + 8 || !zn_scratch_get(table, (uint32_t)number)))
			unlinkat(table->directory, entry->d_name, 0);
	}
	for (struct zn_scratch *s = table->first, *next; s; s = next) {
		struct zn_scratch *directory = s->parent ? zn_scratch_get(table, s->parent) : NULL;

		next = s->next;
		if (!s->parent)
			continue;
		if (!directory || directory->type != ZN_SCRATCH_DIR) {
			unlink_name(table, s);
			s->parent = 0;
			if (zn_scratch_find(table, 0, s->name) || link_name(table, s) != ZN_OK)
				zn_scratch_free(table, s);
		}
	}
}

static void count_children(struct zn_scratches *table)
{
	for (struct zn_scratch *s = table->first; s; s = s->next)
		s->children = 0;
	for (struct zn_scratch *s = table->first; s; s = s->next) {
		struct zn_scratch *directory = s->parent ? zn_scratch_get(table, s->parent) : NULL;

		if (directory)
			directory->children++;
	}
}

enum zn_code zn_scratches_open(struct zn_scratches *table, struct zn_spool *spool, pthread_mutex_t *guard, struct zn_err *err)
{
	*table = (struct zn_scratches){.spool = spool, .guard = guard, .directory = -1};
	pthread_mutex_init(&table->disk, NULL);
	if (mkdirat(zn_spool_directory(spool), "scratch", 0700) != 0 && errno != EEXIST)
		return zn_fail_errno(err, errno, "spool directory");
	int fd = openat(zn_spool_directory(spool), "scratch", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return zn_fail_errno(err, errno, "spool directory");
	table->directory = fd;
	int again = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	DIR *dir = again >= 0 ? fdopendir(again) : NULL;

	if (!dir) {
		enum zn_code code = zn_fail_errno(err, errno, "spool directory");

		if (again >= 0)
			close(again);
		return code;
	}
	struct dirent *entry;

	while ((entry = readdir(dir)))
		load_one(table, entry->d_name);
	tidy(table, dir);
	count_children(table);
	closedir(dir);

	struct zn_scratch *old;

	while ((old = zn_scratch_expired(table, zn_clock_now()))) {
		uint32_t number = old->number;

		zn_scratch_unlink(table, old);
		zn_scratch_persist(table, number);
	}
	return ZN_OK;
}

void zn_scratches_close(struct zn_scratches *table)
{
	for (struct zn_scratch *s = table->first, *next; s; s = next) {
		next = s->next;
		free_scratch(s);
	}
	zn_table_release(&table->numbers);
	zn_table_release(&table->names);
	if (table->directory >= 0)
		close(table->directory);
	pthread_mutex_destroy(&table->disk);
	*table = (struct zn_scratches){.directory = -1};
}
