#include "store/dns/zone.h"

#include "store/base/limits.h"
#include "store/base/wire.h"
#include "store/dns/rdata.h"

/* Owners and RDATA lie in an arena of chunks that never move once full; an address counts steps of 4 bytes, so 32 bits reach
 * 16 GiB. An owner is a length byte and its key; the records that follow with the same owner share it. */
#define ARENA_CHUNK ((size_t)1 << 20)
#define ARENA_STEP 4
#define ARENA_STEPS (ARENA_CHUNK / ARENA_STEP)

#define RECORD_CHUNK ((size_t)1 << 15) /* records */

#define FIRST_ARENA 1024 /* bytes; the first chunks grow, so that a small zone costs little */
#define FIRST_RECORDS 32

struct record {
	uint32_t owner, rdata;	/* arena addresses */
	uint32_t ttl, tag;
	uint16_t type, rdlen;
};

struct zn_zone {
	struct zn_name apex;
	void **arena;	/* of bytes */
	void **chunks;	/* of struct record */
	size_t arena_count, arena_capacity;	/* chunks, room in the table */
	size_t chunks_count, chunks_capacity;
	size_t arena_used, arena_room;		/* bytes of the last chunk */
	size_t records_room;			/* records that fit the chunks there are */
	size_t count;
	enum zn_code failed;
};

static inline uint8_t *arena_at(const struct zn_zone *zone, uint32_t address)
{
	return (uint8_t *)zone->arena[address / ARENA_STEPS] + (size_t)(address % ARENA_STEPS) * ARENA_STEP;
}

static inline struct record *record_at(const struct zn_zone *zone, size_t index)
{
	return (struct record *)zone->chunks[index / RECORD_CHUNK] + index % RECORD_CHUNK;
}

static inline struct zn_view owner_at(const struct zn_zone *zone, uint32_t address)
{
	const uint8_t *owner = arena_at(zone, address);

	return (struct zn_view){owner + 1, owner[0]};
}

static inline struct zn_view rdata_of(const struct zn_zone *zone, const struct record *record)
{
	return (struct zn_view){arena_at(zone, record->rdata), record->rdlen};
}

enum zn_code zn_zone_new(const struct zn_name *apex, struct zn_zone **ret_zone)
{
	struct zn_zone *zone = calloc(1, sizeof(*zone));

	if (!zone)
		return ZN_ENOMEM;
	zone->apex = *apex;
	*ret_zone = zone;
	return ZN_OK;
}

void zn_zone_free(struct zn_zone *zone)
{
	if (!zone)
		return;
	for (size_t i = 0; i < zone->arena_count; i++)
		free(zone->arena[i]);
	for (size_t i = 0; i < zone->chunks_count; i++)
		free(zone->chunks[i]);
	free(zone->arena);
	free(zone->chunks);
	free(zone);
}

/* One more chunk in a table of them, NULL as yet. */
static bool add_chunk(void ***table, size_t *count, size_t *capacity)
{
	if (*count == *capacity) {
		size_t more = *capacity ? *capacity * 2 : 4;
		void **grown = realloc(*table, more * sizeof(*grown));
		if (!grown)
			return false;
		*table = grown;
		*capacity = more;
	}
	(*table)[(*count)++] = NULL;
	return true;
}

/* Room for `len` more bytes at the end of the arena. */
static bool reserve_arena(struct zn_zone *zone, size_t len)
{
	size_t last = zone->arena_count - 1, room;
	void *bytes;

	if (zone->arena_count == 0 || zone->arena_used + len > ARENA_CHUNK) {
		if (!add_chunk(&zone->arena, &zone->arena_count, &zone->arena_capacity))
			return false;
		last = zone->arena_count - 1;
		zone->arena_used = 0;
		zone->arena_room = 0;
	}
	if (zone->arena_used + len <= zone->arena_room)
		return true;
	room = last > 0 ? ARENA_CHUNK : zone->arena_room ? zone->arena_room : FIRST_ARENA;
	while (room < zone->arena_used + len)
		room *= 2;
	bytes = realloc(zone->arena[last], room);
	if (!bytes)
		return false;
	zone->arena[last] = bytes;
	zone->arena_room = room;
	return true;
}

