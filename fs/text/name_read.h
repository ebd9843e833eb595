/* fs/text/name_read.h - a token to a name. RFC 1035 5.1; docs/dialect.md, names. Pure. */
#pragma once
#include "fs/text/split.h"
#include "store/dns/name.h"

#define ZN_NAME_FAULT_MAX 96

/* Wire form at `out`; relative names and "@" get the origin behind them. Any byte can be part of a name, printable ones
 * as they are but `"`, `(`, `)`, `;` and `\`, all others as \DDD. Returns the bytes written; 0: no name, and `fault` (NULL:
 * nobody asks) says why. */
size_t zn_name_read(const struct zn_token *token, const struct zn_name *origin, uint8_t out[static ZN_NAME_MAX],
	char fault[ZN_NAME_FAULT_MAX]);

/* A relative name that ends in the apex as if it were absolute: www.example.com in the zone example.com has most likely
 * lost its dot. `apex` is not empty: the presentation form without the dot; "." never matches. */
bool zn_name_lacks_dot(const struct zn_token *token, struct zn_view apex);
