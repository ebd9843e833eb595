/* store/env_open.c - from a path to an open pair: what is made, what is checked, what is refused. */
#include "store/mdb.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "store/base/wire.h"

/* Opened with the flags of PowerDNS that must match, and NOTLS: a read transaction belongs to no thread. */
#define FILE_FLAGS (MDB_NOSUBDIR | MDB_NOTLS)

static enum zn_code file_init(struct zn_file *file, struct zn_env *env, enum zn_which which, const char *path, struct zn_err *err)
{
	pthread_condattr_t monotonic;

	file->env = env;
	file->which = which;
	pthread_mutex_init(&file->gate, NULL);
	pthread_mutex_init(&file->writer, NULL);
	pthread_mutex_init(&file->opening, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&file->empty, &monotonic);
	pthread_condattr_destroy(&monotonic);
	zn_file_name_tables(file);
	if (asprintf(&file->path, "%s%s", path, which == ZN_RECORDS ? "-0" : "") < 0) {
		file->path = NULL;
		return zn_fail(err, ZN_ENOMEM, "%s: out of memory", path);
	}
	return ZN_OK;
}

/* Who shall own new files: the named user, or whoever owns the directory. */
struct owner {
	uid_t uid;
	gid_t gid;
	bool named;
};

static enum zn_code find_owner(const char *path, const char *name, struct owner *ret_owner, struct zn_err *err)
{
	ZN_AUTO_FREE char *directory = strdup(path);
	struct stat st;

	if (!directory)
		return zn_fail(err, ZN_ENOMEM, "%s: out of memory", path);
	if (name) {
		struct passwd entry, *found = NULL;
		char buf[4096];
		getpwnam_r(name, &entry, buf, sizeof buf, &found);
		if (!found)
			return zn_fail(err, ZN_EINVAL, "db-owner=%s: no such user", name);
		*ret_owner = (struct owner){found->pw_uid, found->pw_gid, true};
		return ZN_OK;
	}
	char *slash = strrchr(directory, '/');
	if (slash)
		slash[slash == directory] = 0;
	const char *parent = slash ? directory : ".";
	if (stat(parent, &st))
		return zn_fail_errno(err, errno, "%s: the directory of the database", parent);
	*ret_owner = (struct owner){st.st_uid, st.st_gid, false};
	return ZN_OK;
}

/* An empty file, 0600, of the right owner: LMDB fills it. One that is there stays as it is. */
static enum zn_code make_file(const char *path, const struct owner *owner, struct zn_err *err)
{
	ZN_AUTO_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return errno == EEXIST ? ZN_OK : zn_fail_errno(err, errno, "%s: cannot be created", path);
	if (fchmod(fd, 0600))
		return zn_fail_errno(err, errno, "%s: chmod", path);
	if (owner->uid != geteuid() && fchown(fd, owner->uid, owner->gid) && owner->named)
		return zn_fail_errno(err, errno, "%s: cannot be given to the user of db-owner", path);
	return ZN_OK;
}

static enum zn_code make_files(struct zn_file *file, const char *owner_name, struct zn_err *err)
{
	ZN_AUTO_FREE char *lock = NULL;
	struct owner owner;

	enum zn_code code = find_owner(file->path, owner_name, &owner, err);
	if (code)
		return code;
	if (asprintf(&lock, "%s-lock", file->path) < 0) {
		lock = NULL;
		return zn_fail(err, ZN_ENOMEM, "%s: out of memory", file->path);
	}
	code = make_file(file->path, &owner, err);
	return code ? code : make_file(lock, &owner, err);
}

static enum zn_code open_one(struct zn_file *file, unsigned flags, uint64_t map_size, MDB_env **ret_mdb, struct zn_err *err)
{
	MDB_env *mdb;

