#include "store/dns/check.h"

#include "store/base/limits.h"
#include "store/base/wire.h"
#include "store/dns/rdata.h"

/* What can be wrong, in the order of docs/dialect.md. */
enum fault {
	NO_SOA,
	SECOND_SOA,
	SOA_NOT_AT_APEX,
	NO_NS_AT_APEX,
	CNAME_AT_APEX,
	CNAME_AND_OTHER,
	SECOND_CNAME,
	SECOND_DNAME,
	BELOW_DNAME,
	SIGNED_TYPE,
	RRSET_TOO_BIG,
	TTLS_DIFFER_SIGNED,
	TTLS_DIFFER,
	MISSING_GLUE,
	TARGET_IS_ALIAS,
	TARGET_WITHOUT_ADDRESS,
	OCCLUDED,
	OCCLUDED_NS,
	OWNER_WITHOUT_DOT,
	TARGET_WITHOUT_DOT,
	OWNER_NO_HOST,
	TARGET_NO_HOST,
	WILDCARD_NS,
	WILDCARD_DNAME,
	MAIL_NAME,
	TTL_ZERO,
	TTL_LONG,
};

/* How bad it is, and where in the record it shows. */
static const struct {
	enum zn_severity severity;
	enum zn_check_part part;
} faults[] = {
	[NO_SOA] = {ZN_SEVERITY_ERROR, ZN_PART_OWNER},
	[SECOND_SOA] = {ZN_SEVERITY_ERROR, ZN_PART_TYPE},
	[SOA_NOT_AT_APEX] = {ZN_SEVERITY_ERROR, ZN_PART_OWNER},
	[NO_NS_AT_APEX] = {ZN_SEVERITY_ERROR, ZN_PART_OWNER},
	[CNAME_AT_APEX] = {ZN_SEVERITY_ERROR, ZN_PART_TYPE},
	[CNAME_AND_OTHER] = {ZN_SEVERITY_ERROR, ZN_PART_TYPE},
	[SECOND_CNAME] = {ZN_SEVERITY_ERROR, ZN_PART_TYPE},
	[SECOND_DNAME] = {ZN_SEVERITY_ERROR, ZN_PART_TYPE},
	[BELOW_DNAME] = {ZN_SEVERITY_ERROR, ZN_PART_OWNER},
	[SIGNED_TYPE] = {ZN_SEVERITY_ERROR, ZN_PART_TYPE},
	[RRSET_TOO_BIG] = {ZN_SEVERITY_ERROR, ZN_PART_TYPE},
	[TTLS_DIFFER_SIGNED] = {ZN_SEVERITY_ERROR, ZN_PART_TTL},
	[TTLS_DIFFER] = {ZN_SEVERITY_WARNING, ZN_PART_TTL},
	[MISSING_GLUE] = {ZN_SEVERITY_WARNING, ZN_PART_TARGET},
	[TARGET_IS_ALIAS] = {ZN_SEVERITY_WARNING, ZN_PART_TARGET},
	[TARGET_WITHOUT_ADDRESS] = {ZN_SEVERITY_WARNING, ZN_PART_TARGET},
	[OCCLUDED] = {ZN_SEVERITY_WARNING, ZN_PART_OWNER},
	[OCCLUDED_NS] = {ZN_SEVERITY_WARNING, ZN_PART_OWNER},
	[OWNER_WITHOUT_DOT] = {ZN_SEVERITY_WARNING, ZN_PART_OWNER},
	[TARGET_WITHOUT_DOT] = {ZN_SEVERITY_WARNING, ZN_PART_TARGET},
	[OWNER_NO_HOST] = {ZN_SEVERITY_WARNING, ZN_PART_OWNER},
	[TARGET_NO_HOST] = {ZN_SEVERITY_WARNING, ZN_PART_TARGET},
	[WILDCARD_NS] = {ZN_SEVERITY_WARNING, ZN_PART_OWNER},
	[WILDCARD_DNAME] = {ZN_SEVERITY_WARNING, ZN_PART_OWNER},
	[MAIL_NAME] = {ZN_SEVERITY_WARNING, ZN_PART_TARGET},
	[TTL_ZERO] = {ZN_SEVERITY_WARNING, ZN_PART_TTL},
	[TTL_LONG] = {ZN_SEVERITY_WARNING, ZN_PART_TTL},
};

#define TTL_LONG_MIN (30 * 86400u)
#define RR_OVERHEAD 12 /* in a message: pointer to the owner, type, class, TTL, length */
#define NONE SIZE_MAX

