#include "fs/text/split.h"

#include <stdlib.h>

#include "store/base/limits.h"
#include "store/dns/rrtype.h"

/* What a byte means outside of quotes. */
enum class { PLAIN, BLANK, NEWLINE, RETURN, COMMENT, QUOTE, OPEN, CLOSE, ESCAPE, HIGH, CONTROL, NUL };

static const uint8_t classes[256] = {
	[0] = NUL, [1 ... 8] = CONTROL, ['\t'] = BLANK, ['\n'] = NEWLINE, [11 ... 12] = CONTROL, ['\r'] = RETURN,
	[14 ... 31] = CONTROL, [' '] = BLANK, ['"'] = QUOTE, ['('] = OPEN, [')'] = CLOSE, [';'] = COMMENT, ['\\'] = ESCAPE,
	[127] = CONTROL, [128 ... 255] = HIGH,
};

#define LOOK_AHEAD 5	/* a record shows its type among its first words */

/* One entry while it is read. */
struct scan {
	const uint8_t *at, *end;	/* end: of the text, or of what an entry may take of it */
	const uint8_t *open;		/* the "(" we are in, or NULL */
	const uint8_t *quote;		/* the quote that was opened last */
	const uint8_t *long_quote;	/* the first one that was not closed on its line */
	bool opened;			/* there was a "(": there may be more lines than one */
	bool high;
	enum zn_split_fault fault;
	const uint8_t *fault_at, *fault_other;
};

void zn_splitter_init(struct zn_splitter *splitter, struct zn_view text)
{
	*splitter = (struct zn_splitter){.text = text, .line = 1};
}

void zn_splitter_release(struct zn_splitter *splitter)
{
	free(splitter->tokens);
	splitter->tokens = NULL;
	splitter->capacity = 0;
}

static bool grow(struct zn_splitter *splitter)
{
	size_t capacity = splitter->capacity ? splitter->capacity * 2 : 64;
	struct zn_token *tokens = realloc(splitter->tokens, capacity * sizeof(*tokens));

	if (!tokens) {
		splitter->no_memory = true;
		return false;
	}
	splitter->tokens = tokens;
	splitter->capacity = capacity;
	return true;
}

/* The first fault is the one that is told. */
static void fail(struct scan *scan, enum zn_split_fault fault, const uint8_t *at)
{
	if (scan->fault == ZN_SPLIT_OK) {
		scan->fault = fault;
		scan->fault_at = at;
	}
}

/* "\n" or "\r\n" stands at scan->at. */
static bool at_line_end(const struct scan *scan)
{
	return *scan->at == '\n' || (*scan->at == '\r' && scan->end - scan->at > 1 && scan->at[1] == '\n');
}

/* A backslash and the byte behind it; a line end is nobody's byte. Returns flags. */
static uint32_t scan_escape(struct scan *scan)
{
	uint32_t flags = ZN_TOKEN_ESCAPED;

	scan->at++;
	if (scan->at == scan->end || at_line_end(scan))
		return flags;
	if (*scan->at == '\0')
		fail(scan, ZN_SPLIT_NUL, scan->at);
	if (*scan->at >= 0x80)
		flags |= ZN_TOKEN_HIGH;
	if (classes[*scan->at] == CONTROL || *scan->at == '\r' || *scan->at == '\t')
		flags |= ZN_TOKEN_CONTROL;
	scan->at++;
	return flags;
}

/* From a quote to behind the one that closes it. Where none does, stops at the line end (or, within parentheses, the end
 * of all) with a fault. Returns flags. */
static uint32_t scan_quotes(struct scan *scan)
{
	uint32_t flags = 0;

	scan->quote = scan->at++;
	while (scan->at < scan->end) {
		switch ((enum class)classes[*scan->at]) {
		case QUOTE:
			scan->at++;
			return flags;
		case ESCAPE:
			flags |= scan_escape(scan);
			continue;
		case NEWLINE:
		case RETURN:
			if (!at_line_end(scan)) {
				flags |= ZN_TOKEN_CONTROL;
				break;
			}
			if (!scan->open) {
				fail(scan, ZN_SPLIT_QUOTE, scan->quote);
				return flags;
			}
			flags |= ZN_TOKEN_LINES;
			if (!scan->long_quote)
				scan->long_quote = scan->quote;
			break;
		case HIGH:
			flags |= ZN_TOKEN_HIGH;
			break;
		case CONTROL:
			flags |= ZN_TOKEN_CONTROL;
			break;
		case NUL:
			fail(scan, ZN_SPLIT_NUL, scan->at);
			break;
		case PLAIN:
		case BLANK:
		case COMMENT:
		case OPEN:
		case CLOSE:
			break;
		}
		scan->at++;
	}
	fail(scan, ZN_SPLIT_QUOTE, scan->quote);
	return flags;
}

/* Sixteen bytes at a time: compilers make vector instructions of it. */
typedef uint8_t sixteen __attribute__((vector_size(16)));

