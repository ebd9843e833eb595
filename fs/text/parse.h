/* fs/text/parse.h - master-file text to a zone. RFC 1035 5, RFC 2308 4 ($TTL), RFC 3597 5; our reading of their ambiguities is
 * docs/dialect.md. Pure; the arrow to libzscanner lives behind it. */
#pragma once
#include "fs/text/finding.h"
#include "store/dns/owners.h"
#include "store/dns/zone.h"

/* What an entry inherits from those before it. */
struct zn_text_state {
	struct zn_name origin;
	struct zn_name owner;		/* len 0: none yet */
	bool default_ttl_known;		/* $TTL */
	bool last_ttl_known;
	uint32_t default_ttl, last_ttl;
};

enum zn_item_kind { ZN_ITEM_RECORD = 0, ZN_ITEM_GENERATE = 1, ZN_ITEM_INCLUDE = 2 };
/* One entry that yields records. What lies between two (comments, blank lines, directives) is nobody's item. */
struct zn_item {
	size_t offset, len;	/* bytes of the text: from the first token to the newline, which is included */
	enum zn_item_kind kind;
	uint64_t records;	/* 1 for a record */
	uint64_t hash;		/* sum of zn_record_hash() mod 2^48 */
};
/* Hears of every item in order of place, with the state behind it, and of every other entry end (item NULL) where a text may be cut. */
struct zn_parse_sink {
	void *context;
	void (*entry)(void *context, const struct zn_item *item, size_t end, const struct zn_text_state *after);
};

struct zn_parse_options {
	const struct zn_name *apex;		/* becomes the origin; every owner must lie within */
	const struct zn_parse_sink *sink;	/* NULL: nobody wants the items; record hashes are then not made */
	struct zn_check_options check;
	bool strict;				/* warnings become errors */
	bool presigned_refused;			/* presigned=refuse */
	/* Hears of every error that zn_check_zone() finds, with the bytes of its entry (empty: about the zone as a whole); true makes a warning of
	 * it: the stored zone has the same fault in a line that the writer did not touch (zone-text 2). NULL: nobody knows of any. */
	bool (*known_fault)(void *context, struct zn_view entry, const char *sentence);
	void *known_context;
};
struct zn_parsed {
	struct zn_zone *zone;		/* finished and checked; tag of a record = number of its entry */
	size_t serial_offset, serial_len; /* where the SOA's serial stands in the text */
	uint32_t serial;
	bool presigned;
	struct zn_zone_mode signing;	/* presigned: its chain, which was found to be what PowerDNS will derive */
};
void zn_parsed_release(struct zn_parsed *parsed);

/* Parse and judge a whole text (at most ZN_TEXT_MAX bytes; borrowed for the call).
 * `findings` gets everything wrong, sorted; required. ZN_ESYNTAX: it has errors, ret_parsed untouched. ZN_ETOOBIG, ZN_ENOMEM. */
ZN_MUST_USE enum zn_code zn_parse(struct zn_view text, const struct zn_parse_options *options, struct zn_findings *findings,
	struct zn_parsed *ret_parsed, struct zn_err *err);

/* Rule 19: the first syntax error that no later text can repair in the complete lines of a text that is still being written; false: none. A bounded
 * scan, no zone is built. `state` is carried from call to call (zn_prescan_init), `from` is where the last call stopped. */
struct zn_prescan;
ZN_MUST_USE enum zn_code zn_prescan_new(const struct zn_name *apex, struct zn_prescan **ret_scan);
void zn_prescan_free(struct zn_prescan *scan);
bool zn_prescan_bad(struct zn_prescan *scan, struct zn_view new_bytes);
