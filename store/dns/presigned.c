#include "store/dns/presigned.h"

#include <stdlib.h>

#include "store/base/wire.h"
#include "store/dns/rdata.h"

static const struct zn_view apex_key = {(const uint8_t *)"", 1};

/* A set of types in the making: RFC 4034 4.1.2. */
struct bitmap {
	uint8_t window[256][32];
	uint8_t used[256];	/* bytes of each, 0: empty */
	unsigned count;
};

static void clear(struct bitmap *bitmap)
{
	memset(bitmap->used, 0, sizeof(bitmap->used));
	bitmap->count = 0;
}

static void set(struct bitmap *bitmap, uint16_t type)
{
	uint8_t *window = bitmap->window[type >> 8], byte = (uint8_t)(type & 0xff) / 8, bit = (uint8_t)(0x80 >> (type & 7));

	if (bitmap->used[type >> 8] <= byte) {
		memset(window + bitmap->used[type >> 8], 0, (size_t)(byte + 1 - bitmap->used[type >> 8]));
		bitmap->used[type >> 8] = (uint8_t)(byte + 1);
	}
	bitmap->count += !(window[byte] & bit);
	window[byte] |= bit;
}

static void write_bitmap(const struct bitmap *bitmap, struct zn_buf *out)
{
	for (unsigned i = 0; i < 256; i++) {
		if (bitmap->used[i] == 0)
			continue;
		zn_write_u8(out, (uint8_t)i);
		zn_write_u8(out, bitmap->used[i]);
		zn_buf_add(out, zn_view(bitmap->window[i], bitmap->used[i]));
	}
}

/* One record of the chain to be. */
struct link {
	size_t owner;					/* in owners */
	uint8_t digest[ZN_NSEC3_DIGEST_LEN];		/* NSEC3 */
};

struct chain {
	const struct zn_zone *stored;
	const struct zn_zone_mode *mode;
	struct zn_owners owners;
	struct link *links;	/* in the order of the chain */
	size_t count;
	uint32_t ttl;		/* where no signature tells: RFC 2308 5 */
};

static void chain_release(struct chain *chain)
{
	zn_owners_release(&chain->owners);
	free(chain->links);
}

/* An NSEC record is derived for every name that has a row with auth, or NS. */
static bool has_nsec(const struct chain *chain, const struct zn_owner *owner)
{
	for (size_t i = owner->first; i < (size_t)owner->first + owner->count; i++) {
		uint16_t type = zn_zone_type(chain->stored, i);
		if (type == ZN_TYPE_NS || zn_owner_auth(owner, chain->mode, type))
			return true;
	}
	return false;
}

static int by_digest(const void *a, const void *b)
{
	return memcmp(((const struct link *)a)->digest, ((const struct link *)b)->digest, ZN_NSEC3_DIGEST_LEN);
}

static struct zn_name owner_name(const struct chain *chain, struct zn_view key)
{
	struct zn_name name = {0};

	if (zn_key_to_name(key, zn_zone_apex(chain->stored), &name) != ZN_OK)
		name = *zn_zone_apex(chain->stored); /* keys of a zone are names */
	zn_name_lower(&name);
	return name;
}

static enum zn_code chain_derive(struct chain *chain)
{
	struct zn_soa_times times;
	size_t soa;

