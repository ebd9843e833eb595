/* store/header.h - the header in front of every value of every DBI. docs/format.md, value header; the same for
 * PowerDNS (lmdb-lightning-stream=yes) and Lightning Stream. Pure.
 *
 *   0  u64 stamp   8  u64 txnid   16  u8 version 0   17  u8 flags   18  4 x 00   22  u16 N   24  N x 8 bytes, skipped
 */
#pragma once
#include "store/base/bytes.h"
#include "store/base/clock.h"

#define ZN_HEADER_SIZE 24
#define ZN_HEADER_DELETED 1 /* a tombstone: kept to say "gone"; no payload */

struct zn_header {
	struct zn_stamp stamp;
	uint64_t txnid;		/* of the LMDB transaction that wrote it here */
	uint8_t flags;		/* bit 0 only; others are dropped on reading */
};

/* Splits a stored value. ZN_ECORRUPT: shorter than its header, or version not 0. */
ZN_MUST_USE enum zn_code zn_header_read(struct zn_view value, struct zn_header *ret_header, struct zn_view *ret_payload);
void zn_header_write(uint8_t bytes[static ZN_HEADER_SIZE], const struct zn_header *header);

static inline bool zn_header_deleted(const struct zn_header *header)
{
	return header->flags & ZN_HEADER_DELETED;
}
