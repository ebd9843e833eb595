/* store/dns/rrtype.h - RR types: one table, part of the format, so that every node names, reads and
 * prints a type alike. IANA DNS parameters; PowerDNS's own numbers for ALIAS and LUA. */
#pragma once
#include "store/base/bytes.h"

enum zn_rrtype {
	ZN_TYPE_ENT = 0, /* PowerDNS: row of an empty non-terminal; never in text */
	ZN_TYPE_A = 1, ZN_TYPE_NS = 2, ZN_TYPE_CNAME = 5, ZN_TYPE_SOA = 6, ZN_TYPE_MB = 7, ZN_TYPE_MG = 8,
	ZN_TYPE_MR = 9, ZN_TYPE_PTR = 12, ZN_TYPE_HINFO = 13, ZN_TYPE_MINFO = 14, ZN_TYPE_MX = 15,
	ZN_TYPE_TXT = 16, ZN_TYPE_RP = 17, ZN_TYPE_AFSDB = 18, ZN_TYPE_SIG = 24, ZN_TYPE_KEY = 25,
	ZN_TYPE_AAAA = 28, ZN_TYPE_LOC = 29, ZN_TYPE_SRV = 33, ZN_TYPE_NAPTR = 35, ZN_TYPE_KX = 36,
	ZN_TYPE_CERT = 37, ZN_TYPE_DNAME = 39, ZN_TYPE_APL = 42, ZN_TYPE_DS = 43, ZN_TYPE_SSHFP = 44,
	ZN_TYPE_IPSECKEY = 45, ZN_TYPE_RRSIG = 46, ZN_TYPE_NSEC = 47, ZN_TYPE_DNSKEY = 48,
	ZN_TYPE_DHCID = 49, ZN_TYPE_NSEC3 = 50, ZN_TYPE_NSEC3PARAM = 51, ZN_TYPE_TLSA = 52,
	ZN_TYPE_SMIMEA = 53, ZN_TYPE_HIP = 55, ZN_TYPE_RKEY = 57, ZN_TYPE_CDS = 59, ZN_TYPE_CDNSKEY = 60,
	ZN_TYPE_OPENPGPKEY = 61, ZN_TYPE_CSYNC = 62, ZN_TYPE_ZONEMD = 63, ZN_TYPE_SVCB = 64,
	ZN_TYPE_HTTPS = 65, ZN_TYPE_SPF = 99, ZN_TYPE_NID = 104, ZN_TYPE_L32 = 105, ZN_TYPE_L64 = 106,
	ZN_TYPE_LP = 107, ZN_TYPE_EUI48 = 108, ZN_TYPE_EUI64 = 109, ZN_TYPE_URI = 256, ZN_TYPE_CAA = 257,
	ZN_TYPE_DLV = 32769, ZN_TYPE_ALIAS = 65401, ZN_TYPE_LUA = 65402,
};

#define ZN_TYPE_TEXT_MAX 16
/* "AAAA", or "TYPE731" for what the table does not know (RFC 3597 5). Returns text. */
char *zn_rrtype_text(uint16_t type, char text[static ZN_TYPE_TEXT_MAX]);
/* Mnemonic in any case or TYPEnnn. false: neither. Query-only types (ANY, AXFR, OPT, …) are not types here. */
bool zn_rrtype_from_text(struct zn_view text, uint16_t *ret_type);
