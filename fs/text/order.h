/* fs/text/order.h - order keys of pieces: docs/format.md, order keys. Pure.
 *
 *   fraction (1 to 16 bytes, the last not 00), u32 site, u32 counter
 *
 * Keys compare bytewise, as LMDB does. A new key lies strictly between its neighbours whatever its
 * own site and counter are, because its fraction alone differs from both; two sites that fill the
 * same gap at the same time never make the same key, because site and counter are theirs. */
#pragma once
#include "store/base/bytes.h"

#define ZN_ORDER_FRACTION_MAX 16
#define ZN_ORDER_MAX (ZN_ORDER_FRACTION_MAX + 8)

struct zn_order_key {
	uint8_t len;
	uint8_t bytes[ZN_ORDER_MAX];
};
static inline struct zn_view zn_order_view(const struct zn_order_key *key)
{
	return (struct zn_view){key->bytes, key->len};
}

/* `count` keys in ascending order between two others, evenly spread; `before` or `after` of len 0:
 * nothing there. false: the gap is used up, nothing was written. */
bool zn_order_between(struct zn_view before, struct zn_view after, size_t count, uint32_t site,
		uint32_t counter, struct zn_order_key *ret_keys);
