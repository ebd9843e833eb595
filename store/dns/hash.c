/* The hashes by which kept text and rows are compared. docs/format.md, record hash. */
#include "store/dns/zone.h"

#define XXH_STATIC_LINKING_ONLY /* for the size of XXH3_state_t */
#include <xxhash.h>

#include "store/base/wire.h"

#define SMALL 1024 /* bytes of most records with their owner: hashed in one go */
#define FIXED 6	   /* type and TTL */

/* `wire` is the owner, absolute and in lower case. */
static uint64_t hash(struct zn_view wire, const struct zn_record *record)
{
	uint8_t bytes[SMALL], fixed[FIXED];
	uint64_t sum;

	zn_put_u16(fixed, record->type);
	zn_put_u32(fixed + 2, record->ttl);
	if (wire.len + FIXED + record->rdata.len <= SMALL) {
		memcpy(bytes, wire.data, wire.len);
		memcpy(bytes + wire.len, fixed, FIXED);
		if (record->rdata.len)
			memcpy(bytes + wire.len + FIXED, record->rdata.data, record->rdata.len);
		sum = XXH3_64bits(bytes, wire.len + FIXED + record->rdata.len);
	} else {
		XXH3_state_t state;

		XXH3_64bits_reset(&state);
		XXH3_64bits_update(&state, wire.data, wire.len);
		XXH3_64bits_update(&state, fixed, FIXED);
		XXH3_64bits_update(&state, record->rdata.data, record->rdata.len);
		sum = XXH3_64bits_digest(&state);
	}
	return sum >> 16;
}

/* A key is in lower case, an apex need not be. A key that is none hashes as the apex: it names nothing that is in a zone. */
static struct zn_name owner_name(struct zn_view key, const struct zn_name *lower_apex)
{
	struct zn_name name;

	return zn_key_to_name(key, lower_apex, &name) ? *lower_apex : name;
}

uint64_t zn_record_hash(const struct zn_name *apex, const struct zn_record *record)
{
	struct zn_name lower_apex = *apex, owner;

	zn_name_lower(&lower_apex);
	owner = owner_name(record->owner, &lower_apex);
	return hash(zn_name_view(&owner), record);
}

struct zn_digest zn_zone_digest(const struct zn_zone *zone)
{
	struct zn_name lower_apex = *zn_zone_apex(zone), owner = {0};
	struct zn_digest digest = {.count = zn_zone_count(zone)};
	struct zn_view key = {0};

	zn_name_lower(&lower_apex);
	for (size_t i = 0; i < digest.count; i++) {
		struct zn_record record = zn_zone_at(zone, i);
		if (record.owner.data != key.data || record.owner.len != key.len)
			owner = owner_name(record.owner, &lower_apex);
		key = record.owner;
		digest.sum += hash(zn_name_view(&owner), &record);
	}
	digest.sum &= (UINT64_C(1) << 48) - 1;
	return digest;
}
