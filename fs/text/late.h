/* fs/text/late.h - findings about records, found when the text has been read: tags become lines and columns by going over
 * the text once more, when there is something to tell at all. Within fs/text only. */
#pragma once
#include "fs/text/parse.h"

#define ZN_LATE_NONE UINT32_MAX	/* tag: the zone as a whole; other: no second record */

struct zn_late {
	uint32_t tag, other;	/* numbers of entries */
	enum zn_check_part part;
	enum zn_severity severity;
	char *sentence;
	uint32_t line, column, other_line;	/* 0: none */
};
/* Begins as {0}. Bounded like findings: at most ZN_FINDINGS_MAX are kept, errors before warnings. */
struct zn_lates {
	struct zn_late *list;
	size_t count, kept_warnings;
	size_t dropped_errors, dropped_warnings;
	bool failed;		/* no memory */
};
void zn_lates_release(struct zn_lates *lates);
void zn_lates_add(struct zn_lates *lates, const struct zn_late *late);

/* Puts them among the findings, with `options` for what is strict and what is known. ZN_ENOMEM. */
ZN_MUST_USE enum zn_code zn_lates_tell(struct zn_lates *lates, struct zn_view text, const struct zn_parse_options *options,
	struct zn_findings *findings);
