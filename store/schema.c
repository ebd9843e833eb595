#include "store/schema.h"

#include "store/base/wire.h"

/* Reading. `unknown` sticks like `failed` of the reader. */
struct archive {
	struct zn_reader r;
	bool unknown;
};

static uint8_t read_class(struct archive *a, uint8_t newest)
{
	uint8_t tracking = zn_read_u8(&a->r);
	uint32_t version = zn_read_u32le(&a->r);

	if (!a->r.failed && (tracking != 0 || version > newest))
		a->unknown = true;
	return a->r.failed || a->unknown ? 0 : (uint8_t)version;
}

static struct zn_view read_string(struct archive *a)
{
	return zn_read_view(&a->r, zn_read_u64le(&a->r));
}

/* A name is a string of its wire form; nothing stands for "unset". */
static void read_dns_name(struct archive *a, struct zn_name *ret_name)
{
	struct zn_view wire = read_string(a);

	*ret_name = (struct zn_name){0};
	if (wire.len && zn_name_from_wire(wire, ret_name))
		a->r.failed = true;
}

static void read_variant(struct archive *a, char variant[static ZN_VARIANT_MAX + 1])
{
	struct zn_view bytes = read_string(a);

	memset(variant, 0, ZN_VARIANT_MAX + 1);
	if (bytes.len > ZN_VARIANT_MAX || (bytes.len && memchr(bytes.data, 0, bytes.len)))
		a->unknown = true;
	else if (bytes.len)
		memcpy(variant, bytes.data, bytes.len);
}

/* The zone an object belongs to, the first names of the value: with class preambles. */
static void read_zone(struct archive *a, uint8_t *ret_form, struct zn_zone_id *ret_zone)
{
	*ret_zone = (struct zn_zone_id){0};
	*ret_form = read_class(a, 1);
	if (*ret_form == 1)
		read_class(a, 0);
	read_dns_name(a, &ret_zone->name);
	if (*ret_form == 1)
		read_variant(a, ret_zone->variant);
}

static enum zn_code finish(const struct archive *a)
{
	if (a->unknown)
		return ZN_EFORMAT;
	return a->r.failed || zn_reader_left(&a->r) ? ZN_ECORRUPT : ZN_OK;
}

/* Writing. */
static void write_class(struct zn_buf *out, uint8_t version)
{
	zn_write_u8(out, 0);
	zn_write_u32le(out, version);
}

static void write_string(struct zn_buf *out, struct zn_view bytes)
{
	zn_write_u64le(out, bytes.len);
	zn_buf_add(out, bytes);
}

static void write_zone(struct zn_buf *out, uint8_t form, const struct zn_zone_id *zone)
{
	write_class(out, form);
	if (form == 1)
		write_class(out, 0);
	write_string(out, zn_name_view(&zone->name));
	if (form == 1)
		write_string(out, zn_view_str(zone->variant));
}

enum zn_code zn_domain_decode(struct zn_view value, struct zn_domain *ret_domain)
{
	struct archive a = {.r = zn_reader_init(value)};
	struct zn_domain d = {0};

	d.form.version = read_class(&a, 2);
	read_zone(&a, &d.form.zone, &d.zone);
	d.last_check = (int64_t)zn_read_u64le(&a.r);
	d.account = read_string(&a);
	read_class(&a, 0);
	uint64_t count = zn_read_u64le(&a.r);
	if (count > zn_reader_left(&a.r) / ZN_PRIMARY_SIZE)
		a.r.failed = true;
	d.primaries = zn_read_view(&a.r, a.r.failed ? 0 : count * ZN_PRIMARY_SIZE);
	d.id = zn_read_u32le(&a.r);
	d.notified_serial = zn_read_u32le(&a.r);
	d.kind = zn_read_u32le(&a.r);
	if (d.form.version > 0) {
		d.options = read_string(&a);
		read_dns_name(&a, &d.catalog.name);
		if (d.form.zone == 1)
			read_variant(&a, d.catalog.variant);
	}
	if (d.zone.name.len == 0)
		a.r.failed = true;
	enum zn_code code = finish(&a);
	if (!code)
		*ret_domain = d;
	return code;
}

