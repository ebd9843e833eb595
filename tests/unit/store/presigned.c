/* tests store/dns/presigned.c with the zones that PowerDNS stored of a signed primary. */
#include "store/dns/presigned.h"

#include "tests/unit/dns/support.h"
#include "tests/unit/store/zone_rows.h"
#include "tests/unit/suite.h"

static struct scratch scratch;
static struct zn_env *env;

static void setup(void)
{
	scratch_make(&scratch);
}

static void teardown(void)
{
	zn_env_close(env);
	env = NULL;
	scratch_remove(&scratch);
}

static int presigned_zones[FIXTURE_ZONES], presigned_count;

static const struct fixture_zone *fixture_at(int i)
{
	return &fixture_zones[presigned_zones[i]];
}

static struct zn_zone *stored_zone(const struct fixture_zone *fixture)
{
	struct zn_name apex = fixture_name(fixture);
	struct zn_zone *zone;

	scratch_load(&scratch, fixture->version);
	env = scratch_open(&scratch);
	struct zn_txn txn = begin_records(env, ZN_TXN_READ);
	ck_ok(zn_records_read(&txn, fixture->id, &apex, &zone, NULL, &err));
	zn_txn_end(&txn);
	return zone;
}

struct heard {
	size_t count;
	char first[1000];
};

static void hear(void *context, enum zn_severity severity, size_t index, size_t other, enum zn_check_part part, const char *sentence)
{
	struct heard *heard = context;

	(void)index;
	(void)other;
	(void)part;
	ck_assert_int_eq(severity, ZN_SEVERITY_ERROR);
	if (heard->count++ == 0)
		snprintf(heard->first, sizeof(heard->first), "%s", sentence);
}

/* What PowerDNS stored gets a chain that is accepted, and is the same again without it. */
START_TEST(there_and_back)
{
	const struct fixture_zone *fixture = fixture_at(_i);
	struct zn_zone_mode mode = fixture_mode(fixture), read_mode;
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *stored = stored_zone(fixture);
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *text = NULL;
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *again = NULL;
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *twice = NULL;
	struct zn_check_options options = {.presigned = true};
	struct heard heard = {0};
	size_t errors;

	ck_assert(zn_zone_is_presigned(stored));
	ck_assert_int_eq(zn_presigned_restore(stored, &mode, &text), ZN_OK);
	ck_assert_uint_gt(zn_zone_count(text), zn_zone_count(stored) + 8);
	ck_assert_int_eq(zn_presigned_check(text, &read_mode, hear, &heard, &errors), ZN_OK);
	ck_assert_msg(errors == 0, "%s", heard.first);
	ck_assert(read_mode.presigned && read_mode.dnssec == mode.dnssec);
	if (mode.dnssec == ZN_DNSSEC_NSEC3) {
		char param[ZN_NSEC3PARAM_TEXT_MAX];
		ck_assert_str_eq(zn_nsec3param_text(&read_mode.nsec3, param), fixture->nsec3param);
	}
	ck_assert_uint_eq(zn_check_zone(text, &options, NULL, NULL), 0);
	ck_assert_int_eq(zn_presigned_strip(text, &again), ZN_OK);
	ck_assert(zn_digest_equal(zn_zone_digest(again), zn_zone_digest(stored)));
	ck_assert_int_eq(zn_presigned_restore(again, &read_mode, &twice), ZN_OK);
	ck_assert(zn_digest_equal(zn_zone_digest(twice), zn_zone_digest(text)));
}
END_TEST

