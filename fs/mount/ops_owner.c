/* Owners and permissions: editor-behaviour 7, rules 27 to 29. We decide, not the kernel: default_permissions would refuse chmod and utimens to
 * those who may edit a zone and do not own it, and programs lose updates when these calls fail. */
#include "fs/mount/ops.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>

#include "store/commit.h"
#include "store/meta.h"

#define META_OWNER "X-ZONEFS-OWNER"	/* user:group, by name; numbers where there is no name */
#define META_MODE "X-ZONEFS-MODE"	/* 0640 */

struct zn_who zn_who(fuse_req_t req)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);

	return (struct zn_who){ctx->uid, ctx->gid, ctx->pid};
}

struct zn_actor zn_who_actor(const struct zn_who *who)
{
	struct zn_actor actor = {.uid = who->uid, .gid = who->gid, .pid = who->thread};

	zn_process_name(who->thread, actor.program);
	return actor;
}

int zn_who_may(const struct zn_who *who, mode_t mode, uid_t uid, gid_t gid, int mask)
{
	mode_t bits = mode & 7;

	if (who->uid == 0)
		return (mask & X_OK) && !(mode & 0111) && !S_ISDIR(mode) ? EACCES : 0;
	if (who->uid == uid)
		bits = mode >> 6 & 7;
	else if (((mode >> 3 ^ mode) & 7) && (who->gid == gid || zn_process_has_group(who->thread, gid)))
		bits = mode >> 3 & 7;
	return ((mode_t)mask & ~bits & 7) ? EACCES : 0;
}

/* Names are looked up again after a while: users come and go. */
struct cached_id {
	char name[64];
	bool group;
	uint32_t id;
	uint64_t until;
};
static struct cached_id cache[16];
static pthread_mutex_t cache_lock = PTHREAD_MUTEX_INITIALIZER;

static bool ask_system(const char *name, bool group, uint32_t *ret_id)
{
	char buffer[8192], *end;

	if (group) {
		struct group entry, *found;

		if (getgrnam_r(name, &entry, buffer, sizeof buffer, &found) == 0 && found) {
			*ret_id = entry.gr_gid;
			return true;
		}
	} else {
		struct passwd entry, *found;

		if (getpwnam_r(name, &entry, buffer, sizeof buffer, &found) == 0 && found) {
			*ret_id = entry.pw_uid;
			return true;
		}
	}
	unsigned long number = strtoul(name, &end, 10);

	*ret_id = (uint32_t)number;
	return *name >= '0' && *name <= '9' && !*end && number < UINT32_MAX;
}

static bool id_of_name(const char *name, bool group, uint32_t *ret_id)
{
	static size_t next;
	uint64_t now = zn_clock_mono();

	pthread_mutex_lock(&cache_lock);
	for (size_t i = 0; i < sizeof cache / sizeof *cache; i++)
		if (cache[i].until > now && cache[i].group == group && strcmp(cache[i].name, name) == 0) {
			*ret_id = cache[i].id;
			pthread_mutex_unlock(&cache_lock);
			return true;
		}
	pthread_mutex_unlock(&cache_lock);
	if (!ask_system(name, group, ret_id))
		return false;
	if (strlen(name) < sizeof cache[0].name) {
		pthread_mutex_lock(&cache_lock);
		struct cached_id *slot = &cache[next++ % (sizeof cache / sizeof *cache)];

		*slot = (struct cached_id){.group = group, .id = *ret_id, .until = now + 60 * ZN_NS_PER_S};
		snprintf(slot->name, sizeof slot->name, "%s", name);
		pthread_mutex_unlock(&cache_lock);
	}
	return true;
}

static void name_of_id(uint32_t id, bool group, struct zn_buf *out)
{
	char buffer[8192];
	struct passwd user, *found_user = NULL;
	struct group entry, *found_group = NULL;

	if (group)
		getgrgid_r(id, &entry, buffer, sizeof buffer, &found_group);
	else
		getpwuid_r(id, &user, buffer, sizeof buffer, &found_user);
	if (found_group)
		zn_buf_add_str(out, entry.gr_name);
	else if (found_user)
		zn_buf_add_str(out, user.pw_name);
	else
		zn_buf_addf(out, "%u", id);
}

struct kept {
	uid_t uid;
	gid_t gid;
	mode_t mode;
};

/* What is kept for the zone; a user who is not known here leaves the mount's owner. */
static struct kept kept_of(struct zn_mount *mount, const struct zn_zone_info *info)
{
	struct kept kept = {mount->options.uid, mount->options.gid, 0666 & ~mount->options.umask};
	ZN_AUTO(zn_txn_end) struct zn_txn main = {0};
	ZN_AUTO(zn_buf_release) struct zn_buf owner = ZN_BUF_INIT(512);
	ZN_AUTO(zn_buf_release) struct zn_buf mode = ZN_BUF_INIT(512);
	size_t count;

