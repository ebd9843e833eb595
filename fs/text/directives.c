#include <stdarg.h>
#include <strings.h>

#include "fs/text/generate.h"
#include "fs/text/name_read.h"
#include "fs/text/reading.h"
#include "fs/text/ttl.h"

#define EXPANDED_MAX ((size_t)64 << 10)	/* bytes of one line that $GENERATE makes */

static bool word_is(const struct zn_token *token, const char *word)
{
	return !(token->flags & ZN_TOKEN_QUOTED) && token->len == strlen(word) &&
		strncasecmp((const char *)token->data, word, token->len) == 0;
}

/* The one word of a directive; NULL: none or more, told. */
static const struct zn_token *only_word(struct zn_reading *reading, const char *usage)
{
	const struct zn_entry *entry = &reading->entry;

	if (entry->count == 2)
		return &entry->tokens[1];
	zn_reading_tell(reading, entry->count > 2 ? &entry->tokens[2] : NULL, ZN_SEVERITY_ERROR,
		entry->count > 2 ? "nothing may follow here; the directive is %s" : "something is missing; the directive is %s", usage);
	return NULL;
}

static void set_origin(struct zn_reading *reading)
{
	const struct zn_token *token = only_word(reading, "$ORIGIN name");
	struct zn_name origin;
	char fault[ZN_NAME_FAULT_MAX], text[ZN_NAME_TEXT_MAX];

	if (!token)
		return;
	size_t len = zn_name_read(token, &reading->state.origin, origin.wire, fault);
	if (len == 0) {
		zn_reading_tell(reading, token, ZN_SEVERITY_ERROR, "%s", fault);
		return;
	}
	origin.len = (uint8_t)len;
	reading->state.origin = origin;
	reading->origin_is_apex = zn_name_equal(&origin, reading->apex);
	if (token->len > 1 && token->data[token->len - 1] != '.' && zn_name_lacks_dot(token, zn_view_str(reading->apex_text)))
		zn_reading_tell(reading, token, ZN_SEVERITY_WARNING, "this means %s: is a dot missing at the end?",
			zn_name_plain(&origin, text));
}

static void set_ttl(struct zn_reading *reading)
{
	const struct zn_token *token = only_word(reading, "$TTL time");
	struct zn_text_state *state = &reading->state;

	if (!token)
		return;
	switch (token->flags ? ZN_TTL_NONE : zn_ttl_read(zn_token_view(token), &state->default_ttl)) {
	case ZN_TTL_OK:
		state->default_ttl_known = true;
		state->last_ttl_known = false;
		state->last_ttl = 0;
		break;
	case ZN_TTL_LARGE:
		zn_reading_tell(reading, token, ZN_SEVERITY_ERROR, "the TTL is above 2147483647");
		break;
	case ZN_TTL_NONE:
		zn_reading_tell(reading, token, ZN_SEVERITY_ERROR,
			"this is not a time: write seconds, or numbers with the units w, d, h, m, s");
		break;
	}
}

/* The template of the data: its words, or what the quotes of a single one hold (BIND's way to write blanks). */
static void add_template(const struct zn_token *tokens, size_t count, struct zn_buf *out)
{
	if (count == 1 && tokens[0].flags & ZN_TOKEN_QUOTED) {
		for (size_t i = 0; i < tokens[0].len; i++) {
			if (tokens[0].data[i] == '\\' && i + 1 < tokens[0].len && tokens[0].data[i + 1] == '"')
				i++;
			zn_buf_add_byte(out, tokens[0].data[i]);
		}
		return;
	}
	for (size_t i = 0; i < count; i++) {
		const char *quote = tokens[i].flags & ZN_TOKEN_QUOTED ? "\"" : "";
		if (i > 0 && !(tokens[i].flags & ZN_TOKEN_ADJACENT))
			zn_buf_add_byte(out, ' ');
		zn_buf_add_str(out, quote);
		zn_buf_add(out, zn_token_view(&tokens[i]));
		zn_buf_add_str(out, quote);
	}
}

