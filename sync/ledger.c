#include "sync/ledger.h"

#include "store/base/wire.h"

#define FORMAT 1

/* Ranges that quiet has reached are part of it. */
static void absorb(struct zn_ledger *ledger)
{
	size_t gone = 0;

	while (gone < ledger->count && ledger->ranges[gone].first <= ledger->quiet + 1) {
		if (ledger->ranges[gone].last > ledger->quiet)
			ledger->quiet = ledger->ranges[gone].last;
		gone++;
	}
	ledger->count -= gone;
	memmove(ledger->ranges, ledger->ranges + gone, ledger->count * sizeof ledger->ranges[0]);
}

void zn_ledger_own(struct zn_ledger *ledger, uint64_t txnid)
{
	struct zn_ledger_range *newest = ledger->count ? &ledger->ranges[ledger->count - 1] : NULL;

	if (txnid <= ledger->quiet || (newest && txnid <= newest->last))
		return;
	if (newest && newest->last + 1 == txnid) {
		newest->last = txnid;
	} else {
		if (ledger->count == ZN_LEDGER_RANGES) {
			ledger->count--;
			memmove(ledger->ranges, ledger->ranges + 1, ledger->count * sizeof ledger->ranges[0]);
		}
		ledger->ranges[ledger->count++] = (struct zn_ledger_range){txnid, txnid};
	}
	absorb(ledger);
}

void zn_ledger_published(struct zn_ledger *ledger, uint64_t txnid)
{
	if (txnid > ledger->quiet)
		ledger->quiet = txnid;
	absorb(ledger);
}

bool zn_ledger_pending(const struct zn_ledger *ledger, uint64_t last)
{
	return last > ledger->quiet; /* own ranges that follow quiet are part of it: a number lacks */
}

bool zn_ledger_settled(const struct zn_ledger *ledger, uint64_t txnid)
{
	bool settled = txnid <= ledger->quiet;

	for (size_t i = 0; i < ledger->count && !settled; i++)
		settled = txnid >= ledger->ranges[i].first && txnid <= ledger->ranges[i].last;
	return settled;
}

bool zn_ledger_void(const struct zn_ledger *ledger, uint64_t last)
{
	return ledger->quiet > last || (ledger->count && ledger->ranges[ledger->count - 1].last > last);
}

void zn_ledger_encode(const struct zn_ledger *ledger, struct zn_buf *out)
{
	zn_write_u8(out, FORMAT);
	zn_write_u64(out, ledger->quiet);
	zn_write_varint(out, ledger->count);
	for (size_t i = 0; i < ledger->count; i++) {
		zn_write_u64(out, ledger->ranges[i].first);
		zn_write_u64(out, ledger->ranges[i].last);
	}
}

enum zn_code zn_ledger_decode(struct zn_view bytes, struct zn_ledger *ret_ledger)
{
	struct zn_reader r = zn_reader_init(bytes);
	struct zn_ledger ledger = {0};

	if (zn_read_u8(&r) != FORMAT)
		return r.failed ? ZN_ECORRUPT : ZN_EFORMAT;
	ledger.quiet = zn_read_u64(&r);
	uint64_t count = zn_read_varint(&r);
	if (count > ZN_LEDGER_RANGES)
		return ZN_ECORRUPT;
	for (uint64_t before = ledger.quiet; ledger.count < count && !r.failed; ledger.count++) {
		struct zn_ledger_range range;

		range.first = zn_read_u64(&r);
		range.last = zn_read_u64(&r);
		if (range.first <= before + 1 || range.last < range.first)
			return ZN_ECORRUPT;
		ledger.ranges[ledger.count] = range;
		before = range.last;
	}
	if (r.failed || zn_reader_left(&r))
		return ZN_ECORRUPT;
	*ret_ledger = ledger;
	return ZN_OK;
}
