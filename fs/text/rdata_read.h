/* fs/text/rdata_read.h - the words of a record to RDATA.
 *
 * Plain forms are read here, fast. Whatever is not plain (mnemonics of algorithms, units, odd spellings, everything
 * wrong) is left to libzscanner (scanner.h), which is the judge of what is right; only for the few types that it does not
 * know our word is final. docs/dialect.md, records. */
#pragma once
#include "fs/text/form.h"
#include "fs/text/split.h"
#include "store/base/limits.h"
#include "store/dns/name.h"

struct zn_rdata_words {
	uint16_t type;
	const struct zn_token *tokens;
	size_t count;
	const struct zn_name *origin;	/* of relative names */
	struct zn_view other_apex;	/* presentation form without the dot, where the origin is not the apex; else empty */
};

/* What is right but should be told. NULL: nothing. */
struct zn_rdata_notes {
	const struct zn_token *long_string;	/* over 255 bytes, and now several strings */
	const struct zn_token *lacks_dot;	/* zn_name_lacks_dot() of the apex; where it is the origin, zn_check_zone() tells */
};

/* What is wrong. token NULL: something is missing at the end. */
struct zn_rdata_fault {
	const struct zn_token *token;
	char sentence[200];
};

enum zn_rdata_result {
	ZN_RDATA_OK,
	ZN_RDATA_DOUBT,	/* ask libzscanner */
	ZN_RDATA_FAULT,	/* it is wrong, whoever is asked */
};

/* `out` has room for ZN_RR_MAX bytes. ret_notes are added to. */
enum zn_rdata_result zn_rdata_read(const struct zn_rdata_words *words, uint8_t out[static ZN_RR_MAX], size_t *ret_len,
	struct zn_rdata_notes *ret_notes, struct zn_rdata_fault *ret_fault);

/* The words say \#: RFC 3597 5. Not yet judged is whether the type has such RDATA. */
bool zn_rdata_is_generic(const struct zn_rdata_words *words);
