#include "fs/text/late.h"

#include "fs/text/form.h"
#include "fs/text/rdata_read.h"
#include "fs/text/record.h"
#include "store/base/limits.h"

void zn_lates_release(struct zn_lates *lates)
{
	for (size_t i = 0; i < lates->count; i++)
		free(lates->list[i].sentence);
	free(lates->list);
	*lates = (struct zn_lates){0};
}

/* Where the next one goes; NULL: nowhere. */
static struct zn_late *room_for(struct zn_lates *lates, enum zn_severity severity)
{
	if (!lates->list) {
		lates->list = malloc(ZN_FINDINGS_MAX * sizeof(*lates->list));
		if (!lates->list) {
			lates->failed = true;
			return NULL;
		}
	}
	if (lates->count < ZN_FINDINGS_MAX)
		return &lates->list[lates->count++];
	if (severity == ZN_SEVERITY_WARNING || lates->kept_warnings == 0)
		return NULL;
	for (size_t i = lates->count; i-- > 0;) {
		struct zn_late *late = &lates->list[i];
		if (late->severity == ZN_SEVERITY_WARNING) {
			free(late->sentence);
			lates->kept_warnings--;
			lates->dropped_warnings++;
			return late;
		}
	}
	return NULL;
}

void zn_lates_add(struct zn_lates *lates, const struct zn_late *late)
{
	struct zn_late *room = room_for(lates, late->severity);

	if (!room) {
		if (late->severity == ZN_SEVERITY_ERROR)
			lates->dropped_errors++;
		else
			lates->dropped_warnings++;
		return;
	}
	*room = *late;
	room->sentence = strdup(late->sentence);
	if (!room->sentence)
		lates->failed = true;
	if (late->severity == ZN_SEVERITY_WARNING)
		lates->kept_warnings++;
}

/* The word of an entry that a part of its record stands in. */
static const struct zn_token *word_of(const struct zn_entry *entry, enum zn_check_part part)
{
	bool directive = entry->tokens[0].len > 0 && entry->tokens[0].data[0] == '$';
	size_t skipped = directive && entry->count > 2 ? 2 : 0;	/* $GENERATE range */
	struct zn_record_words words;
	struct zn_record_fault fault;

	if (!zn_record_split(entry->tokens + skipped, entry->count - skipped, directive || entry->at_margin, &words, &fault))
		return entry->tokens;
	switch (part) {
	case ZN_PART_OWNER:
		return words.owner ? words.owner : entry->tokens;
	case ZN_PART_TTL:
		return words.ttl ? words.ttl : words.type;
	case ZN_PART_TYPE:
		return words.type;
	case ZN_PART_RDATA:
	case ZN_PART_TARGET:
		break;
	}
	if (words.rdata_count == 0)
		return words.type;
	if (part == ZN_PART_TARGET && !zn_token_is(words.rdata, "\\#")) {
		const char *layout = zn_form_of(words.type_value)->layout;
		const char *name = layout ? strrchr(layout, 'n') : NULL;
		if (name && (size_t)(name - layout) < words.rdata_count)
			return words.rdata + (name - layout);
	}
	return words.rdata;
}

static void locate(struct zn_late *late, struct zn_view text, const struct zn_entry *entry)
{
	const struct zn_token *token = word_of(entry, late->part);
	size_t offset = (size_t)(token->data - text.data) - (token->flags & ZN_TOKEN_QUOTED ? 1 : 0);

	zn_entry_place(entry, text, offset, &late->line, &late->column);
}

/* A mention of an entry, to be filled in. */
struct mention {
	uint32_t tag;
	bool other;
	struct zn_late *late;
};

static int by_tag(const void *a, const void *b)
{
	const struct mention *x = a, *y = b;

	return (x->tag > y->tag) - (x->tag < y->tag);
}

static void forgive(struct zn_late *late, struct zn_view entry, const struct zn_parse_options *options)
{
	if (late->severity == ZN_SEVERITY_ERROR && options->known_fault && late->sentence &&
		options->known_fault(options->known_context, entry, late->sentence))
		late->severity = ZN_SEVERITY_WARNING;
}

static enum zn_code locate_all(struct zn_lates *lates, struct zn_view text, const struct zn_parse_options *options)
{
	ZN_AUTO_FREE struct mention *mentions = malloc(2 * lates->count * sizeof(*mentions));
	ZN_AUTO(zn_splitter_release) struct zn_splitter splitter;
	struct zn_entry entry;
	size_t count = 0, at = 0;

	zn_splitter_init(&splitter, text);
	if (!mentions)
		return ZN_ENOMEM;
	for (size_t i = 0; i < lates->count; i++) {
		struct zn_late *late = &lates->list[i];
		if (late->tag != ZN_LATE_NONE)
			mentions[count++] = (struct mention){late->tag, false, late};
		else
			forgive(late, zn_view(NULL, 0), options);
		if (late->other != ZN_LATE_NONE)
			mentions[count++] = (struct mention){late->other, true, late};
	}
	qsort(mentions, count, sizeof(*mentions), by_tag);
	for (uint32_t number = 0; at < count && zn_splitter_next(&splitter, &entry); number++) {
		for (; at < count && mentions[at].tag == number; at++) {
			struct zn_late *late = mentions[at].late;
			if (mentions[at].other) {
				late->other_line = entry.line;
				continue;
			}
			locate(late, text, &entry);
			forgive(late, zn_view_sub(text, entry.offset, entry.end - entry.offset), options);
		}
	}
	return splitter.no_memory ? ZN_ENOMEM : ZN_OK;
}

enum zn_code zn_lates_tell(struct zn_lates *lates, struct zn_view text, const struct zn_parse_options *options,
	struct zn_findings *findings)
{
	if (lates->failed)
		return ZN_ENOMEM;
	if (lates->count == 0)
		return ZN_OK;
	enum zn_code code = locate_all(lates, text, options);
	if (code)
		return code;
	for (size_t i = 0; i < lates->count; i++) {
		const struct zn_late *late = &lates->list[i];
		enum zn_severity severity = options->strict ? ZN_SEVERITY_ERROR : late->severity;
		if (late->other_line && late->other_line != late->line)
			zn_findings_add(findings, late->line, late->column, severity, "%s (see line %u)", late->sentence, late->other_line);
		else
			zn_findings_add(findings, late->line, late->column, severity, "%s", late->sentence);
	}
	findings->errors += lates->dropped_errors + (options->strict ? lates->dropped_warnings : 0);
	findings->warnings += options->strict ? 0 : lates->dropped_warnings;
	return ZN_OK;
}
