#include "fs/save/events.h"

#include <pthread.h>
#include <stdlib.h>

/* Bytes of the stream at offset o lie at ring[o % size]; [begin, end) are there, begin at the start of a line. */
struct zn_events {
	pthread_mutex_t lock; /* guards all below */
	uint64_t begin, end;
	void (*posted)(void *context);
	void *posted_context;
	size_t size;
	uint8_t ring[];
};

enum zn_code zn_events_new(size_t ring_bytes, struct zn_events **ret_events)
{
	struct zn_events *events = calloc(1, sizeof *events + ring_bytes);

	if (!events)
		return ZN_ENOMEM;
	pthread_mutex_init(&events->lock, NULL);
	events->size = ring_bytes;
	*ret_events = events;
	return ZN_OK;
}

void zn_events_free(struct zn_events *events)
{
	if (!events)
		return;
	pthread_mutex_destroy(&events->lock);
	free(events);
}

/* Length of the UTF-8 sequence of more than one byte at `i`; 0: there is none. */
static size_t utf8_sequence(struct zn_view text, size_t i)
{
	uint8_t c = text.data[i];
	size_t len = c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;

	if (len > text.len - i)
		return 0;
	for (size_t k = 1; k < len; k++)
		if ((text.data[i + k] & 0xc0) != 0x80)
			return 0;
	if ((c == 0xe0 && text.data[i + 1] < 0xa0) || (c == 0xed && text.data[i + 1] >= 0xa0) ||
		(c == 0xf0 && text.data[i + 1] < 0x90) || (c == 0xf4 && text.data[i + 1] >= 0x90))
		return 0; /* overlong, surrogate, beyond U+10FFFF */
	return len;
}

void zn_json_string(struct zn_buf *out, struct zn_view text)
{
	zn_buf_add_byte(out, '"');
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];
		size_t sequence = utf8_sequence(text, i);

		if (sequence) {
			zn_buf_add(out, zn_view_sub(text, i, sequence));
			i += sequence - 1;
		} else if (c == '"' || c == '\\') {
			zn_buf_add_byte(out, '\\');
			zn_buf_add_byte(out, c);
		} else if (c == '\n') {
			zn_buf_add_str(out, "\\n");
		} else if (c == '\t') {
			zn_buf_add_str(out, "\\t");
		} else if (c < 0x20 || c >= 0x7f) {
			/* Bytes of zone text need not be UTF-8: shown as the character of that number. */
			zn_buf_addf(out, "\\u%04x", c);
		} else {
			zn_buf_add_byte(out, c);
		}
	}
	zn_buf_add_byte(out, '"');
}

/* Both with the lock held. */
static void forget_first_line(struct zn_events *events)
{
	while (events->begin < events->end)
		if (events->ring[events->begin++ % events->size] == '\n')
			return;
}

static void append(struct zn_events *events, struct zn_view line)
{
	while (events->end - events->begin + line.len > events->size)
		forget_first_line(events);
	for (size_t done = 0; done < line.len;) {
		size_t at = (size_t)(events->end % events->size);
		size_t part = line.len - done < events->size - at ? line.len - done : events->size - at;

		memcpy(events->ring + at, line.data + done, part);
		events->end += part;
		done += part;
	}
}

void zn_events_post(struct zn_events *events, const char *kind, const char *zone, const char *members)
{
	ZN_AUTO(zn_buf_release) struct zn_buf line = ZN_BUF_INIT(events->size);
	char time[ZN_STAMP_TEXT_MAX];

	zn_buf_addf(&line, "{\"time\":\"%s\",\"event\":", zn_stamp_text(zn_clock_now(), time));
	zn_json_string(&line, zn_view_str(kind));
	if (zone) {
		zn_buf_add_str(&line, ",\"zone\":");
		zn_json_string(&line, zn_view_str(zone));
	}
	zn_buf_add_str(&line, members);
	zn_buf_add_str(&line, "}\n");
	if (line.failed)
		return; /* longer than the ring, or no memory: nobody could read it */

	pthread_mutex_lock(&events->lock);
	append(events, zn_buf_view(&line));
	void (*posted)(void *context) = events->posted;
	void *context = events->posted_context;
	pthread_mutex_unlock(&events->lock);
	if (posted)
		posted(context);
}

enum zn_code zn_events_read(struct zn_events *events, uint64_t *offset, size_t max, struct zn_buf *out)
{
	pthread_mutex_lock(&events->lock);
	if (*offset < events->begin)
		*offset = events->begin;
	if (*offset > events->end)
		*offset = events->end;
	uint64_t left = events->end - *offset;
	if (left > max)
		left = max;
	while (left && !out->failed) {
		size_t at = (size_t)(*offset % events->size);
		size_t part = left < events->size - at ? (size_t)left : events->size - at;

		zn_buf_add(out, zn_view(events->ring + at, part));
		*offset += part;
		left -= part;
	}
	bool at_end = out->len == 0 && *offset == events->end;
	pthread_mutex_unlock(&events->lock);
	if (out->failed)
		return out->failed;
	return at_end ? ZN_EAGAIN : ZN_OK;
}

uint64_t zn_events_end(struct zn_events *events)
{
	pthread_mutex_lock(&events->lock);
	uint64_t end = events->end;
	pthread_mutex_unlock(&events->lock);
	return end;
}

void zn_events_on_post(struct zn_events *events, void (*posted)(void *context), void *context)
{
	pthread_mutex_lock(&events->lock);
	events->posted = posted;
	events->posted_context = context;
	pthread_mutex_unlock(&events->lock);
}