	enum zn_code code = zn_owners_derive(chain->stored, chain->mode, &chain->owners);
	if (code)
		return code;
	if (zn_zone_find(chain->stored, apex_key, ZN_TYPE_SOA, &soa) && zn_rdata_soa(zn_zone_at(chain->stored, soa).rdata, &times))
		chain->ttl = times.minimum < zn_zone_at(chain->stored, soa).ttl ? times.minimum : zn_zone_at(chain->stored, soa).ttl;
	chain->links = malloc((chain->owners.count ? chain->owners.count : 1) * sizeof(*chain->links));
	if (!chain->links)
		return ZN_ENOMEM;
	for (size_t i = 0; i < chain->owners.count; i++) {
		const struct zn_owner *owner = &chain->owners.list[i];
		struct link *link = &chain->links[chain->count];
		if (chain->mode->dnssec == ZN_DNSSEC_NSEC ? !has_nsec(chain, owner) : !owner->in_chain)
			continue;
		link->owner = i;
		if (chain->mode->dnssec == ZN_DNSSEC_NSEC3) {
			struct zn_name name = owner_name(chain, owner->key);
			zn_nsec3_digest(&chain->mode->nsec3, &name, link->digest);
		}
		chain->count++;
	}
	if (chain->mode->dnssec == ZN_DNSSEC_NSEC3)
		qsort(chain->links, chain->count, sizeof(*chain->links), by_digest);
	return ZN_OK;
}

/* Where the record of a link stands. */
static struct zn_key link_key(const struct chain *chain, const struct link *link)
{
	struct zn_key key = {0};

	if (chain->mode->dnssec == ZN_DNSSEC_NSEC3) {
		zn_nsec3_digest_text(link->digest, (char *)key.bytes);
		key.len = ZN_NSEC3_HASH_LEN + 1; /* one label, and its NUL is the key's */
	} else {
		struct zn_view owner = chain->owners.list[link->owner].key;
		memcpy(key.bytes, owner.data, owner.len);
		key.len = (uint8_t)owner.len;
	}
	return key;
}

/* TTL of the signature over a type at an owner. */
static uint32_t signed_ttl(const struct chain *chain, struct zn_view key, uint16_t type)
{
	size_t first, count = zn_zone_find(chain->stored, key, ZN_TYPE_RRSIG, &first);

	for (size_t i = first; i < first + count; i++) {
		struct zn_record signature = zn_zone_at(chain->stored, i);
		if (signature.rdata.len >= 2 && zn_get_u16(signature.rdata.data) == type)
			return signature.ttl;
	}
	return chain->ttl;
}

static void write_param(const struct zn_nsec3param *param, uint8_t flags, struct zn_buf *out)
{
	zn_write_u8(out, 1); /* SHA-1 */
	zn_write_u8(out, flags);
	zn_write_u16(out, param->iterations);
	zn_write_u8(out, param->salt_len);
	zn_buf_add(out, zn_view(param->salt, param->salt_len));
}

static void collect_types(const struct chain *chain, const struct zn_owner *owner, struct bitmap *bitmap)
{
	for (size_t i = owner->first; i < (size_t)owner->first + owner->count; i++) {
		uint16_t type = zn_zone_type(chain->stored, i);
		if (type == ZN_TYPE_NS || zn_owner_auth(owner, chain->mode, type))
			set(bitmap, type);
	}
}

static void write_nsec(const struct chain *chain, size_t index, struct zn_buf *out)
{
	const struct zn_owner *owner = &chain->owners.list[chain->links[index].owner];
	struct zn_name next = owner_name(chain, chain->owners.list[chain->links[(index + 1) % chain->count].owner].key);
	struct bitmap bitmap;

	clear(&bitmap);
	collect_types(chain, owner, &bitmap);
	set(&bitmap, ZN_TYPE_NSEC);
	set(&bitmap, ZN_TYPE_RRSIG);
	zn_buf_add(out, zn_name_view(&next));
	write_bitmap(&bitmap, out);
}

static void write_nsec3(const struct chain *chain, size_t index, struct zn_buf *out)
{
	const struct zn_owner *owner = &chain->owners.list[chain->links[index].owner];
	struct bitmap bitmap;

	clear(&bitmap);
	collect_types(chain, owner, &bitmap);
	if (zn_key_is_apex(owner->key))
		set(&bitmap, ZN_TYPE_NSEC3PARAM);
	if (bitmap.count > 1 || (bitmap.count == 1 && !owner->cut))
		set(&bitmap, ZN_TYPE_RRSIG);
	write_param(&chain->mode->nsec3, chain->mode->nsec3.flags & 1, out);
	zn_write_u8(out, ZN_NSEC3_DIGEST_LEN);
	zn_buf_add(out, zn_view(chain->links[(index + 1) % chain->count].digest, ZN_NSEC3_DIGEST_LEN));
	write_bitmap(&bitmap, out);
}

