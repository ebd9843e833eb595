#include "sync/protobuf.h"

#include <stdlib.h>

#include "store/base/wire.h"

#define BLOCK ((size_t)64 << 10)
#define FIELD_MAX ((UINT64_C(1) << 29) - 1)

static void add_tag(struct zn_buf *out, unsigned field, enum zn_pb_type type)
{
	zn_write_varint(out, (uint64_t)field << 3 | (unsigned)type);
}

void zn_pb_add_varint(struct zn_buf *out, unsigned field, uint64_t value)
{
	if (!value)
		return;
	add_tag(out, field, ZN_PB_VARINT);
	zn_write_varint(out, value);
}

void zn_pb_add_64(struct zn_buf *out, unsigned field, uint64_t value)
{
	if (!value)
		return;
	add_tag(out, field, ZN_PB_64);
	zn_write_u64le(out, value);
}

void zn_pb_add_head(struct zn_buf *out, unsigned field, uint64_t len)
{
	add_tag(out, field, ZN_PB_BYTES);
	zn_write_varint(out, len);
}

void zn_pb_add_bytes(struct zn_buf *out, unsigned field, struct zn_view bytes)
{
	if (!bytes.len)
		return;
	zn_pb_add_head(out, field, bytes.len);
	zn_buf_add(out, bytes);
}

/* Splits a tag; false for field 0 and the types that no snapshot has (groups). */
static bool split_tag(uint64_t tag, struct zn_pb_field *field)
{
	field->number = tag >> 3;
	switch (tag & 7) {
	case ZN_PB_VARINT:
	case ZN_PB_64:
	case ZN_PB_BYTES:
	case ZN_PB_32:
		field->type = (enum zn_pb_type)(tag & 7);
		return field->number > 0 && field->number <= FIELD_MAX;
	default:
		return false;
	}
}

bool zn_pb_next(struct zn_reader *reader, struct zn_pb_field *ret_field, struct zn_view *ret_bytes)
{
	*ret_bytes = zn_view(NULL, 0);
	if (zn_reader_left(reader) == 0)
		return false;
	if (!split_tag(zn_read_varint(reader), ret_field)) {
		reader->failed = true;
		return false;
	}
	switch (ret_field->type) {
	case ZN_PB_64:
		ret_field->value = zn_read_u64le(reader);
		break;
	case ZN_PB_32:
		ret_field->value = zn_read_u32le(reader);
		break;
	case ZN_PB_VARINT:
		ret_field->value = zn_read_varint(reader);
		break;
	case ZN_PB_BYTES:
		ret_field->value = zn_read_varint(reader);
		*ret_bytes = zn_read_view(reader, ret_field->value);
		break;
	}
	return !reader->failed;
}

enum zn_code zn_pb_stream_init(struct zn_pb_stream *stream, struct zn_source in, struct zn_err *err)
{
	*stream = (struct zn_pb_stream){.in = in, .block = malloc(BLOCK)};
	if (!stream->block)
		return zn_fail(err, ZN_ENOMEM, "read an object: %s", zn_code_text(ZN_ENOMEM));
	return ZN_OK;
}

void zn_pb_stream_release(struct zn_pb_stream *stream)
{
	free(stream->block);
	*stream = (struct zn_pb_stream){0};
}

/* Makes sure that at least one byte is unread, unless the source has ended. */
static enum zn_code fill(struct zn_pb_stream *s, struct zn_err *err)
{
	if (s->from < s->to || s->end)
		return ZN_OK;
	s->from = s->to = 0;
	enum zn_code code = s->in.read(s->in.arg, s->block, BLOCK, &s->to, err);
	s->end = !code && s->to == 0;
	return code;
}

static enum zn_code cut_off(struct zn_pb_stream *s, struct zn_err *err)
{
	return zn_fail(err, ZN_ECORRUPT, "the snapshot is cut off at byte %llu", (unsigned long long)s->at);
}

static enum zn_code damaged(struct zn_pb_stream *s, struct zn_err *err)
{
	return zn_fail(err, ZN_ECORRUPT, "damaged snapshot at byte %llu", (unsigned long long)s->at);
}

