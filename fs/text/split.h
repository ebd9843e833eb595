/* fs/text/split.h - zone text to entries and tokens, in one pass and without copies. RFC 1035 5.1; docs/dialect.md.
 *
 * An entry is one record or directive, which parentheses may spread over several lines, or one line without either
 * (blank, or only a comment). Every byte of the text belongs to exactly one entry. Nothing is judged here but what
 * decides where an entry ends. */
#pragma once
#include "store/base/bytes.h"

enum zn_token_flags {
	ZN_TOKEN_QUOTED = 1,	/* stands in quotes, which are not part of it */
	ZN_TOKEN_ESCAPED = 2,	/* holds a backslash */
	ZN_TOKEN_HIGH = 4,	/* holds a byte from 0x80 */
	ZN_TOKEN_CONTROL = 8,	/* holds a control byte (a tab or line end, when it stands in quotes, is none) */
	ZN_TOKEN_LINES = 16,	/* holds a line end: quotes within parentheses */
	ZN_TOKEN_MIXED = 32,	/* quotes begin within it: key="value" */
	ZN_TOKEN_ADJACENT = 64,	/* no blank before it: "a""b" */
};

struct zn_token {
	const uint8_t *data;	/* in the text */
	uint32_t len;
	uint32_t flags;		/* 0: printable ASCII and no byte with a meaning of its own */
};

static inline struct zn_view zn_token_view(const struct zn_token *token)
{
	return (struct zn_view){token->data, token->len};
}
static inline bool zn_token_is(const struct zn_token *token, const char *text)
{
	return !(token->flags & ZN_TOKEN_QUOTED) && zn_view_is(zn_token_view(token), text);
}

/* Why an entry has no end of its own, or none that can be believed. */
enum zn_split_fault {
	ZN_SPLIT_OK,
	ZN_SPLIT_QUOTE,		/* a quote that is not closed on its line, or in its parentheses */
	ZN_SPLIT_OPEN,		/* "(" that is never closed */
	ZN_SPLIT_NESTED,	/* "(" within parentheses: the first one has lost its ")" */
	ZN_SPLIT_CLOSE,		/* ")" without "(" */
	ZN_SPLIT_NUL,		/* NUL byte */
	ZN_SPLIT_LONG,		/* more than ZN_ENTRY_MAX bytes */
};

struct zn_entry {
	size_t offset;		/* of the first token; where there is none, of the line */
	size_t end;		/* behind the newline */
	uint32_t line;		/* of offset, from 1 */
	bool at_margin;		/* the first token stands at the beginning of its line: an owner or directive */
	bool high;		/* a byte from 0x80 somewhere, comments included */
	size_t count;
	const struct zn_token *tokens;	/* of the splitter, until the next call */
	enum zn_split_fault fault;	/* tokens are then not to be read */
	size_t fault_offset;	/* of the quote, parenthesis or byte */
	size_t fault_other;	/* NESTED: of the second "(" */
	bool incomplete;	/* a fault only because the text ends here: more of it could be the rest of the entry */
};

struct zn_splitter {
	struct zn_view text;
	size_t at;
	uint32_t line;
	struct zn_token *tokens;
	size_t capacity;
	bool no_memory;
};

/* `text` is borrowed until the release. */
void zn_splitter_init(struct zn_splitter *splitter, struct zn_view text);
void zn_splitter_release(struct zn_splitter *splitter);
/* false: the text has ended, or there was no memory (no_memory). After a fault the next entry begins where the text
 * looks like one again. */
bool zn_splitter_next(struct zn_splitter *splitter, struct zn_entry *ret_entry);

/* Line and column (from 1) of `offset`, which lies at or behind the entry's. */
void zn_entry_place(const struct zn_entry *entry, struct zn_view text, size_t offset, uint32_t *ret_line, uint32_t *ret_column);