void zn_domain_encode(const struct zn_domain *d, struct zn_buf *out)
{
	write_class(out, d->form.version);
	write_zone(out, d->form.zone, &d->zone);
	zn_write_u64le(out, (uint64_t)d->last_check);
	write_string(out, d->account);
	write_class(out, 0);
	zn_write_u64le(out, d->primaries.len / ZN_PRIMARY_SIZE);
	zn_buf_add(out, d->primaries);
	zn_write_u32le(out, d->id);
	zn_write_u32le(out, d->notified_serial);
	zn_write_u32le(out, d->kind);
	if (d->form.version == 0)
		return;
	write_string(out, d->options);
	write_string(out, zn_name_view(&d->catalog.name));
	if (d->form.zone == 1)
		write_string(out, zn_view_str(d->catalog.variant));
}

enum zn_code zn_metadata_decode(struct zn_view value, struct zn_metadata *ret_metadata)
{
	struct archive a = {.r = zn_reader_init(value)};
	struct zn_metadata m = {0};

	m.form.version = read_class(&a, 0);
	read_zone(&a, &m.form.zone, &m.zone);
	m.kind = read_string(&a);
	m.value = read_string(&a);
	enum zn_code code = finish(&a);
	if (!code)
		*ret_metadata = m;
	return code;
}

void zn_metadata_encode(const struct zn_metadata *m, struct zn_buf *out)
{
	write_class(out, m->form.version);
	write_zone(out, m->form.zone, &m->zone);
	write_string(out, m->kind);
	write_string(out, m->value);
}

enum zn_code zn_keydata_decode(struct zn_view value, struct zn_keydata *ret_keydata)
{
	struct archive a = {.r = zn_reader_init(value)};
	struct zn_keydata k = {.published = true};

	k.form.version = read_class(&a, 1);
	read_zone(&a, &k.form.zone, &k.zone);
	k.content = read_string(&a);
	k.flags = zn_read_u32le(&a.r);
	k.active = zn_read_u8(&a.r) != 0;
	if (k.form.version > 0)
		k.published = zn_read_u8(&a.r) != 0;
	enum zn_code code = finish(&a);
	if (!code)
		*ret_keydata = k;
	return code;
}

void zn_keydata_encode(const struct zn_keydata *k, struct zn_buf *out)
{
	write_class(out, k->form.version);
	write_zone(out, k->form.zone, &k->zone);
	write_string(out, k->content);
	zn_write_u32le(out, k->flags);
	zn_write_u8(out, k->active);
	if (k->form.version > 0)
		zn_write_u8(out, k->published);
}

enum zn_code zn_tsig_decode(struct zn_view value, struct zn_tsig *ret_tsig)
{
	struct archive a = {.r = zn_reader_init(value)};
	struct zn_tsig t = {0};

	read_class(&a, 0);
	read_class(&a, 0);
	read_dns_name(&a, &t.name);
	read_dns_name(&a, &t.algorithm);
	t.secret = read_string(&a);
	enum zn_code code = finish(&a);
	if (!code)
		*ret_tsig = t;
	return code;
}

void zn_tsig_encode(const struct zn_tsig *t, struct zn_buf *out)
{
	write_class(out, 0);
	write_class(out, 0);
	write_string(out, zn_name_view(&t->name));
	write_string(out, zn_name_view(&t->algorithm));
	write_string(out, t->secret);
}

enum zn_code zn_index_key_make(const struct zn_zone_id *zone, uint32_t id, struct zn_index_key *ret_key)
{
	size_t variant = strlen(zone->variant);
	struct zn_key name;

