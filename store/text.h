/* store/text.h - a zone's kept text: zonefs_text_v1 in the records env. docs/format.md, text;
 * details.md 8, 9.
 *
 *   key  u32 id                       the head: format 1, mtime, digest of the records it says,
 * site and counter key  u32 id, order key            a piece: its bytes are fs/text/pieces.h's
 * business, opaque here
 */
#pragma once
#include "store/dns/zone.h"
#include "store/txn.h"

struct zn_text_head {
	struct zn_stamp mtime; /* given by utimens; ns 0: none */
	struct zn_digest digest;
	uint32_t site, counter;
};
/* ZN_ENOTFOUND: the zone has no text. ZN_ECORRUPT, ZN_EFORMAT (newer than this program) with a
 * sentence. ret_stamp may be NULL. */
ZN_MUST_USE enum zn_code zn_text_head_get(struct zn_txn *records, uint32_t id,
		struct zn_text_head *ret_head, struct zn_stamp *ret_stamp, struct zn_err *err);
ZN_MUST_USE enum zn_code zn_text_head_put(struct zn_txn *records, uint32_t id,
		const struct zn_text_head *head, struct zn_err *err);

#define ZN_ORDER_KEY_MAX 24 /* at most 16 bytes of fraction, u32 site, u32 counter */
/* Live pieces in order. `order` (at most ZN_ORDER_KEY_MAX bytes) and `payload` are borrowed from
 * the transaction. Stops with the first failure of `each`. ZN_ECORRUPT: a row that is none of ours;
 * zn_text_bury_all() takes it away. */
ZN_MUST_USE enum zn_code zn_text_each(struct zn_txn *records, uint32_t id,
		enum zn_code (*each)(void *context, struct zn_view order, struct zn_stamp stamp,
				struct zn_view payload),
		void *context, struct zn_err *err);
ZN_MUST_USE enum zn_code zn_text_put(struct zn_txn *records, uint32_t id, struct zn_view order,
		struct zn_view payload, struct zn_err *err);
ZN_MUST_USE enum zn_code zn_text_bury(
		struct zn_txn *records, uint32_t id, struct zn_view order, struct zn_err *err);
/* Head and all pieces. */
ZN_MUST_USE enum zn_code zn_text_bury_all(struct zn_txn *records, uint32_t id, struct zn_err *err);
