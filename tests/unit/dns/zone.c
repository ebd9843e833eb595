#include "tests/unit/dns/support.h"
#include "tests/unit/suite.h"

struct drops {
	unsigned count;
	uint32_t dropped[8], kept[8];
};

static void note(void *context, uint32_t dropped, uint32_t kept)
{
	struct drops *drops = context;

	ck_assert_uint_lt(drops->count, 8);
	drops->dropped[drops->count] = dropped;
	drops->kept[drops->count++] = kept;
}

static const char *const lines[] = {
	"www A 60 192.0.2.2", "www A 60 192.0.2.1", "@ NS 60 ns1", "@ SOA 60 ns1 hostmaster", "a.www TXT 60 0161", "www MX 60 mail",
	"www A 90 192.0.2.2", "mail A 60 192.0.2.3", "www A 60 192.0.2.1", "b A 1 192.0.2.4", NULL,
};

START_TEST(sorted_once)
{
	static const uint32_t order[] = {3, 4, 10, 8, 2, 1, 6, 5}; /* apex NS, SOA, b, mail, www A A MX, a.www */
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *zone = zone_of("example.org", lines);
	struct zn_name apex = name_of("example.org");
	struct zn_key www = key_of("WWW", &apex), absent = key_of("c", &apex);
	struct drops drops = {0};
	size_t first;
	uint32_t serial;

	ck_assert_int_eq(zn_zone_finish(zone, note, &drops), ZN_OK);
	ck_assert_uint_eq(zn_zone_count(zone), 8);
	for (size_t i = 0; i < 8; i++)
		ck_assert_msg(zn_zone_at(zone, i).tag == order[i], "%zu: %u", i, zn_zone_at(zone, i).tag);
	ck_assert_uint_eq(drops.count, 2);
	ck_assert(drops.dropped[0] == 9 && drops.kept[0] == 2 && drops.dropped[1] == 7 && drops.kept[1] == 1);

	ck_assert_uint_eq(zn_zone_find(zone, zn_key_view(&www), ZN_TYPE_A, &first), 2);
	ck_assert_uint_eq(first, 4);
	ck_assert_uint_eq(zn_zone_rrset_end(zone, first), 6);
	ck_assert_uint_eq(zn_zone_owner_end(zone, first), 7);
	ck_assert_uint_eq(zn_zone_find(zone, zn_key_view(&www), ZN_TYPE_TXT, &first), 0);
	ck_assert_uint_eq(zn_zone_find(zone, zn_key_view(&absent), ZN_TYPE_A, &first), 0);
	ck_assert_uint_eq(zn_zone_lower_bound(zone, zn_key_view(&absent)), 3);

	ck_assert(zn_zone_serial(zone, &serial));
	ck_assert_uint_eq(serial, 1);
	zn_zone_set_serial(zone, 77);
	ck_assert(zn_zone_serial(zone, &serial));
	ck_assert_uint_eq(serial, 77);
}
END_TEST

START_TEST(no_records)
{
	static const char *const none[] = {NULL};
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *zone = zone_of("example.org", none);
	uint32_t serial;
	size_t first;

	ck_assert_int_eq(zn_zone_finish(zone, NULL, NULL), ZN_OK);
	ck_assert_uint_eq(zn_zone_count(zone), 0);
	ck_assert_uint_eq(zn_zone_find(zone, zn_view("", 1), ZN_TYPE_SOA, &first), 0);
	ck_assert_uint_eq(zn_zone_lower_bound_near(zone, 5, zn_view("", 1)), 0);
	ck_assert(!zn_zone_serial(zone, &serial));
}
END_TEST

START_TEST(too_large_a_record)
{
	static const char *const none[] = {NULL};
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *zone = zone_of("example.org", none);
	uint8_t *bytes = calloc(1, 65536);

	zn_zone_add(zone, zn_view("", 1), 731, 1, zn_view(bytes, 65535), 0);
	zn_zone_add(zone, zn_view("", 1), 731, 1, zn_view(bytes, 65536), 0);
	free(bytes);
	ck_assert_int_eq(zn_zone_finish(zone, NULL, NULL), ZN_ETOOBIG);
}
END_TEST

#define MANY 100000

static uint32_t mix(uint32_t x)
{
	x = (x ^ x >> 16) * 0x45d9f3b;
	x = (x ^ x >> 16) * 0x45d9f3b;
	return x ^ x >> 16;
}

static size_t many_key(uint32_t i, uint8_t key[16])
{
	size_t len = (size_t)snprintf((char *)key, 16, "n%06x", i / 3);

	return len + 1;
}

