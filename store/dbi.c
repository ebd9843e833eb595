/* store/dbi.c - which DBIs there are and their handles.
 *
 * LMDB's rules: a handle is private to the transaction that opened it until that commits; mdb_dbi_open() must not be used by two
 * transactions of an environment at once; and a transaction cannot use a handle opened after it began. So handles for reading are opened
 * in a short transaction of their own, under a lock, and count generations; handles for writing are opened inside write
 * transactions, which exclude each other anyway. */
#include "store/mdb.h"

#include <assert.h>

static const char *const dbi_names[ZN_DBI_COUNT] = {
	[ZN_DBI_PDNS] = "pdns",
	[ZN_DBI_DOMAINS] = "domains_v5",
	[ZN_DBI_DOMAINS_INDEX] = "domains_v5_0",
	[ZN_DBI_METADATA] = "metadata_v5",
	[ZN_DBI_METADATA_INDEX] = "metadata_v5_0",
	[ZN_DBI_KEYDATA] = "keydata_v5",
	[ZN_DBI_KEYDATA_INDEX] = "keydata_v5_0",
	[ZN_DBI_TSIG] = "tsig_v5",
	[ZN_DBI_TSIG_INDEX] = "tsig_v5_0",
	[ZN_DBI_DOMAINS_EXTRA] = "domains_extra_v6",
	[ZN_DBI_SYNC_MAIN] = "_sync_zonefs",
	[ZN_DBI_RECORDS] = "records_v5",
	[ZN_DBI_COMMENTS] = "comments_v7",
	[ZN_DBI_TEXT] = "zonefs_text_v1",
	[ZN_DBI_SYNC_RECORDS] = "_sync_zonefs",
};

enum zn_which zn_dbi_which(enum zn_dbi dbi)
{
	return dbi < ZN_DBI_RECORDS ? ZN_MAIN : ZN_RECORDS;
}

unsigned zn_dbi_index(enum zn_dbi dbi)
{
	return dbi < ZN_DBI_RECORDS ? dbi : dbi - ZN_DBI_RECORDS;
}

/* Known tables of a file stand first in its list, whether they exist or not. */
static unsigned known_count(const struct zn_file *file)
{
	return file->which == ZN_MAIN ? ZN_DBI_RECORDS : ZN_DBI_COUNT - ZN_DBI_RECORDS;
}

void zn_file_name_tables(struct zn_file *file)
{
	unsigned count = known_count(file);
	unsigned first = file->which == ZN_MAIN ? 0 : ZN_DBI_RECORDS;

	for (unsigned i = 0; i < count; i++)
		snprintf(file->tables[i].name, sizeof file->tables[i].name, "%s", dbi_names[first + i]);
	atomic_store(&file->table_count, count);
}

static struct zn_file *file_of(const struct zn_txn *txn)
{
	return &txn->env->files[txn->which];
}

static int open_table(MDB_txn *mdb, struct zn_table *table, unsigned flags, MDB_dbi *ret_dbi)
{
	unsigned persistent;
	int rc = mdb_dbi_open(mdb, table->name, flags, ret_dbi);

	if (!rc)
		rc = mdb_dbi_flags(mdb, *ret_dbi, &persistent);
	if (!rc)
		atomic_store(&table->flags, persistent);
	return rc;
}

enum zn_code zn_dbi_handle(struct zn_txn *txn, unsigned index, bool create, MDB_dbi *ret_dbi, struct zn_err *err)
{
	struct zn_file *file = file_of(txn);
	struct zn_table *table = &file->tables[index];

	assert(index < atomic_load(&file->table_count));
	if (txn->mode == ZN_TXN_READ) {
		unsigned handle = atomic_load(&table->reading);
		*ret_dbi = handle && atomic_load(&table->since) <= txn->generation ? handle : 0;
		return ZN_OK;
	}
	if (!table->writing && create) {
		MDB_dbi dbi;
		int rc = open_table(txn->mdb, table, MDB_CREATE, &dbi);
		if (rc)
			return zn_mdb_fail(err, rc, file, table->name);
		table->writing = dbi;
		table->fresh = txn->depth;
	}
	*ret_dbi = table->writing;
	return ZN_OK;
}

bool zn_dbi_incomplete(struct zn_file *file, uint64_t txnid)
{
	if (atomic_load(&file->probed) == txnid)
		return false;
	for (unsigned i = 0; i < known_count(file); i++)
		if (!atomic_load(&file->tables[i].reading))
			return true;
	return false;
}