struct check {
	const struct zn_zone *zone;
	const struct zn_check_options *options;
	zn_check_report *report;
	void *context;
	size_t errors;
	struct zn_name apex;	/* lower case */
	struct zn_key apex_key;	/* of the whole name: what an owner begins with whose dot was forgotten */
	struct zn_view cut;	/* the topmost delegation around the owner at hand; len 0: none */
	size_t cut_index;
	struct zn_view dname;	/* the DNAME above it */
	size_t dname_index;
};

/* What stands at one owner. */
struct owner {
	struct zn_view key;
	size_t first, end;
	size_t ns, cname, dname, other; /* first of each; other: what may not stand beside a CNAME. NONE: none */
	bool apex, below_cut;
};

static void ZN_PRINTF(5, 6) found(struct check *check, enum fault fault, size_t index, size_t other, const char *format, ...)
{
	char sentence[3 * ZN_NAME_TEXT_MAX];
	va_list list;

	va_start(list, format);
	vsnprintf(sentence, sizeof(sentence), format, list);
	va_end(list);
	if (faults[fault].severity == ZN_SEVERITY_ERROR)
		check->errors++;
	if (check->report)
		check->report(check->context, faults[fault].severity, index, other, faults[fault].part, sentence);
}

static const char *key_text(const struct check *check, struct zn_view key, char text[static ZN_NAME_TEXT_MAX])
{
	struct zn_name name;

	return zn_key_to_name(key, &check->apex, &name) == ZN_OK ? zn_name_plain(&name, text) : "?";
}

static bool is_dnssec(uint16_t type)
{
	return type == ZN_TYPE_RRSIG || type == ZN_TYPE_NSEC || type == ZN_TYPE_NSEC3 || type == ZN_TYPE_NSEC3PARAM;
}

/* RFC 2181 10.1, RFC 4035 2.5 */
static bool may_join_cname(uint16_t type)
{
	return type == ZN_TYPE_CNAME || type == ZN_TYPE_RRSIG || type == ZN_TYPE_NSEC || type == ZN_TYPE_SIG ||
		type == ZN_TYPE_KEY || type == ZN_TYPE_NSEC3;
}

static bool is_wildcard(struct zn_view key)
{
	return key.len >= 2 && key.data[key.len - 2] == '*' && (key.len == 2 || key.data[key.len - 3] == 0);
}

