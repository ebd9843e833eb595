/* fs/text/emit.h - small writers of zone text, without a format string a record. For print.c and
 * print_rdata.c.
 *
 * Each asks the buffer for the most it can need, once, and writes by itself; a buffer that has
 * failed takes nothing. */
#pragma once
#include "store/dns/name.h"

/* Room for `most` bytes, or NULL. The writer gives back where it stopped with emit_end(). */
static inline uint8_t *emit_room(struct zn_buf *out, size_t most)
{
	if (!out->failed && out->capacity > most && out->len < out->capacity - most &&
			out->max - out->len > most)
		return out->data + out->len;
	return zn_buf_reserve(out, most) ? out->data + out->len : NULL;
}

static inline void emit_end(struct zn_buf *out, const uint8_t *end)
{
	out->len = (size_t)(end - out->data);
	out->data[out->len] = 0;
}

static inline void emit_byte(struct zn_buf *out, uint8_t byte)
{
	uint8_t *at = emit_room(out, 1);

	if (at) {
		*at++ = byte;
		emit_end(out, at);
	}
}

static inline void emit_fill(struct zn_buf *out, size_t count)
{
	uint8_t *at = emit_room(out, count);

	if (at) {
		memset(at, ' ', count);
		emit_end(out, at + count);
	}
}

static inline uint8_t *emit_decimal(uint8_t *at, uint32_t value)
{
	uint8_t digits[10];
	unsigned count = 0;

	do {
		digits[count++] = (uint8_t)('0' + value % 10);
		value /= 10;
	} while (value);
	while (count > 0)
		*at++ = digits[--count];
	return at;
}

static inline void emit_number(struct zn_buf *out, uint32_t value)
{
	uint8_t *at = emit_room(out, 10);

	if (at)
		emit_end(out, emit_decimal(at, value));
}

static inline uint8_t *emit_escape(uint8_t *at, uint8_t byte)
{
	*at++ = '\\';
	*at++ = (uint8_t)('0' + byte / 100);
	*at++ = (uint8_t)('0' + byte / 10 % 10);
	*at++ = (uint8_t)('0' + byte % 10);
	return at;
}

/* Bytes of labels that every name server takes as they are. Other printable ones get a backslash,
 * the rest is \DDD. */
enum { EMIT_NUMERIC = 0, EMIT_PLAIN, EMIT_BACKSLASH };
extern const uint8_t emit_label_class[256];

static inline uint8_t *emit_label(uint8_t *at, const uint8_t *label, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint8_t byte = label[i], class = emit_label_class[byte];
		if (class == EMIT_NUMERIC) {
			at = emit_escape(at, byte);
			continue;
		}
		if (class == EMIT_BACKSLASH)
			*at++ = '\\';
		*at++ = byte;
	}
	return at;
}
/* A wire name, relative where it ends with `apex` (may be NULL): "www", "@", else with its dot:
 * "other.example.". */
void emit_name(struct zn_buf *out, struct zn_view wire, const struct zn_name *apex);
/* A key relative to the apex: "www", "@". */
void emit_key(struct zn_buf *out, struct zn_view key);
size_t emit_key_width(struct zn_view key);
