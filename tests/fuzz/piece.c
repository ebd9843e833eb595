/* A stored piece, from whoever wrote the row: what is read lies within it, and its parts say what
 * it says. */
#include "fs/text/pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool truth)
{
	if (!truth)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct zn_piece piece;
	struct zn_text_state state;
	struct zn_digest digest = {0};
	struct zn_item item;

	if (zn_piece_read(zn_view(data, size), &piece) != ZN_OK)
		return 0;
	zn_piece_state(&piece, &state);
	require(state.origin.len > 0);
	struct zn_piece_items items = zn_piece_items(&piece);
	for (size_t end = 0; zn_piece_next(&items, &item); end = item.offset + item.len) {
		require(item.offset >= end && item.offset + item.len <= piece.text.len);
		digest.count += item.records;
		digest.sum = (digest.sum + item.hash) & 0xffffffffffff;
	}
	require(items.left == 0 && zn_digest_equal(digest, piece.digest));
	require(piece.text.data + piece.text.len == data + size);
	return 0;
}
