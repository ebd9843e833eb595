/* fs/save/events.h - the event stream: one JSON line an event, kept in a bounded ring; .zonefs/events reads it (details.md 16). Thread-safe. */
#pragma once
#include "store/base/auto.h"
#include "store/base/bytes.h"
#include "store/base/clock.h"

struct zn_events;
ZN_MUST_USE enum zn_code zn_events_new(size_t ring_bytes, struct zn_events **ret_events);
void zn_events_free(struct zn_events *events);

/* Adds {"time":"…","event":kind,"zone":zone, …members}; `members` is "" or ",\"serial\":7" in JSON already. */
void zn_events_post(struct zn_events *events, const char *kind, const char *zone, const char *members);
/* A string as a JSON string with its quotes. */
void zn_json_string(struct zn_buf *out, struct zn_view text);

/* Bytes from `offset` on (offsets count all bytes ever posted; what fell out of the ring is skipped to the next whole line). ZN_EAGAIN at the end. */
ZN_MUST_USE enum zn_code zn_events_read(struct zn_events *events, uint64_t *offset, size_t max, struct zn_buf *out);
uint64_t zn_events_end(struct zn_events *events);
/* Called after each post, without locks, must not block: whoever parks reads. */
void zn_events_on_post(struct zn_events *events, void (*posted)(void *context), void *context);
