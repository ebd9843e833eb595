#include "fs/text/reading.h"

#include <stdarg.h>

#include "fs/text/name_read.h"
#include "fs/text/print.h"
#include "fs/text/script.h"
#include "store/base/wire.h"
#include "store/dns/rdata.h"

enum zn_code zn_reading_init(struct zn_reading *reading)
{
	reading->rdata = malloc(ZN_RR_MAX);
	if (!reading->rdata)
		return ZN_ENOMEM;
	zn_splitter_init(&reading->splitter, reading->text);
	reading->state = (struct zn_text_state){.origin = *reading->apex};
	reading->origin_is_apex = true;
	reading->number = UINT32_MAX;
	zn_name_plain(reading->apex, reading->apex_text);
	return ZN_OK;
}

void zn_reading_release(struct zn_reading *reading)
{
	zn_splitter_release(&reading->splitter);
	zn_scanner_free(reading->scanner);
	free(reading->rdata);
	reading->scanner = NULL;
	reading->rdata = NULL;
}

static void tell(struct zn_reading *reading, size_t offset, enum zn_severity severity, const char *format, va_list args)
{
	char sentence[400];
	uint32_t line, column;

	if (severity == ZN_SEVERITY_ERROR)
		reading->errors++;
	else if (reading->strict)
		severity = ZN_SEVERITY_ERROR;
	vsnprintf(sentence, sizeof(sentence), format, args);
	zn_entry_place(&reading->entry, reading->text, offset, &line, &column);
	if (reading->generated_from)
		zn_findings_add(reading->findings, line, column, severity, "for %u: %s", reading->generated_number, sentence);
	else
		zn_findings_add(reading->findings, line, column, severity, "%s", sentence);
}

static size_t offset_of(const struct zn_reading *reading, const struct zn_token *token)
{
	return (size_t)(token->data - reading->text.data) - (token->flags & ZN_TOKEN_QUOTED ? 1 : 0);
}

void zn_reading_tell(struct zn_reading *reading, const struct zn_token *token, enum zn_severity severity, const char *format, ...)
{
	const struct zn_entry *entry = &reading->entry;
	size_t offset = entry->offset;
	va_list args;

	if (reading->generated_from) {
		offset = offset_of(reading, reading->generated_from);
	} else if (token) {
		offset = offset_of(reading, token);
	} else if (entry->count > 0) {
		const struct zn_token *last = &entry->tokens[entry->count - 1];
		offset = offset_of(reading, last) + last->len + (last->flags & ZN_TOKEN_QUOTED ? 2 : 0);
	}
	va_start(args, format);
	tell(reading, offset, severity, format, args);
	va_end(args);
}

void zn_reading_tell_at(struct zn_reading *reading, size_t offset, enum zn_severity severity, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell(reading, offset, severity, format, args);
	va_end(args);
}

static void tell_fault(struct zn_reading *reading)
{
	const struct zn_entry *entry = &reading->entry;
	uint32_t line, column;

	switch (entry->fault) {
	case ZN_SPLIT_QUOTE:
		zn_reading_tell_at(reading, entry->fault_offset, ZN_SEVERITY_ERROR, "the quote that begins here is not closed");
		break;
	case ZN_SPLIT_OPEN:
		zn_reading_tell_at(reading, entry->fault_offset, ZN_SEVERITY_ERROR,
			"the parenthesis that begins here is not closed, or more than 1 MiB later");
		break;
	case ZN_SPLIT_NESTED:
		zn_entry_place(entry, reading->text, entry->fault_other, &line, &column);
		zn_reading_tell_at(reading, entry->fault_offset, ZN_SEVERITY_ERROR,
			"the parenthesis that begins here is not closed before the next one in line %u", line);
		break;
	case ZN_SPLIT_CLOSE:
		zn_reading_tell_at(reading, entry->fault_offset, ZN_SEVERITY_ERROR, "there is no \"(\" for this \")\"");
		break;
	case ZN_SPLIT_NUL:
		zn_reading_tell_at(reading, entry->fault_offset, ZN_SEVERITY_ERROR, "NUL byte in the text: is this a text file?");
		break;
	case ZN_SPLIT_LONG:
		zn_reading_tell_at(reading, entry->fault_offset, ZN_SEVERITY_ERROR, "the line is longer than 1 MiB");
		break;
	case ZN_SPLIT_OK:
		break;
	}
	if (entry->at_margin || entry->fault != ZN_SPLIT_CLOSE)
		reading->owner = ZN_OWNER_BAD;
}