static enum zn_code stream_byte(struct zn_pb_stream *s, uint64_t limit, uint8_t *ret_byte, struct zn_err *err)
{
	if (s->at >= limit)
		return damaged(s, err);
	enum zn_code code = fill(s, err);
	if (code)
		return code;
	if (s->end)
		return cut_off(s, err);
	*ret_byte = s->block[s->from++];
	s->at++;
	return ZN_OK;
}

/* The `width` little-endian bytes of a fixed number. */
static enum zn_code stream_fixed(struct zn_pb_stream *s, uint64_t limit, unsigned width, uint64_t *ret_value,
		struct zn_err *err)
{
	*ret_value = 0;
	for (unsigned i = 0; i < width; i++) {
		uint8_t byte = 0;
		enum zn_code code = stream_byte(s, limit, &byte, err);

		if (code)
			return code;
		*ret_value |= (uint64_t)byte << (8 * i);
	}
	return ZN_OK;
}

static enum zn_code stream_varint(struct zn_pb_stream *s, uint64_t limit, uint64_t *ret_value,
		struct zn_err *err)
{
	uint8_t bytes[10];

	for (size_t len = 0; len < sizeof bytes;) {
		enum zn_code code = stream_byte(s, limit, &bytes[len], err);

		if (code)
			return code;
		if (bytes[len++] & 0x80)
			continue;
		struct zn_reader r = zn_reader_init(zn_view(bytes, len));
		*ret_value = zn_read_varint(&r);
		return r.failed ? damaged(s, err) : ZN_OK;
	}
	return damaged(s, err);
}

enum zn_code zn_pb_stream_next(struct zn_pb_stream *s, uint64_t limit, struct zn_pb_field *ret_field,
		bool *ret_more, struct zn_err *err)
{
	uint64_t tag;
	enum zn_code code = fill(s, err);

	*ret_more = false;
	if (code)
		return code;
	if (s->at == limit || (s->end && limit == UINT64_MAX))
		return ZN_OK;
	code = stream_varint(s, limit, &tag, err);
	if (code)
		return code;
	if (!split_tag(tag, ret_field))
		return damaged(s, err);
	switch (ret_field->type) {
	case ZN_PB_64:
		code = stream_fixed(s, limit, 8, &ret_field->value, err);
		break;
	case ZN_PB_32:
		code = stream_fixed(s, limit, 4, &ret_field->value, err);
		break;
	case ZN_PB_VARINT:
		code = stream_varint(s, limit, &ret_field->value, err);
		break;
	case ZN_PB_BYTES:
		code = stream_varint(s, limit, &ret_field->value, err);
		if (!code && ret_field->value > limit - s->at)
			code = damaged(s, err);
		break;
	}
	*ret_more = code == ZN_OK;
	return code;
}

enum zn_code zn_pb_stream_bytes(struct zn_pb_stream *s, uint64_t len, struct zn_buf *out, struct zn_err *err)
{
	if (len > out->max || out->len > out->max - len)
		return zn_fail(err, ZN_ETOOBIG, "a field of %llu bytes in the snapshot", (unsigned long long)len);
	while (len) {
		enum zn_code code = fill(s, err);

		if (code)
			return code;
		if (s->end)
			return cut_off(s, err);
		size_t part = s->to - s->from < len ? s->to - s->from : (size_t)len;
		zn_buf_add(out, zn_view(s->block + s->from, part));
		s->from += part;
		s->at += part;
		len -= part;
	}
	return zn_buf_check(out, "read an object", err);
}

enum zn_code zn_pb_stream_skip(struct zn_pb_stream *s, uint64_t len, struct zn_err *err)
{
	while (len) {
		enum zn_code code = fill(s, err);

		if (code)
			return code;
		if (s->end)
			return cut_off(s, err);
		size_t part = s->to - s->from < len ? s->to - s->from : (size_t)len;
		s->from += part;
		s->at += part;
		len -= part;
	}
	return ZN_OK;
}
