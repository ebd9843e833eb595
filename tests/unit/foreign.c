#include "tests/unit/foreign.h"

#include <check.h>
#include <errno.h>
#include <lmdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/base/clock.h"
#include "store/header.h"

#define ORDER_MAX 16384

/* In the other process, failures end it: the order is then never answered. */
static void must(int rc, const char *what)
{
	if (rc) {
		fprintf(stderr, "foreign: %s: %s\n", what, mdb_strerror(rc));
		_exit(1);
	}
}

struct half {
	MDB_env *env;
	MDB_txn *txn;
};

static struct half *half_of(struct half halves[2], const char *path, int which)
{
	struct half *half = &halves[which];
	char name[512];

	if (half->env)
		return half;
	snprintf(name, sizeof name, "%s%s", path, which ? "-0" : "");
	must(mdb_env_create(&half->env), "create");
	must(mdb_env_set_maxdbs(half->env, 128), "maxdbs");
	must(mdb_env_open(half->env, name, MDB_NOSUBDIR | MDB_NOTLS, 0600), "open");
	return half;
}

static void put(MDB_txn *txn, MDB_dbi dbi, struct zn_view key, struct zn_view payload, bool deleted)
{
	ZN_AUTO(zn_buf_release) struct zn_buf value = ZN_BUF_INIT(1 << 20);
	uint8_t header[ZN_HEADER_SIZE];

	zn_header_write(header, &(struct zn_header){zn_clock_now(), mdb_txn_id(txn), deleted});
	zn_buf_add(&value, zn_view(header, sizeof header));
	zn_buf_add(&value, payload);
	MDB_val k = {key.len, (void *)(uintptr_t)key.data}, v = {value.len, value.data};
	must(mdb_put(txn, dbi, &k, &v, 0), "put");
}

static void fill(struct half *half, size_t megabytes)
{
	static const uint8_t zeros[4000];
	MDB_dbi dbi;

	must(mdb_env_set_mapsize(half->env, (megabytes + 16) << 20), "mapsize");
	must(mdb_txn_begin(half->env, NULL, 0, &half->txn), "begin");
	must(mdb_dbi_open(half->txn, "guest_v1", MDB_CREATE, &dbi), "table");
	for (uint32_t i = 0; i < megabytes * 256; i++) {
		uint8_t key[4] = {(uint8_t)(i >> 24), (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
		put(half->txn, dbi, zn_view(key, 4), zn_view(zeros, sizeof zeros), false);
	}
}

static void serve(const char *path, int orders, int answers)
{
	struct half halves[2] = {0}, *half = NULL;
	static char line[ORDER_MAX];
	FILE *in = fdopen(orders, "r");

	while (fgets(line, sizeof line, in)) {
		char verb = line[0], table[64], key[600], payload[ORDER_MAX] = "";
		int which, deleted;
		size_t megabytes;
		MDB_dbi dbi;
		if (verb == 'l' && sscanf(line, "l %d", &which) == 1) {
			half = half_of(halves, path, which);
			must(mdb_txn_begin(half->env, NULL, 0, &half->txn), "begin");
		} else if (verb == 'u') {
			must(mdb_txn_commit(half->txn), "commit");
		} else if (verb == 'r') {
			must(mdb_txn_commit(half->txn), "commit");
			must(mdb_txn_begin(half->env, NULL, 0, &half->txn), "begin");
		} else if (verb == 'p' && sscanf(line, "p %63s %d %599s %16383s", table, &deleted, key, payload) >= 3) {
			struct zn_buf k = ZN_BUF_INIT(1024), p = ZN_BUF_INIT(ORDER_MAX);
			if (zn_buf_add_from_hex(&k, key) || zn_buf_add_from_hex(&p, payload))
				_exit(1);
			must(mdb_dbi_open(half->txn, table, MDB_CREATE, &dbi), "table");
			put(half->txn, dbi, zn_buf_view(&k), zn_buf_view(&p), deleted);
			zn_buf_release(&k);
			zn_buf_release(&p);
		} else if (verb == 'f' && sscanf(line, "f %d %zu", &which, &megabytes) == 2) {
			half = half_of(halves, path, which);
			fill(half, megabytes);
		}
		if (write(answers, "k", 1) != 1)
			_exit(1);
	}
	_exit(0);
}

void foreign_start(struct foreign *foreign, const char *path)
{
	int orders[2], answers[2];

	fflush(NULL);
	ck_assert_int_eq(pipe(orders), 0);
	ck_assert_int_eq(pipe(answers), 0);
	foreign->pid = fork();
	ck_assert_int_ge(foreign->pid, 0);
	if (foreign->pid == 0) {
		close(orders[1]);
		close(answers[0]);
		serve(path, orders[0], answers[1]);
	}
	close(orders[0]);
	close(answers[1]);
	foreign->orders = orders[1];
	foreign->answers = answers[0];
}

void foreign_end(struct foreign *foreign)
{
	close(foreign->orders);
	close(foreign->answers);
	kill(foreign->pid, SIGKILL);
	waitpid(foreign->pid, NULL, 0);
}

static void order(struct foreign *foreign, const char *line)
{
	char answer;

	ck_assert_int_eq(write(foreign->orders, line, strlen(line)), (ssize_t)strlen(line));
	ssize_t len;
	do
		len = read(foreign->answers, &answer, 1);
	while (len < 0 && errno == EINTR);
	ck_assert_msg(len == 1, "the other process failed at: %s", line);
}

void foreign_lock(struct foreign *foreign, enum zn_which which)
{
	char line[32];

	snprintf(line, sizeof line, "l %d\n", which);
	order(foreign, line);
}

void foreign_unlock(struct foreign *foreign)
{
	order(foreign, "u\n");
}

void foreign_relock(struct foreign *foreign)
{
	order(foreign, "r\n");
}

void foreign_put(struct foreign *foreign, const char *table, const char *hex_key, const char *hex_payload, bool deleted)
{
	char line[ORDER_MAX];

	snprintf(line, sizeof line, "p %s %d %s %s\n", table, deleted, hex_key, hex_payload);
	order(foreign, line);
}

void foreign_fill(struct foreign *foreign, enum zn_which which, size_t megabytes)
{
	char line[64];

	snprintf(line, sizeof line, "f %d %zu\n", which, megabytes);
	order(foreign, line);
}