/* `prefix` (a length byte, or nothing) and `bytes`, copied into the arena. */
static bool keep(struct zn_zone *zone, struct zn_view prefix, struct zn_view bytes, uint32_t *ret_address)
{
	size_t len = prefix.len + bytes.len, used = (len + ARENA_STEP - 1) / ARENA_STEP * ARENA_STEP;
	uint8_t *at;

	if (!reserve_arena(zone, used)) {
		zone->failed = ZN_ENOMEM;
		return false;
	}
	if (zone->arena_count > UINT32_MAX / ARENA_STEPS) {
		zone->failed = ZN_ETOOBIG;
		return false;
	}
	at = (uint8_t *)zone->arena[zone->arena_count - 1] + zone->arena_used;
	if (prefix.len)
		memcpy(at, prefix.data, prefix.len);
	if (bytes.len)
		memcpy(at + prefix.len, bytes.data, bytes.len);
	*ret_address = (uint32_t)((zone->arena_count - 1) * ARENA_STEPS + zone->arena_used / ARENA_STEP);
	zone->arena_used += used;
	return true;
}

static bool reserve_record(struct zn_zone *zone)
{
	void **chunk, *records;
	size_t room;

	if (zone->count < zone->records_room)
		return true;
	if (zone->count % RECORD_CHUNK == 0) {
		if (!add_chunk(&zone->chunks, &zone->chunks_count, &zone->chunks_capacity))
			return false;
		room = zone->count ? RECORD_CHUNK : FIRST_RECORDS;
	} else {
		room = zone->count * 2;
	}
	chunk = &zone->chunks[zone->chunks_count - 1];
	records = realloc(*chunk, room * sizeof(struct record));
	if (!records)
		return false;
	*chunk = records;
	zone->records_room = (zone->chunks_count - 1) * RECORD_CHUNK + room;
	return true;
}

void zn_zone_add(struct zn_zone *zone, struct zn_view owner, uint16_t type, uint32_t ttl, struct zn_view rdata, uint32_t tag)
{
	struct record record = {.ttl = ttl, .tag = tag, .type = type, .rdlen = (uint16_t)rdata.len};
	uint8_t owner_len = (uint8_t)owner.len;

	if (zone->failed)
		return;
	if (rdata.len > ZN_RR_MAX || owner.len > ZN_NAME_MAX || zone->count == UINT32_MAX) {
		zone->failed = ZN_ETOOBIG;
		return;
	}
	if (!reserve_record(zone)) {
		zone->failed = ZN_ENOMEM;
		return;
	}
	record.owner = zone->count ? record_at(zone, zone->count - 1)->owner : 0;
	if (zone->count == 0 || !zn_view_equal(owner_at(zone, record.owner), owner)) {
		if (!keep(zone, zn_view(&owner_len, 1), owner, &record.owner))
			return;
	}
	if (!keep(zone, zn_view(NULL, 0), rdata, &record.rdata))
		return;
	*record_at(zone, zone->count++) = record;
}

/* Records of one owner that were added one after the other. The first bytes of the key decide most comparisons. */
struct run {
	uint64_t prefix;
	uint32_t first;		/* record */
	uint32_t owner;
};

static uint64_t key_prefix(struct zn_view key)
{
	uint8_t bytes[8] = {0};

	memcpy(bytes, key.data, key.len < 8 ? key.len : 8);
	return zn_get_u64(bytes);
}

static inline int run_cmp(const struct zn_zone *zone, const struct run *a, const struct run *b)
{
	if (a->prefix != b->prefix)
		return a->prefix < b->prefix ? -1 : 1;
	return a->owner == b->owner ? 0 : zn_view_cmp(owner_at(zone, a->owner), owner_at(zone, b->owner));
}

#define RUNS_BY_INSERTION 24

/* Merge sort, stable; what is in order already is only looked at. `spare` has room for half of the runs. */
static void sort_runs(const struct zn_zone *zone, struct run *runs, size_t count, struct run *spare)
{
	size_t half = count / 2, left = 0, right = half, to = 0;

	if (count <= RUNS_BY_INSERTION) {
		for (size_t i = 1; i < count; i++) {
			struct run run = runs[i];
			size_t at = i;
			for (; at > 0 && run_cmp(zone, &runs[at - 1], &run) > 0; at--)
				runs[at] = runs[at - 1];
			runs[at] = run;
		}
		return;
	}
	sort_runs(zone, runs, half, spare);
	sort_runs(zone, runs + half, count - half, spare);
	if (run_cmp(zone, &runs[half - 1], &runs[half]) <= 0)
		return;
	memcpy(spare, runs, half * sizeof(*runs));
	while (left < half && right < count)
		runs[to++] = run_cmp(zone, &spare[left], &runs[right]) <= 0 ? spare[left++] : runs[right++];
	memcpy(runs + to, spare + left, (half - left) * sizeof(*runs));
}

/* Moves records so that order[i] names the one that comes to i; uses order up. */
static void permute(struct zn_zone *zone, uint32_t *order)
{
	for (uint32_t start = 0; start < zone->count; start++) {
		struct record saved = *record_at(zone, start);
		uint32_t at = start;

		while (order[at] != start) {
			uint32_t from = order[at];
			*record_at(zone, at) = *record_at(zone, from);
			order[at] = at;
			at = from;
		}
		*record_at(zone, at) = saved;
		order[at] = at;
	}
}

