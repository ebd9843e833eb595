/* sync/protobuf.h - the two layers of protobuf that snapshots use: fields written into a buffer, and
 * fields read from a stream with one bounded buffer. Messages within messages are entered and left by
 * their length; nothing is held but what is asked for. Pure but for the reading of the source. */
#pragma once
#include "store/base/bytes.h"
#include "sync/frame.h"

enum zn_pb_type { ZN_PB_VARINT = 0, ZN_PB_64 = 1, ZN_PB_BYTES = 2, ZN_PB_32 = 5 };

/* ---- writing; what is zero or empty is left out ---- */

void zn_pb_add_varint(struct zn_buf *out, unsigned field, uint64_t value);
void zn_pb_add_64(struct zn_buf *out, unsigned field, uint64_t value);
void zn_pb_add_bytes(struct zn_buf *out, unsigned field, struct zn_view bytes);
/* Tag and length of a field whose bytes follow; written also for no bytes. */
void zn_pb_add_head(struct zn_buf *out, unsigned field, uint64_t len);

/* ---- reading ---- */

struct zn_pb_field {
	uint64_t number;
	enum zn_pb_type type;
	uint64_t value;		/* of a number; the length of bytes */
};

/* A field of a message in memory; false at its end and, with reader->failed set, where it is damaged.
 * Bytes are left for the caller: ret_bytes is the view of them (empty for numbers). */
struct zn_reader;
bool zn_pb_next(struct zn_reader *reader, struct zn_pb_field *ret_field, struct zn_view *ret_bytes);

/* The same from a source of unknown length. */
struct zn_pb_stream {
	struct zn_source in;
	uint8_t *block;		/* owned */
	size_t from, to;	/* what is unread in it */
	uint64_t at;		/* bytes read so far */
	bool end;
};

ZN_MUST_USE enum zn_code zn_pb_stream_init(struct zn_pb_stream *stream, struct zn_source in, struct zn_err *err);
void zn_pb_stream_release(struct zn_pb_stream *stream);

/* The next field of the message that ends at `limit` (UINT64_MAX: at the end of the source).
 * *ret_more is false at that end. ZN_ECORRUPT: damaged, or a field that crosses the limit. The bytes
 * of a ZN_PB_BYTES field must then be read, skipped or entered (they end at stream->at + value). */
ZN_MUST_USE enum zn_code zn_pb_stream_next(struct zn_pb_stream *stream, uint64_t limit,
		struct zn_pb_field *ret_field, bool *ret_more, struct zn_err *err);
/* `len` bytes behind what `out` holds. ZN_ETOOBIG: more than its ceiling. */
ZN_MUST_USE enum zn_code zn_pb_stream_bytes(struct zn_pb_stream *stream, uint64_t len, struct zn_buf *out,
		struct zn_err *err);
ZN_MUST_USE enum zn_code zn_pb_stream_skip(struct zn_pb_stream *stream, uint64_t len, struct zn_err *err);
