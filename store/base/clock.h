/* store/base/clock.h - stamps and deadlines, from a clock that a test can set. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* A point in time as the databases keep it: ns since 1970. Its own type, so that it cannot be passed
 * as a txnid or a duration. */
struct zn_stamp {
	uint64_t ns;
};

#define ZN_NS_PER_S UINT64_C(1000000000)
#define ZN_NS_PER_MS UINT64_C(1000000)

/* CLOCK_REALTIME, or what a test has set. */
struct zn_stamp zn_clock_now(void);
/* CLOCK_MONOTONIC in ns: for durations and deadlines; never stored. */
uint64_t zn_clock_mono(void);

/* Tests only: freeze the wall clock at `now`; ns = 0 sets it free again. Thread-safe. */
void zn_clock_set(struct zn_stamp now);

static inline struct timespec zn_stamp_timespec(struct zn_stamp s)
{
	return (struct timespec){(time_t)(s.ns / ZN_NS_PER_S), (long)(s.ns % ZN_NS_PER_S)};
}

static inline struct zn_stamp zn_stamp_from_timespec(struct timespec t)
{
	return (struct zn_stamp){(uint64_t)t.tv_sec * ZN_NS_PER_S + (uint64_t)t.tv_nsec};
}

/* "2026-11-27T02:09:38.123456789Z", for people and JSON; NUL-terminated. */
#define ZN_STAMP_TEXT_MAX 32
const char *zn_stamp_text(struct zn_stamp s, char text[static ZN_STAMP_TEXT_MAX]);