	int rc = mdb_env_create(&mdb);
	if (rc)
		return zn_mdb_fail(err, rc, file, "open");
	mdb_env_set_maxdbs(mdb, ZN_MAX_DBS);
	mdb_env_set_maxreaders(mdb, ZN_MAX_READERS);
	if (map_size)
		mdb_env_set_mapsize(mdb, map_size);
	rc = mdb_env_open(mdb, file->path, FILE_FLAGS | flags, 0600);
	if (!rc) {
		*ret_mdb = mdb;
		return ZN_OK;
	}
	mdb_env_close(mdb);
	if (rc == EACCES || rc == EPERM) {
		zn_mdb_fail(err, rc, file, "open");
		return zn_fail(err, ZN_EACCES, "%s: no permission to read and write it and %s-lock; run as the user that owns them", file->path,
			file->path);
	}
	/* A file of a few bytes is neither new nor LMDB's. */
	return zn_mdb_fail(err, rc == ENOENT || rc == EIO ? MDB_INVALID : rc, file, "open");
}

/* LMDB reads pages behind the end of a cut file by SIGBUS. The last pages may be missing by right (allocated and given back within one
 * transaction): a small hole is filled, a large one refused. */
static enum zn_code check_length(struct zn_file *file, struct zn_err *err)
{
	struct stat st;
	MDB_envinfo info;
	MDB_stat stat_;
	mdb_filehandle_t fd;

	mdb_env_info(file->reading, &info);
	mdb_env_stat(file->reading, &stat_);
	mdb_env_get_fd(file->writing ? file->writing : file->reading, &fd);
	if (fstat(fd, &st))
		return zn_fail_errno(err, errno, "%s: stat", file->path);
	uint64_t need = ((uint64_t)info.me_last_pgno + 1) * stat_.ms_psize;
	uint64_t have = (uint64_t)st.st_size;
	if (have >= need)
		return ZN_OK;
	uint64_t hole = need - have;
	if (hole > need / 20 || hole > (uint64_t)1 << 20 || !file->writing || ftruncate(fd, (off_t)need))
		return zn_fail(err, ZN_ECORRUPT, "%s: cut off: it has %" PRIu64 " of %" PRIu64 " bytes; restore it from a backup",
			file->path, have, need);
	return ZN_OK;
}

/* The size for a file: what it records, unless told otherwise; a larger one only when it may grow. */
static uint64_t wanted_map_size(const struct zn_env_options *options, const char *path, bool *ret_new)
{
	struct stat st;

	*ret_new = stat(path, &st) || st.st_size == 0;
	if (*ret_new)
		return options->map_size ? options->map_size : ZN_MAP_SIZE_DEFAULT;
	return options->grow ? options->map_size : 0;
}

static enum zn_code file_open(struct zn_file *file, const struct zn_env_options *options, struct zn_err *err)
{
	enum zn_code code;
	bool is_new;

	uint64_t map_size = wanted_map_size(options, file->path, &is_new);
	if (options->read_only) {
		if (is_new)
			return zn_fail(err, ZN_ENOTFOUND, "%s: there is no database; db= must name PowerDNS's lmdb-filename", file->path);
	} else {
		if (is_new)
			code = make_files(file, options->owner, err);
		else
			code = ZN_OK;
		if (!code)
			code = open_one(file, 0, map_size, &file->writing, err);
		if (code)
			return code;
		if (!is_new && options->map_size && !options->grow) {
			/* A limit of our own below the recorded size. */
			MDB_envinfo info;
			mdb_env_info(file->writing, &info);
			if (options->map_size < info.me_mapsize)
				mdb_env_set_mapsize(file->writing, options->map_size);
		}
	}
	code = open_one(file, MDB_RDONLY, 0, &file->reading, err);
	return code ? code : check_length(file, err);
}

/* The pid of who holds the flock on this inode, from /proc/locks; 0: not to be seen from here. */
static long flock_holder(const struct stat *st)
{
	FILE *locks = fopen("/proc/locks", "re");
	char line[256];
	long holder = 0;

	if (!locks)
		return 0;
	while (!holder && fgets(line, sizeof line, locks)) {
		long pid;
		unsigned long long inode;
		if (sscanf(line, "%*d: FLOCK %*s %*s %ld %*x:%*x:%llu", &pid, &inode) == 2 && inode == st->st_ino && pid > 0)
			holder = pid;
	}
	fclose(locks);
	return holder;
}

