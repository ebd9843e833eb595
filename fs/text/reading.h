/* fs/text/reading.h - one pass over a text, entry by entry: what each inherits, what it yields, what is wrong with it.
 * Within fs/text only: parse.h and its prescan are what others see. */
#pragma once
#include "fs/text/parse.h"
#include "fs/text/rdata_read.h"
#include "fs/text/record.h"
#include "fs/text/scanner.h"
#include "fs/text/split.h"

/* One record, for the call. */
struct zn_read_record {
	struct zn_view owner;			/* key relative to the apex */
	struct zn_view rdata;
	uint32_t ttl;
	uint16_t type;
	const struct zn_record_words *words;	/* of the text; NULL for those of $GENERATE */
};

enum zn_owner_state {
	ZN_OWNER_NONE,		/* none yet */
	ZN_OWNER_OK,
	ZN_OWNER_BAD,		/* told already: records under it are read, but not handed on */
};

struct zn_reading {
	/* Given. */
	struct zn_view text;
	const struct zn_name *apex;
	struct zn_findings *findings;
	bool strict;				/* warnings become errors */
	void (*record)(void *context, const struct zn_read_record *record);
	void *context;
	/* Where it stands. */
	struct zn_splitter splitter;
	struct zn_entry entry;			/* the last one read */
	uint32_t number;			/* of that entry, from 0; a record's tag */
	struct zn_text_state state;
	enum zn_owner_state owner;		/* of state.owner */
	struct zn_key owner_key;
	enum zn_item_kind kind;			/* of the entry, when it yields records */
	bool origin_is_apex;
	size_t errors;				/* told; not the warnings that strictness made errors */
	bool inherits_told;			/* the warning about TTLs that are not given */
	/* While $GENERATE runs: findings are about its line, whatever the words at hand. */
	const struct zn_token *generated_from;
	uint32_t generated_number;
	/* Means. */
	char apex_text[ZN_NAME_TEXT_MAX];
	struct zn_scanner *scanner;		/* made when it is needed first */
	uint8_t *rdata;				/* ZN_RR_MAX bytes */
	enum zn_code failed;			/* ZN_ENOMEM */
};

/* Sets up what is not given. ZN_ENOMEM. */
ZN_MUST_USE enum zn_code zn_reading_init(struct zn_reading *reading);
void zn_reading_release(struct zn_reading *reading);
/* Reads one entry and hands its records on; false: the end, or `failed`. */
bool zn_reading_next(struct zn_reading *reading);

/* An error or warning at a word; NULL: behind the last word of the entry. */
void zn_reading_tell(struct zn_reading *reading, const struct zn_token *token, enum zn_severity severity, const char *format, ...)
	ZN_PRINTF(4, 5);
/* The same at a byte of the text. */
void zn_reading_tell_at(struct zn_reading *reading, size_t offset, enum zn_severity severity, const char *format, ...)
	ZN_PRINTF(4, 5);

/* directives.c: the entry begins with "$". */
void zn_reading_directive(struct zn_reading *reading);
/* The owner of the records that follow. */
void zn_reading_owner(struct zn_reading *reading, const struct zn_token *token);
/* Data to a record, under the current owner. false: told. */
bool zn_reading_record(struct zn_reading *reading, const struct zn_record_words *words, bool generated);
