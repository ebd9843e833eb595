/* store/schema.h - keys and values of the object tables: DomainInfo, DomainMeta, KeyData, TSIGKey. docs/format.md, objects. Pure.
 *
 * Values are PowerDNS's native archive (64-bit little-endian): numbers in host width, strings with a u64 length, and before the
 * first member of each class five bytes, 00 and the class version. Schema 5 keeps zones as DNSName, schema 6 as ZoneName, which is a
 * DNSName and a variant; both are met in either database. What was decoded is encoded again in the form it had, byte for byte.
 *
 * Views in decoded objects are borrowed from the value. ZN_ECORRUPT: no such object; ZN_EFORMAT: a class version or a
 * variant that we do not know. */
#pragma once
#include "store/dns/name.h"

enum zn_kind { ZN_KIND_PRIMARY, ZN_KIND_SECONDARY, ZN_KIND_NATIVE, ZN_KIND_PRODUCER, ZN_KIND_CONSUMER };

#define ZN_VARIANT_MAX 63
struct zn_zone_id {
	struct zn_name name;			/* lower case */
	char variant[ZN_VARIANT_MAX + 1];	/* schema 6 views; "" for the zone itself */
};

/* How an object was, or will be, written. */
struct zn_form {
	uint8_t version;	/* of its class */
	uint8_t zone;		/* of the zone's name: 0 DNSName, 1 ZoneName */
};
/* The form of a new object: what every server reads, unless there is a variant. `older`, `newer`: the versions of its class. */
static inline struct zn_form zn_form_for(const struct zn_zone_id *zone, uint8_t older, uint8_t newer)
{
	return zone->variant[0] ? (struct zn_form){newer, 1} : (struct zn_form){older, 0};
}

#define ZN_PRIMARY_SIZE 28
struct zn_domain {
	struct zn_form form;		/* class version 0, 1 or 2 */
	struct zn_zone_id zone;
	int64_t last_check;		/* s; churn: rewritten by secondaries at every check */
	struct zn_view account;
	struct zn_view primaries;	/* ZN_PRIMARY_SIZE bytes each */
	uint32_t id;			/* as stored: 0 at creation; the key is what counts */
	uint32_t notified_serial;	/* churn: rewritten by primaries at every NOTIFY */
	uint32_t kind;			/* enum zn_kind, or what a later server means */
	struct zn_view options;		/* JSON or empty */
	struct zn_zone_id catalog;	/* name.len 0: none */
};
ZN_MUST_USE enum zn_code zn_domain_decode(struct zn_view value, struct zn_domain *ret_domain);
void zn_domain_encode(const struct zn_domain *domain, struct zn_buf *out);

struct zn_metadata {
	struct zn_form form;		/* class version 0 */
	struct zn_zone_id zone;
	struct zn_view kind, value;
};
ZN_MUST_USE enum zn_code zn_metadata_decode(struct zn_view value, struct zn_metadata *ret_metadata);
void zn_metadata_encode(const struct zn_metadata *metadata, struct zn_buf *out);

struct zn_keydata {
	struct zn_form form;		/* class version 0 (without `published`) or 1 */
	struct zn_zone_id zone;
	struct zn_view content;		/* the private key, ISC text form */
	uint32_t flags;			/* 256 ZSK, 257 KSK and CSK */
	bool active, published;
};
ZN_MUST_USE enum zn_code zn_keydata_decode(struct zn_view value, struct zn_keydata *ret_keydata);
void zn_keydata_encode(const struct zn_keydata *keydata, struct zn_buf *out);

struct zn_tsig {
	struct zn_name name, algorithm;
	struct zn_view secret;		/* base64 */
};
ZN_MUST_USE enum zn_code zn_tsig_decode(struct zn_view value, struct zn_tsig *ret_tsig);
void zn_tsig_encode(const struct zn_tsig *tsig, struct zn_buf *out);

/* Key of an index row: u16 length of K, K, u32 id. K is the name's key, and for a variant 00 and its bytes. */
struct zn_index_key {
	uint16_t len;
	uint8_t bytes[2 + ZN_NAME_MAX + 1 + ZN_VARIANT_MAX + 4];
};
/* ZN_EINVAL: a label with a NUL byte. */
ZN_MUST_USE enum zn_code zn_index_key_make(const struct zn_zone_id *zone, uint32_t id, struct zn_index_key *ret_key);
static inline struct zn_view zn_index_key_view(const struct zn_index_key *key)
{
	return (struct zn_view){key->bytes, key->len};
}
/* What all rows of one name have in common: the key without its id. */
static inline struct zn_view zn_index_key_prefix(const struct zn_index_key *key)
{
	return (struct zn_view){key->bytes, (size_t)key->len - 4};
}
/* false: no index key. */
bool zn_index_key_split(struct zn_view key, struct zn_view *ret_prefix, uint32_t *ret_id);

/* The zone such a key stands for. */
bool zn_index_key_zone(struct zn_view key, struct zn_zone_id *ret_zone, uint32_t *ret_id);

/* Bob Jenkins' lookup2 over the bytes folded to lower case: what PowerDNS 5 makes ids of. */
uint32_t zn_jenkins(struct zn_view bytes, uint32_t init);
/* The number from which the n-th id that a zone may get is made, and those of its metadata. */
uint32_t zn_zone_hash(const struct zn_zone_id *zone, uint32_t n);