static size_t count_runs(const struct zn_zone *zone, bool *ret_sorted)
{
	size_t runs = 0;
	uint32_t last = 0;

	*ret_sorted = true;
	for (size_t i = 0; i < zone->count; i++) {
		uint32_t owner = record_at(zone, i)->owner;
		if (i > 0 && owner == last)
			continue;
		if (i > 0 && *ret_sorted && zn_view_cmp(owner_at(zone, last), owner_at(zone, owner)) >= 0)
			*ret_sorted = false;
		last = owner;
		runs++;
	}
	return runs;
}

/* Brings the owners into order, keeping the order of the records of each. */
static enum zn_code sort_owners(struct zn_zone *zone)
{
	bool sorted;
	size_t count = count_runs(zone, &sorted), run = 0, to = 0;

	if (sorted)
		return ZN_OK;
	ZN_AUTO_FREE struct run *runs = malloc(count * sizeof(*runs));
	ZN_AUTO_FREE struct run *spare = malloc((count / 2 + 1) * sizeof(*spare));
	if (!runs || !spare)
		return ZN_ENOMEM;
	for (size_t i = 0; i < zone->count; i++) {
		uint32_t owner = record_at(zone, i)->owner;
		if (run == 0 || runs[run - 1].owner != owner)
			runs[run++] = (struct run){key_prefix(owner_at(zone, owner)), (uint32_t)i, owner};
	}
	sort_runs(zone, runs, count, spare);
	free(spare);
	spare = NULL;

	ZN_AUTO_FREE uint32_t *order = malloc(zone->count * sizeof(*order));
	if (!order)
		return ZN_ENOMEM;
	for (run = 0; run < count; run++) {
		uint32_t owner = runs[run].owner;

		for (uint32_t i = runs[run].first; i < zone->count && record_at(zone, i)->owner == owner; i++)
			order[to++] = i;
	}
	permute(zone, order);
	for (size_t i = 1; i < zone->count; i++) {
		struct record *before = record_at(zone, i - 1), *here = record_at(zone, i);
		if (here->owner != before->owner &&
			zn_view_equal(owner_at(zone, here->owner), owner_at(zone, before->owner)))
			here->owner = before->owner;
	}
	return ZN_OK;
}

static int rdata_cmp(const struct zn_zone *zone, const struct record *a, const struct record *b)
{
	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	return zn_view_cmp(rdata_of(zone, a), rdata_of(zone, b));
}

static int record_cmp(const void *left, const void *right, void *context)
{
	const struct record *a = left, *b = right;
	int order = rdata_cmp(context, a, b);

	return order ? order : (a->tag > b->tag) - (a->tag < b->tag);
}

#define RECORDS_BY_INSERTION 32

/* The records of one owner by type, RDATA and tag. */
static enum zn_code sort_owner(struct zn_zone *zone, size_t first, size_t end)
{
	size_t i = first + 1;

	while (i < end && record_cmp(record_at(zone, i - 1), record_at(zone, i), zone) <= 0)
		i++;
	if (i >= end)
		return ZN_OK;
	if (end - first <= RECORDS_BY_INSERTION) {
		for (; i < end; i++) {
			struct record record = *record_at(zone, i);
			size_t at = i;
			for (; at > first && record_cmp(record_at(zone, at - 1), &record, zone) > 0; at--)
				*record_at(zone, at) = *record_at(zone, at - 1);
			*record_at(zone, at) = record;
		}
		return ZN_OK;
	}
	ZN_AUTO_FREE struct record *all = malloc((end - first) * sizeof(*all));
	if (!all)
		return ZN_ENOMEM;
	for (i = first; i < end; i++)
		all[i - first] = *record_at(zone, i);
	qsort_r(all, end - first, sizeof(*all), record_cmp, zone);
	for (i = first; i < end; i++)
		*record_at(zone, i) = all[i - first];
	return ZN_OK;
}

enum zn_code zn_zone_finish(struct zn_zone *zone, void (*duplicate)(void *context, uint32_t dropped, uint32_t kept), void *context)
{
	size_t kept = 0;
	enum zn_code code = zone->failed ? zone->failed : sort_owners(zone);

	if (code)
		return code;
	for (size_t first = 0, end; first < zone->count; first = end) {
		size_t from = kept;

		end = zn_zone_owner_end(zone, first);
		code = sort_owner(zone, first, end);
		if (code)
			return code;
		for (size_t i = first; i < end; i++) {
			const struct record *record = record_at(zone, i);
			if (kept > from && rdata_cmp(zone, record_at(zone, kept - 1), record) == 0) {
				if (duplicate)
					duplicate(context, record->tag, record_at(zone, kept - 1)->tag);
			} else {
				if (kept != i)
					*record_at(zone, kept) = *record;
				kept++;
			}
		}
	}
	zone->count = kept;
	return ZN_OK;
}

