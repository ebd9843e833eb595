/* fs/text/pieces.h - a text cut at entry boundaries, so that an edit rewrites one piece.
 * docs/format.md, pieces (normative, hex examples there); details.md 8, zone-text 5. Pure: rows
 * come and go through store/text.h by whoever calls. */
#pragma once
#include "fs/text/order.h"
#include "fs/text/parse.h"
#include "store/base/wire.h"

/* One piece as stored. Everything in it is borrowed from the row that was read. */
struct zn_piece {
	struct zn_view order;   /* order key; set by whoever read the row */
	struct zn_view payload; /* what store/text.h keeps */
	struct zn_view vector;  /* u32 site, u32 counter of each save it holds, by site */
	struct zn_view state;   /* state on entry, encoded */
	struct zn_view items;   /* encoded */
	uint64_t item_count;
	struct zn_view text;     /* its bytes */
	struct zn_digest digest; /* of the records its items yield; one given twice counts twice */
};
/* Splits a stored payload, and sees to it that its items lie within its text. ZN_ECORRUPT,
 * ZN_EFORMAT (newer version). `order` is left empty. */
ZN_MUST_USE enum zn_code zn_piece_read(struct zn_view payload, struct zn_piece *ret_piece);
/* The state its first entry inherits: with it the piece can be parsed alone. */
void zn_piece_state(const struct zn_piece *piece, struct zn_text_state *ret_state);

/* Its items in order; offsets count from the start of its text. */
struct zn_piece_items {
	struct zn_reader in;
	uint64_t left;
	size_t end; /* of the last item */
};
struct zn_piece_items zn_piece_items(const struct zn_piece *piece);
bool zn_piece_next(struct zn_piece_items *items, struct zn_item *ret_item);

/* Makes the pieces of a text in two steps. First it hears the parse, off the commit path and
 * knowing nothing of the store; then, inside the write transaction, it is told what is stored and
 * which serial the text ends up with, and says what to put and what to bury. Pieces whose bytes did
 * not change keep their order key and payload; entries never move between pieces that stay; an
 * over-full piece splits, an empty one goes.
 *
 * Memory: about 20 bytes a record. Payloads are made one at a time. */
struct zn_cutter;
/* `apex` is the origin at the start of the text. */
ZN_MUST_USE enum zn_code zn_cutter_new(const struct zn_name *apex, struct zn_cutter **ret_cutter);
void zn_cutter_free(struct zn_cutter *cutter);
ZN_DEFINE_AUTO(struct zn_cutter, zn_cutter_free)
/* For one zn_parse(). Running out of memory is told by zn_cutter_finish(). */
struct zn_parse_sink zn_cutter_sink(struct zn_cutter *cutter);

struct zn_cut {
	struct zn_view text; /* the final text: what was parsed, or the same with another serial in
				it */
	size_t parsed_len; /* bytes of the text that was parsed; items behind serial_offset move by
			      the difference */
	size_t serial_offset;          /* of zn_parsed: lies within the item of the SOA */
	uint64_t soa_hash;             /* zn_record_hash() of the SOA with the final serial */
	const struct zn_piece *stored; /* in order; all of them readable: what is damaged is left
					  out here and buried by the caller */
	size_t stored_count;
	uint32_t site, counter; /* who saves: goes into order keys and piece vectors */
};
/* Nothing of it borrows from `stored`. Valid until the next finish or the free. */
struct zn_piece_changes {
	const struct zn_order_key *put; /* in order of text; what each says: zn_cutter_payload() */
	size_t put_count;
	const struct zn_order_key *bury;
	size_t bury_count;
};
/* May be called again, with another state of the store or another serial. No changes at all: the
 * stored text is this text. */
ZN_MUST_USE enum zn_code zn_cutter_finish(struct zn_cutter *cutter, const struct zn_cut *cut,
		struct zn_piece_changes *ret_changes, struct zn_err *err);
/* The payload of changes.put[index] replaces what is in `out` (no ceiling below a MiB more than the
 * largest entry). The text of zn_cutter_finish() is read again, what was stored is not. */
ZN_MUST_USE enum zn_code zn_cutter_payload(const struct zn_cutter *cutter, size_t index,
		struct zn_buf *out, struct zn_err *err);

/* Replaces the serial at [offset, offset + len) by `serial`, never padded with zeros. A number that
 * gets longer takes blanks behind it while one is left, a shorter one leaves blanks behind unless
 * the line ends there, so that the text keeps its size and columns where it can (rule 22). Returns
 * the new length of the serial token. */
size_t zn_text_set_serial(struct zn_buf *text, size_t offset, size_t len, uint32_t serial);
