#include "tests/unit/suite.h"

#include "store/base/auto.h"
#include "store/base/wire.h"
#include "store/dns/name.h"

/* Text, wire in hex, canonical text (NULL: as given). */
static const struct {
	const char *text, *wire, *canonical;
} names[] = {
	{".", "00", NULL},
	{"org.", "036f726700", NULL},
	{"Example.ORG.", "074578616d706c65034f524700", NULL},
	{"example.org", "076578616d706c65036f726700", "example.org."},
	{"*.a-b_c/d.", "012a07612d625f632f6400", NULL},
	{"a\\.b.c.", "03612e62016300", NULL},
	{"a\\046b.c.", "03612e62016300", "a\\.b.c."},
	{"\\000\\255\\032.", "0300ff2000", NULL},
	{"!#%&'*+,-/:<=>?[]^`{|}~.", "172123252627 2a2b2c2d2f3a3c3d3e3f5b5d5e607b7c7d7e00", NULL},
	{"\\@\\$\\\"\\;\\(\\)\\\\.", "07402422 3b28295c00", NULL},
};

START_TEST(text_and_wire)
{
	ZN_AUTO(zn_buf_release) struct zn_buf hex = ZN_BUF_INIT(1000), wire = ZN_BUF_INIT(1000);
	char text[ZN_NAME_TEXT_MAX];
	struct zn_name name, again;

	ck_assert_int_eq(zn_buf_add_from_hex(&wire, names[_i].wire), ZN_OK);
	ck_assert_int_eq(zn_name_from_text(zn_view_str(names[_i].text), NULL, &name, NULL), ZN_OK);
	zn_buf_add_hex(&hex, zn_name_view(&name));
	ck_assert_msg(zn_view_equal(zn_name_view(&name), zn_buf_view(&wire)), "%s: %s", names[_i].text, zn_buf_str(&hex));
	ck_assert_str_eq(zn_name_text(&name, text), names[_i].canonical ? names[_i].canonical : names[_i].text);
	ck_assert_int_eq(zn_name_from_text(zn_view_str(text), NULL, &again, NULL), ZN_OK);
	ck_assert(zn_name_equal(&name, &again));
	ck_assert_int_eq(zn_name_from_wire(zn_buf_view(&wire), &again), ZN_OK);
	ck_assert(zn_name_equal(&name, &again));
	ck_assert_int_eq(zn_name_from_wire(zn_view_sub(zn_buf_view(&wire), 0, wire.len - 1), &again), ZN_ECORRUPT);
	zn_buf_add_byte(&wire, 0);
	ck_assert_int_eq(zn_name_from_wire(zn_buf_view(&wire), &again), ZN_ECORRUPT);
}
END_TEST

#define LABEL63 "123456789012345678901234567890123456789012345678901234567890123"

static const char *const bad_names[] = {
	"", "a..b.", ".a.", "..", "a\\", "a\\25", "a\\256", "a\\1x3", LABEL63 "4.",
	LABEL63 "." LABEL63 "." LABEL63 "." LABEL63 ".",
	LABEL63 "." LABEL63 "." LABEL63 ".12345678901234567890123456789012345678901234567890123456789012.",
};

START_TEST(text_refused)
{
	struct zn_name name;
	struct zn_err err = {0};

	ck_assert_msg(zn_name_from_text(zn_view_str(bad_names[_i]), NULL, &name, &err) == ZN_EINVAL, "%s", bad_names[_i]);
	ck_assert(err.text[0]);
}
END_TEST

START_TEST(longest)
{
	struct zn_name name, origin;
	struct zn_key key;
	char text[ZN_NAME_TEXT_MAX];
	const char *text_max = LABEL63 "." LABEL63 "." LABEL63 ".1234567890123456789012345678901234567890123456789012345678901.";

	ck_assert_int_eq(zn_name_from_text(zn_view_str(text_max), NULL, &name, NULL), ZN_OK);
	ck_assert_uint_eq(name.len, 255);
	ck_assert_str_eq(zn_name_text(&name, text), text_max);
	ck_assert_int_eq(zn_key_from_name(&name, NULL, &key), ZN_OK);
	ck_assert_uint_eq(key.len, 254);
	ck_assert_int_eq(zn_key_to_name(zn_key_view(&key), NULL, &origin), ZN_OK);
	ck_assert(zn_name_equal(&name, &origin));
	ck_assert_int_eq(zn_name_from_text(ZN_VIEW("a"), &name, &origin, NULL), ZN_EINVAL);
	ck_assert_int_eq(zn_name_from_text(ZN_VIEW("@"), &name, &origin, NULL), ZN_OK);
	ck_assert(zn_name_equal(&name, &origin));
	ck_assert_int_eq(zn_name_from_text(ZN_VIEW("@"), NULL, &origin, NULL), ZN_EINVAL);
	for (size_t i = 1; i < 254; i++)
		name.wire[i] = (uint8_t)(i % 64 ? 255 : name.wire[i]);
	ck_assert_uint_lt(strlen(zn_name_text(&name, text)), ZN_NAME_TEXT_MAX);
}
END_TEST

