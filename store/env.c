#include "store/mdb.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

const char *zn_env_path(const struct zn_env *env)
{
	return env->files[ZN_MAIN].path;
}

bool zn_env_read_only(const struct zn_env *env)
{
	return env->read_only;
}

uint32_t zn_env_schema(const struct zn_env *env)
{
	return atomic_load(&env->schema);
}

const uint8_t *zn_env_uuid(const struct zn_env *env)
{
	return env->uuid;
}

enum zn_code zn_env_give(const struct zn_env *env, const char *path, struct zn_err *err)
{
	struct stat ours, theirs;

	if (stat(zn_env_path(env), &ours) || lstat(path, &theirs))
		return zn_fail_errno(err, errno, "%s: its owner", path);
	if (ours.st_uid == theirs.st_uid && ours.st_gid == theirs.st_gid)
		return ZN_OK;
	if (lchown(path, ours.st_uid, ours.st_gid) && geteuid() == 0)
		return zn_fail_errno(err, errno, "%s: cannot be given to the owner of the database", path);
	return ZN_OK;
}

static void file_info(struct zn_file *file, MDB_envinfo *ret_info)
{
	zn_file_enter(file);
	mdb_env_info(file->reading, ret_info);
	zn_file_leave(file);
}

uint64_t zn_env_last_txnid(struct zn_env *env, enum zn_which which)
{
	MDB_envinfo info;

	file_info(&env->files[which], &info);
	return info.me_last_txnid;
}

uint64_t zn_env_own_txnid(struct zn_env *env, enum zn_which which, bool *ret_committing)
{
	struct zn_file *file = &env->files[which];

	*ret_committing = atomic_load(&file->committing);
	return atomic_load(&file->own);
}

enum zn_code zn_env_usage(struct zn_env *env, enum zn_which which, struct zn_env_usage *ret_usage, struct zn_err *err)
{
	struct zn_file *file = &env->files[which];
	MDB_envinfo info;
	MDB_stat stat;

	file_info(file, &info);
	int rc = mdb_env_stat(file->reading, &stat);
	if (rc)
		return zn_mdb_fail(err, rc, file, "read its size");
	*ret_usage = (struct zn_env_usage){
		.map_size = info.me_mapsize,
		.used = ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize,
		.last_txnid = info.me_last_txnid,
		.readers = info.me_numreaders,
		.readers_max = info.me_maxreaders,
	};
	return ZN_OK;
}

/* LMDB keeps a lock on its lock file for as long as a process has the env open. Asking by fcntl would need a descriptor of our
 * own, and closing that would drop our lock. A line of /proc/locks: "7: POSIX  ADVISORY  READ 4242 fe:00:1311 0 0". */
bool zn_env_open_elsewhere(struct zn_env *env)
{
	ZN_AUTO(zn_buf_release) struct zn_buf path = ZN_BUF_INIT(PATH_MAX);
	struct stat st;
	char line[256];
	bool elsewhere = false;

	zn_buf_addf(&path, "%s-lock", zn_env_path(env));
	FILE *locks = fopen("/proc/locks", "re");
	while (locks && stat(zn_buf_str(&path), &st) == 0 && fgets(line, sizeof line, locks)) {
		long pid;
		unsigned long long inode;

		if (sscanf(line, "%*s POSIX %*s %*s %ld %*[0-9a-f]:%*[0-9a-f]:%llu", &pid, &inode) == 2 && inode == st.st_ino &&
				pid != (long)getpid())
			elsewhere = true;
	}
	if (locks)
		fclose(locks);
	return elsewhere;
}