/* A word that was meant to begin a comment, in a way that other files have. */
static const struct zn_token *hash_comment(const struct zn_token *tokens, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (tokens[i].len > 0 && tokens[i].data[0] == '#' && !(tokens[i].flags & ZN_TOKEN_QUOTED))
			return &tokens[i];
	return NULL;
}

/* What is wrong with a word of this entry, or what is behind it: "#" makes everything after it wrong. */
static bool wrong(struct zn_reading *reading, const struct zn_token *token, const char *sentence)
{
	const struct zn_token *hash = reading->generated_from ? NULL : hash_comment(reading->entry.tokens, reading->entry.count);

	if (hash && (!token || token->data >= hash->data))
		zn_reading_tell(reading, hash, ZN_SEVERITY_ERROR, "a comment begins with \";\", not with \"#\"");
	else
		zn_reading_tell(reading, token, ZN_SEVERITY_ERROR, "%s", sentence);
	return false;
}

void zn_reading_owner(struct zn_reading *reading, const struct zn_token *token)
{
	struct zn_name *owner = &reading->state.owner;
	char text[ZN_NAME_TEXT_MAX], fault[ZN_NAME_FAULT_MAX];

	size_t len = zn_name_read(token, &reading->state.origin, owner->wire, fault);
	reading->owner = ZN_OWNER_BAD;
	if (len == 0) {
		wrong(reading, token, fault);
		return;
	}
	owner->len = (uint8_t)len;
	if (zn_key_from_name(owner, reading->apex, &reading->owner_key) != ZN_OK) {
		if (zn_name_within(owner, reading->apex))
			zn_reading_tell(reading, token, ZN_SEVERITY_ERROR, "a NUL byte cannot be part of a name here");
		else
			zn_reading_tell(reading, token, ZN_SEVERITY_ERROR, "%s lies outside of the zone %s", zn_name_plain(owner, text),
				reading->apex_text);
		return;
	}
	reading->owner = ZN_OWNER_OK;
	if (!reading->origin_is_apex && zn_name_lacks_dot(token, zn_view_str(reading->apex_text)))
		zn_reading_tell(reading, token, ZN_SEVERITY_WARNING, "this means %s: is a dot missing at the end?",
			zn_name_plain(owner, text));
}

/* The TTL of a record that gives none. false: there is none to inherit, and it is told. */
static bool inherit_ttl(struct zn_reading *reading, const struct zn_record_words *words, uint32_t *ret_ttl)
{
	const struct zn_text_state *state = &reading->state;

	if (state->default_ttl_known) {
		*ret_ttl = state->default_ttl;
		return true;
	}
	if (!state->last_ttl_known) {
		zn_reading_tell(reading, words->type, ZN_SEVERITY_ERROR, "the record has no TTL, and there is no $TTL before it");
		return false;
	}
	*ret_ttl = state->last_ttl;
	if (!reading->inherits_told)
		zn_reading_tell(reading, words->type, ZN_SEVERITY_WARNING,
			"the record has no TTL, and there is no $TTL before it: it gets the %u s of the record before, as others after it",
			*ret_ttl);
	reading->inherits_told = true;
	return true;
}

/* A SOA without TTL and $TTL: its minimum stands for both (RFC 2308 4 took that meaning from it; old files have it). */
static bool soa_ttl(struct zn_reading *reading, const struct zn_record_words *words, struct zn_view rdata, uint32_t *ret_ttl)
{
	struct zn_soa_times times;

	if (reading->state.default_ttl_known || reading->state.last_ttl_known)
		return inherit_ttl(reading, words, ret_ttl);
	if (!zn_rdata_soa(rdata, &times) || times.minimum > ZN_TTL_MAX) {
		zn_reading_tell(reading, words->type, ZN_SEVERITY_ERROR, "the record has no TTL, and there is no $TTL before it");
		return false;
	}
	zn_reading_tell(reading, words->type, ZN_SEVERITY_WARNING,
		"there is no $TTL: records without TTL get the minimum of the SOA, %u s", times.minimum);
	reading->inherits_told = true;
	*ret_ttl = times.minimum;
	return true;
}