/* The first byte from `at` on that is not PLAIN, or `end`. */
static const uint8_t *skip_plain(const uint8_t *at, const uint8_t *end)
{
	while (end - at >= 16) {
		sixteen bytes;
		uint64_t half[2];
		memcpy(&bytes, at, sizeof(bytes));
		sixteen special = (sixteen)((bytes < 0x21) | (bytes > 0x7e) | (bytes == '"') | ((bytes & 0xfe) == '(') | (bytes == ';') |
			(bytes == '\\'));
		memcpy(half, &special, sizeof(half));
		if (half[0])
			return at + __builtin_ctzll(half[0]) / 8;
		if (half[1])
			return at + 8 + __builtin_ctzll(half[1]) / 8;
		at += 16;
	}
	while (at < end && classes[*at] == PLAIN)
		at++;
	return at;
}

/* A word up to what ends it. Returns flags. */
static uint32_t scan_word(struct scan *scan)
{
	uint32_t flags = 0;

	for (;;) {
		const uint8_t *end = scan->end, *at = skip_plain(scan->at, end);
		scan->at = at;
		if (at == end)
			return flags;
		switch ((enum class)classes[*at]) {
		case HIGH:
			flags |= ZN_TOKEN_HIGH;
			scan->at++;
			break;
		case ESCAPE:
			flags |= scan_escape(scan);
			break;
		case QUOTE:
			flags |= ZN_TOKEN_MIXED | scan_quotes(scan);
			if (scan->fault == ZN_SPLIT_QUOTE)
				return flags;
			break;
		case NUL:
			fail(scan, ZN_SPLIT_NUL, at);
			scan->at++;
			break;
		case RETURN:
			if (at_line_end(scan))
				return flags;
			/* fall through */
		case CONTROL:
			flags |= ZN_TOKEN_CONTROL;
			scan->at++;
			break;
		case PLAIN:
		case BLANK:
		case NEWLINE:
		case COMMENT:
		case OPEN:
		case CLOSE:
			return flags;
		}
	}
}

static void scan_comment(struct scan *scan)
{
	const uint8_t *end = memchr(scan->at, '\n', (size_t)(scan->end - scan->at));
	uint64_t high = 0, word;
	const uint8_t *nul;

	if (!end)
		end = scan->end;
	nul = memchr(scan->at, '\0', (size_t)(end - scan->at));
	if (nul)
		fail(scan, ZN_SPLIT_NUL, nul);
	for (; (size_t)(end - scan->at) >= sizeof(word); scan->at += sizeof(word)) {
		memcpy(&word, scan->at, sizeof(word));
		high |= word;
	}
	for (; scan->at < end; scan->at++)
		high |= *scan->at;
	scan->high |= (high & UINT64_C(0x8080808080808080)) != 0;
}

/* Reads one entry's tokens; scan->at ends behind its newline, or where a fault left it. false: no memory. */
static bool scan_entry(struct zn_splitter *splitter, struct scan *scan, struct zn_entry *entry)
{
	const uint8_t *last_end = NULL;	/* of the token before */
	const uint8_t *first = NULL;
	size_t count = 0;

	while (scan->at < scan->end) {
		const uint8_t *at = scan->at;
		uint32_t flags;
		switch ((enum class)classes[*at]) {
		case BLANK:
			scan->at++;
			continue;
		case NEWLINE:
			scan->at++;
			if (scan->open)
				continue;
			goto done;
		case COMMENT:
			scan_comment(scan);
			continue;
		case OPEN:
			first = first ? first : at;
			scan->at++;
			if (scan->open) {
				fail(scan, ZN_SPLIT_NESTED, scan->open);
				scan->fault_other = at;
				goto done;
			}
			scan->open = at;
			scan->opened = true;
			continue;
		case CLOSE:
			first = first ? first : at;
			scan->at++;
			if (!scan->open)
				fail(scan, ZN_SPLIT_CLOSE, at);
			scan->open = NULL;
			continue;
		case RETURN:
			if (at_line_end(scan)) {
				scan->at++;
				continue;
			}
			flags = scan_word(scan);
			break;
		case QUOTE:
			flags = ZN_TOKEN_QUOTED | scan_quotes(scan);
			if (scan->fault == ZN_SPLIT_QUOTE)
				goto done;
			break;
		case PLAIN:
		case ESCAPE:
		case HIGH:
		case CONTROL:
		case NUL:
		default:
			flags = scan_word(scan);
			break;
		}
		if (count == splitter->capacity && !grow(splitter))
			return false;
		first = first ? first : at;
		struct zn_token *token = &splitter->tokens[count++];
		uint32_t quotes = flags & ZN_TOKEN_QUOTED ? 1 : 0;
		token->data = at + quotes;
		token->len = (uint32_t)(scan->at - at) - 2 * quotes;
		token->flags = flags | (at == last_end ? ZN_TOKEN_ADJACENT : 0);
		last_end = scan->at;
		scan->high |= (flags & ZN_TOKEN_HIGH) != 0;
	}
done:
	entry->tokens = splitter->tokens;
	entry->count = count;
	if (first)
		entry->offset = (size_t)(first - splitter->text.data);
	entry->at_margin = count > 0 && splitter->tokens[0].data - (splitter->tokens[0].flags & ZN_TOKEN_QUOTED ? 1 : 0) ==
		splitter->text.data + splitter->at;
	return true;
}

