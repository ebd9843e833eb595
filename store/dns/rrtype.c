#include "store/dns/rrtype.h"

#include <stdlib.h>

/* By number. `young`: read, but printed as TYPEnnn, because name servers still in use do not know the mnemonic. */
static const struct {
	uint16_t type;
	bool young;
	const char *name;
} types[] = {
	{1, false, "A"}, {2, false, "NS"}, {3, false, "MD"}, {4, false, "MF"}, {5, false, "CNAME"},
	{6, false, "SOA"}, {7, false, "MB"}, {8, false, "MG"}, {9, false, "MR"}, {11, false, "WKS"},
	{12, false, "PTR"}, {13, false, "HINFO"}, {14, false, "MINFO"}, {15, false, "MX"}, {16, false, "TXT"},
	{17, false, "RP"}, {18, false, "AFSDB"}, {19, false, "X25"}, {20, false, "ISDN"}, {21, false, "RT"},
	{22, false, "NSAP"}, {23, false, "NSAP-PTR"}, {24, false, "SIG"}, {25, false, "KEY"}, {26, false, "PX"},
	{27, false, "GPOS"}, {28, false, "AAAA"}, {29, false, "LOC"}, {30, false, "NXT"}, {31, false, "EID"},
	{32, false, "NIMLOC"}, {33, false, "SRV"}, {34, false, "ATMA"}, {35, false, "NAPTR"}, {36, false, "KX"},
	{37, false, "CERT"}, {38, false, "A6"}, {39, false, "DNAME"}, {42, false, "APL"}, {43, false, "DS"},
	{44, false, "SSHFP"}, {45, false, "IPSECKEY"}, {46, false, "RRSIG"}, {47, false, "NSEC"},
	{48, false, "DNSKEY"}, {49, false, "DHCID"}, {50, false, "NSEC3"}, {51, false, "NSEC3PARAM"},
	{52, false, "TLSA"}, {53, false, "SMIMEA"}, {55, false, "HIP"}, {57, false, "RKEY"},
	{58, true, "TALINK"}, {59, false, "CDS"}, {60, false, "CDNSKEY"}, {61, false, "OPENPGPKEY"},
	{62, false, "CSYNC"}, {63, false, "ZONEMD"}, {64, false, "SVCB"}, {65, false, "HTTPS"},
	{66, true, "DSYNC"}, {67, true, "HHIT"}, {68, true, "BRID"}, {99, false, "SPF"}, {104, false, "NID"},
	{105, false, "L32"}, {106, false, "L64"}, {107, false, "LP"}, {108, false, "EUI48"},
	{109, false, "EUI64"}, {256, false, "URI"}, {257, false, "CAA"}, {258, true, "AVC"}, {259, true, "DOA"},
	{260, true, "AMTRELAY"}, {261, true, "RESINFO"}, {262, true, "WALLET"}, {263, true, "CLA"},
	{264, true, "IPN"}, {32768, true, "TA"}, {32769, false, "DLV"}, {65401, false, "ALIAS"},
	{65402, false, "LUA"},
};

#define TYPES (sizeof(types) / sizeof(types[0]))

/* Numbers that mean a question or a part of the message, never a record of a zone (RFC 6895 3.1). */
static bool is_query_only(uint32_t type)
{
	return type == 0 || type == 41 || (type >= 128 && type <= 255);
}

char *zn_rrtype_text(uint16_t type, char text[static ZN_TYPE_TEXT_MAX])
{
	for (size_t i = 0; i < TYPES && types[i].type <= type; i++) {
		if (types[i].type == type && !types[i].young) {
			memcpy(text, types[i].name, strlen(types[i].name) + 1);
			return text;
		}
	}
	snprintf(text, ZN_TYPE_TEXT_MAX, "TYPE%u", type);
	return text;
}

bool zn_rrtype_from_text(struct zn_view text, uint16_t *ret_type)
{
	char name[ZN_TYPE_TEXT_MAX];
	uint32_t number = 0;

	if (text.len == 0 || text.len >= sizeof(name))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t byte = text.data[i];
		name[i] = (char)(byte >= 'a' && byte <= 'z' ? byte - 0x20 : byte);
	}
	name[text.len] = '\0';
	for (size_t i = 0; i < TYPES; i++) {
		if (strcmp(types[i].name, name) == 0) {
			*ret_type = types[i].type;
			return true;
		}
	}
	if (strncmp(name, "TYPE", 4) != 0 || text.len == 4)
		return false;
	for (size_t i = 4; i < text.len; i++) {
		if (name[i] < '0' || name[i] > '9')
			return false;
		number = number * 10 + (uint32_t)(name[i] - '0');
		if (number > UINT16_MAX)
			return false;
	}
	if (is_query_only(number))
		return false;
	*ret_type = (uint16_t)number;
	return true;
}
