/* store/base/wire.h - all foreign bytes are read, and all stored bytes written, through here.
 *
 * Reading never leaves the view. The first read that would sets `failed`; it and every later one
 * yield zero or an empty view, so a decoder is a list of fields with one check at its end. No suffix
 * means big-endian (DNS, Lightning Stream headers, keys); `le` is PowerDNS's archive and protobuf. */
#pragma once
#include "store/base/bytes.h"

struct zn_reader {
	struct zn_view in;
	size_t at;
	bool failed;
};

static inline struct zn_reader zn_reader_init(struct zn_view in)
{
	return (struct zn_reader){.in = in};
}

static inline size_t zn_reader_left(const struct zn_reader *r)
{
	return r->failed ? 0 : r->in.len - r->at;
}

static inline struct zn_view zn_read_view(struct zn_reader *r, uint64_t len)
{
	if (r->failed || len > r->in.len - r->at) {
		r->failed = true;
		return (struct zn_view){NULL, 0};
	}
	struct zn_view v = {r->in.data + r->at, (size_t)len};
	r->at += (size_t)len;
	return v;
}

static inline struct zn_view zn_read_rest(struct zn_reader *r)
{
	return zn_read_view(r, zn_reader_left(r));
}

static inline uint64_t zn_read_be_(struct zn_reader *r, unsigned width)
{
	struct zn_view v = zn_read_view(r, width);
	uint64_t value = 0;

	for (size_t i = 0; i < v.len; i++)
		value = value << 8 | v.data[i];
	return value;
}

static inline uint64_t zn_read_le_(struct zn_reader *r, unsigned width)
{
	struct zn_view v = zn_read_view(r, width);
	uint64_t value = 0;

	for (size_t i = v.len; i > 0; i--)
		value = value << 8 | v.data[i - 1];
	return value;
}

static inline uint8_t zn_read_u8(struct zn_reader *r) { return (uint8_t)zn_read_be_(r, 1); }
static inline uint16_t zn_read_u16(struct zn_reader *r) { return (uint16_t)zn_read_be_(r, 2); }
static inline uint32_t zn_read_u32(struct zn_reader *r) { return (uint32_t)zn_read_be_(r, 4); }
static inline uint64_t zn_read_u48(struct zn_reader *r) { return zn_read_be_(r, 6); }
static inline uint64_t zn_read_u64(struct zn_reader *r) { return zn_read_be_(r, 8); }
static inline uint16_t zn_read_u16le(struct zn_reader *r) { return (uint16_t)zn_read_le_(r, 2); }
static inline uint32_t zn_read_u32le(struct zn_reader *r) { return (uint32_t)zn_read_le_(r, 4); }
static inline uint64_t zn_read_u64le(struct zn_reader *r) { return zn_read_le_(r, 8); }

/* LEB128, at most 10 bytes. */
static inline uint64_t zn_read_varint(struct zn_reader *r)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 70; shift += 7) {
		uint8_t byte = zn_read_u8(r);
		if (r->failed)
			return 0;
		if (shift == 63 && byte > 1)
			break;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return value;
	}
	r->failed = true;
	return 0;
}

static inline void zn_write_be_(struct zn_buf *out, uint64_t value, unsigned width)
{
	uint8_t bytes[8];

	for (unsigned i = 0; i < width; i++)
		bytes[i] = (uint8_t)(value >> (8 * (width - 1 - i)));
	zn_buf_add(out, zn_view(bytes, width));
}

static inline void zn_write_le_(struct zn_buf *out, uint64_t value, unsigned width)
{
	uint8_t bytes[8];

	for (unsigned i = 0; i < width; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
	zn_buf_add(out, zn_view(bytes, width));
}

static inline void zn_write_u8(struct zn_buf *out, uint8_t v) { zn_buf_add_byte(out, v); }
static inline void zn_write_u16(struct zn_buf *out, uint16_t v) { zn_write_be_(out, v, 2); }
static inline void zn_write_u32(struct zn_buf *out, uint32_t v) { zn_write_be_(out, v, 4); }
static inline void zn_write_u48(struct zn_buf *out, uint64_t v) { zn_write_be_(out, v, 6); }
static inline void zn_write_u64(struct zn_buf *out, uint64_t v) { zn_write_be_(out, v, 8); }
static inline void zn_write_u16le(struct zn_buf *out, uint16_t v) { zn_write_le_(out, v, 2); }
static inline void zn_write_u32le(struct zn_buf *out, uint32_t v) { zn_write_le_(out, v, 4); }
static inline void zn_write_u64le(struct zn_buf *out, uint64_t v) { zn_write_le_(out, v, 8); }

static inline void zn_write_varint(struct zn_buf *out, uint64_t value)
{
	uint8_t bytes[10];
	unsigned len = 0;

	do {
		bytes[len] = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
		value >>= 7;
		len++;
	} while (value);
	zn_buf_add(out, zn_view(bytes, len));
}

/* Fixed places in memory we own (keys on the stack). */
static inline void zn_put_u16(uint8_t *at, uint16_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static inline void zn_put_u32(uint8_t *at, uint32_t v)
{
	zn_put_u16(at, (uint16_t)(v >> 16));
	zn_put_u16(at + 2, (uint16_t)v);
}

static inline void zn_put_u64(uint8_t *at, uint64_t v)
{
	zn_put_u32(at, (uint32_t)(v >> 32));
	zn_put_u32(at + 4, (uint32_t)v);
}

static inline uint16_t zn_get_u16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t zn_get_u32(const uint8_t *at)
{
	return (uint32_t)zn_get_u16(at) << 16 | zn_get_u16(at + 2);
}

static inline uint64_t zn_get_u64(const uint8_t *at)
{
	return (uint64_t)zn_get_u32(at) << 32 | zn_get_u32(at + 4);
}
