#include "sync/frame.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "store/base/auto.h"

#define BLOCK ((size_t)64 << 10)
#define GZIP_ONLY (15 + 16) /* windowBits: the largest window, a gzip wrapper */

struct zn_gzip_writer {
	z_stream z;
	int fd;
	uint8_t out[BLOCK];
};

struct zn_gzip_reader {
	z_stream z;
	int fd;
	bool within;	/* a member has begun and not ended */
	bool any;	/* a member has ended */
	bool end;	/* of the file */
	off_t at;
	uint64_t left;	/* bytes that may still come out */
	uint8_t in[BLOCK];
};

static enum zn_code write_all(int fd, const uint8_t *data, size_t len, struct zn_err *err)
{
	while (len) {
		ssize_t done = write(fd, data, len);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return zn_fail_errno(err, errno, "write a snapshot");
		data += done;
		len -= (size_t)done;
	}
	return ZN_OK;
}

/* Feeds what z has as input, and with Z_FINISH everything to the end. */
static enum zn_code squeeze(struct zn_gzip_writer *w, int flush, struct zn_err *err)
{
	int status;

	do {
		w->z.next_out = w->out;
		w->z.avail_out = sizeof w->out;
		status = deflate(&w->z, flush);
		if (status == Z_STREAM_ERROR)
			return zn_fail(err, ZN_ENOMEM, "compress a snapshot");
		enum zn_code code = write_all(w->fd, w->out, sizeof w->out - w->z.avail_out, err);
		if (code)
			return code;
	} while (w->z.avail_out == 0 || (flush == Z_FINISH && status != Z_STREAM_END));
	return ZN_OK;
}

static enum zn_code gzip_write(void *arg, struct zn_view bytes, struct zn_err *err)
{
	struct zn_gzip_writer *w = arg;

	while (bytes.len) {
		size_t part = bytes.len < UINT32_MAX ? bytes.len : UINT32_MAX;

		w->z.next_in = (Bytef *)bytes.data;
		w->z.avail_in = (uInt)part;
		enum zn_code code = squeeze(w, Z_NO_FLUSH, err);
		if (code)
			return code;
		bytes = zn_view_sub(bytes, part, bytes.len);
	}
	return ZN_OK;
}

enum zn_code zn_gzip_writer_new(int fd, struct zn_gzip_writer **ret_writer, struct zn_err *err)
{
	struct zn_gzip_writer *w = calloc(1, sizeof *w);

	if (!w)
		return zn_fail(err, ZN_ENOMEM, "compress a snapshot: %s", zn_code_text(ZN_ENOMEM));
	w->fd = fd;
	if (deflateInit2(&w->z, 1, Z_DEFLATED, GZIP_ONLY, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
		free(w);
		return zn_fail(err, ZN_ENOMEM, "compress a snapshot: %s", zn_code_text(ZN_ENOMEM));
	}
	*ret_writer = w;
	return ZN_OK;
}

struct zn_sink zn_gzip_sink(struct zn_gzip_writer *writer)
{
	return (struct zn_sink){gzip_write, writer};
}

enum zn_code zn_gzip_finish(struct zn_gzip_writer *writer, struct zn_err *err)
{
	writer->z.next_in = NULL;
	writer->z.avail_in = 0;
	return squeeze(writer, Z_FINISH, err);
}

void zn_gzip_writer_free(struct zn_gzip_writer *writer)
{
	if (!writer)
		return;
	deflateEnd(&writer->z);
	free(writer);
}

static enum zn_code refill(struct zn_gzip_reader *r, struct zn_err *err)
{
	ssize_t len;

	do {
		len = pread(r->fd, r->in, sizeof r->in, r->at);
	} while (len < 0 && errno == EINTR);
	if (len < 0)
		return zn_fail_errno(err, errno, "read an object");
	r->at += len;
	r->end = len == 0;
	r->z.next_in = r->in;
	r->z.avail_in = (uInt)len;
	return ZN_OK;
}

static enum zn_code gzip_read(void *arg, uint8_t *to, size_t size, size_t *ret_len, struct zn_err *err)
{
	struct zn_gzip_reader *r = arg;

	if (size > BLOCK)
		size = BLOCK;
	r->z.next_out = to;
	r->z.avail_out = (uInt)size;
	while (r->z.avail_out == size) {
		if (r->z.avail_in == 0 && !r->end) {
			enum zn_code code = refill(r, err);
			if (code)
				return code;
		}
		if (r->z.avail_in == 0 && r->end) {
			if (r->within)
				return zn_fail(err, ZN_ECORRUPT, "the gzip stream is cut off");
			if (!r->any)
				return zn_fail(err, ZN_ECORRUPT, "the object is empty");
			break;
		}
		if (!r->within && r->any && inflateReset(&r->z) != Z_OK)
			return zn_fail(err, ZN_ECORRUPT, "damaged gzip stream");
		r->within = true;
		int status = inflate(&r->z, Z_NO_FLUSH);
		if (status == Z_STREAM_END) {
			r->within = false;
			r->any = true;
		} else if (status == Z_MEM_ERROR) {
			return zn_fail(err, ZN_ENOMEM, "read an object: %s", zn_code_text(ZN_ENOMEM));
		} else if (status != Z_OK && status != Z_BUF_ERROR) {
			return zn_fail(err, ZN_ECORRUPT, "damaged gzip stream: %s",
					r->z.msg ? r->z.msg : "cannot be decompressed");
		}
	}
	size_t len = size - r->z.avail_out;
	if (len > r->left)
		return zn_fail(err, ZN_ETOOBIG, "the object is larger than allowed when decompressed");
	r->left -= len;
	*ret_len = len;
	return ZN_OK;
}

enum zn_code zn_gzip_reader_new(int fd, uint64_t max, struct zn_gzip_reader **ret_reader, struct zn_err *err)
{
	struct zn_gzip_reader *r = calloc(1, sizeof *r);

	if (!r)
		return zn_fail(err, ZN_ENOMEM, "read an object: %s", zn_code_text(ZN_ENOMEM));
	r->fd = fd;
	r->left = max;
	if (inflateInit2(&r->z, GZIP_ONLY) != Z_OK) {
		free(r);
		return zn_fail(err, ZN_ENOMEM, "read an object: %s", zn_code_text(ZN_ENOMEM));
	}
	*ret_reader = r;
	return ZN_OK;
}

struct zn_source zn_gzip_source(struct zn_gzip_reader *reader)
{
	return (struct zn_source){gzip_read, reader};
}

void zn_gzip_reader_free(struct zn_gzip_reader *reader)
{
	if (!reader)
		return;
	inflateEnd(&reader->z);
	free(reader);
}
