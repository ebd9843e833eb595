#include "store/base/bytes.h"

#include <stdio.h>
#include <stdlib.h>

void zn_buf_init(struct zn_buf *buf, size_t max)
{
	*buf = (struct zn_buf)ZN_BUF_INIT(max);
}

void zn_buf_release(struct zn_buf *buf)
{
	free(buf->data);
	*buf = (struct zn_buf)ZN_BUF_INIT(buf->max);
}

void zn_buf_clear(struct zn_buf *buf)
{
	buf->len = 0;
	buf->failed = ZN_OK;
	if (buf->data)
		buf->data[0] = 0;
}

bool zn_buf_reserve(struct zn_buf *buf, size_t extra)
{
	if (buf->failed)
		return false;
	if (extra > buf->max || buf->len > buf->max - extra) {
		buf->failed = ZN_ETOOBIG;
		return false;
	}
	size_t need = buf->len + extra + 1; /* and the NUL */
	if (need <= buf->capacity)
		return true;
	size_t capacity = buf->capacity + buf->capacity / 2;
	if (capacity < need)
		capacity = need;
	if (capacity < 64)
		capacity = 64;
	uint8_t *data = realloc(buf->data, capacity);
	if (!data) {
		buf->failed = ZN_ENOMEM;
		return false;
	}
	buf->data = data;
	buf->capacity = capacity;
	return true;
}

void zn_buf_add(struct zn_buf *buf, struct zn_view bytes)
{
	if (!zn_buf_reserve(buf, bytes.len))
		return;
	if (bytes.len)
		memcpy(buf->data + buf->len, bytes.data, bytes.len);
	buf->len += bytes.len;
	buf->data[buf->len] = 0;
}

void zn_buf_add_byte(struct zn_buf *buf, uint8_t byte)
{
	zn_buf_add(buf, zn_view(&byte, 1));
}

void zn_buf_add_fill(struct zn_buf *buf, uint8_t byte, size_t count)
{
	if (!zn_buf_reserve(buf, count))
		return;
	memset(buf->data + buf->len, byte, count);
	buf->len += count;
	buf->data[buf->len] = 0;
}

void zn_buf_add_str(struct zn_buf *buf, const char *text)
{
	zn_buf_add(buf, zn_view_str(text));
}

void zn_buf_addf(struct zn_buf *buf, const char *format, ...)
{
	va_list args;
	char small[256];

	va_start(args, format);
	int len = vsnprintf(small, sizeof small, format, args);
	va_end(args);
	if (len < 0) {
		buf->failed = buf->failed ? buf->failed : ZN_ENOMEM;
		return;
	}
	if ((size_t)len < sizeof small) {
		zn_buf_add(buf, zn_view(small, (size_t)len));
		return;
	}
	if (!zn_buf_reserve(buf, (size_t)len))
		return;
	va_start(args, format);
	vsnprintf((char *)buf->data + buf->len, (size_t)len + 1, format, args);
	va_end(args);
	buf->len += (size_t)len;
}

void zn_buf_splice(struct zn_buf *buf, size_t from, size_t len, struct zn_view bytes)
{
	if (from > buf->len)
		from = buf->len;
	if (len > buf->len - from)
		len = buf->len - from;
	if (bytes.len > len && !zn_buf_reserve(buf, bytes.len - len))
		return;
	if (buf->failed || !buf->data)
		return;
	memmove(buf->data + from + bytes.len, buf->data + from + len, buf->len - from - len);
	if (bytes.len)
		memcpy(buf->data + from, bytes.data, bytes.len);
	buf->len = buf->len - len + bytes.len;
	buf->data[buf->len] = 0;
}

enum zn_code zn_buf_check(const struct zn_buf *buf, const char *what, struct zn_err *err)
{
	if (buf->failed == ZN_ETOOBIG)
		return zn_fail(err, ZN_ETOOBIG, "%s: more than %zu bytes", what, buf->max);
	if (buf->failed)
		return zn_fail(err, buf->failed, "%s: %s", what, zn_code_text(buf->failed));
	return ZN_OK;
}

void zn_buf_add_hex(struct zn_buf *buf, struct zn_view bytes)
{
	static const char digits[] = "0123456789abcdef";

	if (!zn_buf_reserve(buf, 2 * bytes.len))
		return;
	for (size_t i = 0; i < bytes.len; i++) {
		buf->data[buf->len++] = (uint8_t)digits[bytes.data[i] >> 4];
		buf->data[buf->len++] = (uint8_t)digits[bytes.data[i] & 15];
	}
	buf->data[buf->len] = 0;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

enum zn_code zn_buf_add_from_hex(struct zn_buf *buf, const char *hex)
{
	int high = -1;

	for (; *hex; hex++) {
		if (*hex == ' ' || *hex == '\n')
			continue;
		int value = hex_value(*hex);
		if (value < 0)
			return ZN_EINVAL;
		if (high < 0) {
			high = value;
		} else {
			zn_buf_add_byte(buf, (uint8_t)(high << 4 | value));
			high = -1;
		}
	}
	return high < 0 ? buf->failed : ZN_EINVAL;
}
