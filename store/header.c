#include "store/header.h"

#include "store/base/wire.h"

enum zn_code zn_header_read(struct zn_view value, struct zn_header *ret_header, struct zn_view *ret_payload)
{
	struct zn_reader r = zn_reader_init(value);
	struct zn_header header;

	header.stamp.ns = zn_read_u64(&r);
	header.txnid = zn_read_u64(&r);
	uint8_t version = zn_read_u8(&r);
	header.flags = zn_read_u8(&r) & ZN_HEADER_DELETED;
	zn_read_view(&r, 4);				/* reserved */
	zn_read_view(&r, 8 * (size_t)zn_read_u16(&r));	/* extension blocks */
	if (r.failed || version != 0)
		return ZN_ECORRUPT;
	*ret_header = header;
	*ret_payload = zn_read_rest(&r);
	return ZN_OK;
}

void zn_header_write(uint8_t bytes[static ZN_HEADER_SIZE], const struct zn_header *header)
{
	memset(bytes, 0, ZN_HEADER_SIZE);
	zn_put_u64(bytes, header->stamp.ns);
	zn_put_u64(bytes + 8, header->txnid);
	bytes[17] = header->flags & ZN_HEADER_DELETED;
}