/* By our reader or, where it is in doubt, libzscanner. */
static enum zn_rdata_result read_words(struct zn_reading *reading, const struct zn_rdata_words *words, size_t *ret_len,
	struct zn_rdata_notes *notes, struct zn_rdata_fault *fault)
{
	enum zn_rdata_result result = zn_rdata_read(words, reading->rdata, ret_len, notes, fault);
	struct zn_rdata_fault judged;

	if (result != ZN_RDATA_DOUBT)
		return result;
	if (!reading->scanner && zn_scanner_new(&reading->scanner) != ZN_OK) {
		reading->failed = ZN_ENOMEM;
		return ZN_RDATA_FAULT;
	}
	enum zn_code code = zn_scanner_read(reading->scanner, words, reading->rdata, ret_len, &judged);
	if (code == ZN_OK)
		return ZN_RDATA_OK;
	if (code == ZN_ENOMEM)
		reading->failed = code;
	else if (!judged.token || judged.token != fault->token || fault->sentence[0] == '\0')
		*fault = judged;	/* where both mean the same word, ours says more */
	return ZN_RDATA_FAULT;
}

/* Data given as bytes must come back the same when they are written as text, which they are wherever they are shown. */
static bool survives_text(struct zn_reading *reading, uint16_t type, size_t len)
{
	ZN_AUTO(zn_buf_release) struct zn_buf text = ZN_BUF_INIT(ZN_ENTRY_MAX), bytes = ZN_BUF_INIT(ZN_RR_MAX);
	ZN_AUTO(zn_splitter_release) struct zn_splitter splitter = {0};
	struct zn_entry entry;
	bool same = false;
	size_t again;

	zn_buf_add(&bytes, zn_view(reading->rdata, len));
	zn_print_rdata(type, zn_buf_view(&bytes), NULL, &text);
	if (text.failed || bytes.failed) {
		reading->failed = ZN_ENOMEM;
		return false;
	}
	zn_splitter_init(&splitter, zn_buf_view(&text));
	if (len == 0 && text.len == 0)
		return true;
	if (zn_splitter_next(&splitter, &entry) && entry.fault == ZN_SPLIT_OK) {
		struct zn_rdata_words words = {.type = type, .tokens = entry.tokens, .count = entry.count, .origin = &reading->state.origin};
		struct zn_rdata_notes notes = {0};
		struct zn_rdata_fault fault;
		same = read_words(reading, &words, &again, &notes, &fault) == ZN_RDATA_OK &&
			zn_view_equal(zn_view(reading->rdata, again), zn_buf_view(&bytes));
	}
	memcpy(reading->rdata, bytes.data, len);
	return same;
}

static bool read_rdata(struct zn_reading *reading, const struct zn_record_words *words, size_t *ret_len)
{
	struct zn_rdata_words rdata = {
		.type = words->type_value, .tokens = words->rdata, .count = words->rdata_count, .origin = &reading->state.origin,
	};
	struct zn_rdata_notes notes = {0};
	struct zn_rdata_fault fault;
	char text[ZN_TYPE_TEXT_MAX];

	if (!reading->origin_is_apex)
		rdata.other_apex = zn_view_str(reading->apex_text);
	enum zn_rdata_result result = read_words(reading, &rdata, ret_len, &notes, &fault);
	if (reading->failed)
		return false;
	if (result == ZN_RDATA_FAULT)
		return wrong(reading, fault.token, fault.sentence);
	if (zn_rdata_is_generic(&rdata) && (!zn_rdata_well_formed(words->type_value, zn_view(reading->rdata, *ret_len)) ||
		!survives_text(reading, words->type_value, *ret_len))) {
		zn_reading_tell(reading, words->rdata, ZN_SEVERITY_ERROR, "these bytes are not what %s data can be",
			zn_rrtype_text(words->type_value, text));
		return false;
	}
	if (notes.long_string)
		zn_reading_tell(reading, notes.long_string, ZN_SEVERITY_WARNING,
			"the string has more than 255 bytes, and becomes several of 255");
	if (notes.lacks_dot)
		zn_reading_tell(reading, notes.lacks_dot, ZN_SEVERITY_WARNING, "the name ends in that of the zone: is a dot missing at the end?");
	return true;
}

