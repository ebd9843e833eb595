#include "store/apply.h"

static const struct zn_zone_mode unsigned_mode = {.dnssec = ZN_DNSSEC_UNSIGNED};

static void hash_of(const struct zn_wants *wants, size_t owner, char hash[static ZN_NSEC3_HASH_LEN + 1])
{
	struct zn_name name = {0};

	if (zn_key_to_name(wants->owners.list[owner].key, zn_zone_apex(wants->zone), &name) != ZN_OK)
		name = *zn_zone_apex(wants->zone); /* keys of a zone are names */
	zn_nsec3_hash(&wants->mode->nsec3, &name, hash);
}

static int by_hash(const void *a, const void *b)
{
	return memcmp(((const struct zn_back *)a)->hash, ((const struct zn_back *)b)->hash, sizeof(((const struct zn_back *)a)->hash));
}

static enum zn_code hash_owners(struct zn_wants *wants)
{
	char hash[ZN_NSEC3_HASH_LEN + 1];
	size_t count = 0;

	if (!wants->derived || wants->mode->dnssec != ZN_DNSSEC_NSEC3)
		return ZN_OK;
	for (size_t i = 0; i < wants->owners.count; i++)
		count += wants->owners.list[i].in_chain;
	wants->backs = malloc((count ? count : 1) * sizeof(*wants->backs));
	if (!wants->backs)
		return ZN_ENOMEM;
	for (size_t i = 0; i < wants->owners.count; i++) {
		if (!wants->owners.list[i].in_chain)
			continue;
		struct zn_back *back = &wants->backs[wants->back_count++];
		hash_of(wants, i, hash);
		memcpy(back->hash, hash, sizeof(back->hash));
		back->owner = (uint32_t)i;
	}
	qsort(wants->backs, wants->back_count, sizeof(*wants->backs), by_hash);
	return ZN_OK;
}

enum zn_code zn_wants_init(struct zn_wants *wants, uint32_t id, const struct zn_zone *zone, const struct zn_zone_mode *mode, bool derived)
{
	*wants = (struct zn_wants){.id = id, .zone = zone, .mode = mode ? mode : &unsigned_mode, .derived = derived};
	enum zn_code code = zn_owners_derive(zone, wants->mode, &wants->owners);
	if (!code)
		code = hash_owners(wants);
	if (code)
		zn_wants_release(wants);
	return code;
}

void zn_wants_release(struct zn_wants *wants)
{
	zn_owners_release(&wants->owners);
	free(wants->backs);
	wants->backs = NULL;
	wants->back_count = 0;
}

static bool has_forward(const struct zn_wants *wants, const struct zn_owner *owner)
{
	return wants->derived && wants->mode->dnssec == ZN_DNSSEC_NSEC3 && owner->in_chain;
}

/* The next row of the owners themselves: ENT, data by type, the forward row among them. Does not move on. */
static bool peek_owner(struct zn_wants *wants)
{
	for (; wants->owner < wants->owners.count; wants->owner++, wants->record = 0, wants->forward_given = false) {
		const struct zn_owner *owner = &wants->owners.list[wants->owner];
		size_t at = owner->first + wants->record, end = (size_t)owner->first + owner->count;
		bool forward = has_forward(wants, owner) && !wants->forward_given;

		/* Type 50 is for pairs alone. */
		while (at < end && zn_zone_type(wants->zone, at) == ZN_TYPE_NSEC3)
			at++;
		wants->record = at - owner->first;
		wants->at_owner = wants->owner;
		if (owner->count == 0 && wants->derived && wants->record == 0) {
			wants->kind = ZN_WANT_ENT;
			wants->type = ZN_TYPE_ENT;
			return true;
		}
		if (at < end) {
			wants->type = zn_zone_type(wants->zone, at);
			if (!forward || wants->type < ZN_TYPE_NSEC3) {
				wants->kind = ZN_WANT_DATA;
				wants->first = at;
				wants->end = at + 1 < end ? zn_zone_rrset_end(wants->zone, at) : end;
				return true;
			}
		}
		if (forward) {
			wants->kind = ZN_WANT_FORWARD;
			wants->type = ZN_TYPE_NSEC3;
			return true;
		}
	}
	return false;
}