/* The chain's records into an unfinished zone. */
static enum zn_code chain_write(const struct chain *chain, struct zn_zone *zone)
{
	ZN_AUTO(zn_buf_release) struct zn_buf rdata = ZN_BUF_INIT(1 << 16);
	bool nsec3 = chain->mode->dnssec == ZN_DNSSEC_NSEC3;
	uint16_t type = nsec3 ? ZN_TYPE_NSEC3 : ZN_TYPE_NSEC;

	for (size_t i = 0; i < chain->count && !rdata.failed; i++) {
		struct zn_key key = link_key(chain, &chain->links[i]);

		zn_buf_clear(&rdata);
		if (nsec3)
			write_nsec3(chain, i, &rdata);
		else
			write_nsec(chain, i, &rdata);
		zn_zone_add(zone, zn_key_view(&key), type, signed_ttl(chain, zn_key_view(&key), type), zn_buf_view(&rdata), 0);
	}
	if (nsec3 && !rdata.failed) {
		zn_buf_clear(&rdata);
		write_param(&chain->mode->nsec3, 0, &rdata);
		zn_zone_add(zone, apex_key, ZN_TYPE_NSEC3PARAM, signed_ttl(chain, apex_key, ZN_TYPE_NSEC3PARAM), zn_buf_view(&rdata), 0);
	}
	return rdata.failed;
}

/* Copies what is stored of a zone. */
static enum zn_code copy_stored(const struct zn_zone *from, struct zn_zone **ret_zone)
{
	enum zn_code code = zn_zone_new(zn_zone_apex(from), ret_zone);

	for (size_t i = 0; !code && i < zn_zone_count(from); i++) {
		struct zn_record record = zn_zone_at(from, i);
		if (!zn_type_is_chain(record.type))
			zn_zone_add(*ret_zone, record.owner, record.type, record.ttl, record.rdata, record.tag);
	}
	return code;
}

enum zn_code zn_presigned_strip(const struct zn_zone *text, struct zn_zone **ret_stored)
{
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *zone = NULL;

	enum zn_code code = copy_stored(text, &zone);
	if (!code)
		code = zn_zone_finish(zone, NULL, NULL);
	if (!code)
		*ret_stored = zn_steal(&zone);
	return code;
}

enum zn_code zn_presigned_restore(const struct zn_zone *stored, const struct zn_zone_mode *mode, struct zn_zone **ret_text)
{
	ZN_AUTO(chain_release) struct chain chain = {.stored = stored, .mode = mode};
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *zone = NULL;
	size_t soa;

	enum zn_code code = copy_stored(stored, &zone);
	if (!code && (mode->dnssec == ZN_DNSSEC_NSEC || mode->dnssec == ZN_DNSSEC_NSEC3) &&
			zn_zone_find(stored, apex_key, ZN_TYPE_SOA, &soa)) {
		code = chain_derive(&chain);
		if (!code)
			code = chain_write(&chain, zone);
	}
	if (!code)
		code = zn_zone_finish(zone, NULL, NULL);
	if (!code)
		*ret_text = zn_steal(&zone);
	return code;
}

/* Comparing. */
struct comparison {
	const struct zn_zone *text;
	struct chain chain;
	zn_check_report *report;
	void *context;
	size_t errors;
};

static void ZN_PRINTF(4, 5) found(struct comparison *c, size_t index, enum zn_check_part part, const char *format, ...)
{
	char sentence[2 * ZN_NAME_TEXT_MAX];
	va_list list;

	va_start(list, format);
	vsnprintf(sentence, sizeof(sentence), format, list);
	va_end(list);
	c->errors++;
	if (c->report)
		c->report(c->context, ZN_SEVERITY_ERROR, index, SIZE_MAX, part, sentence);
}

