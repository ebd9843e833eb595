#include "tests/unit/suite.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "store/base/auto.h"
#include "sync/frame.h"


static int file_of(struct zn_view bytes)
{
	int fd = memfd_create("frame", MFD_CLOEXEC);

	ck_assert_int_eq(write(fd, bytes.data, bytes.len), (ssize_t)bytes.len);
	return fd;
}

static void add_member(struct zn_buf *out, struct zn_view text, int level)
{
	uint8_t packed[1 << 16];
	z_stream z = {0};

	ck_assert_int_eq(deflateInit2(&z, level, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (Bytef *)text.data;
	z.avail_in = (uInt)text.len;
	z.next_out = packed;
	z.avail_out = sizeof packed;
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	zn_buf_add(out, zn_view(packed, sizeof packed - z.avail_out));
	deflateEnd(&z);
}

/* Reads all of it in bites of `bite` bytes. */
static enum zn_code read_all(struct zn_view packed, uint64_t max, size_t bite, struct zn_buf *out)
{
	ZN_AUTO_CLOSE int fd = file_of(packed);
	struct zn_gzip_reader *reader;
	uint8_t bytes[4096];
	struct zn_err err;
	size_t len;

	ck_assert_int_eq(zn_gzip_reader_new(fd, max, &reader, &err), ZN_OK);
	struct zn_source in = zn_gzip_source(reader);
	enum zn_code code = ZN_OK;
	while ((code = in.read(in.arg, bytes, bite, &len, &err)) == ZN_OK && len)
		zn_buf_add(out, zn_view(bytes, len));
	zn_gzip_reader_free(reader);
	return code;
}

START_TEST(members)
{
	static const size_t bites[] = {1, 7, 4096};
	ZN_AUTO(zn_buf_release) struct zn_buf packed = ZN_BUF_INIT(1 << 20);
	ZN_AUTO(zn_buf_release) struct zn_buf out = ZN_BUF_INIT(1 << 20);

	add_member(&packed, ZN_VIEW("one "), 0);
	add_member(&packed, ZN_VIEW(""), 1);
	add_member(&packed, ZN_VIEW("two "), 9);
	add_member(&packed, ZN_VIEW("three"), 6);
	ck_assert_int_eq(read_all(zn_buf_view(&packed), 100, bites[_i], &out), ZN_OK);
	ck_assert_str_eq(zn_buf_str(&out), "one two three");
}
END_TEST

/* Whatever byte it is cut off at, and whatever bit of its contents is turned: never accepted. */
START_TEST(damage)
{
	static const char text[] = "some text that is long enough to be worth compressing, some text";
	ZN_AUTO(zn_buf_release) struct zn_buf packed = ZN_BUF_INIT(1 << 20);
	ZN_AUTO(zn_buf_release) struct zn_buf out = ZN_BUF_INIT(1 << 20);

	add_member(&packed, zn_view_str(text), 6);
	for (size_t len = 0; len < packed.len; len++)
		ck_assert_msg(read_all(zn_view(packed.data, len), 1000, 64, &out) == ZN_ECORRUPT, "cut at %zu", len);
	for (size_t i = 10; i < packed.len; i++) {
		zn_buf_clear(&out);
		packed.data[i] ^= 0x10;
		enum zn_code code = read_all(zn_buf_view(&packed), 1000, 64, &out);
		packed.data[i] ^= 0x10;
		/* The bits that fill up the last byte of the data mean nothing. */
		ck_assert_msg(code == ZN_ECORRUPT || code == ZN_ETOOBIG ||
						(code == ZN_OK && zn_view_is(zn_buf_view(&out), text)),
				"byte %zu: %d", i, code);
	}
	zn_buf_add_str(&packed, "trailing");
	ck_assert_int_eq(read_all(zn_buf_view(&packed), 1000, 64, &out), ZN_ECORRUPT);
}
END_TEST

START_TEST(ceiling)
{
	ZN_AUTO(zn_buf_release) struct zn_buf packed = ZN_BUF_INIT(1 << 20);
	ZN_AUTO(zn_buf_release) struct zn_buf out = ZN_BUF_INIT(1 << 20);

	add_member(&packed, ZN_VIEW("0123456789"), 6);
	ck_assert_int_eq(read_all(zn_buf_view(&packed), 10, 3, &out), ZN_OK);
	ck_assert_int_eq(read_all(zn_buf_view(&packed), 9, 3, &out), ZN_ETOOBIG);
}
END_TEST

/* Much out of little: refused at the ceiling, without ever holding it. */
START_TEST(bomb)
{
	ZN_AUTO_CLOSE int fd = memfd_create("bomb", MFD_CLOEXEC);
	ZN_AUTO_FREE uint8_t *zeros = calloc(1, 1 << 20);
	struct zn_gzip_writer *writer;
	struct zn_gzip_reader *reader;
	struct zn_err err;
	uint64_t total = 0;
	size_t len;
	enum zn_code code;

	ck_assert_int_eq(zn_gzip_writer_new(fd, &writer, &err), ZN_OK);
	for (int i = 0; i < 64; i++)
		ck_assert_int_eq(zn_sink_write(zn_gzip_sink(writer), zn_view(zeros, 1 << 20), &err), ZN_OK);
	ck_assert_int_eq(zn_gzip_finish(writer, &err), ZN_OK);
	zn_gzip_writer_free(writer);

	ck_assert_int_eq(zn_gzip_reader_new(fd, 32 << 20, &reader, &err), ZN_OK);
	struct zn_source in = zn_gzip_source(reader);
	while ((code = in.read(in.arg, zeros, 1 << 20, &len, &err)) == ZN_OK && len)
		total += len;
	ck_assert_int_eq(code, ZN_ETOOBIG);
	ck_assert_uint_le(total, 32 << 20);
	zn_gzip_reader_free(reader);
}
END_TEST

START_TEST(round_trip)
{
	ZN_AUTO_CLOSE int fd = memfd_create("frame", MFD_CLOEXEC);
	ZN_AUTO(zn_buf_release) struct zn_buf text = ZN_BUF_INIT(8 << 20);
	struct zn_gzip_writer *writer;
	struct zn_gzip_reader *reader;
	struct zn_err err;
	uint8_t back[1000];
	size_t len, at = 0;

	srand(1);
	for (unsigned i = 0; i < 1 << 20; i++)
		zn_buf_add_byte(&text, (uint8_t)(rand() & (i & 4096 ? 255 : 3)));
	ck_assert_int_eq(zn_gzip_writer_new(fd, &writer, &err), ZN_OK);
	for (size_t from = 0, part = 1; from < text.len; from += part, part = part * 3 % 70001)
		ck_assert_int_eq(zn_sink_write(zn_gzip_sink(writer), zn_view_sub(zn_buf_view(&text), from, part),
						 &err), ZN_OK);
	ck_assert_int_eq(zn_gzip_finish(writer, &err), ZN_OK);
	zn_gzip_writer_free(writer);

	ck_assert_int_eq(zn_gzip_reader_new(fd, text.len, &reader, &err), ZN_OK);
	struct zn_source in = zn_gzip_source(reader);
	while (in.read(in.arg, back, sizeof back, &len, &err) == ZN_OK && len) {
		ck_assert(zn_view_equal(zn_view(back, len), zn_view_sub(zn_buf_view(&text), at, len)));
		at += len;
	}
	ck_assert_uint_eq(at, text.len);
	zn_gzip_reader_free(reader);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sync/frame");
	TCase *tests = tcase_create("all");

	tcase_set_timeout(tests, 120);
	tcase_add_loop_test(tests, members, 0, 3);
	tcase_add_test(tests, damage);
	tcase_add_test(tests, ceiling);
	tcase_add_test(tests, bomb);
	tcase_add_test(tests, round_trip);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
