#include "fs/text/ttl.h"

#include "store/base/limits.h"

static uint32_t unit_seconds(uint8_t unit)
{
	switch (unit | 0x20) {
	case 's':
		return 1;
	case 'm':
		return 60;
	case 'h':
		return 3600;
	case 'd':
		return 86400;
	case 'w':
		return 604800;
	default:
		return 0;
	}
}

enum zn_ttl_form zn_ttl_read(struct zn_view word, uint32_t *ret_ttl)
{
	const uint64_t above = (uint64_t)ZN_TTL_MAX + 1;	/* whatever is larger stays this */
	uint64_t sum = 0;
	bool units = false;

	for (size_t at = 0; at < word.len;) {
		uint64_t number = 0;
		size_t digits = 0;
		for (; at < word.len && word.data[at] >= '0' && word.data[at] <= '9'; at++, digits++)
			number = number < above ? number * 10 + (uint64_t)(word.data[at] - '0') : above;
		if (digits == 0)
			return ZN_TTL_NONE;
		if (at < word.len) {
			uint32_t seconds = unit_seconds(word.data[at++]);
			if (seconds == 0)
				return ZN_TTL_NONE;
			number *= seconds;
			units = true;
		} else if (units) {
			return ZN_TTL_NONE;	/* 1h30: minutes or seconds? */
		}
		sum = sum + number < above ? sum + number : above;
	}
	if (word.len == 0)
		return ZN_TTL_NONE;
	if (sum >= above)
		return ZN_TTL_LARGE;
	*ret_ttl = (uint32_t)sum;
	return ZN_TTL_OK;
}