/* How the text is signed: by what it has at the apex, and by the flags of its NSEC3 records. */
static void read_mode(struct comparison *c, struct zn_zone_mode *mode)
{
	size_t at, count = zn_zone_find(c->text, apex_key, ZN_TYPE_NSEC3PARAM, &at), nsec = SIZE_MAX, nsec3 = SIZE_MAX;

	*mode = (struct zn_zone_mode){.presigned = true, .dnssec = ZN_DNSSEC_NSEC};
	for (size_t i = 0; i < zn_zone_count(c->text); i++) {
		struct zn_record record = zn_zone_at(c->text, i);
		if (record.type == ZN_TYPE_NSEC && nsec == SIZE_MAX)
			nsec = i;
		if (record.type != ZN_TYPE_NSEC3 || record.rdata.len < 2)
			continue;
		if (nsec3 == SIZE_MAX)
			mode->nsec3.flags = record.rdata.data[1] & 1;
		else if ((record.rdata.data[1] & 1) != mode->nsec3.flags)
			found(c, i, ZN_PART_RDATA, "some NSEC3 records opt out and some do not: PowerDNS knows one flag for all");
		nsec3 = i;
	}
	if (count == 0) {
		if (nsec3 != SIZE_MAX)
			found(c, nsec3, ZN_PART_TYPE, "an NSEC3 chain needs an NSEC3PARAM record at the apex");
		else if (nsec == SIZE_MAX)
			found(c, SIZE_MAX, ZN_PART_OWNER, "the zone is signed, but has no NSEC or NSEC3 chain");
		return;
	}
	struct zn_reader in = zn_reader_init(zn_zone_at(c->text, at).rdata);
	uint8_t algorithm = zn_read_u8(&in);
	zn_read_u8(&in);
	mode->dnssec = ZN_DNSSEC_NSEC3;
	mode->nsec3.iterations = zn_read_u16(&in);
	struct zn_view salt = zn_read_view(&in, zn_read_u8(&in));
	mode->nsec3.salt_len = (uint8_t)salt.len;
	if (salt.len)
		memcpy(mode->nsec3.salt, salt.data, salt.len);
	if (in.failed || algorithm != 1)
		found(c, at, ZN_PART_RDATA, "the NSEC3PARAM record has a hash algorithm other than 1");
	if (count > 1)
		found(c, at + 1, ZN_PART_TYPE, "a zone has one NSEC3PARAM record: PowerDNS knows one chain only");
	if (nsec != SIZE_MAX)
		found(c, nsec, ZN_PART_TYPE, "an NSEC record in a zone with an NSEC3PARAM record: PowerDNS knows one chain only");
}

/* Signatures over NSEC cover the case of the next name, RFC 6840 5.1. */
static bool same_but_case(struct zn_view a, struct zn_view b)
{
	struct zn_name left, right;

	return zn_name_from_wire(a, &left) == ZN_OK && zn_name_from_wire(b, &right) == ZN_OK && zn_name_equal(&left, &right);
}

/* First record of an owner in the text, to point at. */
static size_t index_of(const struct comparison *c, struct zn_view key)
{
	size_t at = zn_zone_lower_bound(c->text, key);

	return at < zn_zone_count(c->text) && zn_view_equal(zn_zone_at(c->text, at).owner, key) ? at : SIZE_MAX;
}

/* Length of what stands before the types in the RDATA of a link: the rest is the bitmap. */
static size_t types_at(uint16_t type, struct zn_view rdata)
{
	struct zn_reader in = zn_reader_init(rdata);
	struct zn_name next;

	if (type == ZN_TYPE_NSEC) {
		zn_read_name(&in, &next);
	} else {
		zn_read_u32(&in);
		zn_read_view(&in, zn_read_u8(&in));
		zn_read_view(&in, zn_read_u8(&in));
	}
	return in.failed ? rdata.len : in.at;
}

