#include "store/header.h"

#include "tests/unit/suite.h"
#include "tests/unit/support.h"

static const struct {
	const char *name, *hex;
	enum zn_code code;
	uint64_t stamp, txnid;
	bool deleted;
	const char *payload;
} rows[] = {
	{"live", "18ea8ce5a7958822 0000000000000002 00 00 00000000 0000 6162", ZN_OK, 0x18ea8ce5a7958822, 2, false, "6162"},
	{"live, empty", "18ea8ce5a7958822 0000000000000002 00 00 00000000 0000", ZN_OK, 0x18ea8ce5a7958822, 2, false, ""},
	{"tombstone", "18ea8ce5d6fd80e4 0000000000000010 00 01 00000000 0000", ZN_OK, 0x18ea8ce5d6fd80e4, 16, true, ""},
	{"extension blocks", "0000000000000001 0000000000000002 00 00 00000000 0002 1111111111111111 2222222222222222 63", ZN_OK, 1, 2, false, "63"},
	{"unknown flags are dropped", "0000000000000001 0000000000000002 00 fe 00000000 0000 63", ZN_OK, 1, 2, false, "63"},
	{"reserved bytes are ignored", "0000000000000001 0000000000000002 00 01 deadbeef 0000", ZN_OK, 1, 2, true, ""},
	{"too short", "18ea8ce5a7958822 0000000000000002 00 00 00000000 00", ZN_ECORRUPT, 0, 0, false, ""},
	{"nothing", "", ZN_ECORRUPT, 0, 0, false, ""},
	{"version 1", "18ea8ce5a7958822 0000000000000002 01 00 00000000 0000", ZN_ECORRUPT, 0, 0, false, ""},
	{"blocks that are not there", "18ea8ce5a7958822 0000000000000002 00 00 00000000 0001 11111111111111", ZN_ECORRUPT, 0, 0, false, ""},
};

START_TEST(reads)
{
	ZN_AUTO(zn_buf_release) struct zn_buf value = bytes_of(rows[_i].hex);
	struct zn_header header = {0};
	struct zn_view payload = {0};

	ck_assert_msg(zn_header_read(zn_buf_view(&value), &header, &payload) == rows[_i].code, "%s", rows[_i].name);
	if (rows[_i].code)
		return;
	ck_assert_uint_eq(header.stamp.ns, rows[_i].stamp);
	ck_assert_uint_eq(header.txnid, rows[_i].txnid);
	ck_assert_msg(zn_header_deleted(&header) == rows[_i].deleted, "%s", rows[_i].name);
	ck_assert_str_eq(hex_of(payload), rows[_i].payload);
}
END_TEST

START_TEST(writes)
{
	uint8_t bytes[ZN_HEADER_SIZE];

	zn_header_write(bytes, &(struct zn_header){{0x18ea8ce5d6fd80e4}, 16, 0xff});
	ck_assert_str_eq(hex_of(zn_view(bytes, sizeof bytes)), "18ea8ce5d6fd80e40000000000000010" "0001" "00000000" "0000");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store/header");
	TCase *tcase = tcase_create("header");

	tcase_add_loop_test(tcase, reads, 0, sizeof rows / sizeof *rows);
	tcase_add_test(tcase, writes);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
