#include "tests/unit/support.h"

#include <errno.h>
#include <ftw.h>
#include <lmdb.h>
#include <stdio.h>
#include <sys/stat.h>

void scratch_make(struct scratch *scratch)
{
	const char *base = getenv("TMPDIR");

	snprintf(scratch->dir, sizeof scratch->dir, "%s/zonefs-unit-XXXXXX", base ? base : "/tmp");
	ck_assert_msg(mkdtemp(scratch->dir) != NULL, "mkdtemp: %s", strerror(errno));
	snprintf(scratch->path, sizeof scratch->path, "%s/pdns.lmdb", scratch->dir);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void scratch_remove(struct scratch *scratch)
{
	ck_assert_int_eq(nftw(scratch->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

struct zn_env *scratch_open_with(const struct scratch *scratch, struct zn_env_options options)
{
	struct zn_env *env = NULL;

	options.path = scratch->path;
	ck_ok(zn_env_open(&options, &env, &err));
	return env;
}

struct zn_env *scratch_open(const struct scratch *scratch)
{
	return scratch_open_with(scratch, (struct zn_env_options){.map_size = 64 << 20});
}

/* A line of the dump without its newline; NULL at the end. */
static char *next_line(FILE *dump, char **line, size_t *capacity)
{
	ssize_t len = getline(line, capacity, dump);

	if (len < 0)
		return NULL;
	if (len > 0 && (*line)[len - 1] == '\n')
		(*line)[len - 1] = 0;
	return *line;
}

void load_dump(const char *dump_path, const char *lmdb_path, size_t map_size)
{
	FILE *dump = fopen(dump_path, "re");
	char *line = NULL;
	size_t capacity = 0;
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi = 0;
	bool data = false;

	ck_assert_msg(dump != NULL, "%s: %s", dump_path, strerror(errno));
	ck_assert_int_eq(mdb_env_create(&env), 0);
	ck_assert_int_eq(mdb_env_set_maxdbs(env, 64), 0);
	ck_assert_int_eq(mdb_env_set_mapsize(env, map_size), 0);
	ck_assert_int_eq(mdb_env_open(env, lmdb_path, MDB_NOSUBDIR | MDB_NOSYNC, 0600), 0);
	ck_assert_int_eq(mdb_txn_begin(env, NULL, 0, &txn), 0);
	while (next_line(dump, &line, &capacity)) {
		if (strncmp(line, "database=", 9) == 0)
			ck_assert_int_eq(mdb_dbi_open(txn, line + 9, MDB_CREATE, &dbi), 0);
		else if (strcmp(line, "HEADER=END") == 0)
			data = true;
		else if (strcmp(line, "DATA=END") == 0)
			data = false;
		else if (data) {
			struct zn_buf key = bytes_of(line);
			ck_assert_ptr_nonnull(next_line(dump, &line, &capacity));
			struct zn_buf value = bytes_of(line);
			MDB_val k = {key.len, key.data}, v = {value.len, value.data};
			ck_assert_int_eq(mdb_put(txn, dbi, &k, &v, 0), 0);
			zn_buf_release(&key);
			zn_buf_release(&value);
		}
	}
	ck_assert_int_eq(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
	free(line);
	fclose(dump);
}

void scratch_load(const struct scratch *scratch, const char *version)
{
	const char *data = getenv("ZN_TEST_DATA");
	char dump[512], path[192];

	ck_assert_msg(data != NULL, "ZN_TEST_DATA is not set");
	snprintf(dump, sizeof dump, "%s/pdns/%s/main.dump", data, version);
	load_dump(dump, scratch->path, 64 << 20);
	snprintf(dump, sizeof dump, "%s/pdns/%s/shard0.dump", data, version);
	snprintf(path, sizeof path, "%s-0", scratch->path);
	load_dump(dump, path, 64 << 20);
}

const char *hex_of(struct zn_view bytes)
{
	static _Thread_local char text[8192];
	ZN_AUTO(zn_buf_release) struct zn_buf hex = ZN_BUF_INIT(sizeof text - 1);

	zn_buf_add_hex(&hex, bytes);
	snprintf(text, sizeof text, "%s", hex.failed ? "(long)" : zn_buf_str(&hex));
	return text;
}

struct zn_buf bytes_of(const char *hex)
{
	struct zn_buf bytes = ZN_BUF_INIT(1 << 24);

	ck_assert_int_eq(zn_buf_add_from_hex(&bytes, hex), ZN_OK);
	return bytes;
}
