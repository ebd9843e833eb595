/* fs/save/zoneid.h - zones as people, events and logs call them. File names are fs/text/zonefile.h's. */
#pragma once
#include "store/zones.h"

#define ZN_ZONEID_TEXT_MAX (ZN_NAME_TEXT_MAX + 2 + ZN_VARIANT_MAX)
/* "example.com", or "example.org..internal" for a variant. Returns text. */
char *zn_zoneid_text(const struct zn_zone_id *zone, char text[static ZN_ZONEID_TEXT_MAX]);
bool zn_zoneid_equal(const struct zn_zone_id *a, const struct zn_zone_id *b);
/* Appends what a zone is kept under in rooms of store/local.h: wire form, and the variant behind it. */
#define ZN_ZONEID_KEY_MAX (ZN_NAME_MAX + ZN_VARIANT_MAX)
void zn_zoneid_key(const struct zn_zone_id *zone, struct zn_buf *out);