static enum zn_code lock_daemon(struct zn_env *env, struct zn_err *err)
{
	const char *path = zn_env_path(env);
	struct stat st;

	env->lock_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (env->lock_fd < 0 || fstat(env->lock_fd, &st))
		return zn_fail_errno(err, errno, "%s: open", path);
	if (flock(env->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return ZN_OK;
	if (errno != EWOULDBLOCK)
		return zn_fail_errno(err, errno, "%s: lock", path);
	long pid = flock_holder(&st);
	if (pid)
		return zn_fail(err, ZN_EBUSY, "%s: is mounted already, by the zonefs of process %ld; unmount that one first", path, pid);
	return zn_fail(err, ZN_EBUSY, "%s: is mounted already, by a zonefs that cannot be seen from here (another container?); unmount that one first",
		path);
}

/* Every key of the unnamed database is a DBI, and PowerDNS's are among them (main: `pdns`), or there is none at all. */
static enum zn_code check_root(struct zn_env *env, enum zn_which which, bool *ret_empty, struct zn_err *err)
{
	struct zn_file *file = &env->files[which];
	ZN_AUTO_FREE struct zn_dbi_info *list = NULL;
	ZN_AUTO(zn_txn_end) struct zn_txn txn = {0};
	size_t count;
	bool ours = false;

	enum zn_code code = zn_txn_begin(&txn, env, which, ZN_TXN_READ, err);
	if (!code)
		code = zn_txn_dbis(&txn, &list, &count, err);
	if (code == ZN_EFORMAT || code == ZN_EINVAL)
		return zn_fail(err, ZN_EFORMAT, "%s: an LMDB file, but not of PowerDNS: it holds other things than tables; db= must name PowerDNS's "
			"lmdb-filename", file->path);
	if (code)
		return code;
	for (size_t i = 0; i < count; i++)
		ours = ours || strcmp(list[i].name, which == ZN_MAIN ? "pdns" : "records_v5") == 0;
	*ret_empty = count == 0;
	if (which == ZN_MAIN && count > 0 && !ours)
		return zn_fail(err, ZN_EFORMAT, "%s: an LMDB file, but not PowerDNS's main one: it has no table `pdns`; db= must name PowerDNS's "
			"lmdb-filename", file->path);
	return ZN_OK;
}

static enum zn_code read_number(struct zn_txn *txn, const char *key, uint32_t *ret_number, bool *ret_header, struct zn_err *err)
{
	struct zn_header header;
	struct zn_view value, payload;

	enum zn_code code = zn_txn_get(txn, ZN_DBI_PDNS, zn_view_str(key), &value, err);
	if (code)
		return code;
	if (!zn_header_read(value, &header, &payload) && payload.len == 4) {
		struct zn_reader r = zn_reader_init(payload);
		*ret_number = zn_read_u32(&r);
		*ret_header = true;
		return ZN_OK;
	}
	/* Schema 4 and older: the number alone, in the host's order. */
	struct zn_reader r = zn_reader_init(value);
	*ret_number = zn_read_u32le(&r);
	*ret_header = false;
	return value.len == 4 ? ZN_OK
			      : zn_fail(err, ZN_EFORMAT, "%s: pdns/%s is not what PowerDNS writes; zonefs handles databases of PowerDNS 4.8 and newer "
				"with lmdb-lightning-stream=yes", zn_env_path(txn->env), key);
}

static enum zn_code check_pdns(struct zn_env *env, struct zn_txn *txn, struct zn_err *err)
{
	const char *path = zn_env_path(env);
	uint32_t schema = 0, shards = 0;
	bool header;
	struct zn_view uuid;

	enum zn_code code = read_number(txn, "schemaversion", &schema, &header, err);
	if (code == ZN_ENOTFOUND)
		return zn_fail(err, ZN_EFORMAT, "%s: pdns/schemaversion is missing; open the database with PowerDNS once", path);
	if (code)
		return code;
	if (schema > 6 && header)
		return zn_fail(err, ZN_EFORMAT, "%s: schema version %u is newer than this zonefs knows (5 and 6); use a newer zonefs", path, schema);
	if (schema < 5)
		return zn_fail(err, ZN_EFORMAT, "%s: schema version %u is too old (zonefs handles 5 and 6); `pdnsutil list-all-zones` of PowerDNS 4.9 or newer "
			"upgrades it", path, schema);
	if (!header)
		return zn_fail(err, ZN_EFORMAT, "%s: its values have no Lightning Stream headers; zonefs handles databases of PowerDNS 4.8 and newer with "
			"lmdb-lightning-stream=yes", path);
	atomic_store(&env->schema, schema);
	code = read_number(txn, "shards", &shards, &header, err);
	if (code && code != ZN_ENOTFOUND)
		return code;
	if (code || shards != 1)
		return zn_fail(err, ZN_EFORMAT, "%s: the database has %u shards, zonefs handles one: stop PowerDNS, make a copy with one shard with "
			"examples/one-shard.sh (zonefs(8), NOTES), and set lmdb-shards=1 and lmdb-lightning-stream=yes", path, shards);
	code = zn_txn_get_live(txn, ZN_DBI_PDNS, ZN_VIEW("uuid"), NULL, &uuid, err);
	if (!code && uuid.len == sizeof env->uuid)
		memcpy(env->uuid, uuid.data, sizeof env->uuid);
	return code == ZN_ENOTFOUND ? ZN_OK : code;
}

static enum zn_code put_pdns(struct zn_txn *txn, struct zn_err *err)
{
	struct zn_env *env = txn->env;
	uint8_t schema[4] = {0, 0, 0, 5}, shards[4] = {0, 0, 0, 1};

	if (getrandom(env->uuid, sizeof env->uuid, 0) != (ssize_t)sizeof env->uuid)
		return zn_fail_errno(err, errno, "%s: getrandom", zn_env_path(env));
	const struct {
		struct zn_view key, payload;
	} rows[] = {
		{ZN_VIEW("schemaversion"), zn_view(schema, 4)},
		{ZN_VIEW("shards"), zn_view(shards, 4)},
		{ZN_VIEW("uuid"), zn_view(env->uuid, sizeof env->uuid)},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		enum zn_code code = zn_txn_put(txn, ZN_DBI_PDNS, rows[i].key, rows[i].payload, ZN_USER, (struct zn_stamp){0}, NULL, err);
		if (code)
			return code;
	}
	return ZN_OK;
}

/* The tables that PowerDNS makes at start, and ours; those of PowerDNS 5.1 are left to it. */
static bool table_is_wanted(enum zn_dbi dbi)
{
	return dbi != ZN_DBI_COMMENTS && dbi != ZN_DBI_DOMAINS_EXTRA;
}

static enum zn_code make_tables(struct zn_env *env, enum zn_which which, bool empty, struct zn_err *err)
{
	ZN_AUTO(zn_txn_end) struct zn_txn txn = {0};

	enum zn_code code = zn_txn_begin(&txn, env, which, ZN_TXN_WRITE, err);
	for (unsigned dbi = 0; !code && dbi < ZN_DBI_COUNT; dbi++) {
		MDB_dbi handle;
		if (zn_dbi_which(dbi) == which && table_is_wanted(dbi))
			code = zn_dbi_handle(&txn, zn_dbi_index(dbi), true, &handle, err);
	}
	if (!code && empty && which == ZN_MAIN) {
		struct zn_view value;
		code = zn_txn_get(&txn, ZN_DBI_PDNS, ZN_VIEW("schemaversion"), &value, err);
		if (code == ZN_ENOTFOUND)
			code = put_pdns(&txn, err);
		else if (!code) /* somebody was faster */
			code = check_pdns(env, &txn, err);
	}
	return code ? code : zn_txn_commit(&txn, err);
}

static bool tables_missing(struct zn_env *env, enum zn_which which)
{
	for (unsigned dbi = 0; dbi < ZN_DBI_COUNT; dbi++)
		if (zn_dbi_which(dbi) == which && table_is_wanted(dbi) &&
		    !atomic_load(&env->files[which].tables[zn_dbi_index(dbi)].reading))
			return true;
	return false;
}

/* Main is looked at before anything is made beside it. */
static enum zn_code check_main(struct zn_env *env, bool *ret_empty, struct zn_err *err)
{
	ZN_AUTO(zn_txn_end) struct zn_txn txn = {0};

	enum zn_code code = check_root(env, ZN_MAIN, ret_empty, err);
	if (code)
		return code;
	if (*ret_empty)
		return env->read_only ? zn_fail(err, ZN_ENOTFOUND, "%s: the database is empty, and it is to be opened read-only", zn_env_path(env))
				      : ZN_OK;
	code = zn_txn_begin(&txn, env, ZN_MAIN, ZN_TXN_READ, err);
	return code ? code : check_pdns(env, &txn, err);
}

static enum zn_code fill(struct zn_env *env, bool main_empty, struct zn_err *err)
{
	bool records_empty;

	enum zn_code code = check_root(env, ZN_RECORDS, &records_empty, err);
	if (code)
		return code;
	if (main_empty && !records_empty)
		return zn_fail(err, ZN_EFORMAT, "%s: is empty, but %s has records: restore the first from a backup, or move the second away",
			env->files[ZN_MAIN].path, env->files[ZN_RECORDS].path);
	for (int which = ZN_RECORDS; !code && !env->read_only && which >= ZN_MAIN; which--)
		if (main_empty || tables_missing(env, (enum zn_which)which))
			code = make_tables(env, (enum zn_which)which, main_empty, err);
	if (!code && main_empty)
		atomic_store(&env->schema, 5);
	return code;
}

enum zn_code zn_env_open(const struct zn_env_options *options, struct zn_env **ret_env, struct zn_err *err)
{
	struct zn_env *env = calloc(1, sizeof *env);
	struct stat st;
	bool main_empty;

	if (!env)
		return zn_fail(err, ZN_ENOMEM, "%s: out of memory", options->path);
	env->lock_fd = -1;
	env->read_only = options->read_only;
	env->grow = options->grow;
	env->map_limit = options->grow ? 0 : options->map_size;
	enum zn_code code = file_init(&env->files[ZN_MAIN], env, ZN_MAIN, options->path, err);
	if (!code)
		code = file_init(&env->files[ZN_RECORDS], env, ZN_RECORDS, options->path, err);
	if (!code && stat(options->path, &st) == 0 && S_ISDIR(st.st_mode))
		code = zn_fail(err, ZN_EFORMAT, "%s: a directory; db= must name a file, PowerDNS's lmdb-filename", options->path);
	if (!code && stat(env->files[ZN_MAIN].path, &st) && stat(env->files[ZN_RECORDS].path, &st) == 0)
		code = zn_fail(err, ZN_EFORMAT, "%s: is missing, but %s is there: restore the first from a backup, or move the second away",
			env->files[ZN_MAIN].path, env->files[ZN_RECORDS].path);
	if (!code)
		code = file_open(&env->files[ZN_MAIN], options, err);
	if (!code)
		code = check_main(env, &main_empty, err);
	if (!code && options->daemon)
		code = lock_daemon(env, err);
	if (!code)
		code = file_open(&env->files[ZN_RECORDS], options, err);
	if (!code)
		code = fill(env, main_empty, err);
	if (code) {
		zn_env_close(env);
		return code;
	}
	*ret_env = env;
	return ZN_OK;
}
