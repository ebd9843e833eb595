/* fs/text/piece.h - writing the bytes of a piece: docs/format.md, pieces. What reads them is in
 * pieces.h; for cutter.c alone. Pure. */
#pragma once
#include "fs/text/parse.h"

#define ZN_PIECE_FORMAT 1
#define ZN_HASH_MASK ((UINT64_C(1) << 48) - 1)

void zn_piece_write_state(struct zn_buf *out, const struct zn_text_state *state);
/* `skipped`: bytes since the end of the item before it, or since the start of the piece. */
void zn_piece_write_item(
		struct zn_buf *out, size_t skipped, size_t len, const struct zn_item *item);
size_t zn_piece_item_size(size_t skipped, size_t len, const struct zn_item *item);