/* Every chain record has its signature: the chain is complete, and signed TTLs are kept. */
START_TEST(every_link_is_signed)
{
	const struct fixture_zone *fixture = fixture_at(_i);
	struct zn_zone_mode mode = fixture_mode(fixture);
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *stored = stored_zone(fixture);
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *text = NULL;
	uint16_t type = mode.dnssec == ZN_DNSSEC_NSEC3 ? ZN_TYPE_NSEC3 : ZN_TYPE_NSEC;
	size_t links = 0, signatures = 0;

	ck_assert_int_eq(zn_presigned_restore(stored, &mode, &text), ZN_OK);
	for (size_t i = 0; i < zn_zone_count(text); i++) {
		struct zn_record record = zn_zone_at(text, i);
		links += record.type == type;
		if (record.type != ZN_TYPE_RRSIG || zn_get_u16(record.rdata.data) != type)
			continue;
		signatures++;
		size_t at;
		ck_assert_uint_eq(zn_zone_find(text, record.owner, type, &at), 1);
		ck_assert_uint_eq(zn_zone_at(text, at).ttl, zn_get_u32(record.rdata.data + 4)); /* the original TTL */
	}
	ck_assert_uint_gt(links, 8);
	ck_assert_uint_eq(links, signatures);
}
END_TEST

/* The chain of a text is not the one that will be derived: record by record left out, or with one byte changed. */
START_TEST(wrong_chains)
{
	const struct fixture_zone *fixture = fixture_at(_i);
	struct zn_zone_mode mode = fixture_mode(fixture), read_mode;
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *stored = stored_zone(fixture);
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *text = NULL;
	size_t errors, tried = 0;

	ck_assert_int_eq(zn_presigned_restore(stored, &mode, &text), ZN_OK);
	for (size_t victim = 0; victim < zn_zone_count(text); victim++) {
		struct zn_record record = zn_zone_at(text, victim);
		bool signature = record.type == ZN_TYPE_RRSIG;
		if (!zn_type_is_chain(record.type) && (signature || victim % 3))
			continue;
		for (int change = 0; change < 2; change++) {
			ZN_AUTO_PTR(zn_zone_free) struct zn_zone *wrong = NULL;
			if (record.type == ZN_TYPE_NSEC3PARAM && change)
				continue; /* its flags are not looked at */
			if (!zn_type_is_chain(record.type)) {
				size_t at;
				if (change || zn_zone_find(text, record.owner, record.type, &at) > 1 || zn_key_is_apex(record.owner) ||
						!zn_zone_find(text, record.owner, ZN_TYPE_RRSIG, &at))
					continue; /* its type is in the bitmap all the same */
			}
			ck_assert_int_eq(zn_zone_new(zn_zone_apex(text), &wrong), ZN_OK);
			for (size_t i = 0; i < zn_zone_count(text); i++) {
				struct zn_record copy = zn_zone_at(text, i);
				uint8_t bytes[600];
				if (i == victim && change == 0)
					continue;
				if (i == victim) {
					memcpy(bytes, copy.rdata.data, copy.rdata.len);
					bytes[copy.rdata.len - 1] ^= 0x10;
					copy.rdata.data = bytes;
				}
				zn_zone_add(wrong, copy.owner, copy.type, copy.ttl, copy.rdata, 0);
			}
			ck_assert_int_eq(zn_zone_finish(wrong, NULL, NULL), ZN_OK);
			ck_assert_int_eq(zn_presigned_check(wrong, &read_mode, NULL, NULL, &errors), ZN_OK);
			ck_assert_msg(errors > 0, "record %zu (type %u), change %d", victim, record.type, change);
			tried++;
		}
	}
	ck_assert_uint_gt(tried, 20);
}
END_TEST

