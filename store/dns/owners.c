#include "store/dns/owners.h"

#include <stdlib.h>

#define DEPTH_MAX 129 /* labels of a name, and the apex */

struct derivation {
	const struct zn_zone *zone;
	const struct zn_zone_mode *mode;
	struct zn_owners owners;
	size_t capacity;
	size_t path[DEPTH_MAX]; /* the owners around the one at hand, the apex first */
	size_t depth;
};

void zn_owners_release(struct zn_owners *owners)
{
	free(owners->list);
	*owners = (struct zn_owners){0};
}

/* What stands at a name matters to the names below it. */
static bool push(struct derivation *d, struct zn_owner owner)
{
	if (d->owners.count == d->capacity) {
		size_t capacity = d->capacity ? d->capacity + d->capacity / 2 : 64;
		struct zn_owner *list = realloc(d->owners.list, capacity * sizeof(*list));
		if (!list)
			return false;
		d->owners.list = list;
		d->capacity = capacity;
	}
	if (d->depth > 0) {
		const struct zn_owner *above = &d->owners.list[d->path[d->depth - 1]];
		owner.below_cut = above->cut || above->below_cut;
	}
	d->path[d->depth++] = d->owners.count;
	d->owners.list[d->owners.count++] = owner;
	return true;
}

/* Leaves the path at the names that `key` is below of, then adds the empty non-terminals down to it. */
static bool descend(struct derivation *d, struct zn_view key)
{
	size_t from = 0;

	while (d->depth > 0 && !zn_key_within(key, d->owners.list[d->path[d->depth - 1]].key))
		d->depth--;
	if (d->depth > 0 && !zn_key_is_apex(d->owners.list[d->path[d->depth - 1]].key))
		from = d->owners.list[d->path[d->depth - 1]].key.len;
	for (size_t at = from; at + 1 < key.len; at++) {
		if (key.data[at] != 0)
			continue;
		if (!push(d, (struct zn_owner){.key = zn_view_sub(key, 0, at + 1)}))
			return false;
	}
	return true;
}

struct survey {
	bool ns, ds;
	bool any;		/* but NS */
	bool other;		/* but NS, A and AAAA */
	bool only_signatures;
};

static struct survey survey(const struct zn_zone *zone, const struct zn_owner *owner)
{
	struct survey s = {.only_signatures = true};

	for (size_t i = owner->first; i < (size_t)owner->first + owner->count; i++) {
		uint16_t type = zn_zone_type(zone, i);

		s.ns |= type == ZN_TYPE_NS;
		s.ds |= type == ZN_TYPE_DS;
		s.any |= type != ZN_TYPE_NS;
		s.other |= type != ZN_TYPE_NS && type != ZN_TYPE_A && type != ZN_TYPE_AAAA;
		s.only_signatures &= type == ZN_TYPE_RRSIG;
	}
	return s;
}

/* Presigned: the signature of an owner's NSEC3 record is there, at its hash. */
static bool has_signed_hash(const struct derivation *d, struct zn_view key)
{
	char hash[ZN_NSEC3_HASH_LEN + 1];
	struct zn_name name;
	size_t at;

	if (zn_key_to_name(key, zn_zone_apex(d->zone), &name) != ZN_OK)
		return false;
	zn_nsec3_hash(&d->mode->nsec3, &name, hash);
	return zn_zone_find(d->zone, zn_view(hash, sizeof(hash)), ZN_TYPE_RRSIG, &at) > 0;
}

static bool hashed(const struct zn_zone_mode *mode)
{
	return mode->dnssec == ZN_DNSSEC_NSEC3 || mode->dnssec == ZN_DNSSEC_NARROW;
}

/* An owner's own flags, once its place is known; then what the names above it get from it. */
static void judge(struct derivation *d, size_t index)
{
	struct zn_owner *owner = &d->owners.list[index];
	const struct zn_zone_mode *mode = d->mode;
	struct survey s = survey(d->zone, owner);
	bool lifts; /* the names above into the chain */

	owner->cut = s.ns && !zn_key_is_apex(owner->key);
	owner->has_auth = !owner->cut && !owner->below_cut;
	owner->insecure = owner->cut && zn_mode_opt_out(mode) && (mode->presigned ? !has_signed_hash(d, owner->key) : !s.ds);
	if (mode->presigned) {
		/* A delegation in the chain counts as auth for the names above it; and what owns signatures alone is a hash. */
		owner->has_auth |= owner->cut && !owner->below_cut && !owner->insecure;
		owner->in_chain = !owner->below_cut && !owner->insecure && !(s.only_signatures && hashed(mode));
		lifts = owner->in_chain;
	} else {
		/* Opt-out: PowerDNS takes whatever stands beside NS as a reason to be in the chain; then takes the owner out again,
		 * but not the names above it, when that was addresses. */
		owner->in_chain = !owner->below_cut && (!owner->insecure || s.other);
		lifts = !owner->below_cut && (!owner->insecure || s.any);
	}
	for (size_t level = d->depth - 1; level-- > 0;) {
		struct zn_owner *above = &d->owners.list[d->path[level]];
		if ((above->has_auth || !owner->has_auth) && (above->in_chain || !lifts))
			break; /* and so have those above it */
		above->has_auth |= owner->has_auth;
		if (above->count == 0)
			above->in_chain |= lifts;
	}
}

/* The ENT row's auth, when all names below it are known. */
static bool ent_auth(const struct zn_zone_mode *mode, const struct zn_owner *ent)
{
	if (hashed(mode) && !zn_mode_opt_out(mode))
		return !ent->below_cut;
	return ent->has_auth;
}

enum zn_code zn_owners_derive(const struct zn_zone *zone, const struct zn_zone_mode *mode, struct zn_owners *ret_owners)
{
	struct derivation d = {.zone = zone, .mode = mode};
	size_t count = zn_zone_count(zone);

	for (size_t first = 0, end; first < count; first = end) {
		struct zn_view key = zn_zone_at(zone, first).owner;

		end = zn_zone_owner_end(zone, first);
		if (!descend(&d, key) ||
				!push(&d, (struct zn_owner){.key = key, .first = (uint32_t)first, .count = (uint32_t)(end - first)})) {
			zn_owners_release(&d.owners);
			return ZN_ENOMEM;
		}
		judge(&d, d.owners.count - 1);
	}
	for (size_t i = 0; i < d.owners.count; i++) {
		struct zn_owner *owner = &d.owners.list[i];
		if (owner->count == 0) {
			owner->ent_auth = ent_auth(mode, owner);
			owner->in_chain &= hashed(mode);
		}
	}
	*ret_owners = d.owners;
	return ZN_OK;
}

bool zn_owner_auth(const struct zn_owner *owner, const struct zn_zone_mode *mode, uint16_t type)
{
	if (type == ZN_TYPE_ENT)
		return owner->ent_auth;
	if (type == ZN_TYPE_DS || (type == ZN_TYPE_RRSIG && mode->presigned))
		return true;
	return !owner->cut && !owner->below_cut;
}

bool zn_owner_order_name(const struct zn_owner *owner, const struct zn_zone_mode *mode, uint16_t type)
{
	bool address = type == ZN_TYPE_A || type == ZN_TYPE_AAAA;

	if (mode->dnssec != ZN_DNSSEC_NSEC3 || !owner->in_chain)
		return false;
	if (mode->presigned)
		return type == ZN_TYPE_NS || (type != ZN_TYPE_RRSIG && zn_owner_auth(owner, mode, type));
	return !(owner->cut && (address || (owner->insecure && type == ZN_TYPE_NS)));
}
