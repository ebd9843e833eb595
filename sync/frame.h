/* sync/frame.h - gzip in and out, as a stream. RFC 1952.
 *
 * Objects are files: complete before they are sent, complete before they are read. Reading takes any
 * level and any number of members one after the other (Lightning Stream accepts both); memory is the
 * window of zlib and one block, whatever the object claims to hold. */
#pragma once
#include <stdbool.h>

#include "store/base/bytes.h"
#include "store/base/error.h"

/* Where bytes go: each call takes all of `bytes` or fails. */
struct zn_sink {
	enum zn_code (*write)(void *arg, struct zn_view bytes, struct zn_err *err);
	void *arg;
};

/* Where bytes come from: up to `size` (at least 1) bytes into `to`; *ret_len is 0 only at the end. */
struct zn_source {
	enum zn_code (*read)(void *arg, uint8_t *to, size_t size, size_t *ret_len, struct zn_err *err);
	void *arg;
};

static inline enum zn_code zn_sink_write(struct zn_sink sink, struct zn_view bytes, struct zn_err *err)
{
	return sink.write(sink.arg, bytes, err);
}

struct zn_gzip_writer;
struct zn_gzip_reader;

/* Compress into the file `fd` (borrowed, written at its position), level 1 as Lightning Stream does. */
ZN_MUST_USE enum zn_code zn_gzip_writer_new(int fd, struct zn_gzip_writer **ret_writer, struct zn_err *err);
struct zn_sink zn_gzip_sink(struct zn_gzip_writer *writer);
/* Writes what is still held and the trailer. No sink_write after it. */
ZN_MUST_USE enum zn_code zn_gzip_finish(struct zn_gzip_writer *writer, struct zn_err *err);
void zn_gzip_writer_free(struct zn_gzip_writer *writer);

/* Decompress the file `fd` (borrowed) from its beginning; pread only, so its position stays. More than
 * `max` bytes come out: ZN_ETOOBIG. An empty file, a wrong check sum or length, a file that ends within
 * a member, anything behind the last member: ZN_ECORRUPT. ZN_ESYS: the file cannot be read. */
ZN_MUST_USE enum zn_code zn_gzip_reader_new(int fd, uint64_t max, struct zn_gzip_reader **ret_reader,
		struct zn_err *err);
struct zn_source zn_gzip_source(struct zn_gzip_reader *reader);
void zn_gzip_reader_free(struct zn_gzip_reader *reader);
