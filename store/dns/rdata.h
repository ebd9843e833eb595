/* store/dns/rdata.h - what must be known of RDATA without printing it. RFC 1035 3.3, RFC 3597 4. */
#pragma once
#include "store/dns/name.h"
#include "store/dns/rrtype.h"

/* Expands what PowerDNS compressed (docs/format.md, records): pointers are relative to an imaginary message in which
 * the absolute `owner` stands at offset 17 and the RDATA at 27 + its length. Bounded, backwards only. Appends the
 * uncompressed RDATA to `out`; for types without compressible names the bytes as they are.
 * ZN_ECORRUPT: a pointer that leads nowhere, or RDATA that does not fit its type. */
ZN_MUST_USE enum zn_code zn_rdata_expand(uint16_t type, struct zn_view rdata, const struct zn_name *owner,
	struct zn_buf *out);
/* true when zn_rdata_expand() would return the bytes unchanged. */
bool zn_rdata_is_plain(uint16_t type, struct zn_view rdata);

/* Domain names within RDATA, in order, for checks (targets of NS, MX, SRV, CNAME …). Returns how many of at most `max`
 * were written; types without names yield 0. RDATA must be uncompressed. */
size_t zn_rdata_names(uint16_t type, struct zn_view rdata, struct zn_name *ret_names, size_t max);

/* RDATA of a known type has the fields the type demands and nothing behind them. Unknown types are always well-formed. */
bool zn_rdata_well_formed(uint16_t type, struct zn_view rdata);

/* SOA: the five numbers are the last 20 bytes. false: shorter than that. */
struct zn_soa_times {
	uint32_t serial, refresh, retry, expire, minimum;
};
bool zn_rdata_soa(struct zn_view rdata, struct zn_soa_times *ret_times);
