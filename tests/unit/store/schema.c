#include "store/schema.h"

#include <stdio.h>

#include "store/header.h"
#include "tests/unit/suite.h"
#include "tests/unit/support.h"

static const struct {
	const char *name, *variant, *kind;
	uint32_t hash;
} hashes[] = {
	{"example.org.", "", NULL, 0x7165a9c7},
	{"EXAMPLE.org.", "", NULL, 0x7165a9c7},
	{"nsec.example.", "", NULL, 0x1d92a249},
	{"var.example.", "internal", NULL, 0x0809a429},
	{"plain.example.", "", "ALSO-NOTIFY", 0x75616f52},
	{"nsec3.example.", "", "NSEC3PARAM", 0x2199ba2c},
	{"tkey.", "", NULL, 0x32c29a85},
};

static struct zn_zone_id zone_of(const char *name, const char *variant)
{
	struct zn_zone_id zone = {0};

	ck_ok(zn_name_from_text(zn_view_str(name), NULL, &zone.name, &err));
	snprintf(zone.variant, sizeof zone.variant, "%s", variant);
	return zone;
}

START_TEST(ids_are_those_of_powerdns)
{
	struct zn_zone_id zone = zone_of(hashes[_i].name, hashes[_i].variant);
	uint32_t hash = zn_zone_hash(&zone, 0);

	if (hashes[_i].kind)
		hash = zn_jenkins(zn_view_str(hashes[_i].kind), hash);
	ck_assert_msg((hash & 0x7fffffff) == hashes[_i].hash, "%s: %08x", hashes[_i].name, hash);
}
END_TEST

static const struct {
	const char *name, *variant;
	uint32_t id;
	const char *hex;
} keys[] = {
	{"sec.example.", "", 0x3b4cc774, "000c6578616d706c65007365630" "03b4cc774"},
	{"var.example.", "internal", 0x0809a429, "00156578616d706c65007661720000696e7465726e616c0809a429"},
	{".", "", 0x6ddfb8c9, "0001006ddfb8c9"},
};

START_TEST(index_keys)
{
	struct zn_zone_id zone = zone_of(keys[_i].name, keys[_i].variant);
	struct zn_index_key key;
	struct zn_view prefix;
	uint32_t id;

	ck_assert_int_eq(zn_index_key_make(&zone, keys[_i].id, &key), ZN_OK);
	ck_assert_str_eq(hex_of(zn_index_key_view(&key)), keys[_i].hex);
	ck_assert(zn_index_key_split(zn_index_key_view(&key), &prefix, &id));
	ck_assert_uint_eq(id, keys[_i].id);
	ck_assert(zn_view_equal(prefix, zn_index_key_prefix(&key)));
	ck_assert(!zn_index_key_split(zn_view_sub(zn_index_key_view(&key), 0, key.len - 1), &prefix, &id));
	struct zn_zone_id again;
	ck_assert(zn_index_key_zone(zn_index_key_view(&key), &again, &id));
	ck_assert(zn_name_equal(&again.name, &zone.name));
	ck_assert_str_eq(again.variant, zone.variant);
}
END_TEST

static const char *const no_keys[] = {
	"", "00", "000100", "0002 6161 00000001", "0003 6100 00 00000001", "0002 0000 00000001", "0004 6100 0061 00000001 00",
};

START_TEST(what_is_no_index_key)
{
	ZN_AUTO(zn_buf_release) struct zn_buf key = bytes_of(no_keys[_i]);
	struct zn_zone_id zone;
	uint32_t id;

	ck_assert_msg(!zn_index_key_zone(zn_buf_view(&key), &zone, &id), "%s", no_keys[_i]);
}
END_TEST

/* Decode and encode a payload as what its table holds. false: the table holds no objects. */
static bool again(const char *table, struct zn_view payload, struct zn_buf *out, enum zn_code *ret_code)
{
	union {
		struct zn_domain domain;
		struct zn_metadata metadata;
		struct zn_keydata keydata;
		struct zn_tsig tsig;
	} o;

	if (strcmp(table, "domains_v5") == 0) {
		*ret_code = zn_domain_decode(payload, &o.domain);
		if (!*ret_code)
			zn_domain_encode(&o.domain, out);
	} else if (strcmp(table, "metadata_v5") == 0) {
		*ret_code = zn_metadata_decode(payload, &o.metadata);
		if (!*ret_code)
			zn_metadata_encode(&o.metadata, out);
	} else if (strcmp(table, "keydata_v5") == 0) {
		*ret_code = zn_keydata_decode(payload, &o.keydata);
		if (!*ret_code)
			zn_keydata_encode(&o.keydata, out);
	} else if (strcmp(table, "tsig_v5") == 0) {
		*ret_code = zn_tsig_decode(payload, &o.tsig);
		if (!*ret_code)
			zn_tsig_encode(&o.tsig, out);
	} else {
		return false;
	}
	return true;
}

static const char *const dumps[] = {"v5/main", "v5/presigned/main", "v6/main", "v6/presigned/main"};