static void compare_link(struct comparison *c, const struct zn_zone *derived, const struct link *link, uint16_t type)
{
	struct zn_key key = link_key(&c->chain, link);
	struct zn_view owner = c->chain.owners.list[link->owner].key;
	struct zn_name name = owner_name(&c->chain, owner);
	char text[ZN_NAME_TEXT_MAX], mnemonic[ZN_TYPE_TEXT_MAX];
	size_t have, want, count = zn_zone_find(c->text, zn_key_view(&key), type, &have);

	zn_name_plain(&name, text);
	zn_rrtype_text(type, mnemonic);
	if (count == 0) {
		found(c, index_of(c, owner), ZN_PART_OWNER, "%s has no %s record in the chain, but PowerDNS will answer with one", text, mnemonic);
		return;
	}
	if (!zn_zone_find(derived, zn_key_view(&key), type, &want))
		return;
	if (count > 1)
		found(c, have + 1, ZN_PART_TYPE, "%s has a second %s record", text, mnemonic);
	struct zn_view a = zn_zone_at(c->text, have).rdata, b = zn_zone_at(derived, want).rdata;
	size_t from = types_at(type, a), until = types_at(type, b);
	if (!zn_view_equal(zn_view_sub(a, from, a.len), zn_view_sub(b, until, b.len)))
		found(c, have, ZN_PART_RDATA, "the %s record of %s lists other types than the name has", mnemonic, text);
	if (zn_view_equal(zn_view_sub(a, 0, from), zn_view_sub(b, 0, until)))
		return;
	if (same_but_case(zn_view_sub(a, 0, from), zn_view_sub(b, 0, until)))
		found(c, have, ZN_PART_RDATA,
			"the NSEC record of %s leads to a name with capital letters: PowerDNS will answer with small ones, and its signature "
			"will not fit; sign the zone with names in lower case", text);
	else
		found(c, have, ZN_PART_RDATA, "the %s record of %s leads elsewhere than the chain that PowerDNS will derive", mnemonic, text);
}

/* A chain record that nothing derives. */
static void compare_extra(struct comparison *c, const struct zn_zone *derived, uint16_t type)
{
	char mnemonic[ZN_TYPE_TEXT_MAX];
	size_t at;

	for (size_t i = 0; i < zn_zone_count(c->text); i++) {
		struct zn_record record = zn_zone_at(c->text, i);
		if (record.type == type && !zn_zone_find_near(derived, i, record.owner, type, &at))
			found(c, i, ZN_PART_OWNER, "PowerDNS will have no %s record here", zn_rrtype_text(type, mnemonic));
	}
}

enum zn_code zn_presigned_check(const struct zn_zone *text, struct zn_zone_mode *ret_mode, zn_check_report *report, void *context,
	size_t *ret_errors)
{
	struct comparison c = {.text = text, .report = report, .context = context};
	ZN_AUTO(chain_release) struct chain chain = {0};
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *stored = NULL;
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *derived = NULL;

	read_mode(&c, ret_mode);
	if (c.errors > 0) {
		*ret_errors = c.errors; /* there is nothing to compare with */
		return ZN_OK;
	}
	enum zn_code code = zn_presigned_strip(text, &stored);
	chain.stored = stored;
	chain.mode = ret_mode;
	if (!code)
		code = chain_derive(&chain);
	if (!code)
		code = zn_zone_new(zn_zone_apex(text), &derived);
	if (!code)
		code = chain_write(&chain, derived);
	if (!code)
		code = zn_zone_finish(derived, NULL, NULL);
	if (code)
		return code;
	uint16_t type = ret_mode->dnssec == ZN_DNSSEC_NSEC3 ? ZN_TYPE_NSEC3 : ZN_TYPE_NSEC;
	c.chain = chain; /* lent */
	for (size_t i = 0; i < chain.count; i++)
		compare_link(&c, derived, &chain.links[i], type);
	compare_extra(&c, derived, type);
	*ret_errors = c.errors;
	return ZN_OK;
}