START_TEST(within)
{
	struct zn_name apex, name;
	static const struct {
		const char *name, *apex;
		bool within;
	} rows[] = {
		{"example.org", "example.org", true}, {"WWW.EXAMPLE.org", "example.org", true},
		{"badexample.org", "example.org", false}, {"org", "example.org", false}, {"a", ".", true},
		{".", ".", true}, {"x.example.com", "example.org", false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_int_eq(zn_name_from_text(zn_view_str(rows[i].name), NULL, &name, NULL), ZN_OK);
		ck_assert_int_eq(zn_name_from_text(zn_view_str(rows[i].apex), NULL, &apex, NULL), ZN_OK);
		ck_assert_msg(zn_name_within(&name, &apex) == rows[i].within, "%s in %s", rows[i].name, rows[i].apex);
	}
}
END_TEST

static const struct {
	const char *name, *apex, *key;
} keys[] = {
	{"www.ds9a.nl", NULL, "6e6c00 6473396100 77777700"},
	{".", NULL, "00"},
	{"example.org", "EXAMPLE.org", "00"},
	{"C.Ent.example.org", "example.org", "656e7400 6300"},
	{"a.b", ".", "6200 6100"},
	{".", ".", "00"},
};

START_TEST(key_and_back)
{
	ZN_AUTO(zn_buf_release) struct zn_buf want = ZN_BUF_INIT(1000);
	struct zn_name name, back, apex, *relative = keys[_i].apex ? &apex : NULL;
	struct zn_key key;

	ck_assert_int_eq(zn_name_from_text(zn_view_str(keys[_i].name), NULL, &name, NULL), ZN_OK);
	if (relative)
		ck_assert_int_eq(zn_name_from_text(zn_view_str(keys[_i].apex), NULL, &apex, NULL), ZN_OK);
	ck_assert_int_eq(zn_key_from_name(&name, relative, &key), ZN_OK);
	ck_assert_int_eq(zn_buf_add_from_hex(&want, keys[_i].key), ZN_OK);
	ck_assert(zn_view_equal(zn_key_view(&key), zn_buf_view(&want)));
	ck_assert_int_eq(zn_key_to_name(zn_key_view(&key), relative, &back), ZN_OK);
	ck_assert(zn_name_equal(&back, &name));
}
END_TEST

START_TEST(keys_refused)
{
	struct zn_name name, apex;
	struct zn_key key;
	static const struct zn_view bad[] = {{NULL, 0}, {(const uint8_t *)"a", 1}, {(const uint8_t *)"a\0\0", 3}, {(const uint8_t *)"\0\0", 2}};

	ck_assert_int_eq(zn_name_from_text(ZN_VIEW("a\\000b.example."), NULL, &name, NULL), ZN_OK);
	ck_assert_int_eq(zn_key_from_name(&name, NULL, &key), ZN_EINVAL);
	ck_assert_int_eq(zn_name_from_text(ZN_VIEW("example.org."), NULL, &apex, NULL), ZN_OK);
	ck_assert_int_eq(zn_key_from_name(&name, &apex, &key), ZN_EINVAL);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(zn_key_to_name(bad[i], &apex, &name) == ZN_ECORRUPT, "%zu", i);
}
END_TEST

/* RFC 4034 6.1. */
START_TEST(canonical_order)
{
	static const char *const order[] = {"example", "a.example", "yljkjljk.a.example", "Z.a.example", "zABC.a.EXAMPLE",
		"z.example", "\\001.z.example", "*.z.example", "\\200.z.example"};
	struct zn_name name, apex;
	struct zn_key before = {0}, key;

	ck_assert_int_eq(zn_name_from_text(ZN_VIEW("example"), NULL, &apex, NULL), ZN_OK);
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		ck_assert_int_eq(zn_name_from_text(zn_view_str(order[i]), NULL, &name, NULL), ZN_OK);
		ck_assert_int_eq(zn_key_from_name(&name, &apex, &key), ZN_OK);
		if (i > 0)
			ck_assert_msg(zn_view_cmp(zn_key_view(&before), zn_key_view(&key)) < 0, "%s", order[i]);
		before = key;
	}
}
END_TEST

START_TEST(read_from_wire)
{
	static const uint8_t bytes[] = {1, 'a', 0, 2, 'b', 'c', 0, 0xc0, 0};
	struct zn_reader r = zn_reader_init(zn_view(bytes, sizeof(bytes)));
	struct zn_name name;
	char text[ZN_NAME_TEXT_MAX];

	zn_read_name(&r, &name);
	ck_assert_str_eq(zn_name_plain(&name, text), "a");
	zn_read_name(&r, &name);
	ck_assert_str_eq(zn_name_plain(&name, text), "bc");
	ck_assert_uint_eq(zn_name_labels(&name), 1);
	zn_read_name(&r, &name);
	ck_assert(r.failed);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dns/name");
	TCase *tc = tcase_create("names");

	tcase_add_loop_test(tc, text_and_wire, 0, sizeof(names) / sizeof(names[0]));
	tcase_add_loop_test(tc, text_refused, 0, sizeof(bad_names) / sizeof(bad_names[0]));
	tcase_add_test(tc, longest);
	tcase_add_test(tc, within);
	tcase_add_loop_test(tc, key_and_back, 0, sizeof(keys) / sizeof(keys[0]));
	tcase_add_test(tc, keys_refused);
	tcase_add_test(tc, canonical_order);
	tcase_add_test(tc, read_from_wire);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
