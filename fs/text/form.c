#include "fs/text/form.h"

/* What every supported libzscanner (3.2 on) reads, so that nodes on different systems accept the same texts; and, `true`,
 * what PowerDNS knows and libzscanner does not. */
static const struct zn_form low[] = {
	[ZN_TYPE_A] = {"4", "address", false},
	[ZN_TYPE_NS] = {"n", "server", false},
	[ZN_TYPE_CNAME] = {"n", "target", false},
	[ZN_TYPE_SOA] = {"nnitttt", "server mail-address serial refresh retry expire minimum", false},
	[ZN_TYPE_MB] = {"n", "host", true},
	[ZN_TYPE_MG] = {"n", "mailbox", true},
	[ZN_TYPE_MR] = {"n", "mailbox", true},
	[ZN_TYPE_PTR] = {"n", "target", false},
	[ZN_TYPE_HINFO] = {"qq", "\"cpu\" \"system\"", false},
	[ZN_TYPE_MINFO] = {"nn", "mailbox error-mailbox", false},
	[ZN_TYPE_MX] = {"2n", "preference server", false},
	[ZN_TYPE_TXT] = {"s", "\"text\"", false},
	[ZN_TYPE_RP] = {"nn", "mailbox text-name", false},
	[ZN_TYPE_AFSDB] = {"2n", "subtype server", false},
	[21] = {"2n", "preference host", false}, /* RT */
	[ZN_TYPE_SIG] = {"T11idd2nb", "type algorithm labels ttl expiration inception key-tag signer signature", true},
	[ZN_TYPE_KEY] = {"211b", "flags protocol algorithm key", false},
	[ZN_TYPE_AAAA] = {"6", "address", false},
	[ZN_TYPE_LOC] = {"*", "latitude longitude altitude", false},
	[ZN_TYPE_SRV] = {"222n", "priority weight port target", false},
	[ZN_TYPE_NAPTR] = {"22qqqn", "order preference \"flags\" \"service\" \"regexp\" replacement", false},
	[ZN_TYPE_KX] = {"2n", "preference server", false},
	[ZN_TYPE_CERT] = {"***b", "type key-tag algorithm certificate", false},
	[ZN_TYPE_DNAME] = {"n", "target", false},
	[ZN_TYPE_APL] = {"", "[!]family:address/prefix", false},
	[ZN_TYPE_DS] = {"211x", "key-tag algorithm digest-type digest", false},
	[ZN_TYPE_SSHFP] = {"11x", "algorithm fingerprint-type fingerprint", false},
	[ZN_TYPE_IPSECKEY] = {"****b", "precedence gateway-type algorithm gateway [key]", false},
	[ZN_TYPE_RRSIG] = {"T11idd2nb", "type algorithm labels ttl expiration inception key-tag signer signature", false},
	[ZN_TYPE_NSEC] = {"nm", "next-name types", false},
	[ZN_TYPE_DNSKEY] = {"211b", "flags protocol algorithm key", false},
	[ZN_TYPE_DHCID] = {"b", "digest", false},
	[ZN_TYPE_NSEC3] = {"112yhm", "hash-algorithm flags iterations salt next-hash types", false},
	[ZN_TYPE_NSEC3PARAM] = {"112y", "hash-algorithm flags iterations salt", false},
	[ZN_TYPE_TLSA] = {"111x", "usage selector matching-type data", false},
	[ZN_TYPE_SMIMEA] = {"111x", "usage selector matching-type data", false},
	[ZN_TYPE_HIP] = {"1xb", "algorithm hit key [servers]", true},
	[ZN_TYPE_RKEY] = {"211b", "flags protocol algorithm key", true},
	[ZN_TYPE_CDS] = {"211x", "key-tag algorithm digest-type digest", false},
	[ZN_TYPE_CDNSKEY] = {"211b", "flags protocol algorithm key", false},
	[ZN_TYPE_OPENPGPKEY] = {"b", "key", false},
	[ZN_TYPE_CSYNC] = {"i2m", "serial flags types", false},
	[ZN_TYPE_ZONEMD] = {"i11x", "serial scheme hash-algorithm digest", false},
	[ZN_TYPE_SVCB] = {"2n*", "priority target [key=value]", false},
	[ZN_TYPE_HTTPS] = {"2n*", "priority target [key=value]", false},
	[ZN_TYPE_SPF] = {"s", "\"text\"", false},
	[ZN_TYPE_NID] = {"2*", "preference node-id", false},
	[ZN_TYPE_L32] = {"24", "preference locator", false},
	[ZN_TYPE_L64] = {"2*", "preference locator", false},
	[ZN_TYPE_LP] = {"2n", "preference name", false},
	[ZN_TYPE_EUI48] = {"*", "address", false},
	[ZN_TYPE_EUI64] = {"*", "address", false},
	[ZN_TYPE_URI] = {"22v", "priority weight \"target\"", false},
	[ZN_TYPE_CAA] = {"1av", "flags tag \"value\"", false},
};

static const struct zn_form dlv = {"211x", "key-tag algorithm digest-type digest", true};
static const struct zn_form alias = {"n", "target", true};
static const struct zn_form lua = {"Ts", "type \"code\"", true};
static const struct zn_form none = {NULL, "\\# length hex", true};

const struct zn_form *zn_form_of(uint16_t type)
{
	if (type < sizeof(low) / sizeof(low[0]))
		return low[type].layout ? &low[type] : &none;
	switch (type) {
	case ZN_TYPE_DLV:
		return &dlv;
	case ZN_TYPE_ALIAS:
		return &alias;
	case ZN_TYPE_LUA:
		return &lua;
	default:
		return &none;
	}
}

size_t zn_form_min(const struct zn_form *form)
{
	size_t len = strlen(form->layout);

	/* A list of types or parameters may be empty. */
	return len > 1 && (form->layout[len - 1] == 'm' || form->fields[strlen(form->fields) - 1] == ']') ? len - 1 : len;
}

size_t zn_form_max(const struct zn_form *form)
{
	size_t len = strlen(form->layout);

	return len == 0 || strchr("xbms*", form->layout[len - 1]) ? SIZE_MAX : len;
}
