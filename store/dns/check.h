/* store/dns/check.h - what a zone must satisfy before it may be stored. On records, no text: the text layer turns
 * tags into lines. Severities are one table, here in check.c and in docs/dialect.md. Pure. */
#pragma once
#include "store/dns/zone.h"

enum zn_severity { ZN_SEVERITY_ERROR, ZN_SEVERITY_WARNING };

struct zn_check_options {
	bool signed_zone;	/* we hold keys: TTLs that differ within an RRset are an error */
	bool presigned;		/* RRSIG and the chain are part of the zone, TTLs as above */
	bool nsec;		/* signed with NSEC: NS occluded by another cut is told */
};

/* Which part of the record the finding is about, so that the text layer can point at it. */
enum zn_check_part {
	ZN_PART_OWNER,
	ZN_PART_TTL,
	ZN_PART_TYPE,
	ZN_PART_RDATA,
	ZN_PART_TARGET,	/* the name within RDATA: target of NS, MX, SRV, CNAME; the mail name of a SOA */
};

/* Hears every finding, in record order. `index` is the record it is about, `other` a second one it clashes with
 * (SIZE_MAX: none). Both SIZE_MAX: about the zone as a whole. `sentence` is lower case, without a dot, valid for the call. */
typedef void zn_check_report(void *context, enum zn_severity severity, size_t index, size_t other, enum zn_check_part part,
	const char *sentence);

/* Reports everything wrong with a finished zone; returns the number of errors (warnings not counted). */
size_t zn_check_zone(const struct zn_zone *zone, const struct zn_check_options *options, zn_check_report *report, void *context);

/* SOA and RRSIG over it and DNSKEY at the apex: a text that is signed already. */
bool zn_zone_is_presigned(const struct zn_zone *zone);
