#include "fs/text/order.h"

#include "store/base/wire.h"

typedef unsigned __int128 fraction;

#define STEP_MIN 16 /* so much room is left between new keys, unless the last byte has to be used  \
		     */
#define APPEND_SHARE                                                                               \
	64 /* a text that grows at its end takes this part of what is left, not half of it each    \
	      time */

/* The first `len` bytes of a key as a number; bytes it has not are 00. */
static fraction leading(struct zn_view key, unsigned len)
{
	fraction value = 0;

	for (unsigned i = 0; i < len; i++)
		value = value << 8 | (i < key.len ? key.data[i] : 0);
	return value;
}

static void make_key(fraction value, unsigned len, uint32_t site, uint32_t counter,
		struct zn_order_key *ret_key)
{
	ret_key->len = (uint8_t)(len + 8);
	zn_put_u32(ret_key->bytes + len, site);
	zn_put_u32(ret_key->bytes + len + 4, counter);
	for (; len > 0; value >>= 8)
		ret_key->bytes[--len] = (uint8_t)value;
}

bool zn_order_between(struct zn_view before, struct zn_view after, size_t count, uint32_t site,
		uint32_t counter, struct zn_order_key *ret_keys)
{
	for (unsigned len = 1; len <= ZN_ORDER_FRACTION_MAX; len++) {
		/* Fractions above `low` and up to `high` differ from both neighbours within their
		 * own bytes. */
		fraction low = leading(before, len), high = after.len ? leading(after, len) : 0;

		if (after.len && high == 0)
			continue;
		high = after.len ? high - 1 : ~(fraction)0 >> 8 * (ZN_ORDER_FRACTION_MAX - len);
		if (high <= low)
			continue;
		fraction step = (high - low) / ((fraction)count + 1);
		if (before.len && !after.len && step > (high - low) / APPEND_SHARE)
			step = (high - low) / APPEND_SHARE;
		if (step < (len < ZN_ORDER_FRACTION_MAX ? STEP_MIN : 2))
			continue;
		for (size_t i = 0; i < count; i++) {
			fraction value = low + (fraction)(i + 1) * step;
			make_key(value + ((value & 0xff) == 0), len, site, counter, &ret_keys[i]);
		}
		return true;
	}
	return false;
}