	enum zn_code code = zn_key_from_name(&zone->name, NULL, &name);
	if (code)
		return code;
	size_t len = name.len;
	memcpy(ret_key->bytes + 2, name.bytes, len);
	if (variant) {
		ret_key->bytes[2 + len] = 0;
		memcpy(ret_key->bytes + 2 + len + 1, zone->variant, variant);
		len += 1 + variant;
	}
	zn_put_u16(ret_key->bytes, (uint16_t)len);
	zn_put_u32(ret_key->bytes + 2 + len, id);
	ret_key->len = (uint16_t)(2 + len + 4);
	return ZN_OK;
}

bool zn_index_key_split(struct zn_view key, struct zn_view *ret_prefix, uint32_t *ret_id)
{
	if (key.len < 2 || key.len != 2 + (size_t)zn_get_u16(key.data) + 4 || key.len > sizeof ((struct zn_index_key *)0)->bytes)
		return false;
	*ret_prefix = zn_view_sub(key, 0, key.len - 4);
	*ret_id = zn_get_u32(key.data + key.len - 4);
	return true;
}

/* Bytes of the name's key at the front of K: labels end where one is empty; the root is a single 00. 0: no such key. */
static size_t name_part(struct zn_view k)
{
	size_t len = 0;

	if (k.len && k.data[0] == 0)
		return 1;
	while (len < k.len && k.data[len]) {
		const uint8_t *end = memchr(k.data + len, 0, k.len - len);
		if (!end)
			return 0;
		len = (size_t)(end - k.data) + 1;
	}
	return len;
}

bool zn_index_key_zone(struct zn_view key, struct zn_zone_id *ret_zone, uint32_t *ret_id)
{
	struct zn_view prefix;

	if (!zn_index_key_split(key, &prefix, ret_id))
		return false;
	struct zn_view k = zn_view_sub(prefix, 2, prefix.len);
	size_t name = name_part(k);
	if (!name || zn_key_to_name(zn_view_sub(k, 0, name), NULL, &ret_zone->name))
		return false;
	ret_zone->variant[0] = 0;
	if (name == k.len)
		return true;
	struct zn_view variant = zn_view_sub(k, name + 1, k.len); /* behind a 00 */
	if (variant.len == 0 || variant.len > ZN_VARIANT_MAX)
		return false;
	memcpy(ret_zone->variant, variant.data, variant.len);
	ret_zone->variant[variant.len] = 0;
	return true;
}

static void mix(uint32_t *a, uint32_t *b, uint32_t *c)
{
	static const uint8_t shifts[3][3] = {{13, 8, 13}, {12, 16, 5}, {3, 10, 15}};

	for (int i = 0; i < 3; i++) {
		*a -= *b; *a -= *c; *a ^= *c >> shifts[i][0];
		*b -= *c; *b -= *a; *b ^= *a << shifts[i][1];
		*c -= *a; *c -= *b; *c ^= *b >> shifts[i][2];
	}
}

uint32_t zn_jenkins(struct zn_view bytes, uint32_t init)
{
	uint32_t word[3] = {UINT32_C(0x9e3779b9), UINT32_C(0x9e3779b9), init};
	size_t whole = bytes.len - bytes.len % 12;

	for (size_t i = 0; i < bytes.len; i++) {
		uint8_t byte = bytes.data[i];
		size_t at = i % 12;
		if (byte >= 'A' && byte <= 'Z')
			byte = (uint8_t)(byte + ('a' - 'A'));
		if (i >= whole && at >= 8)
			at++; /* the lowest byte of the last word is the length's */
		word[at / 4] += (uint32_t)byte << (8 * (at % 4));
		if (i < whole && at == 11)
			mix(&word[0], &word[1], &word[2]);
	}
	word[2] += (uint32_t)bytes.len;
	mix(&word[0], &word[1], &word[2]);
	return word[2];
}

uint32_t zn_zone_hash(const struct zn_zone_id *zone, uint32_t n)
{
	return zn_jenkins(zn_name_view(&zone->name), zone->variant[0] ? zn_jenkins(zn_view_str(zone->variant), n) : n);
}
