#include "store/rows.h"

#include "store/base/limits.h"
#include "store/dns/rdata.h"

void zn_row_key_make(struct zn_row_key *key, uint32_t id, struct zn_view owner, uint16_t type)
{
	zn_put_u32(key->bytes, id);
	memcpy(key->bytes + 4, owner.data, owner.len);
	key->bytes[4 + owner.len] = 0;
	zn_put_u16(key->bytes + 5 + owner.len, type);
	key->len = (uint16_t)(7 + owner.len);
}

bool zn_row_key_split(struct zn_view key, uint32_t id, struct zn_view *ret_owner, uint16_t *ret_type)
{
	if (key.len < 8 || key.len > ZN_ROW_KEY_MAX || zn_get_u32(key.data) != id || key.data[key.len - 3] != 0)
		return false;
	*ret_owner = zn_view_sub(key, 4, key.len - 7);
	*ret_type = zn_get_u16(key.data + key.len - 2);
	return true;
}

void zn_rrs_init(struct zn_rrs *rrs)
{
	*rrs = (struct zn_rrs){.expanded = ZN_BUF_INIT((size_t)1 << 30)};
}

void zn_rrs_release(struct zn_rrs *rrs)
{
	free(rrs->list);
	zn_buf_release(&rrs->expanded);
	rrs->list = NULL;
	rrs->count = rrs->enabled = rrs->capacity = 0;
}

static struct zn_rr *add_rr(struct zn_rrs *rrs)
{
	if (rrs->count == rrs->capacity) {
		size_t capacity = rrs->capacity ? rrs->capacity * 2 : 16;
		struct zn_rr *list = realloc(rrs->list, capacity * sizeof(*list));
		if (!list)
			return NULL;
		rrs->list = list;
		rrs->capacity = capacity;
	}
	return &rrs->list[rrs->count++];
}

/* Of what is not plain, rdata holds the length only until the buffer no longer moves. */
static void settle_expanded(struct zn_rrs *rrs)
{
	size_t at = 0;

	for (size_t i = 0; i < rrs->count; i++) {
		struct zn_view *rdata = &rrs->list[i].rdata;
		if (rdata->data)
			continue;
		*rdata = zn_view_sub(zn_buf_view(&rrs->expanded), at, rdata->len);
		at += rdata->len;
	}
}

static int compare(const void *left, const void *right)
{
	const struct zn_rr *a = left, *b = right;
	int order = (int)a->disabled - (int)b->disabled;

	if (!order && !a->disabled)
		order = zn_view_cmp(a->rdata, b->rdata);
	return order ? order : (a->raw.data > b->raw.data) - (a->raw.data < b->raw.data);
}

static void sort(struct zn_rrs *rrs)
{
	size_t kept = 0;

	qsort(rrs->list, rrs->count, sizeof(*rrs->list), compare);
	for (size_t i = 0; i < rrs->count; i++) {
		const struct zn_rr *rr = &rrs->list[i];
		if (kept > 0 && !rr->disabled && !rrs->list[kept - 1].disabled && zn_view_equal(rrs->list[kept - 1].rdata, rr->rdata))
			continue;
		rrs->list[kept++] = *rr;
		rrs->enabled += !rr->disabled;
	}
	rrs->count = kept;
}

enum zn_code zn_rrs_decode(struct zn_rrs *rrs, uint16_t type, const struct zn_name *owner, struct zn_view payload)
{
	struct zn_reader in = zn_reader_init(payload);
	bool expanded = false;

	rrs->count = rrs->enabled = rrs->stored = 0;
	zn_buf_clear(&rrs->expanded);
	if (payload.len == 0)
		return ZN_ECORRUPT;
	while (zn_reader_left(&in) > 0) {
		size_t from = in.at, before = rrs->expanded.len;
		struct zn_rr *rr = add_rr(rrs);
		if (!rr)
			return ZN_ENOMEM;
		rr->rdata = zn_read_view(&in, zn_read_u16le(&in));
		rr->ttl = zn_read_u32le(&in);
		rr->auth = zn_read_u8(&in) != 0;
		rr->disabled = zn_read_u8(&in) != 0;
		rr->order_name = zn_read_u8(&in) != 0;
		if (in.failed)
			return ZN_ECORRUPT;
		rr->raw = zn_view_sub(payload, from, in.at - from);
		if (zn_rdata_is_plain(type, rr->rdata))
			continue;
		enum zn_code code = zn_rdata_expand(type, rr->rdata, owner, &rrs->expanded);
		if (code)
			return code == ZN_ENOMEM ? code : ZN_ECORRUPT;
		rr->rdata = zn_view(NULL, rrs->expanded.len - before);
		if (rr->rdata.len > ZN_RR_MAX)
			return ZN_ECORRUPT;
		expanded = true;
	}
	if (expanded)
		settle_expanded(rrs);
	rrs->stored = rrs->count;
	if (rrs->count > 1)
		sort(rrs);
	else
		rrs->enabled = !rrs->list[0].disabled;
	return ZN_OK;
}

void zn_row_add(struct zn_buf *payload, struct zn_view rdata, uint32_t ttl, bool auth, bool disabled, bool order_name)
{
	uint8_t head[2] = {(uint8_t)rdata.len, (uint8_t)(rdata.len >> 8)};
	uint8_t tail[7] = {(uint8_t)ttl, (uint8_t)(ttl >> 8), (uint8_t)(ttl >> 16), (uint8_t)(ttl >> 24), auth, disabled, order_name};

	zn_buf_add(payload, zn_view(head, sizeof(head)));
	zn_buf_add(payload, rdata);
	zn_buf_add(payload, zn_view(tail, sizeof(tail)));
}

void zn_row_set_flags(struct zn_buf *payload, bool auth, bool order_name)
{
	struct zn_reader in = zn_reader_init(zn_buf_view(payload));

	while (zn_reader_left(&in) > 0) {
		zn_read_view(&in, (uint64_t)zn_read_u16le(&in) + 4);
		zn_read_view(&in, 3);
		if (in.failed)
			return;
		payload->data[in.at - 3] = auth;
		payload->data[in.at - 1] = order_name;
	}
}