/* Every object that PowerDNS wrote comes back byte for byte; cut anywhere, or longer, it is none. */
START_TEST(objects_of_powerdns)
{
	char path[512], table[64] = "";
	char *line = NULL;
	size_t capacity = 0, objects = 0;

	snprintf(path, sizeof path, "%s/pdns/%s.dump", getenv("ZN_TEST_DATA"), dumps[_i]);
	FILE *dump = fopen(path, "re");
	ck_assert_msg(dump != NULL, "%s", path);
	for (bool is_value = false; getline(&line, &capacity, dump) >= 0;) {
		line[strcspn(line, "\n")] = 0;
		if (strncmp(line, "database=", 9) == 0) {
			snprintf(table, sizeof table, "%s", line + 9);
			is_value = false;
		}
		if (line[0] != ' ')
			continue;
		if (!is_value) {
			is_value = true;
			continue;
		}
		is_value = false;
		ZN_AUTO(zn_buf_release) struct zn_buf value = bytes_of(line);
		ZN_AUTO(zn_buf_release) struct zn_buf out = ZN_BUF_INIT(1 << 20);
		struct zn_header header;
		struct zn_view payload;
		enum zn_code code;
		ck_assert_int_eq(zn_header_read(zn_buf_view(&value), &header, &payload), ZN_OK);
		if (zn_header_deleted(&header) || !again(table, payload, &out, &code))
			continue;
		ck_assert_msg(code == ZN_OK, "%s: %s", table, line);
		ck_assert_msg(zn_view_equal(zn_buf_view(&out), payload), "%s: %s", table, line);
		objects++;
		for (size_t len = 0; len < payload.len; len++) {
			again(table, zn_view_sub(payload, 0, len), &out, &code);
			ck_assert_msg(code == ZN_ECORRUPT || code == ZN_EFORMAT, "%s cut to %zu: %s", table, len, line);
		}
		zn_buf_clear(&out);
		zn_buf_add(&out, payload);
		zn_buf_add_byte(&out, 0);
		ZN_AUTO(zn_buf_release) struct zn_buf longer = ZN_BUF_INIT(1 << 20);
		again(table, zn_buf_view(&out), &longer, &code);
		ck_assert_int_eq(code, ZN_ECORRUPT);
	}
	ck_assert_uint_ge(objects, 2);
	free(line);
	fclose(dump);
}
END_TEST

static struct zn_domain domain_of(const char *hex, struct zn_buf *bytes)
{
	struct zn_domain domain;

	*bytes = bytes_of(hex);
	ck_assert_int_eq(zn_domain_decode(zn_buf_view(bytes), &domain), ZN_OK);
	return domain;
}

START_TEST(both_forms_say_the_same)
{
	ZN_AUTO(zn_buf_release) struct zn_buf v5, v6;
	struct zn_domain a = domain_of("0001000000 0000000000 0e00000000000000 046e736563 076578616d706c65 00 0000000000000000 0000000000000000"
		"0000000000 0000000000000000 00000000 00000000 02000000 0000000000000000 0000000000000000", &v5);
	struct zn_domain b = domain_of("0002000000 0001000000 0000000000 0e00000000000000 046e736563 076578616d706c65 00 0000000000000000"
		"0000000000000000 0000000000000000 0000000000 0000000000000000 00000000 00000000 02000000 0000000000000000"
		"0000000000000000 0000000000000000", &v6);

	ck_assert(zn_name_equal(&a.zone.name, &b.zone.name));
	ck_assert_uint_eq(a.kind, ZN_KIND_NATIVE);
	ck_assert_uint_eq(b.kind, ZN_KIND_NATIVE);
	ck_assert_uint_eq(a.catalog.name.len, 0);
	ck_assert_str_eq(b.zone.variant, "");
}
END_TEST

START_TEST(very_old_rows)
{
	ZN_AUTO(zn_buf_release) struct zn_buf bytes, out = ZN_BUF_INIT(1 << 10);
	struct zn_domain d = domain_of("0000000000 0000000000 0300000000000000 016100 0000000000000000 0000000000000000"
		"0000000000 0000000000000000 05000000 07000000 01000000", &bytes);

	ck_assert_uint_eq(d.kind, ZN_KIND_SECONDARY);
	ck_assert_uint_eq(d.notified_serial, 7);
	zn_domain_encode(&d, &out);
	ck_assert(zn_view_equal(zn_buf_view(&out), zn_buf_view(&bytes)));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store/schema");
	TCase *tcase = tcase_create("schema");

	tcase_add_loop_test(tcase, ids_are_those_of_powerdns, 0, sizeof hashes / sizeof *hashes);
	tcase_add_loop_test(tcase, index_keys, 0, sizeof keys / sizeof *keys);
	tcase_add_loop_test(tcase, what_is_no_index_key, 0, sizeof no_keys / sizeof *no_keys);
	tcase_add_loop_test(tcase, objects_of_powerdns, 0, sizeof dumps / sizeof *dumps);
	tcase_add_test(tcase, both_forms_say_the_same);
	tcase_add_test(tcase, very_old_rows);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
