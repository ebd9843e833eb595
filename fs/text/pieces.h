/* fs/text/pieces.h - a text cut at entry boundaries, so that an edit rewrites one piece. docs/format.md, pieces (normative, hex examples there);
 * details.md 8, zone-text 5. Pure: rows come and go through store/text.h by whoever calls. */
#pragma once
#include "fs/text/parse.h"

/* One piece as stored, and as planned. */
struct zn_piece {
	struct zn_view order;		/* order key; len 0 for a planned piece that has none yet */
	struct zn_view payload;		/* what store/text.h keeps; borrowed or owned as the list says */
	struct zn_view text;		/* its bytes within payload */
	struct zn_digest digest;	/* of the records its items yield */
};
/* Splits a stored payload: format, vector, state, items, text. ZN_ECORRUPT, ZN_EFORMAT (newer version). */
ZN_MUST_USE enum zn_code zn_piece_read(struct zn_view payload, struct zn_piece *ret_piece);

/* Makes the pieces of a text in two steps. First it hears the parse, off the commit path and knowing nothing of the store; then, inside the write
 * transaction, it is told what is stored and which serial the text ends up with, and says what to put and what to bury. Pieces whose bytes did not change keep
 * their order key and payload; entries never move between pieces that stay; an over-full piece splits, an empty one goes. */
struct zn_cutter;
ZN_MUST_USE enum zn_code zn_cutter_new(struct zn_cutter **ret_cutter);
void zn_cutter_free(struct zn_cutter *cutter);
ZN_DEFINE_AUTO(struct zn_cutter, zn_cutter_free)
/* For one zn_parse(). Running out of memory is told by zn_cutter_finish(). */
struct zn_parse_sink zn_cutter_sink(struct zn_cutter *cutter);

struct zn_cut {
	struct zn_view text;		/* the final text: what was parsed, or the same with another serial in it */
	size_t parsed_len;		/* bytes of the text that was parsed; items behind serial_offset move by the difference */
	size_t serial_offset;		/* of zn_parsed: lies within the item of the SOA */
	uint64_t soa_hash;		/* zn_record_hash() of the SOA with the final serial */
	const struct zn_piece *stored;	/* in order */
	size_t stored_count;
	uint32_t site, counter;		/* who saves: goes into order keys and piece vectors */
};
/* Nothing of it borrows from `stored`. Valid until the next finish or the free. */
struct zn_piece_changes {
	struct zn_piece *put;
	size_t put_count;
	struct zn_view *bury;		/* order keys */
	size_t bury_count;
};
/* May be called again, with another state of the store or another serial. No changes at all: the stored text is this text. */
ZN_MUST_USE enum zn_code zn_cutter_finish(struct zn_cutter *cutter, const struct zn_cut *cut, struct zn_piece_changes *ret_changes, struct zn_err *err);

/* Replaces the serial at [offset, offset + len) by `serial`: the same number of digits by zero... never padded; a longer number takes blanks behind it
 * where there are two or more, so that the text keeps its size and columns where it can (rule 22). Returns the new length of the serial token. */
size_t zn_text_set_serial(struct zn_buf *text, size_t offset, size_t len, uint32_t serial);