bool zn_env_grow(struct zn_env *env, enum zn_which which)
{
	struct zn_file *file = &env->files[which];
	MDB_envinfo before, after;
	bool grown;

	if (!file->writing)
		return false;
	pthread_mutex_lock(&file->writer);
	mdb_env_info(file->writing, &before);
	int rc = mdb_env_set_mapsize(file->writing, 0);
	mdb_env_info(file->writing, &after);
	uint64_t size = after.me_mapsize;
	if (size <= before.me_mapsize)
		size = env->grow ? before.me_mapsize + before.me_mapsize / 2 : before.me_mapsize;
	if (env->map_limit && size > env->map_limit)
		size = before.me_mapsize > env->map_limit ? before.me_mapsize : env->map_limit;
	if (!rc && size != after.me_mapsize)
		rc = mdb_env_set_mapsize(file->writing, size);
	grown = !rc && size > before.me_mapsize;
	pthread_mutex_unlock(&file->writer);
	return grown;
}

void zn_env_abandon(struct zn_env *env)
{
	atomic_store(&env->abandoned, true);
}

static void file_close(struct zn_file *file)
{
	if (file->reading)
		mdb_env_close(file->reading);
	if (file->writing)
		mdb_env_close(file->writing);
	pthread_mutex_destroy(&file->gate);
	pthread_cond_destroy(&file->empty);
	pthread_mutex_destroy(&file->writer);
	pthread_mutex_destroy(&file->opening);
	free(file->path);
}

void zn_env_close(struct zn_env *env)
{
	if (!env || atomic_load(&env->abandoned))
		return;
	file_close(&env->files[ZN_MAIN]);
	file_close(&env->files[ZN_RECORDS]);
	if (env->lock_fd >= 0)
		close(env->lock_fd);
	free(env);
}

static uint64_t map_megabytes(const struct zn_file *file)
{
	MDB_envinfo info = {0};

	mdb_env_info(file->writing ? file->writing : file->reading, &info);
	return info.me_mapsize >> 20;
}

enum zn_code zn_mdb_fail(struct zn_err *err, int rc, const struct zn_file *file, const char *doing)
{
	switch (rc) {
	case MDB_MAP_FULL:
		return zn_fail(err, ZN_EFULL, "%s: %s: the map of %llu MB is full; raise lmdb-map-size in PowerDNS and restart it, then mount "
			"with map-size= the same number of MB and grow=on", file->path, doing, (unsigned long long)map_megabytes(file));
	case MDB_READERS_FULL:
		return zn_fail(err, ZN_EBUSY, "%s: %s: all reader slots of %s-lock are taken; end processes that hang while they read the "
			"database, or stop all that use it and remove that file", file->path, doing, file->path);
	case MDB_MAP_RESIZED:
		return zn_fail(err, ZN_EBUSY, "%s: %s: another process keeps growing the file", file->path, doing);
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_PANIC:
		return zn_fail(err, ZN_ECORRUPT, "%s: %s: the database is damaged (%s); restore it from a backup", file->path, doing,
			mdb_strerror(rc));
	case MDB_INVALID:
		return zn_fail(err, ZN_EFORMAT, "%s: not an LMDB file; db= must name PowerDNS's lmdb-filename", file->path);
	case MDB_VERSION_MISMATCH:
		return zn_fail(err, ZN_EFORMAT, "%s: written by, or in use by a process with, another version of LMDB than ours (%s); use 0.9 for both",
			file->path, mdb_version(NULL, NULL, NULL));
	case MDB_INCOMPATIBLE:
	case MDB_BAD_DBI:
		return zn_fail(err, ZN_EFORMAT, "%s: %s: an entry that is no table of PowerDNS; db= must name PowerDNS's lmdb-filename",
			file->path, doing);
	case MDB_DBS_FULL:
		return zn_fail(err, ZN_ETOOBIG, "%s: %s: more than %d tables", file->path, doing, ZN_MAX_DBS);
	case EAGAIN:
		return zn_fail(err, ZN_EBUSY, "%s: %s: another process of the same number (%d) in another PID namespace uses the database; "
			"let both share one PID namespace", file->path, doing, (int)getpid());
	case EINVAL:
		return zn_fail(err, ZN_EINVAL, "%s: %s: not possible now", file->path, doing);
	default:
		if (rc > 0)
			return zn_fail_errno(err, rc, "%s: %s", file->path, doing);
		return zn_fail(err, ZN_ECORRUPT, "%s: %s: %s", file->path, doing, mdb_strerror(rc));
	}
}
