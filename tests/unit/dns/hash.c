#include "store/dns/zone.h"

#include "tests/unit/suite.h"

static struct zn_name name_of(const char *text)
{
	struct zn_name name;

	ck_assert_int_eq(zn_name_from_text(zn_view_str(text), NULL, &name, NULL), ZN_OK);
	return name;
}

/* clang-format off */
/* docs/format.md, record hash: the examples there. */
static const struct {
	const char *apex, *owner;
	uint16_t type;
	uint32_t ttl;
	const char *rdata;
	uint64_t hash;
} records[] = {
	{"example.org.", "ns1.example.org.", ZN_TYPE_A, 3600, "c0000201", 0x8b7fb35107ca},
	{"example.org.", "example.org.", ZN_TYPE_NS, 3600,
		"036e7331 07 6578616d706c65 03 6f7267 00", 0x47c1d87f2c10},
	{"example.org.", "h1.example.org.", ZN_TYPE_A, 60, "c0000201", 0x33093870cbd4},
	/* the owner's case is nothing, nor is where the zone is cut */
	{"Example.ORG.", "Ns1.eXample.org.", ZN_TYPE_A, 3600, "c0000201", 0x8b7fb35107ca},
	{"org.", "ns1.example.org.", ZN_TYPE_A, 3600, "c0000201", 0x8b7fb35107ca},
	{".", "ns1.example.org.", ZN_TYPE_A, 3600, "c0000201", 0x8b7fb35107ca},
};
/* clang-format on */

START_TEST(hash)
{
	struct zn_name apex = name_of(records[_i].apex), owner = name_of(records[_i].owner);
	ZN_AUTO(zn_buf_release) struct zn_buf rdata = ZN_BUF_INIT(1000);
	struct zn_key key;

	ck_assert_int_eq(zn_key_from_name(&owner, &apex, &key), ZN_OK);
	ck_assert_int_eq(zn_buf_add_from_hex(&rdata, records[_i].rdata), ZN_OK);
	struct zn_record record = {.owner = zn_key_view(&key),
			.rdata = zn_buf_view(&rdata),
			.ttl = records[_i].ttl,
			.type = records[_i].type};
	ck_assert_uint_eq(zn_record_hash(&apex, &record), records[_i].hash);
	/* Each part counts. */
	record.ttl++;
	ck_assert_uint_ne(zn_record_hash(&apex, &record), records[_i].hash);
	record.ttl--;
	record.type++;
	ck_assert_uint_ne(zn_record_hash(&apex, &record), records[_i].hash);
}
END_TEST

/* RDATA of any length; a zone's digest is the sum of its records' hashes. */
START_TEST(digest)
{
	struct zn_name apex = name_of("example.org.");
	struct zn_zone *zone;
	uint8_t rdata[5000];
	uint64_t sum = 0;

	for (size_t i = 0; i < sizeof(rdata); i++)
		rdata[i] = (uint8_t)(i * 7);
	ck_assert_int_eq(zn_zone_new(&apex, &zone), ZN_OK);
	for (size_t len = 0; len < sizeof(rdata); len += 97) {
		struct zn_view owner = len % 3 ? ZN_VIEW("a\0") : ZN_VIEW("b\0a\0");
		zn_zone_add(zone, owner, 731, 60, zn_view(rdata, len), 0);
	}
	ck_assert_int_eq(zn_zone_finish(zone, NULL, NULL), ZN_OK);
	for (size_t i = 0; i < zn_zone_count(zone); i++) {
		struct zn_record record = zn_zone_at(zone, i);
		sum += zn_record_hash(&apex, &record);
	}
	struct zn_digest whole = zn_zone_digest(zone);
	ck_assert_uint_eq(whole.count, zn_zone_count(zone));
	ck_assert_uint_eq(whole.sum, sum & 0xffffffffffff);
	zn_zone_free(zone);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("hash");
	TCase *tests = tcase_create("hash");

	tcase_add_loop_test(tests, hash, 0, (int)(sizeof(records) / sizeof(records[0])));
	tcase_add_test(tests, digest);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
