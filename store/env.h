/* store/env.h - the PowerDNS database pair: DB (main) and DB-0 (records), opened once per process, and after any fork.
 *
 * docs/format.md, files; PowerDNS LMDB schema 5 and 6 with Lightning Stream headers and one shard. A pair is made where
 * there is none (schema 5: both 4.9 and 5.x serve it). Whatever is not ours to handle is refused by zn_env_open() in one plain
 * sentence that says what to do. */
#pragma once
#include "store/base/auto.h"
#include "store/base/error.h"
#include "store/base/bytes.h"

enum zn_which { ZN_MAIN, ZN_RECORDS };

struct zn_env_options {
	const char *path;	/* PowerDNS's lmdb-filename */
	uint64_t map_size;	/* bytes; 0: what the file records, ZN_MAP_SIZE_DEFAULT for a new one */
	bool grow;		/* raise the map beyond what the file records when it is full */
	bool read_only;
	bool daemon;		/* take the lock that lets one daemon at a time in; ZN_EBUSY names its pid */
	const char *owner;	/* user that owns new files; NULL: the owner of the directory */
};

struct zn_env;

ZN_MUST_USE enum zn_code zn_env_open(const struct zn_env_options *options, struct zn_env **ret_env, struct zn_err *err);
void zn_env_close(struct zn_env *env);
ZN_DEFINE_AUTO(struct zn_env, zn_env_close)

const char *zn_env_path(const struct zn_env *env);
bool zn_env_read_only(const struct zn_env *env);
uint32_t zn_env_schema(const struct zn_env *env);		/* 5 or 6; a running 5.x server may raise it */
const uint8_t *zn_env_uuid(const struct zn_env *env);		/* 16 bytes */
/* A file or directory made beside the database shall belong to whoever owns the database, so that a run by root locks nobody out. `path` is
 * one of ours. */
ZN_MUST_USE enum zn_code zn_env_give(const struct zn_env *env, const char *path, struct zn_err *err);
/* Whether another process has main open: a server, or Lightning Stream; a command for its moment. */
bool zn_env_open_elsewhere(struct zn_env *env);
uint64_t zn_env_last_txnid(struct zn_env *env, enum zn_which which);
/* The last transaction committed by this process, from the moment others may see it; ret_committing: it still waits for the disk. 0: none. */
uint64_t zn_env_own_txnid(struct zn_env *env, enum zn_which which, bool *ret_committing);

struct zn_env_usage {
	uint64_t map_size, used;	/* bytes */
	uint64_t last_txnid;
	unsigned readers, readers_max;
};
ZN_MUST_USE enum zn_code zn_env_usage(struct zn_env *env, enum zn_which which, struct zn_env_usage *ret_usage, struct zn_err *err);

/* After ZN_EFULL, with no write transaction running: take the size that others gave the file since, or grow it by half when the
 * options say so. true: there is more room, try again. */
bool zn_env_grow(struct zn_env *env, enum zn_which which);
/* A thread waits inside for a foreign writer that does not end: zn_env_close() then leaves everything as it is, for the process is
 * about to exit. */
void zn_env_abandon(struct zn_env *env);