/* A line that begins a record or a directive, as far as its first words tell. */
static bool looks_like_record(const uint8_t *at, const uint8_t *end)
{
	if (at < end && *at == '$')
		return true;
	for (int words = 0; words < LOOK_AHEAD; words++) {
		uint16_t type;
		while (at < end && classes[*at] == BLANK)
			at++;
		const uint8_t *word = at;
		while (at < end && classes[*at] == PLAIN)
			at++;
		if (at == word)
			return false;
		if (zn_rrtype_from_text(zn_view(word, (size_t)(at - word)), &type))
			return true;
	}
	return false;
}

/* Behind a fault that swallowed lines: the first line after `from` at which reading can go on. */
static const uint8_t *resume(struct zn_view text, const uint8_t *from)
{
	const uint8_t *end = text.data + text.len;

	for (;;) {
		const uint8_t *newline = memchr(from, '\n', (size_t)(end - from));
		if (!newline)
			return end;
		from = newline + 1;
		newline = from < end ? memchr(from, '\n', (size_t)(end - from)) : NULL;
		if (from == end || looks_like_record(from, newline ? newline : end))
			return from;
	}
}

/* What the end of the text, or of what an entry may take, means for an entry that is not complete there. Strings over
 * several lines are rare: where one came before a fault, its quote was most likely forgotten. */
static void judge_end(const struct zn_splitter *splitter, struct scan *scan)
{
	if (scan->at == scan->end && scan->open)
		fail(scan, ZN_SPLIT_OPEN, scan->open);
	else if (scan->at == scan->end && scan->end < splitter->text.data + splitter->text.len && scan->end[-1] != '\n')
		fail(scan, ZN_SPLIT_LONG, splitter->text.data + splitter->at);
	if (scan->open && scan->long_quote && (scan->fault == ZN_SPLIT_OPEN || scan->fault == ZN_SPLIT_NESTED || scan->fault == ZN_SPLIT_QUOTE)) {
		scan->fault = ZN_SPLIT_QUOTE;
		scan->fault_at = scan->long_quote;
	}
}

/* Where the entry behind a faulty one begins. */
static const uint8_t *recover(const struct zn_splitter *splitter, const struct scan *scan)
{
	const uint8_t *end = splitter->text.data + splitter->text.len, *newline;

	if (scan->fault == ZN_SPLIT_OPEN || scan->fault == ZN_SPLIT_NESTED || (scan->fault == ZN_SPLIT_QUOTE && scan->open))
		return resume(splitter->text, scan->fault_at);
	if (scan->at > splitter->text.data && scan->at[-1] == '\n' && scan->fault != ZN_SPLIT_QUOTE)
		return scan->at;
	newline = scan->at < end ? memchr(scan->at, '\n', (size_t)(end - scan->at)) : NULL;
	return newline ? newline + 1 : end;
}

static uint32_t count_lines(const uint8_t *at, const uint8_t *end)
{
	uint32_t lines = 0;

	while (at < end && (at = memchr(at, '\n', (size_t)(end - at)))) {
		lines++;
		at++;
	}
	return lines;
}

bool zn_splitter_next(struct zn_splitter *splitter, struct zn_entry *ret_entry)
{
	struct zn_view text = splitter->text;

	if (splitter->at >= text.len || splitter->no_memory)
		return false;
	const uint8_t *from = text.data + splitter->at;
	size_t room = text.len - splitter->at;
	struct scan scan = {.at = from, .end = from + (room > ZN_ENTRY_MAX ? ZN_ENTRY_MAX : room)};
	*ret_entry = (struct zn_entry){.offset = splitter->at, .line = splitter->line};
	if (!scan_entry(splitter, &scan, ret_entry))
		return false;
	judge_end(splitter, &scan);
	ret_entry->incomplete = scan.open && scan.at == text.data + text.len && !scan.fault_other;
	if (scan.fault != ZN_SPLIT_OK) {
		scan.at = recover(splitter, &scan);
		ret_entry->fault = scan.fault;
		ret_entry->fault_offset = (size_t)(scan.fault_at - text.data);
		ret_entry->fault_other = scan.fault_other ? (size_t)(scan.fault_other - text.data) : 0;
	}
	ret_entry->high = scan.high;
	ret_entry->end = (size_t)(scan.at - text.data);
	splitter->at = ret_entry->end;
	splitter->line += scan.opened || scan.fault != ZN_SPLIT_OK ? count_lines(from, scan.at) : 1;
	return true;
}

void zn_entry_place(const struct zn_entry *entry, struct zn_view text, size_t offset, uint32_t *ret_line, uint32_t *ret_column)
{
	size_t begin = entry->offset;
	uint32_t line = entry->line;

	for (const uint8_t *at; offset > begin && (at = memchr(text.data + begin, '\n', offset - begin)); line++)
		begin = (size_t)(at - text.data) + 1;
	while (begin > 0 && begin <= entry->offset && text.data[begin - 1] != '\n')
		begin--;
	*ret_line = line;
	*ret_column = (uint32_t)(offset - begin + 1);
}