/* RFC 1123 2.1, and labels that begin with "_", which services have. */
static bool host_label(const uint8_t *label, size_t len)
{
	static const bool inside[256] = {['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['0' ... '9'] = true, ['-'] = true};

	for (size_t i = label[0] == '_'; i < len; i++)
		if (!inside[label[i]])
			return false;
	return label[0] != '-' && label[len - 1] != '-';
}

static bool host_name(struct zn_view wire)
{
	for (size_t at = 0; at < wire.len && wire.data[at] != 0; at += 1u + wire.data[at])
		if (!host_label(wire.data + at + 1, wire.data[at]))
			return false;
	return true;
}

static bool host_key(struct zn_view key)
{
	if (zn_key_is_apex(key))
		return true;
	for (size_t from = 0, end; from < key.len; from = end + 1) {
		for (end = from; key.data[end] != 0; end++)
			;
		if (!host_label(key.data + from, end - from) && !(end + 1 == key.len && is_wildcard(key)))
			return false;
	}
	return true;
}

/* Wire form of a name that ends in the apex, by its last bytes: a quick no for most targets. */
static bool may_be_within(const struct check *check, struct zn_view wire)
{
	size_t from = wire.len - check->apex.len;

	if (wire.len < check->apex.len)
		return false;
	for (size_t i = 0; i < check->apex.len; i++) {
		uint8_t byte = wire.data[from + i];
		if ((byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte) != check->apex.wire[i])
			return false;
	}
	return true;
}

static bool has_address(const struct zn_zone *zone, size_t near, struct zn_view key)
{
	size_t at;

	return zn_zone_find_near(zone, near, key, ZN_TYPE_A, &at) > 0 ||
		zn_zone_find_near(zone, near, key, ZN_TYPE_AAAA, &at) > 0 ||
		zn_zone_find_near(zone, near, key, ZN_TYPE_ALIAS, &at) > 0 ||
		zn_zone_find_near(zone, near, key, ZN_TYPE_LUA, &at) > 0;
}

/* Something else answers for a name that is not there: a delegation or DNAME above it, or a wildcard. */
static bool answered_above(const struct zn_zone *zone, struct zn_view key)
{
	struct zn_key wildcard;
	size_t at;

	for (size_t len = key.len; len > 0; len--) {
		if (len < key.len && key.data[len - 1] != 0)
			continue;
		struct zn_view above = zn_view_sub(key, 0, len);
		if (zn_zone_find(zone, above, ZN_TYPE_NS, &at) || zn_zone_find(zone, above, ZN_TYPE_DNAME, &at))
			return true;
		if (len < key.len && len + 2 <= sizeof(wildcard.bytes)) {
			memcpy(wildcard.bytes, above.data, len);
			memcpy(wildcard.bytes + len, "*", 2);
			if (has_address(zone, 0, zn_view(wildcard.bytes, len + 2)))
				return true;
		}
	}
	return has_address(zone, 0, zn_view("*", 2)) || zn_zone_find(zone, zn_view("", 1), ZN_TYPE_DNAME, &at) > 0;
}

/* The target of an NS or MX, where the zone can tell. */
static void check_target(struct check *check, const struct owner *owner, size_t index, const struct zn_record *record)
{
	struct zn_view wire = record->rdata;
	char text[ZN_NAME_TEXT_MAX], type[ZN_TYPE_TEXT_MAX];
	struct zn_name target;
	struct zn_key key;
	size_t alias;

	if (record->type == ZN_TYPE_MX)
		wire = zn_view_sub(wire, 2, wire.len);
	if (!host_name(wire) && zn_name_from_wire(wire, &target) == ZN_OK)
		found(check, TARGET_NO_HOST, index, NONE, "%s has characters that no host name has", zn_name_plain(&target, text));
	if (wire.len <= 1 || !may_be_within(check, wire) || zn_name_from_wire(wire, &target) != ZN_OK ||
			zn_key_from_name(&target, &check->apex, &key) != ZN_OK)
		return;
	if (has_address(check->zone, index, zn_key_view(&key)))
		return;
	zn_name_plain(&target, text);
	zn_rrtype_text(record->type, type);
	if (zn_zone_find_near(check->zone, index, zn_key_view(&key), ZN_TYPE_CNAME, &alias))
		found(check, TARGET_IS_ALIAS, index, alias, "%s points to %s, which is a CNAME", type, text);
	else if (record->type == ZN_TYPE_NS && !owner->apex && zn_key_within(zn_key_view(&key), owner->key))
		found(check, MISSING_GLUE, index, NONE, "missing glue: the delegation has no address for %s", text);
	else if (!answered_above(check->zone, zn_key_view(&key)))
		found(check, TARGET_WITHOUT_ADDRESS, index, NONE, "%s points to %s, which has no address in this zone", type, text);
}

/* Names within RDATA whose dot was forgotten: they end in the apex twice. */
static void check_dots(struct check *check, size_t index, const struct zn_record *record)
{
	struct zn_name names[2];
	struct zn_key key;
	char text[ZN_NAME_TEXT_MAX];
	size_t count = zn_rdata_names(record->type, record->rdata, names, 2);

	for (size_t i = 0; i < count; i++) {
		if (names[i].len < 2 * check->apex.len - 1 || zn_key_from_name(&names[i], &check->apex, &key) != ZN_OK)
			continue;
		if (zn_view_starts_with(zn_key_view(&key), zn_key_view(&check->apex_key)))
			found(check, TARGET_WITHOUT_DOT, index, NONE, "%s ends in the name of the zone twice: is a dot missing?",
				zn_name_plain(&names[i], text));
	}
}

static void check_soa(struct check *check, size_t index, const struct zn_record *record)
{
	struct zn_name names[2];
	char text[ZN_NAME_TEXT_MAX];

	if (zn_rdata_names(ZN_TYPE_SOA, record->rdata, names, 2) != 2)
		return;
	if (zn_name_labels(&names[1]) < 2 || memchr(names[1].wire + 1, '@', names[1].wire[0]))
		found(check, MAIL_NAME, index, NONE, "%s is no mail name: its first dot stands for the \"@\" of the address",
			zn_name_plain(&names[1], text));
}

/* What can be told of one RRset: [first, end) and its first record. */
static void check_rrset(struct check *check, const struct owner *owner, size_t first, size_t end, const struct zn_record *record)
{
	bool many_labels = check->apex_key.len && zn_name_labels(&check->apex) > 1;
	char type[ZN_TYPE_TEXT_MAX];
	size_t bytes = 0;
	bool differ = false;

	if (is_dnssec(record->type) && !check->options->presigned)
		found(check, SIGNED_TYPE, first, NONE, "%s records are made by the server: they belong only in a zone that is signed already",
			zn_rrtype_text(record->type, type));
	if (record->type != ZN_TYPE_RRSIG && record->type != ZN_TYPE_NSEC3PARAM) { /* signers give that one 0 */
		if (record->ttl == 0)
			found(check, TTL_ZERO, first, NONE, "the TTL is 0: nobody may keep the answer");
		else if (record->ttl > TTL_LONG_MIN)
			found(check, TTL_LONG, first, NONE, "the TTL is over 30 days");
	}
	for (size_t i = first; i < end; i++) {
		struct zn_record each = i == first ? *record : zn_zone_at(check->zone, i);

		bytes += RR_OVERHEAD + each.rdata.len;
		if (each.ttl != record->ttl && !differ && each.type != ZN_TYPE_RRSIG) {
			differ = true;
			found(check, check->options->signed_zone || check->options->presigned ? TTLS_DIFFER_SIGNED : TTLS_DIFFER,
				i, first, "the TTL is %u here and %u before: the records of one RRset share one TTL", each.ttl,
				record->ttl);
		}
		if (each.type == ZN_TYPE_NS || each.type == ZN_TYPE_MX) {
			if (!owner->below_cut)
				check_target(check, owner, i, &each);
		}
		if (many_labels && each.rdata.len >= check->apex.len && each.type != ZN_TYPE_RRSIG && each.type != ZN_TYPE_A &&
				each.type != ZN_TYPE_AAAA &&
				(each.type == ZN_TYPE_SOA || may_be_within(check, each.rdata)))
			check_dots(check, i, &each);
		if (each.type == ZN_TYPE_SOA && i == first)
			check_soa(check, i, &each);
	}
	if (bytes > ZN_RRSET_MAX)
		found(check, RRSET_TOO_BIG, first, NONE, "the %s records of this name have %zu bytes together: no message holds them",
			zn_rrtype_text(record->type, type), bytes);
}

/* What stands below a delegation, or beside it, is never answered, but for addresses. */
static void check_occluded(struct check *check, const struct owner *owner, size_t first, uint16_t type)
{
	char cut[ZN_NAME_TEXT_MAX], name[ZN_TYPE_TEXT_MAX];
	bool glue = type == ZN_TYPE_A || type == ZN_TYPE_AAAA;

	if (owner->below_cut) {
		key_text(check, check->cut, cut);
		if (type == ZN_TYPE_NS && check->options->nsec)
			found(check, OCCLUDED_NS, first, check->cut_index,
				"this NS is below the delegation %s, and PowerDNS puts its name into the NSEC chain all the same", cut);
		else if (!glue && !is_dnssec(type))
			found(check, OCCLUDED, first, check->cut_index, "occluded: nobody sees %s below the delegation %s",
				zn_rrtype_text(type, name), cut);
	} else if (owner->ns != NONE && !owner->apex && !glue && !is_dnssec(type) && type != ZN_TYPE_NS && type != ZN_TYPE_DS) {
		found(check, OCCLUDED, first, owner->ns, "occluded: nobody sees %s beside the delegation",
			zn_rrtype_text(type, name));
	}
}

static void survey(const struct check *check, struct owner *owner)
{
	owner->ns = owner->cname = owner->dname = owner->other = NONE;
	owner->apex = zn_key_is_apex(owner->key);
	owner->below_cut = check->cut.len > 0;
	for (size_t i = owner->end; i-- > owner->first;) {
		uint16_t type = zn_zone_type(check->zone, i);

		if (type == ZN_TYPE_NS)
			owner->ns = i;
		else if (type == ZN_TYPE_CNAME)
			owner->cname = i;
		else if (type == ZN_TYPE_DNAME)
			owner->dname = i;
		if (!may_join_cname(type))
			owner->other = i;
	}
}

/* What concerns the owner as a whole, and singletons. */
static void check_owner(struct check *check, const struct owner *owner)
{
	char text[ZN_NAME_TEXT_MAX];

	if (check->dname.len)
		found(check, BELOW_DNAME, owner->first, check->dname_index, "nothing can stand below the DNAME at %s",
			key_text(check, check->dname, text));
	if (check->apex_key.len && !owner->apex && zn_name_labels(&check->apex) > 1 &&
			zn_view_starts_with(owner->key, zn_key_view(&check->apex_key)))
		found(check, OWNER_WITHOUT_DOT, owner->first, NONE, "%s ends in the name of the zone twice: is a dot missing?",
			key_text(check, owner->key, text));
	if (owner->cname != NONE) {
		if (owner->apex)
			found(check, CNAME_AT_APEX, owner->cname, NONE, "a CNAME cannot stand at the apex, beside SOA and NS");
		else if (owner->other != NONE)
			found(check, CNAME_AND_OTHER, owner->cname, owner->other, "a CNAME cannot have other records beside it");
		if (zn_zone_rrset_end(check->zone, owner->cname) - owner->cname > 1)
			found(check, SECOND_CNAME, owner->cname + 1, owner->cname, "a name has one CNAME only");
	}
	if (owner->dname != NONE) {
		if (zn_zone_rrset_end(check->zone, owner->dname) - owner->dname > 1)
			found(check, SECOND_DNAME, owner->dname + 1, owner->dname, "a name has one DNAME only");
		if (is_wildcard(owner->key))
			found(check, WILDCARD_DNAME, owner->dname, NONE, "servers differ on what a wildcard DNAME means");
	}
	if (owner->ns != NONE && is_wildcard(owner->key))
		found(check, WILDCARD_NS, owner->ns, NONE, "servers differ on what a wildcard NS means");
}

static void check_records(struct check *check, const struct owner *owner)
{
	bool addresses = false;

	for (size_t first = owner->first, end; first < owner->end; first = end) {
		struct zn_record record = zn_zone_at(check->zone, first);

		end = first + 1 == owner->end ? owner->end : zn_zone_rrset_end(check->zone, first);
		if (record.type == ZN_TYPE_SOA && !owner->apex)
			found(check, SOA_NOT_AT_APEX, first, NONE, "a SOA stands at the apex of the zone and nowhere else");
		else if (record.type == ZN_TYPE_SOA && end - first > 1)
			found(check, SECOND_SOA, first + 1, first, "a zone has one SOA only");
		if (!addresses && (record.type == ZN_TYPE_A || record.type == ZN_TYPE_AAAA)) {
			addresses = true;
			if (!host_key(owner->key))
				found(check, OWNER_NO_HOST, first, NONE, "the name has characters that no host name has");
		}
		if (owner->below_cut || owner->ns != NONE)
			check_occluded(check, owner, first, record.type);
		check_rrset(check, owner, first, end, &record);
	}
}

size_t zn_check_zone(const struct zn_zone *zone, const struct zn_check_options *options, zn_check_report *report, void *context)
{
	struct check check = {.zone = zone, .options = options, .report = report, .context = context, .apex = *zn_zone_apex(zone)};
	struct zn_view apex = zn_view("", 1);
	size_t at;

	zn_name_lower(&check.apex);
	if (zn_key_from_name(&check.apex, NULL, &check.apex_key) != ZN_OK)
		check.apex_key.len = 0;
	if (!zn_zone_find(zone, apex, ZN_TYPE_SOA, &at))
		found(&check, NO_SOA, NONE, NONE, "the zone has no SOA record");
	if (!zn_zone_find(zone, apex, ZN_TYPE_NS, &at))
		found(&check, NO_NS_AT_APEX, NONE, NONE, "the zone has no NS record at its apex");

	for (struct owner owner = {0}; owner.end < zn_zone_count(zone);) {
		owner.first = owner.end;
		owner.end = zn_zone_owner_end(zone, owner.first);
		owner.key = zn_zone_at(zone, owner.first).owner;
		if (check.cut.len && !zn_key_within(owner.key, check.cut))
			check.cut.len = 0;
		if (check.dname.len && !zn_key_within(owner.key, check.dname))
			check.dname.len = 0;
		survey(&check, &owner);
		check_owner(&check, &owner);
		check_records(&check, &owner);
		if (owner.ns != NONE && !owner.apex && !owner.below_cut) {
			check.cut = owner.key;
			check.cut_index = owner.ns;
		}
		if (owner.dname != NONE && !check.dname.len) {
			check.dname = owner.key;
			check.dname_index = owner.dname;
		}
	}
	return check.errors;
}

bool zn_zone_is_presigned(const struct zn_zone *zone)
{
	struct zn_view apex = zn_view("", 1);
	size_t at, count;

	if (!zn_zone_find(zone, apex, ZN_TYPE_SOA, &at) || !zn_zone_find(zone, apex, ZN_TYPE_DNSKEY, &at))
		return false;
	count = zn_zone_find(zone, apex, ZN_TYPE_RRSIG, &at);
	for (size_t i = 0; i < count; i++) {
		struct zn_view rdata = zn_zone_at(zone, at + i).rdata;
		if (rdata.len >= 2 && zn_get_u16(rdata.data) == ZN_TYPE_SOA)
			return true;
	}
	return false;
}