	if (!mount->options.keep_owners || !info->id || zn_txn_begin(&main, mount->parts.env, ZN_MAIN, ZN_TXN_READ, NULL) != ZN_OK)
		return kept;
	if (zn_meta_get(&main, &info->zone, META_OWNER, &owner, &count, NULL) == ZN_OK && owner.len) {
		char *user = (char *)owner.data, *group = strchr(user, ':');
		uint32_t id;

		if (group)
			*group++ = '\0';
		if (id_of_name(user, false, &id))
			kept.uid = id;
		if (group && id_of_name(group, true, &id))
			kept.gid = id;
	}
	if (zn_meta_get(&main, &info->zone, META_MODE, &mode, &count, NULL) == ZN_OK && mode.len) {
		char *end;
		unsigned long bits = strtoul((char *)mode.data, &end, 8);

		if (!*end && bits <= 0777)
			kept.mode = (mode_t)bits;
	}
	return kept;
}

static bool is_read_only(const struct zn_mount *mount, const struct zn_zone_info *info)
{
	return mount->options.read_only || zn_kind_read_only(info->kind);
}

void zn_zone_attr(struct zn_mount *mount, const struct zn_zone_info *info, uint64_t size, struct zn_stamp mtime, struct stat *ret_attr)
{
	struct kept kept = kept_of(mount, info);

	*ret_attr = (struct stat){
		.st_ino = zn_inode_zone(info->id),
		.st_mode = S_IFREG | (is_read_only(mount, info) ? kept.mode & ~(mode_t)0222 : kept.mode),
		.st_nlink = 1,
		.st_uid = kept.uid,
		.st_gid = kept.gid,
		.st_size = (off_t)size,
		.st_blksize = 4096,
		.st_blocks = (blkcnt_t)((size + 511) / 512),
		.st_mtim = zn_stamp_timespec(mtime),
		.st_ctim = zn_stamp_timespec(mtime),
		.st_atim = zn_stamp_timespec(mtime),
	};
}

int zn_zone_may(struct zn_mount *mount, const struct zn_zone_info *info, const struct zn_who *who, int mask)
{
	struct kept kept = kept_of(mount, info);

	if ((mask & W_OK) && mount->options.read_only)
		return EROFS;
	if ((mask & W_OK) && zn_kind_read_only(info->kind))
		return EACCES;
	return zn_who_may(who, S_IFREG | kept.mode, kept.uid, kept.gid, mask);
}

/* owners=keep: one job on the main env. */
struct owner_job {
	struct zn_job job;
	struct zn_zone_id zone;
	char owner[256], mode[8];
};

static enum zn_code set_meta(struct zn_job *job, struct zn_txn *txn, struct zn_err *err)
{
	const struct owner_job *o = (const struct owner_job *)job;
	const char *owner = o->owner, *mode = o->mode;
	enum zn_code code = zn_meta_set(txn, &o->zone, META_OWNER, &owner, 1, ZN_USER, err);

	return code == ZN_OK ? zn_meta_set(txn, &o->zone, META_MODE, &mode, 1, ZN_USER, err) : code;
}

int zn_zone_set_owner(struct zn_mount *mount, const struct zn_zone_info *info, const struct zn_who *who, const struct stat *attr, int to_set)
{
	struct kept kept = kept_of(mount, info);
	struct kept wanted = kept;
	struct owner_job job = {.job = {.order = ZN_JOB_MAIN, .run = set_meta}, .zone = info->zone};
	ZN_AUTO(zn_buf_release) struct zn_buf text = ZN_BUF_INIT(sizeof job.owner - 1);
	struct zn_err err;

	if (to_set & FUSE_SET_ATTR_MODE)
		wanted.mode = attr->st_mode & 0777;
	if (to_set & FUSE_SET_ATTR_UID)
		wanted.uid = attr->st_uid;
	if (to_set & FUSE_SET_ATTR_GID)
		wanted.gid = attr->st_gid;
	if (wanted.mode == kept.mode && wanted.uid == kept.uid && wanted.gid == kept.gid)
		return 0;
	/* As on any file system: the owner changes the mode and gives it to his groups, root alone gives it away. */
	bool his = who->uid == 0 || who->uid == kept.uid;

	if (!his || (wanted.uid != kept.uid && who->uid != 0))
		return EPERM;
	if (wanted.gid != kept.gid && who->uid != 0 && who->gid != wanted.gid && !zn_process_has_group(who->thread, wanted.gid))
		return EPERM;
	name_of_id(wanted.uid, false, &text);
	zn_buf_add_byte(&text, ':');
	name_of_id(wanted.gid, true, &text);
	if (text.failed)
		return EINVAL;
	snprintf(job.owner, sizeof job.owner, "%s", zn_buf_str(&text));
	snprintf(job.mode, sizeof job.mode, "%04o", wanted.mode);
	job.job.deadline = zn_clock_mono() + mount->options.lock_wait;
	enum zn_code code = zn_commit_run(mount->parts.commit, &job.job, &err);

	if (code != ZN_OK)
		zn_warning("owner of zone %u: %s", info->id, err.text);
	return zn_errno(code, &err, ZN_OP_OTHER);
}
