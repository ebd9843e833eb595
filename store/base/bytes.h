/* store/base/bytes.h - borrowed bytes (zn_view) and owned bytes (zn_buf). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "store/base/error.h"

/* Borrowed bytes, not NUL-terminated. Valid as long as whoever lent them says; for the call when
 * nothing is said. data may be NULL only when len is 0. */
struct zn_view {
	const uint8_t *data;
	size_t len;
};

#define ZN_VIEW(literal) ((struct zn_view){(const uint8_t *)(literal), sizeof(literal) - 1})

static inline struct zn_view zn_view(const void *data, size_t len)
{
	return (struct zn_view){data, len};
}

static inline struct zn_view zn_view_str(const char *text)
{
	return (struct zn_view){(const uint8_t *)text, strlen(text)};
}

/* `len` bytes from `from`, cut to what is there. */
static inline struct zn_view zn_view_sub(struct zn_view v, size_t from, size_t len)
{
	if (from > v.len)
		from = v.len;
	if (len > v.len - from)
		len = v.len - from;
	return (struct zn_view){v.data + from, len};
}

/* Bytewise order, a prefix before what it begins: the order of LMDB keys and of LS values. */
static inline int zn_view_cmp(struct zn_view a, struct zn_view b)
{
	size_t shorter = a.len < b.len ? a.len : b.len;
	int order = shorter ? memcmp(a.data, b.data, shorter) : 0;

	return order ? order : (a.len > b.len) - (a.len < b.len);
}

static inline bool zn_view_equal(struct zn_view a, struct zn_view b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline bool zn_view_starts_with(struct zn_view v, struct zn_view prefix)
{
	return v.len >= prefix.len && (prefix.len == 0 || memcmp(v.data, prefix.data, prefix.len) == 0);
}

static inline bool zn_view_is(struct zn_view v, const char *text)
{
	return zn_view_equal(v, zn_view_str(text));
}

/* Owned bytes that grow up to a ceiling. Adding never leaves half of an addition behind: the first
 * one that does not fit sets `failed`, and from then on every addition is ignored; so a writer adds
 * what it likes and checks once, with zn_buf_check(). There is always a NUL behind data[len]
 * (not counted), so a buffer of text serves as a C string; data is NULL only before the first addition. */
struct zn_buf {
	uint8_t *data;
	size_t len;
	size_t capacity;
	size_t max;		/* ceiling of len */
	enum zn_code failed;	/* ZN_OK, ZN_ENOMEM or ZN_ETOOBIG */
};

#define ZN_BUF_INIT(ceiling) {.max = (ceiling)}

void zn_buf_init(struct zn_buf *buf, size_t max);
void zn_buf_release(struct zn_buf *buf);	/* frees; the buffer can be used again */
void zn_buf_clear(struct zn_buf *buf);		/* len 0 and no failure; keeps the memory */

/* Make room for `extra` more bytes: false (and failed set) when that cannot be. */
bool zn_buf_reserve(struct zn_buf *buf, size_t extra);
void zn_buf_add(struct zn_buf *buf, struct zn_view bytes);
void zn_buf_add_byte(struct zn_buf *buf, uint8_t byte);
void zn_buf_add_fill(struct zn_buf *buf, uint8_t byte, size_t count);
void zn_buf_add_str(struct zn_buf *buf, const char *text);
void zn_buf_addf(struct zn_buf *buf, const char *format, ...) ZN_PRINTF(2, 3);
/* Replace `len` bytes at `from` by `bytes`. */
void zn_buf_splice(struct zn_buf *buf, size_t from, size_t len, struct zn_view bytes);

static inline struct zn_view zn_buf_view(const struct zn_buf *buf)
{
	return (struct zn_view){buf->data, buf->len};
}

/* The text, never NULL. */
static inline const char *zn_buf_str(const struct zn_buf *buf)
{
	return buf->data ? (const char *)buf->data : "";
}

/* ZN_OK, or the failure of an earlier addition with a sentence that begins with `what`. */
ZN_MUST_USE enum zn_code zn_buf_check(const struct zn_buf *buf, const char *what, struct zn_err *err);

/* Hex digits, lower case, two per byte; spaces allowed when reading. For tests, dumps and logs. */
void zn_buf_add_hex(struct zn_buf *buf, struct zn_view bytes);
ZN_MUST_USE enum zn_code zn_buf_add_from_hex(struct zn_buf *buf, const char *hex);
