/* fs/text/ttl.h - times in zone text: seconds, or numbers with units (BIND's form: 1w2d3h4m5s, in any case). Pure. */
#pragma once
#include "store/base/bytes.h"

enum zn_ttl_form {
	ZN_TTL_NONE,	/* the word is no time at all */
	ZN_TTL_OK,
	ZN_TTL_LARGE,	/* a time, above ZN_TTL_MAX */
};
/* ret_ttl is set for ZN_TTL_OK only. */
enum zn_ttl_form zn_ttl_read(struct zn_view word, uint32_t *ret_ttl);
