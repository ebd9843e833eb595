#include "fs/save/zoneid.h"

#include <stdio.h>

char *zn_zoneid_text(const struct zn_zone_id *zone, char text[static ZN_ZONEID_TEXT_MAX])
{
	zn_name_plain(&zone->name, text);
	if (zone->variant[0]) {
		size_t len = strlen(text);

		snprintf(text + len, ZN_ZONEID_TEXT_MAX - len, "..%s", zone->variant);
	}
	return text;
}

bool zn_zoneid_equal(const struct zn_zone_id *a, const struct zn_zone_id *b)
{
	return zn_name_equal(&a->name, &b->name) && strcmp(a->variant, b->variant) == 0;
}

void zn_zoneid_key(const struct zn_zone_id *zone, struct zn_buf *out)
{
	zn_buf_add(out, zn_name_view(&zone->name));
	zn_buf_add_str(out, zone->variant);
}