/* Open for reading, under `opening`, every table of the list that has no handle yet. */
static enum zn_code open_reading(struct zn_file *file, struct zn_err *err)
{
	MDB_dbi opened[ZN_MAX_DBS] = {0};
	unsigned count = atomic_load(&file->table_count);
	unsigned generation = atomic_load(&file->generation) + 1;
	MDB_txn *mdb;
	int rc = 0;

	enum zn_code code = zn_file_begin_reading(file, &mdb, err);
	if (code)
		return code;
	for (unsigned i = 0; i < count; i++) {
		if (atomic_load(&file->tables[i].reading))
			continue;
		rc = open_table(mdb, &file->tables[i], 0, &opened[i]);
		if (rc == MDB_NOTFOUND)
			opened[i] = rc = 0;
		if (rc) {
			code = zn_mdb_fail(err, rc, file, file->tables[i].name);
			break;
		}
	}
	if (code)
		mdb_txn_abort(mdb);
	else if ((rc = mdb_txn_commit(mdb)) != 0)
		code = zn_mdb_fail(err, rc, file, "open tables");
	zn_file_leave(file);
	if (code)
		return code;
	/* The generation first: who sees a handle then also sees that it is newer than his transaction (begin_reading). */
	atomic_store(&file->generation, generation);
	for (unsigned i = 0; i < count; i++) {
		if (opened[i]) {
			atomic_store(&file->tables[i].since, generation);
			atomic_store(&file->tables[i].reading, opened[i]);
		}
	}
	return ZN_OK;
}

enum zn_code zn_dbi_probe_reading(struct zn_file *file, uint64_t txnid, struct zn_err *err)
{
	enum zn_code code = ZN_OK;

	pthread_mutex_lock(&file->opening);
	if (zn_dbi_incomplete(file, txnid)) {
		code = open_reading(file, err);
		if (!code)
			atomic_store(&file->probed, txnid);
	}
	pthread_mutex_unlock(&file->opening);
	return code;
}

enum zn_code zn_dbi_probe_writing(struct zn_file *file, MDB_txn *mdb, bool *ret_found, struct zn_err *err)
{
	unsigned count = atomic_load(&file->table_count);

	*ret_found = false;
	for (unsigned i = 0; i < count; i++) {
		struct zn_table *table = &file->tables[i];
		MDB_dbi dbi;
		if (table->writing)
			continue;
		int rc = open_table(mdb, table, 0, &dbi);
		if (rc == MDB_NOTFOUND)
			continue;
		if (rc)
			return zn_mdb_fail(err, rc, file, table->name);
		table->writing = dbi;
		table->fresh = 1;
		*ret_found = true;
	}
	return ZN_OK;
}

void zn_dbi_committed(struct zn_file *file, unsigned depth)
{
	unsigned count = atomic_load(&file->table_count);

	for (unsigned i = 0; i < count; i++)
		if (file->tables[i].fresh == depth)
			file->tables[i].fresh = depth - 1;
}

void zn_dbi_aborted(struct zn_file *file, unsigned depth)
{
	unsigned count = atomic_load(&file->table_count);

	for (unsigned i = 0; i < count; i++)
		if (file->tables[i].fresh >= depth)
			file->tables[i].fresh = file->tables[i].writing = 0;
}

/* The index of a name in the list, added when it is new there. Under `opening`. */
static enum zn_code list_name(struct zn_file *file, struct zn_view name, unsigned *ret_index, struct zn_err *err)
{
	unsigned count = atomic_load(&file->table_count);

	for (unsigned i = 0; i < count; i++) {
		if (zn_view_is(name, file->tables[i].name)) {
			*ret_index = i;
			return ZN_OK;
		}
	}
	if (name.len == 0 || name.len > ZN_DB_NAME_MAX || memchr(name.data, 0, name.len))
		return zn_fail(err, ZN_EFORMAT, "%s: a table's name has %zu bytes; zonefs handles 1 to %d without NUL", file->path,
			name.len, ZN_DB_NAME_MAX);
	if (count == ZN_MAX_DBS)
		return zn_fail(err, ZN_ETOOBIG, "%s: more than %d tables", file->path, ZN_MAX_DBS);
	memcpy(file->tables[count].name, name.data, name.len);
	file->tables[count].name[name.len] = 0;
	atomic_store(&file->table_count, count + 1);
	*ret_index = count;
	return ZN_OK;
}

static bool never_replicated(const char *name)
{
	return strncmp(name, "_sync", 5) == 0;
}

static void describe(const struct zn_file *file, unsigned index, struct zn_dbi_info *ret_info)
{
	snprintf(ret_info->name, sizeof ret_info->name, "%s", file->tables[index].name);
	ret_info->flags = atomic_load(&file->tables[index].flags);
	ret_info->handle = index;
}

