/* fs/text/scanner.h - the words of one record to libzscanner, and what it makes of them. The only place that knows it.
 *
 * It is given a line of our own making, so that owners, TTLs, classes, directives, comments, parentheses and line ends
 * are no concern of its; and each complaint comes back as the word it is about and a sentence for people. */
#pragma once
#include "fs/text/rdata_read.h"
#include "store/base/auto.h"

struct zn_scanner;	/* some 200 KB */
ZN_MUST_USE enum zn_code zn_scanner_new(struct zn_scanner **ret_scanner);
void zn_scanner_free(struct zn_scanner *scanner);
ZN_DEFINE_AUTO(struct zn_scanner, zn_scanner_free)

/* As zn_rdata_read(), never in doubt: for types whose form is libzscanner's. ZN_ENOMEM; ZN_ESYNTAX: see ret_fault. */
ZN_MUST_USE enum zn_code zn_scanner_read(struct zn_scanner *scanner, const struct zn_rdata_words *words,
	uint8_t out[static ZN_RR_MAX], size_t *ret_len, struct zn_rdata_fault *ret_fault);
