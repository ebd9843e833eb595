/* The hashes by which kept text and rows are compared. docs/format.md, record hash. */
#include "store/dns/zone.h"

#define XXH_STATIC_LINKING_ONLY /* for the size of XXH3_state_t */
#include <xxhash.h>

#include "store/base/wire.h"

#define SMALL 1024 /* bytes of most records with their owner: hashed in one go */
#define FIXED 6    /* type and TTL */

#define OWNER_MAX                                                                                  \
	(2 * ZN_NAME_MAX) /* a key and an apex that are too long together make no name, but a hash \
			   */

/* The owner, absolute and in lower case, as a key is already. Returns its length. */
static size_t put_owner(
		struct zn_view key, const struct zn_name *apex, uint8_t wire[static OWNER_MAX])
{
	size_t len = 0;

	for (size_t end = zn_key_is_apex(key) ? 0 : key.len, from; end > 0; end = from) {
		/* labels end with 00 and stand in reverse order */
		for (from = end - 1; from > 0 && key.data[from - 1] != 0;)
			from--;
		wire[len++] = (uint8_t)(end - 1 - from);
		memcpy(wire + len, key.data + from, end - 1 - from);
		len += end - 1 - from;
	}
	for (size_t i = 0; i < apex->len; i++) {
		uint8_t byte = apex->wire[i]; /* lengths of labels are below 'A' */
		wire[len++] = byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte;
	}
	return len;
}

/* `bytes` holds the owner already. */
static uint64_t hash(uint8_t bytes[static SMALL], size_t owner_len, const struct zn_record *record)
{
	size_t len = owner_len + FIXED;
	uint64_t sum;

	zn_put_u16(bytes + owner_len, record->type);
	zn_put_u32(bytes + owner_len + 2, record->ttl);
	if (len + record->rdata.len <= SMALL) {
		if (record->rdata.len)
			memcpy(bytes + len, record->rdata.data, record->rdata.len);
		sum = XXH3_64bits(bytes, len + record->rdata.len);
	} else {
		XXH3_state_t state;

		XXH3_64bits_reset(&state);
		XXH3_64bits_update(&state, bytes, len);
		XXH3_64bits_update(&state, record->rdata.data, record->rdata.len);
		sum = XXH3_64bits_digest(&state);
	}
	return sum >> 16;
}

uint64_t zn_record_hash(const struct zn_name *apex, const struct zn_record *record)
{
	uint8_t bytes[SMALL];

	return hash(bytes, put_owner(record->owner, apex, bytes), record);
}

struct zn_digest zn_zone_digest(const struct zn_zone *zone)
{
	const struct zn_name *apex = zn_zone_apex(zone);
	struct zn_digest digest = {.count = zn_zone_count(zone)};
	struct zn_view owner = {0};
	uint8_t bytes[SMALL];
	size_t owner_len = 0;

	for (size_t i = 0; i < digest.count; i++) {
		struct zn_record record = zn_zone_at(zone, i);
		if (record.owner.data != owner.data || record.owner.len != owner.len)
			owner_len = put_owner(record.owner, apex, bytes);
		owner = record.owner;
		digest.sum += hash(bytes, owner_len, &record);
	}
	digest.sum &= (UINT64_C(1) << 48) - 1;
	return digest;
}