const struct zn_name *zn_zone_apex(const struct zn_zone *zone)
{
	return &zone->apex;
}

size_t zn_zone_count(const struct zn_zone *zone)
{
	return zone->count;
}

struct zn_record zn_zone_at(const struct zn_zone *zone, size_t index)
{
	const struct record *record = record_at(zone, index);

	return (struct zn_record){
		.owner = owner_at(zone, record->owner),
		.rdata = rdata_of(zone, record),
		.ttl = record->ttl,
		.type = record->type,
		.tag = record->tag,
	};
}

uint16_t zn_zone_type(const struct zn_zone *zone, size_t index)
{
	return record_at(zone, index)->type;
}

static bool before(const struct zn_zone *zone, size_t index, struct zn_view owner)
{
	return zn_view_cmp(owner_at(zone, record_at(zone, index)->owner), owner) < 0;
}

/* First index in [low, high] that is not before `owner`; what is below low is, what is at high or above is not. */
static size_t bisect(const struct zn_zone *zone, size_t low, size_t high, struct zn_view owner)
{
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (before(zone, middle, owner))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t zn_zone_lower_bound(const struct zn_zone *zone, struct zn_view owner)
{
	return bisect(zone, 0, zone->count, owner);
}

size_t zn_zone_lower_bound_near(const struct zn_zone *zone, size_t near, struct zn_view owner)
{
	size_t step = 1;

	if (near < zone->count && before(zone, near, owner)) {
		size_t low = near + 1;
		while (low + step <= zone->count && before(zone, low + step - 1, owner)) {
			low += step;
			step *= 2;
		}
		return bisect(zone, low, low + step - 1 < zone->count ? low + step - 1 : zone->count, owner);
	}
	size_t high = near < zone->count ? near : zone->count;
	while (high >= step && !before(zone, high - step, owner)) {
		high -= step;
		step *= 2;
	}
	return bisect(zone, high >= step ? high - step + 1 : 0, high, owner);
}

size_t zn_zone_find(const struct zn_zone *zone, struct zn_view owner, uint16_t type, size_t *ret_first)
{
	return zn_zone_find_near(zone, 0, owner, type, ret_first);
}

size_t zn_zone_find_near(const struct zn_zone *zone, size_t near, struct zn_view owner, uint16_t type, size_t *ret_first)
{
	size_t at = near ? zn_zone_lower_bound_near(zone, near, owner) : zn_zone_lower_bound(zone, owner), end;

	if (at == zone->count || !zn_view_equal(owner_at(zone, record_at(zone, at)->owner), owner))
		return 0;
	end = zn_zone_owner_end(zone, at);
	while (at < end && record_at(zone, at)->type < type)
		at++;
	if (at == end || record_at(zone, at)->type != type)
		return 0;
	*ret_first = at;
	return zn_zone_rrset_end(zone, at) - at;
}

size_t zn_zone_rrset_end(const struct zn_zone *zone, size_t index)
{
	const struct record *record = record_at(zone, index);
	uint32_t owner = record->owner;
	uint16_t type = record->type;

	while (++index < zone->count) {
		record = record_at(zone, index);
		if (record->owner != owner || record->type != type)
			break;
	}
	return index;
}

size_t zn_zone_owner_end(const struct zn_zone *zone, size_t index)
{
	uint32_t owner = record_at(zone, index)->owner;

	while (++index < zone->count && record_at(zone, index)->owner == owner)
		;
	return index;
}

static const uint8_t apex_key[1] = {0};

/* The five numbers of the one SOA; NULL when there is not exactly one. */
static uint8_t *soa_numbers(const struct zn_zone *zone)
{
	size_t at;

	if (zn_zone_find(zone, zn_view(apex_key, 1), ZN_TYPE_SOA, &at) != 1 || record_at(zone, at)->rdlen < 20)
		return NULL;
	return arena_at(zone, record_at(zone, at)->rdata) + record_at(zone, at)->rdlen - 20;
}

bool zn_zone_serial(const struct zn_zone *zone, uint32_t *ret_serial)
{
	const uint8_t *numbers = soa_numbers(zone);

	if (numbers)
		*ret_serial = zn_get_u32(numbers);
	return numbers != NULL;
}

void zn_zone_set_serial(struct zn_zone *zone, uint32_t serial)
{
	uint8_t *numbers = soa_numbers(zone);

	if (numbers)
		zn_put_u32(numbers, serial);
}