static void step_owner(struct zn_wants *wants)
{
	switch (wants->kind) {
	case ZN_WANT_DATA:
		wants->record = wants->end - wants->owners.list[wants->owner].first;
		break;
	case ZN_WANT_ENT:
		wants->record = 1;
		break;
	case ZN_WANT_FORWARD:
		wants->forward_given = true;
		break;
	case ZN_WANT_BACK:
		break;
	}
}

static void back_key(const struct zn_wants *wants, const struct zn_back *back, struct zn_row_key *key)
{
	uint8_t owner[sizeof(back->hash) + 1] = {0};

	memcpy(owner, back->hash, sizeof(back->hash));
	zn_row_key_make(key, wants->id, zn_view(owner, sizeof(owner)), ZN_TYPE_NSEC3);
}

bool zn_wants_next(struct zn_wants *wants)
{
	bool owner = peek_owner(wants);

	if (owner)
		zn_row_key_make(&wants->key, wants->id, wants->owners.list[wants->owner].key, wants->type);
	if (wants->back < wants->back_count) {
		struct zn_row_key key;
		back_key(wants, &wants->backs[wants->back], &key);
		if (!owner || zn_view_cmp(zn_row_key_view(&key), zn_row_key_view(&wants->key)) < 0) {
			wants->key = key;
			wants->kind = ZN_WANT_BACK;
			wants->type = ZN_TYPE_NSEC3;
			wants->at_owner = wants->backs[wants->back++].owner;
			return true;
		}
	}
	if (owner)
		step_owner(wants);
	return owner;
}

static void data_payload(const struct zn_wants *wants, struct zn_buf *payload)
{
	const struct zn_owner *owner = &wants->owners.list[wants->at_owner];
	bool auth = zn_owner_auth(owner, wants->mode, wants->type), order_name = zn_owner_order_name(owner, wants->mode, wants->type);

	for (size_t i = wants->first; i < wants->end; i++) {
		struct zn_record record = zn_zone_at(wants->zone, i);
		zn_row_add(payload, record.rdata, record.ttl, auth, false, order_name);
	}
}

static void derived_payload(const struct zn_wants *wants, enum zn_want_kind kind, size_t index, struct zn_buf *payload)
{
	const struct zn_owner *owner = &wants->owners.list[index];
	char hash[ZN_NSEC3_HASH_LEN + 1];
	uint8_t forward[1 + ZN_NSEC3_HASH_LEN + 1] = {ZN_NSEC3_HASH_LEN};
	struct zn_name name;

	switch (kind) {
	case ZN_WANT_ENT:
		zn_row_add(payload, zn_view(NULL, 0), 0, zn_owner_auth(owner, wants->mode, ZN_TYPE_ENT), false,
			zn_owner_order_name(owner, wants->mode, ZN_TYPE_ENT));
		break;
	case ZN_WANT_FORWARD:
		hash_of(wants, index, hash);
		memcpy(forward + 1, hash, ZN_NSEC3_HASH_LEN);
		zn_row_add(payload, zn_view(forward, sizeof(forward)), 1, false, false, false);
		break;
	case ZN_WANT_BACK:
		if (zn_key_to_name(owner->key, NULL, &name) == ZN_OK)
			zn_row_add(payload, zn_name_view(&name), 0, false, false, false);
		break;
	case ZN_WANT_DATA:
		break;
	}
}

void zn_wants_payload(const struct zn_wants *wants, struct zn_buf *payload)
{
	if (wants->kind == ZN_WANT_DATA)
		data_payload(wants, payload);
	else
		derived_payload(wants, wants->kind, wants->at_owner, payload);
}

void zn_wants_derived(const struct zn_wants *wants, enum zn_want_kind kind, size_t owner, struct zn_row_key *key, struct zn_buf *payload)
{
	struct zn_back back;
	char hash[ZN_NSEC3_HASH_LEN + 1];

	if (kind == ZN_WANT_BACK) {
		hash_of(wants, owner, hash);
		memcpy(back.hash, hash, sizeof(back.hash));
		back_key(wants, &back, key);
	} else {
		zn_row_key_make(key, wants->id, wants->owners.list[owner].key, kind == ZN_WANT_ENT ? ZN_TYPE_ENT : ZN_TYPE_NSEC3);
	}
	derived_payload(wants, kind, owner, payload);
}

size_t zn_wants_owner(const struct zn_wants *wants, struct zn_view key)
{
	size_t low = 0, high = wants->owners.count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = zn_view_cmp(wants->owners.list[middle].key, key);
		if (order == 0)
			return middle;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return SIZE_MAX;
}
