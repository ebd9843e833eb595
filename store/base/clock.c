#include "store/base/clock.h"

#include <stdatomic.h>
#include <stdio.h>

static _Atomic uint64_t frozen_ns;

static uint64_t read_clock(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return zn_stamp_from_timespec(now).ns;
}

struct zn_stamp zn_clock_now(void)
{
	uint64_t frozen = atomic_load(&frozen_ns);

	return (struct zn_stamp){frozen ? frozen : read_clock(CLOCK_REALTIME)};
}

uint64_t zn_clock_mono(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

void zn_clock_set(struct zn_stamp now)
{
	atomic_store(&frozen_ns, now.ns);
}

const char *zn_stamp_text(struct zn_stamp s, char text[static ZN_STAMP_TEXT_MAX])
{
	struct timespec t = zn_stamp_timespec(s);
	struct tm utc;

	if (!gmtime_r(&t.tv_sec, &utc) || utc.tm_year > 8099) {
		snprintf(text, ZN_STAMP_TEXT_MAX, "%llu", (unsigned long long)s.ns);
		return text;
	}
	size_t len = strftime(text, ZN_STAMP_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(text + len, ZN_STAMP_TEXT_MAX - len, ".%09ldZ", t.tv_nsec);
	return text;
}
