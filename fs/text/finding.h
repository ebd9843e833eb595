/* fs/text/finding.h - what we tell the person who wrote the text. zone-text 2; docs/dialect.md.
 *
 *   example.com.zone:14:9: error: invalid IPv4 address
 *     www  A  192.0.2.999
 *             ^
 * All of them, in order of place, the same words from `zonefs check`, a refused save and the log. */
#pragma once
#include "store/base/auto.h"
#include "store/base/bytes.h"
#include "store/dns/check.h"

struct zn_finding {
	uint32_t line, column;	/* from 1, columns in bytes; line 0: about the text as a whole */
	enum zn_severity severity;
	char *sentence;		/* owned by the list */
};
struct zn_findings {
	struct zn_finding *list;
	size_t count;
	size_t errors, warnings;	/* found, kept or not (ZN_FINDINGS_MAX; errors are kept before warnings) */
	size_t kept_warnings;
};

/* Begins as {0}. */
void zn_findings_release(struct zn_findings *findings);
/* Out of memory loses the sentence, never the count. */
void zn_findings_add(struct zn_findings *findings, uint32_t line, uint32_t column, enum zn_severity severity, const char *format, ...)
	ZN_PRINTF(5, 6);
void zn_findings_sort(struct zn_findings *findings);
/* Appends every finding as above; `file` is what to call the text. The source line is shown cut to a sane width, control bytes made visible. */
void zn_findings_render(const struct zn_findings *findings, const char *file, struct zn_view text, struct zn_buf *out);