static bool is_open(const struct zn_txn *txn, unsigned index)
{
	const struct zn_table *table = &file_of(txn)->tables[index];

	if (txn->mode == ZN_TXN_WRITE)
		return table->writing != 0;
	return atomic_load(&table->reading) && atomic_load(&table->since) <= txn->generation;
}

/* Names in the root of the environment, as this transaction sees them, into the list; are all of them open here? */
static enum zn_code list_root(struct zn_txn *txn, bool *ret_all_open, struct zn_err *err)
{
	struct zn_file *file = file_of(txn);
	enum zn_code code = ZN_OK;
	MDB_cursor *cursor;
	MDB_dbi root;
	MDB_val key;

	*ret_all_open = true;
	int rc = mdb_dbi_open(txn->mdb, NULL, 0, &root);
	if (!rc)
		rc = mdb_cursor_open(txn->mdb, root, &cursor);
	if (rc)
		return zn_mdb_fail(err, rc, file, "list tables");
	while (!code && (rc = mdb_cursor_get(cursor, &key, NULL, MDB_NEXT)) == 0) {
		unsigned index;
		code = list_name(file, zn_mdb_view(key), &index, err);
		*ret_all_open = *ret_all_open && !code && is_open(txn, index);
	}
	mdb_cursor_close(cursor);
	if (code)
		return code;
	return rc == MDB_NOTFOUND ? ZN_OK : zn_mdb_fail(err, rc, file, "list tables");
}

/* Make every listed table usable in this transaction; a read transaction begins again for it. */
static enum zn_code open_listed(struct zn_txn *txn, struct zn_err *err)
{
	struct zn_file *file = file_of(txn);
	bool found;

	if (txn->mode == ZN_TXN_WRITE) {
		enum zn_code code = zn_dbi_probe_writing(file, txn->mdb, &found, err);
		for (unsigned i = 0; i < atomic_load(&file->table_count); i++)
			if (file->tables[i].fresh == 1 && txn->depth > 1)
				file->tables[i].fresh = txn->depth;
		return code;
	}
	struct zn_txn again;
	zn_txn_end(txn);
	pthread_mutex_lock(&file->opening);
	enum zn_code code = open_reading(file, err);
	pthread_mutex_unlock(&file->opening);
	if (!code)
		code = zn_txn_begin(&again, file->env, file->which, ZN_TXN_READ, err);
	if (!code)
		*txn = again;
	return code;
}

enum zn_code zn_txn_dbis(struct zn_txn *txn, struct zn_dbi_info **ret_list, size_t *ret_count, struct zn_err *err)
{
	struct zn_file *file = file_of(txn);
	ZN_AUTO_FREE struct zn_dbi_info *list = NULL;
	size_t count = 0;
	bool all_open;

	pthread_mutex_lock(&file->opening);
	enum zn_code code = list_root(txn, &all_open, err);
	pthread_mutex_unlock(&file->opening);
	if (!code && !all_open)
		code = open_listed(txn, err);
	if (code)
		return code;
	unsigned known = atomic_load(&file->table_count);
	list = calloc(known, sizeof *list);
	if (!list)
		return zn_fail(err, ZN_ENOMEM, "%s: list tables: out of memory", file->path);
	for (unsigned i = 0; i < known; i++)
		if (is_open(txn, i) && !never_replicated(file->tables[i].name))
			describe(file, i, &list[count++]);
	*ret_list = zn_steal(&list);
	*ret_count = count;
	return ZN_OK;
}

enum zn_code zn_txn_dbi(struct zn_txn *txn, const char *name, struct zn_dbi_info *ret_info, struct zn_err *err)
{
	struct zn_file *file = file_of(txn);
	unsigned index;

	if (never_replicated(name))
		return zn_fail(err, ZN_EFORMAT, "%s: table %s is never replicated", file->path, name);
	pthread_mutex_lock(&file->opening);
	enum zn_code code = list_name(file, zn_view_str(name), &index, err);
	pthread_mutex_unlock(&file->opening);
	if (!code && !is_open(txn, index))
		code = open_listed(txn, err);
	if (code)
		return code;
	if (!is_open(txn, index)) {
		MDB_dbi dbi;
		if (txn->mode == ZN_TXN_READ)
			return ZN_ENOTFOUND;
		code = zn_dbi_handle(txn, index, true, &dbi, err);
		if (code)
			return code;
	}
	describe(file, index, ret_info);
	if (ret_info->flags)
		return zn_fail(err, ZN_EFORMAT, "%s: table %s has LMDB flags 0x%x: DUPSORT and such are not replicated", file->path, name,
			ret_info->flags);
	return ZN_OK;
}
