/* fs/text/generate.h - the templates of $GENERATE, as BIND has them (ARM, "The $GENERATE Directive").
 *
 *   $GENERATE start-stop[/step] owner [TTL] [class] type data
 *
 * In owner and data, $ stands for the number, ${offset,width,base} for the number plus offset, padded to width, in base
 * d, o, x, X, n or N (nibbles, lowest first, with dots), $$ and \$ for a dollar sign. Pure. */
#pragma once
#include "store/base/bytes.h"

struct zn_range {
	uint32_t start, stop, step;
};
/* Sentence on failure (NULL: none). At most ZN_GENERATE_MAX steps. */
const char *zn_range_read(struct zn_view text, struct zn_range *ret_range);

/* Appends `text` with `number` put in. A sentence on failure (NULL: none): a broken ${}, or a number below 0. */
const char *zn_generate_expand(struct zn_view text, uint32_t number, struct zn_buf *out);