/* "#" as the beginning of a comment that strings would swallow. */
static bool swallows_comment(struct zn_reading *reading, const struct zn_record_words *words)
{
	const struct zn_token *hash;

	if (words->rdata_count < 2 ||
		(words->type_value != ZN_TYPE_TXT && words->type_value != ZN_TYPE_SPF && words->type_value != ZN_TYPE_LUA))
		return false;
	hash = hash_comment(words->rdata + 1, words->rdata_count - 1);
	if (hash)
		zn_reading_tell(reading, hash, ZN_SEVERITY_ERROR,
			"a comment begins with \";\", not with \"#\"; if it is text, put it in quotes");
	return hash != NULL;
}

bool zn_reading_record(struct zn_reading *reading, const struct zn_record_words *words, bool generated)
{
	struct zn_text_state *state = &reading->state;
	uint32_t ttl = words->ttl_value;
	size_t len;

	if (!read_rdata(reading, words, &len) || swallows_comment(reading, words))
		return false;
	struct zn_view rdata = zn_view(reading->rdata, len);
	if (!words->ttl && !(words->type_value == ZN_TYPE_SOA ? soa_ttl(reading, words, rdata, &ttl) : inherit_ttl(reading, words, &ttl)))
		return false;
	if (!state->default_ttl_known) {
		state->last_ttl_known = true;
		state->last_ttl = ttl;
	}
	if (reading->owner != ZN_OWNER_OK)
		return false;
	struct zn_read_record record = {
		.owner = zn_key_view(&reading->owner_key), .rdata = rdata, .ttl = ttl, .type = words->type_value,
		.words = generated ? NULL : words,
	};
	reading->record(reading->context, &record);
	return true;
}

static void read_record(struct zn_reading *reading)
{
	const struct zn_entry *entry = &reading->entry;
	struct zn_record_words words;
	struct zn_record_fault fault;

	if (entry->tokens[0].data[0] == '#' && hash_comment(entry->tokens, 1)) {
		zn_reading_tell(reading, entry->tokens, ZN_SEVERITY_ERROR, "a comment begins with \";\", not with \"#\"");
		return;
	}
	bool split = zn_record_split(entry->tokens, entry->count, entry->at_margin, &words, &fault);
	if (split && words.owner)
		zn_reading_owner(reading, words.owner);
	if (!split) {
		if (entry->at_margin)
			reading->owner = ZN_OWNER_BAD;
		wrong(reading, fault.token, fault.sentence);
		return;
	}
	if (reading->owner == ZN_OWNER_NONE) {
		reading->owner = ZN_OWNER_BAD;
		zn_reading_tell(reading, words.type, ZN_SEVERITY_ERROR, "the line begins with a blank, but there is no owner before it");
	}
	zn_reading_record(reading, &words, false);
}

/* Text that an editor shows in another order than a name server reads it. */
static void look_for_turns(struct zn_reading *reading)
{
	const struct zn_entry *entry = &reading->entry;
	struct zn_view bytes = zn_view_sub(reading->text, entry->offset, entry->end - entry->offset);
	size_t at = zn_direction_turns(bytes, false);

	if (at != SIZE_MAX) {
		zn_reading_tell_at(reading, entry->offset + at, ZN_SEVERITY_WARNING,
			"a character that turns the direction of writing: what is shown here may not be what is read");
		return;
	}
	for (size_t i = 0; i < entry->count; i++) {
		if (!(entry->tokens[i].flags & ZN_TOKEN_HIGH))
			continue;
		at = zn_direction_turns(zn_token_view(&entry->tokens[i]), true);
		if (at == SIZE_MAX)
			continue;
		zn_reading_tell_at(reading, (size_t)(entry->tokens[i].data - reading->text.data) + at, ZN_SEVERITY_WARNING,
			"a script that is written from right to left: what is shown here may not be in the order that is read");
		return;
	}
}

bool zn_reading_next(struct zn_reading *reading)
{
	struct zn_entry *entry = &reading->entry;

	if (reading->failed)
		return false;
	if (!zn_splitter_next(&reading->splitter, entry)) {
		if (reading->splitter.no_memory)
			reading->failed = ZN_ENOMEM;
		return false;
	}
	reading->number++;
	reading->kind = ZN_ITEM_RECORD;
	if (entry->high)
		look_for_turns(reading);
	if (entry->fault != ZN_SPLIT_OK)
		tell_fault(reading);
	else if (entry->count == 0)
		return true;
	else if (entry->tokens[0].len > 0 && entry->tokens[0].data[0] == '$' && !(entry->tokens[0].flags & ZN_TOKEN_QUOTED))
		zn_reading_directive(reading);
	else
		read_record(reading);
	return reading->failed == ZN_OK;
}