/* The same records in whatever order they come make the same zone. `how` 0: sorted, 1: backwards, 2: shuffled, 3: sorted in 7 turns. */
static struct zn_zone *many(int how)
{
	struct zn_name apex = name_of("example.org");
	struct zn_zone *zone;
	uint8_t key[16], rdata[4];

	ck_assert_int_eq(zn_zone_new(&apex, &zone), ZN_OK);
	for (uint32_t n = 0; n < MANY; n++) {
		uint32_t i = how == 1 ? MANY - 1 - n : how == 2 ? (uint32_t)((uint64_t)n * 77777 % MANY)
			: how == 3 ? n * 7 % MANY : n; /* both coprime to MANY */
		zn_put_u32(rdata, mix(i));
		zn_zone_add(zone, zn_view(key, many_key(i, key)), (uint16_t)(i % 3 + 1), 60, zn_view(rdata, 4), i);
	}
	ck_assert_int_eq(zn_zone_finish(zone, NULL, NULL), ZN_OK);
	return zone;
}

START_TEST(any_order)
{
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *zone = many(_i);

	ck_assert_uint_eq(zn_zone_count(zone), MANY);
	for (uint32_t i = 0; i < MANY; i++) {
		struct zn_record record = zn_zone_at(zone, i);
		uint8_t key[16];
		ck_assert(record.tag == i && record.type == i % 3 + 1);
		ck_assert(zn_view_equal(record.owner, zn_view(key, many_key(i, key))));
		ck_assert_uint_eq(zn_get_u32(record.rdata.data), mix(i));
	}
}
END_TEST

START_TEST(near_is_like_far)
{
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *zone = many(0);

	for (uint32_t i = 0; i < 20000; i++) {
		uint8_t key[16];
		struct zn_view owner = zn_view(key, many_key(mix(i) % (MANY + 50), key));
		size_t near = mix(i + MANY) % (MANY + 9);
		if (i % 5 == 0)
			owner.len--; /* a name between the others */
		size_t far = zn_zone_lower_bound(zone, owner);
		if (i % 3 == 0)
			near = far + i % 7 > 3 ? far + i % 7 - 3 : far;
		ck_assert_uint_eq(zn_zone_lower_bound_near(zone, near, owner), far);
	}
}
END_TEST

/* One owner with very many records, which no insertion sort would bear. */
START_TEST(one_owner)
{
	struct zn_name apex = name_of("example.org");
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *zone = NULL;
	uint8_t rdata[4];

	ck_assert_int_eq(zn_zone_new(&apex, &zone), ZN_OK);
	for (uint32_t i = 0; i < MANY; i++) {
		zn_put_u32(rdata, mix(i) % 50000);
		zn_zone_add(zone, zn_view("a", 2), 731, 60, zn_view(rdata, 4), i);
	}
	ck_assert_int_eq(zn_zone_finish(zone, NULL, NULL), ZN_OK);
	for (size_t i = 1; i < zn_zone_count(zone); i++)
		ck_assert(zn_view_cmp(zn_zone_at(zone, i - 1).rdata, zn_zone_at(zone, i).rdata) < 0);
}
END_TEST

START_TEST(digests)
{
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *zone = zone_of("Example.org", lines);
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *other = zone_of("example.ORG", lines + 1);
	struct zn_name apex = name_of("example.org");
	uint64_t sum = 0;

	ck_assert_int_eq(zn_zone_finish(zone, NULL, NULL), ZN_OK);
	ck_assert_int_eq(zn_zone_finish(other, NULL, NULL), ZN_OK);
	for (size_t i = 0; i < zn_zone_count(zone); i++) {
		struct zn_record record = zn_zone_at(zone, i);
		sum += zn_record_hash(&apex, &record);
	}
	ck_assert_uint_eq(zn_zone_digest(zone).count, 8);
	ck_assert_uint_eq(zn_zone_digest(zone).sum, sum & 0xffffffffffff);
	/* without its first line the zone keeps the second 192.0.2.2, whose TTL is another */
	ck_assert_uint_eq(zn_zone_digest(other).count, 8);
	ck_assert(!zn_digest_equal(zn_zone_digest(zone), zn_zone_digest(other)));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dns/zone");
	TCase *tc = tcase_create("zone");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, sorted_once);
	tcase_add_test(tc, no_records);
	tcase_add_test(tc, too_large_a_record);
	tcase_add_loop_test(tc, any_order, 0, 4);
	tcase_add_test(tc, near_is_like_far);
	tcase_add_test(tc, one_owner);
	tcase_add_test(tc, digests);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