/* One record: the line "owner data" for a number, split into words and read. false: it is wrong, and told. */
static bool generate_one(struct zn_reading *reading, const struct zn_record_words *template, struct zn_view data, struct zn_buf *line)
{
	uint32_t number = reading->generated_number;
	struct zn_record_words words = *template;
	struct zn_splitter splitter;
	struct zn_entry entry;
	bool ok = false;

	zn_buf_clear(line);
	reading->generated_from = template->owner;
	const char *fault = zn_generate_expand(zn_token_view(template->owner), number, line);
	zn_buf_add_byte(line, ' ');
	if (!fault) {
		reading->generated_from = template->rdata;
		fault = zn_generate_expand(data, number, line);
	}
	if (!fault && line->failed == ZN_ETOOBIG)
		fault = "the line gets longer than 64 KiB";
	if (fault) {
		zn_reading_tell(reading, NULL, ZN_SEVERITY_ERROR, "%s", fault);
		return false;
	}
	zn_splitter_init(&splitter, zn_buf_view(line));
	if (line->failed || !zn_splitter_next(&splitter, &entry)) {
		reading->failed = ZN_ENOMEM;
	} else if (entry.fault != ZN_SPLIT_OK || entry.end != line->len || entry.count == 0) {
		zn_reading_tell(reading, NULL, ZN_SEVERITY_ERROR, "this makes no line: quotes or parentheses are not closed");
	} else {
		reading->generated_from = template->owner;
		zn_reading_owner(reading, &entry.tokens[0]);
		reading->generated_from = template->rdata;
		words.rdata = entry.tokens + 1;
		words.rdata_count = entry.count - 1;
		ok = zn_reading_record(reading, &words, true);
	}
	zn_splitter_release(&splitter);
	return ok;
}

static void generate(struct zn_reading *reading)
{
	static const char usage[] = "$GENERATE start-stop[/step] owner [TTL] [class] type data";
	const struct zn_entry *entry = &reading->entry;
	ZN_AUTO(zn_buf_release) struct zn_buf data = ZN_BUF_INIT(EXPANDED_MAX), line = ZN_BUF_INIT(EXPANDED_MAX);
	struct zn_record_words words;
	struct zn_record_fault bad;
	struct zn_range range;

	reading->kind = ZN_ITEM_GENERATE;
	if (entry->count < 5) {
		zn_reading_tell(reading, NULL, ZN_SEVERITY_ERROR, "something is missing; the directive is %s", usage);
		return;
	}
	const char *fault = zn_range_read(zn_token_view(&entry->tokens[1]), &range);
	if (fault) {
		zn_reading_tell(reading, &entry->tokens[1], ZN_SEVERITY_ERROR, "%s", fault);
		return;
	}
	if (!zn_record_split(entry->tokens + 2, entry->count - 2, true, &words, &bad)) {
		zn_reading_tell(reading, bad.token, ZN_SEVERITY_ERROR, "%s", bad.sentence);
		return;
	}
	if (words.rdata_count == 0) {
		zn_reading_tell(reading, NULL, ZN_SEVERITY_ERROR, "something is missing; the directive is %s", usage);
		return;
	}
	if (words.type_value == ZN_TYPE_SOA) {
		zn_reading_tell(reading, words.type, ZN_SEVERITY_ERROR, "$GENERATE makes no SOA");
		return;
	}
	add_template(words.rdata, words.rdata_count, &data);
	for (uint64_t number = range.start; number <= range.stop; number += range.step) {
		reading->generated_number = (uint32_t)number;
		if (!generate_one(reading, &words, zn_buf_view(&data), &line) || reading->failed)
			break;	/* what is wrong once is wrong every time */
	}
	reading->generated_from = NULL;
}

void zn_reading_directive(struct zn_reading *reading)
{
	const struct zn_token *token = reading->entry.tokens;
	int shown = (int)(token->len > 40 ? 40 : token->len);

	if (!reading->entry.at_margin)
		zn_reading_tell(reading, token, ZN_SEVERITY_ERROR, "a directive begins at the beginning of its line");
	else if (word_is(token, "$ORIGIN"))
		set_origin(reading);
	else if (word_is(token, "$TTL"))
		set_ttl(reading);
	else if (word_is(token, "$GENERATE"))
		generate(reading);
	else if (word_is(token, "$INCLUDE"))
		zn_reading_tell(reading, token, ZN_SEVERITY_ERROR, "$INCLUDE is not supported yet: put the text of the file here instead");
	else
		zn_reading_tell(reading, token, ZN_SEVERITY_ERROR, "unknown directive %.*s; there are $ORIGIN, $TTL and $GENERATE", shown,
			(const char *)token->data);
}
