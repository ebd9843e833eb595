/* fs/text/print.h - a zone as canonical master-file text: parse(print(z)) = z, and
 * print(parse(print(z))) is the same bytes. $ORIGIN and $TTL first, then a line a record in
 * columns, names relative to the apex, the SOA in parentheses with its fields named.
 * docs/dialect.md, printing. Pure.
 *
 * One table of ours says how each type is written, so that every node prints the same whatever
 * libraries it has. RDATA that does not fit its type, and types without a mnemonic that name
 * servers in use know, are written as RFC 3597 says (\# length hex). */
#pragma once
#include "store/dns/zone.h"

/* Appends to `out`; at the end and whenever `out` has grown large (a quarter MiB) it goes through
 * `flush`, which takes what is in `out` and clears it: a million records are printed without 50 MB
 * of memory. flush NULL: all of it stays in `out`. A failure of flush ends it. */
ZN_MUST_USE enum zn_code zn_print_zone(const struct zn_zone *zone, struct zn_buf *out,
		enum zn_code (*flush)(void *context, struct zn_buf *out), void *context,
		struct zn_err *err);
/* RDATA alone, on one line. Names absolute when `apex` is NULL, else relative where they end with
 * its very bytes (case is kept). */
void zn_print_rdata(uint16_t type, struct zn_view rdata, const struct zn_name *apex,
		struct zn_buf *out);
