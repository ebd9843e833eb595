#include "fs/save/known.h"

#include <stdlib.h>

#include "store/base/limits.h"

void zn_known_release(struct zn_known_faults *known)
{
	free(known->list);
	*known = (struct zn_known_faults){0};
}

/* FNV-1a: only to recognise, within one zone, what its own writer wrote. */
static uint64_t hash_fault(struct zn_view entry, const char *sentence)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < entry.len; i++)
		hash = (hash ^ entry.data[i]) * UINT64_C(0x100000001b3);
	for (; *sentence; sentence++)
		hash = (hash ^ (uint8_t)*sentence) * UINT64_C(0x100000001b3);
	return hash;
}

static bool collect(void *context, struct zn_view entry, const char *sentence)
{
	struct zn_known_faults *known = context;

	if (known->count == known->capacity) {
		size_t capacity = known->capacity ? 2 * known->capacity : 16;
		uint64_t *list = realloc(known->list, capacity * sizeof *list);

		if (!list) {
			known->failed = true;
			return false;
		}
		known->list = list;
		known->capacity = capacity;
	}
	known->list[known->count++] = hash_fault(entry, sentence);
	return false;
}

bool zn_known_forgive(void *context, struct zn_view entry, const char *sentence)
{
	const struct zn_known_faults *known = context;
	uint64_t hash = hash_fault(entry, sentence);

	for (size_t i = 0; i < known->count; i++)
		if (known->list[i] == hash)
			return true;
	return false;
}

static enum zn_code into_buffer(void *context, struct zn_view bytes)
{
	struct zn_buf *text = context;

	zn_buf_add(text, bytes);
	return text->failed;
}

enum zn_code zn_known_find(struct zn_known_faults *known, struct zn_loader *loader, const struct zn_zone_info *zone,
	const struct zn_check_options *check, struct zn_err *err)
{
	ZN_AUTO(zn_buf_release) struct zn_buf text = ZN_BUF_INIT(ZN_TEXT_MAX);
	ZN_AUTO(zn_findings_release) struct zn_findings findings = {0};
	struct zn_parsed parsed = {0};
	struct zn_loaded loaded;
	struct zn_sink sink = {&text, into_buffer};
	struct zn_parse_options options = {
		.apex = &zone->zone.name, .check = *check, .known_fault = collect, .known_context = known,
	};

	enum zn_code code = zn_load_text(loader, zone, &sink, &loaded, err);
	if (code == ZN_ENOTFOUND)
		return ZN_OK; /* not listed: no text that could have faults */
	if (code != ZN_OK)
		return code;
	code = zn_parse(zn_buf_view(&text), &options, &findings, &parsed, NULL);
	zn_parsed_release(&parsed);
	if (code == ZN_ENOMEM || known->failed)
		return zn_fail(err, ZN_ENOMEM, "out of memory");
	return ZN_OK;
}
