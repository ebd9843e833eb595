#include "store/dns/serial.h"

#include <time.h>

static const char *const policies[] = {
	[ZN_SERIAL_AUTO] = "auto",
	[ZN_SERIAL_KEEP] = "keep",
	[ZN_SERIAL_INCREASE] = "increase",
	[ZN_SERIAL_DATE] = "date",
	[ZN_SERIAL_EPOCH] = "epoch",
};

bool zn_serial_policy_from_text(struct zn_view text, enum zn_serial_policy *ret_policy)
{
	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
		if (zn_view_is(text, policies[i])) {
			*ret_policy = (enum zn_serial_policy)i;
			return true;
		}
	}
	return false;
}

const char *zn_serial_policy_text(enum zn_serial_policy policy)
{
	return policies[policy];
}

/* 0 is a serial like any other (RFC 1982), but servers have read it as "none": it is skipped. */
static uint32_t plus_one(uint32_t serial)
{
	return serial == UINT32_MAX ? 1 : serial + 1;
}

/* YYYYMMDDnn of a day that could have been written by a person. */
static bool is_date(uint32_t serial)
{
	uint32_t year = serial / 1000000, month = serial / 10000 % 100, day = serial / 100 % 100;

	return year >= 1980 && year < 2200 && month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

/* Seconds since 1970, from 2001 (ten digits) to a day from now. */
static bool is_epoch(uint32_t serial, uint32_t seconds)
{
	return serial >= 1000000000 && serial <= (uint64_t)seconds + 86400;
}

uint32_t zn_serial_next(uint32_t current, enum zn_serial_policy policy, struct zn_stamp now)
{
	uint32_t seconds = (uint32_t)(now.ns / ZN_NS_PER_S), next = 0;
	time_t time = (time_t)(now.ns / ZN_NS_PER_S);
	struct tm day;

	if (policy == ZN_SERIAL_AUTO)
		policy = is_date(current) ? ZN_SERIAL_DATE
			: is_epoch(current, seconds) ? ZN_SERIAL_EPOCH
			: ZN_SERIAL_INCREASE;
	switch (policy) {
	case ZN_SERIAL_KEEP:
		return current;
	case ZN_SERIAL_DATE:
		gmtime_r(&time, &day);
		next = (((uint32_t)day.tm_year + 1900) * 100 + (uint32_t)day.tm_mon + 1) * 10000 +
			(uint32_t)day.tm_mday * 100 + 1;
		break;
	case ZN_SERIAL_EPOCH:
		next = seconds;
		break;
	case ZN_SERIAL_AUTO:
	case ZN_SERIAL_INCREASE:
		next = plus_one(current);
		break;
	}
	return zn_serial_newer(next, current) ? next : plus_one(current);
}
