/* store/dns/zone.h - a zone in memory: its records, sorted, in little more space than their bytes.
 *
 * Filled in any order with zn_zone_add(), then sorted once with zn_zone_finish(); from then on it does
 * not change. Records are ordered by owner (key order = canonical order), type, RDATA bytes; what is
 * given twice with the same owner, type and RDATA, whatever its TTL, is there once (RFC 2181 5; the smallest
 * tag stays). Only what a text can show: no disabled
 * records, no empty non-terminals, no NSEC3 chain rows.
 *
 * Cost: 20 bytes a record and its RDATA, owners once per run of equal owners. A million records sort in a
 * fraction of a second, in one pass when they come sorted. */
#pragma once
#include "store/base/auto.h"
#include "store/dns/name.h"
#include "store/dns/rrtype.h"

struct zn_zone;

struct zn_record {
	struct zn_view owner;	/* key relative to the apex (name.h); borrowed from the zone */
	struct zn_view rdata;	/* wire form, names uncompressed and in their own case; borrowed from the zone */
	uint32_t ttl;
	uint16_t type;
	uint32_t tag;		/* whatever zn_zone_add() was given: the text layer's entry number */
};

/* ZN_ENOMEM is the only failure of what follows; it sticks and zn_zone_finish() reports it. */
ZN_MUST_USE enum zn_code zn_zone_new(const struct zn_name *apex, struct zn_zone **ret_zone);
void zn_zone_free(struct zn_zone *zone);
ZN_DEFINE_AUTO(struct zn_zone, zn_zone_free)

/* Copies owner and rdata (at most ZN_RR_MAX bytes, or the record is refused at finish). */
void zn_zone_add(struct zn_zone *zone, struct zn_view owner, uint16_t type, uint32_t ttl, struct zn_view rdata,
	uint32_t tag);
/* Sorts and drops repeated records. `duplicate` (may be NULL) hears of each dropped one: its tag and the tag of the
 * one that stays. */
ZN_MUST_USE enum zn_code zn_zone_finish(struct zn_zone *zone,
	void (*duplicate)(void *context, uint32_t dropped, uint32_t kept), void *context);

const struct zn_name *zn_zone_apex(const struct zn_zone *zone);
size_t zn_zone_count(const struct zn_zone *zone);
/* index < zn_zone_count(). */
struct zn_record zn_zone_at(const struct zn_zone *zone, size_t index);
uint16_t zn_zone_type(const struct zn_zone *zone, size_t index);

/* Records of one owner and type: the first index and how many. 0 when there are none. */
size_t zn_zone_find(const struct zn_zone *zone, struct zn_view owner, uint16_t type, size_t *ret_first);
/* First index whose owner is not below `owner` in key order. */
size_t zn_zone_lower_bound(const struct zn_zone *zone, struct zn_view owner);
/* The same two where the answer is likely near an index: the cost is the logarithm of the distance. */
size_t zn_zone_lower_bound_near(const struct zn_zone *zone, size_t near, struct zn_view owner);
size_t zn_zone_find_near(const struct zn_zone *zone, size_t near, struct zn_view owner, uint16_t type, size_t *ret_first);
/* One past the last record of the RRset, or of the owner, that `index` belongs to. */
size_t zn_zone_rrset_end(const struct zn_zone *zone, size_t index);
size_t zn_zone_owner_end(const struct zn_zone *zone, size_t index);

/* The SOA's serial. false when there is not exactly one SOA at the apex. */
bool zn_zone_serial(const struct zn_zone *zone, uint32_t *ret_serial);
/* Puts another serial into the SOA in place (it is there exactly once). */
void zn_zone_set_serial(struct zn_zone *zone, uint32_t serial);

/* details.md 8: upper 48 bits of XXH3-64 over owner (wire, absolute, lower case), u16 type, u32 TTL, RDATA.
 * docs/format.md fixes it with hex examples. */
uint64_t zn_record_hash(const struct zn_name *apex, const struct zn_record *record);
/* Number of records and the sum of their hashes mod 2^48: two zones, or rows and text, agree when these do. */
struct zn_digest {
	uint64_t count;
	uint64_t sum;
};
struct zn_digest zn_zone_digest(const struct zn_zone *zone);
static inline bool zn_digest_equal(struct zn_digest a, struct zn_digest b)
{
	return a.count == b.count && a.sum == b.sum;
}
