/* tests/unit/support.h - what suites of the store share: temporary databases, PowerDNS's own in them, hex. Failures end the test. */
#pragma once
#include <check.h>

#include "store/env.h"

/* A directory of its own under $TMPDIR (or /tmp), removed with what is in it. */
struct scratch {
	char dir[128];
	char path[160]; /* of the database in it */
};
void scratch_make(struct scratch *scratch);
void scratch_remove(struct scratch *scratch);

/* Open the scratch database, made when there is none; map of 64 MB. */
struct zn_env *scratch_open(const struct scratch *scratch);
struct zn_env *scratch_open_with(const struct scratch *scratch, struct zn_env_options options);

/* tests/data/pdns/<version>/{main,shard0}.dump into the scratch path, as mdb_load does. "v5", "v6", "v5/presigned", … */
void scratch_load(const struct scratch *scratch, const char *version);
/* mdb_dump text into an LMDB file; map size in bytes. */
void load_dump(const char *dump_path, const char *lmdb_path, size_t map_size);

/* Borrowed until the next call of the same thread. */
const char *hex_of(struct zn_view bytes);
/* Bytes of a hex string; aborts when it is none. Release with zn_buf_release(). */
struct zn_buf bytes_of(const char *hex);

#define ck_ok(call)                                                                          \
	do {                                                                                 \
		struct zn_err err = {0};                                                     \
		enum zn_code code_ = (call);                                                 \
		ck_assert_msg(code_ == ZN_OK, "%s: %s: %s", #call, zn_code_text(code_), err.text); \
	} while (0)
#define ck_code(call, expected)                                                              \
	do {                                                                                 \
		struct zn_err err = {0};                                                     \
		enum zn_code code_ = (call);                                                 \
		ck_assert_msg(code_ == (expected), "%s: %s, not %s: %s", #call, zn_code_text(code_), zn_code_text(expected), \
			err.text);                                                           \
	} while (0)
