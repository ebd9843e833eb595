/* fs/text/print.h - a zone as canonical master-file text: parse(print(z)) = z, and print(parse(print(z))) is the same bytes. Aligned, names relative
 * to the apex, SOA fields commented, $ORIGIN and $TTL first. docs/dialect.md, printing. Pure; libknot prints what our table leaves to it. */
#pragma once
#include "store/dns/zone.h"

/* Appends to `out`. Parts of a bounded size go through `flush` when it is not NULL (a million records are printed without 50 MB of memory):
 * flush takes what is in `out` and clears it. ret_serial_* may be NULL: where the serial stands. */
ZN_MUST_USE enum zn_code zn_print_zone(const struct zn_zone *zone, struct zn_buf *out, enum zn_code (*flush)(void *context, struct zn_buf *out),
	void *context, struct zn_err *err);
/* RDATA alone, on one line, names absolute when `apex` is NULL, else relative where they lie within. RFC 3597 form for what nobody can read. */
void zn_print_rdata(uint16_t type, struct zn_view rdata, const struct zn_name *apex, struct zn_buf *out);
