/* fs/text/zonefile.h - file name <-> zone name. editor-behaviour rule 8; docs/dialect.md, file names. Pure.
 *
 *   example.com.zone                 example.com
 *   0=2F25.2.0.192.in-addr.arpa.zone 0/25.2.0.192.in-addr.arpa
 *   =2E.zone                         the root
 *   example.org..internal.zone       variant "internal" of example.org (PowerDNS views)
 *
 * Behind =XX (two hex digits) stands one byte of the zone name's presentation form, as in zone ids of the PowerDNS
 * API. Letters, digits, "-", "_" and "." stand for themselves, any other byte must be written as =XX. */
#pragma once
#include "store/base/auto.h"
#include "store/dns/name.h"

#define ZN_FILENAME_MAX 255	/* bytes, NAME_MAX of Linux */
#define ZN_VARIANT_TEXT_MAX 64	/* bytes with the NUL: ZN_VARIANT_MAX + 1 of store/zones.h */

/* The zone that a file of this name is: it ends in ".zone", does not begin with "." or "#", and the rest is a domain
 * name. Any spelling is read (case, needless escapes); ret_name is lower case, variant "" for the zone itself. false: no
 * zone, and nothing is written. */
bool zn_zone_from_filename(struct zn_view filename, struct zn_name *ret_name, char variant[static ZN_VARIANT_TEXT_MAX]);

/* The one canonical spelling: lower case, upper-case hex digits, only what must be escaped. ZN_ETOOBIG: longer than a
 * file name can be. */
ZN_MUST_USE enum zn_code zn_zone_to_filename(const struct zn_name *name, const char *variant, char filename[static ZN_FILENAME_MAX + 1]);

/* The name is a zone's, spelled canonically: EXAMPLE.com.zone is not. */
bool zn_zone_filename_is_canonical(struct zn_view filename);
