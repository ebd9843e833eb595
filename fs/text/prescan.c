#include "fs/text/reading.h"
#include "store/base/limits.h"

struct zn_prescan {
	struct zn_name apex;
	struct zn_reading reading;
	struct zn_findings findings;
	struct zn_buf tail;	/* what is not read yet: an entry that is not complete */
};

static void forget(void *context, const struct zn_read_record *record)
{
	(void)context;
	(void)record;
}

enum zn_code zn_prescan_new(const struct zn_name *apex, struct zn_prescan **ret_scan)
{
	struct zn_prescan *scan = calloc(1, sizeof(*scan));

	if (!scan)
		return ZN_ENOMEM;
	scan->apex = *apex;
	scan->reading = (struct zn_reading){.apex = &scan->apex, .findings = &scan->findings, .record = forget};
	zn_buf_init(&scan->tail, ZN_TEXT_MAX);
	if (zn_reading_init(&scan->reading) != ZN_OK) {
		zn_prescan_free(scan);
		return ZN_ENOMEM;
	}
	/* What is appended may lean on a text that we have not seen: any owner and any TTL may be known there. */
	scan->reading.state.owner = *apex;
	scan->reading.owner = ZN_OWNER_OK;
	scan->reading.owner_key = (struct zn_key){.len = 1};
	scan->reading.state.last_ttl_known = true;
	*ret_scan = scan;
	return ZN_OK;
}

void zn_prescan_free(struct zn_prescan *scan)
{
	if (!scan)
		return;
	zn_reading_release(&scan->reading);
	zn_findings_release(&scan->findings);
	zn_buf_release(&scan->tail);
	free(scan);
}

bool zn_prescan_bad(struct zn_prescan *scan, struct zn_view new_bytes)
{
	struct zn_reading *reading = &scan->reading;
	size_t done = 0;

	zn_buf_add(&scan->tail, new_bytes);
	const uint8_t *newline = scan->tail.len ? memrchr(scan->tail.data, '\n', scan->tail.len) : NULL;
	if (!newline || scan->tail.failed)
		return scan->findings.errors > 0;
	reading->text = zn_view(scan->tail.data, (size_t)(newline - scan->tail.data) + 1);
	reading->splitter.text = reading->text;
	reading->splitter.at = 0;
	while (scan->findings.errors == 0) {
		struct zn_splitter before = reading->splitter;
		struct zn_entry entry;
		if (!zn_splitter_next(&reading->splitter, &entry) || entry.incomplete)
			break;
		reading->splitter.at = before.at;
		reading->splitter.line = before.line;
		if (!zn_reading_next(reading))
			break;
		done = reading->splitter.at;
	}
	zn_buf_splice(&scan->tail, 0, done, zn_view(NULL, 0));
	return scan->findings.errors > 0;
}
