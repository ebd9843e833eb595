/* store/rows.h - one row of records_v5: its key and its list of RRs. docs/format.md, records. For the modules that read and write rows.
 *
 *   key      u32 zone id, owner relative to the apex (store/dns/name.h), 00, u16 type
 *   payload  1..n times: u16le length, RDATA, u32le TTL, u8 auth, u8 disabled, u8 hasOrderName */
#pragma once
#include "store/base/auto.h"
#include "store/base/wire.h"
#include "store/dns/name.h"
#include "store/dns/rrtype.h"

#define ZN_ROW_KEY_MAX (4 + ZN_NAME_MAX + 1 + 2)
struct zn_row_key {
	uint16_t len;
	uint8_t bytes[ZN_ROW_KEY_MAX];
};
void zn_row_key_make(struct zn_row_key *key, uint32_t id, struct zn_view owner, uint16_t type);
static inline struct zn_view zn_row_key_view(const struct zn_row_key *key)
{
	return (struct zn_view){key->bytes, key->len};
}
/* false: no such key (of this zone). The owner is borrowed from the key and may still be no name. */
bool zn_row_key_split(struct zn_view key, uint32_t id, struct zn_view *ret_owner, uint16_t *ret_type);

struct zn_rr {
	struct zn_view rdata;	/* expanded */
	struct zn_view raw;	/* the RR as stored, length to flags */
	uint32_t ttl;
	bool auth, disabled, order_name;
};
/* A row decoded: enabled RRs sorted by RDATA, each once (the first of equal ones); behind them the disabled ones as stored. Kept
 * from row to row, so that its memory is used again; borrows from the payload last decoded. */
struct zn_rrs {
	struct zn_rr *list;
	size_t count, enabled, capacity;
	size_t stored;		/* RRs in the payload, repeated ones too */
	struct zn_buf expanded;
};
void zn_rrs_init(struct zn_rrs *rrs);
void zn_rrs_release(struct zn_rrs *rrs);
/* `owner` is absolute; RDATA is expanded relative to it. ZN_ECORRUPT: does not decode. ZN_ENOMEM. */
ZN_MUST_USE enum zn_code zn_rrs_decode(struct zn_rrs *rrs, uint16_t type, const struct zn_name *owner, struct zn_view payload);

void zn_row_add(struct zn_buf *payload, struct zn_view rdata, uint32_t ttl, bool auth, bool disabled, bool order_name);
/* Sets auth and hasOrderName of every RR of a payload (which decodes). */
void zn_row_set_flags(struct zn_buf *payload, bool auth, bool order_name);