/* How a text says it is signed, and what is wrong with that. */
static const struct {
	const char *name, *lines[6], *sentence;
} modes[] = {
	{"no chain", {"@ SOA 60 a.other. b.other.", NULL}, "no NSEC or NSEC3 chain"},
	{"both", {"@ SOA 60 a.other. b.other.", "@ NSEC3PARAM 60 0100000000", "@ NSEC 60 00000140", NULL}, "one chain only"},
	{"no parameters", {"@ SOA 60 a.other. b.other.", "a NSEC3 60 010000000014000000000000000000000000000000000000000000", NULL}, "needs an NSEC3PARAM"},
	{"two parameters", {"@ NSEC3PARAM 60 0100000000", "@ NSEC3PARAM 60 0100000100", NULL}, "one NSEC3PARAM"},
	{"another algorithm", {"@ NSEC3PARAM 60 0200000000", NULL}, "algorithm"},
	{"mixed flags", {"@ NSEC3PARAM 60 0100000000", "a NSEC3 60 010000000014000000000000000000000000000000000000000000",
		"b NSEC3 60 010100000014000000000000000000000000000000000000000000", NULL}, "one flag"},
};

START_TEST(modes_refused)
{
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *zone = zone_of("example.org", modes[_i].lines);
	struct zn_zone_mode mode;
	struct heard heard = {0};
	size_t errors;

	ck_assert_int_eq(zn_zone_finish(zone, NULL, NULL), ZN_OK);
	ck_assert_int_eq(zn_presigned_check(zone, &mode, hear, &heard, &errors), ZN_OK);
	ck_assert_msg(errors == 1 && strstr(heard.first, modes[_i].sentence), "%s: %s", modes[_i].name, heard.first);
}
END_TEST

/* Opt-out: the signature at its hash says whether an insecure delegation is in the chain. */
START_TEST(opt_out)
{
	static const char *const lines[] = {"@ SOA 60 a.other. b.other.", "@ NS 60 ns.other.", "a.x NS 60 ns.other.", "b NS 60 ns.other.", NULL};
	struct zn_zone_mode mode = {.presigned = true, .dnssec = ZN_DNSSEC_NSEC3, .nsec3 = {.flags = 1}}, read_mode;
	struct zn_name apex = name_of("example.org"), owner = name_of("b.example.org");
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *stored = zone_of("example.org", lines);
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *text = NULL;
	char hash[ZN_NSEC3_HASH_LEN + 1], param[ZN_NSEC3PARAM_TEXT_MAX];
	size_t links = 0, errors;

	zn_nsec3_hash(&mode.nsec3, &owner, hash);
	add_record(stored, hash, "RRSIG", 60, "0032", 9);
	zn_nsec3_hash(&mode.nsec3, &apex, hash);
	add_record(stored, hash, "RRSIG", 77, "0032", 10);
	ck_assert_int_eq(zn_zone_finish(stored, NULL, NULL), ZN_OK);
	ck_assert_int_eq(zn_presigned_restore(stored, &mode, &text), ZN_OK);
	for (size_t i = 0; i < zn_zone_count(text); i++)
		links += zn_zone_at(text, i).type == ZN_TYPE_NSEC3;
	ck_assert_uint_eq(links, 2); /* the apex and b */
	struct zn_key key = key_of(hash, &apex);
	ck_assert_uint_eq(zn_zone_find(text, zn_key_view(&key), ZN_TYPE_NSEC3, &links), 1);
	ck_assert_uint_eq(zn_zone_at(text, links).ttl, 77);
	ck_assert_int_eq(zn_presigned_check(text, &read_mode, NULL, NULL, &errors), ZN_OK);
	ck_assert_uint_eq(errors, 0);
	ck_assert_str_eq(zn_nsec3param_text(&read_mode.nsec3, param), "1 1 0 -");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dns/presigned");
	TCase *tc = tcase_create("presigned");

	for (int i = 0; i < FIXTURE_ZONES; i++)
		if (fixture_zones[i].presigned)
			presigned_zones[presigned_count++] = i;
	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, there_and_back, 0, presigned_count);
	tcase_add_loop_test(tc, every_link_is_signed, 0, presigned_count);
	tcase_add_loop_test(tc, wrong_chains, 0, presigned_count);
	tcase_add_loop_test(tc, modes_refused, 0, sizeof(modes) / sizeof(modes[0]));
	tcase_add_test(tc, opt_out);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
