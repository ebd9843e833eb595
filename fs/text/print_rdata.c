/* RDATA as text. RFC 1035 5.1 and each type's own RFC; what does not fit: RFC 3597 5. */
#include <arpa/inet.h>
#include <time.h>

#include "fs/text/emit.h"
#include "fs/text/print.h"
#include "store/base/wire.h"

/* clang-format off */
/* The fields of a type, one character each, with a blank between them:
 *   n  name                    i  IPv4 address                 I  IPv6 address
 *   1 2 4  number              6  64 bits in groups of 16 (ILNP)
 *   t  string, in quotes       T  one or more of them          o  one or none
 *   q  the rest as one string  x  hex to the end               b  base64 to the end
 *   d  time, YYYYMMDDHHmmSS    y  type mnemonic                m  types of a bitmap
 *   s  salt, hex or "-"        w  hash in base32hex            e  hex with dashes (EUI)
 *   a  tag of CAA              g  gateway of IPSECKEY          K  its key: base64 or nothing
 *   h  HIP                     v  SvcParams
 *   l  LOC                     p  APL */
static const struct layout {
	uint16_t type;
	const char *fields;
} layouts[] = {
	{ZN_TYPE_A, "i"}, {ZN_TYPE_NS, "n"}, {3, "n"}, {4, "n"}, {ZN_TYPE_CNAME, "n"},
	{ZN_TYPE_SOA, "nn44444"}, {ZN_TYPE_MB, "n"}, {ZN_TYPE_MG, "n"}, {ZN_TYPE_MR, "n"},
	{ZN_TYPE_PTR, "n"}, {ZN_TYPE_HINFO, "tt"}, {ZN_TYPE_MINFO, "nn"}, {ZN_TYPE_MX, "2n"},
	{ZN_TYPE_TXT, "T"}, {ZN_TYPE_RP, "nn"}, {ZN_TYPE_AFSDB, "2n"}, {19, "t"}, {20, "to"},
	{21, "2n"}, {ZN_TYPE_SIG, "y114dd2nb"}, {ZN_TYPE_KEY, "211b"}, {26, "2nn"},
	{ZN_TYPE_AAAA, "I"}, {ZN_TYPE_LOC, "l"}, {ZN_TYPE_SRV, "222n"}, {ZN_TYPE_NAPTR, "22tttn"},
	{ZN_TYPE_KX, "2n"}, {ZN_TYPE_CERT, "221b"}, {ZN_TYPE_DNAME, "n"}, {ZN_TYPE_APL, "p"},
	{ZN_TYPE_DS, "211x"}, {ZN_TYPE_SSHFP, "11x"}, {ZN_TYPE_IPSECKEY, "111gK"},
	{ZN_TYPE_RRSIG, "y114dd2nb"}, {ZN_TYPE_NSEC, "nm"}, {ZN_TYPE_DNSKEY, "211b"},
	{ZN_TYPE_DHCID, "b"}, {ZN_TYPE_NSEC3, "112swm"}, {ZN_TYPE_NSEC3PARAM, "112s"},
	{ZN_TYPE_TLSA, "111x"}, {ZN_TYPE_SMIMEA, "111x"}, {ZN_TYPE_HIP, "h"},
	{ZN_TYPE_RKEY, "211b"}, {ZN_TYPE_CDS, "211x"}, {ZN_TYPE_CDNSKEY, "211b"},
	{ZN_TYPE_OPENPGPKEY, "b"}, {ZN_TYPE_CSYNC, "42m"}, {ZN_TYPE_ZONEMD, "411x"},
	{ZN_TYPE_SVCB, "2nv"}, {ZN_TYPE_HTTPS, "2nv"}, {ZN_TYPE_SPF, "T"}, {ZN_TYPE_NID, "26"},
	{ZN_TYPE_L32, "2i"}, {ZN_TYPE_L64, "26"}, {ZN_TYPE_LP, "2n"}, {ZN_TYPE_EUI48, "e"},
	{ZN_TYPE_EUI64, "e"}, {ZN_TYPE_URI, "22q"}, {ZN_TYPE_CAA, "1aq"}, {ZN_TYPE_DLV, "211x"},
	{ZN_TYPE_ALIAS, "n"}, {ZN_TYPE_LUA, "yT"},
};
/* clang-format on */

static const char *layout_of(uint16_t type)
{
	size_t low = 0, high = sizeof(layouts) / sizeof(layouts[0]);

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (layouts[middle].type == type)
			return layouts[middle].fields;
		if (layouts[middle].type < type)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static const char hex_digits[] = "0123456789abcdef";

/* What is printed of one RDATA. A field that does not fit fails the reader. */
struct print {
	struct zn_reader in;
	struct zn_buf *out;
	const struct zn_name *apex;
	uint16_t type;
};

/* A field that turns out to be empty has no blank before it. */
static void drop_blank(struct print *p)
{
	if (p->out->len && !p->out->failed)
		p->out->data[--p->out->len] = 0;
}

static void print_name(struct print *p)
{
	struct zn_view left = zn_view_sub(p->in.in, p->in.at, SIZE_MAX);
	size_t len = 0;

	while (len < left.len && left.data[len] != 0 && left.data[len] <= ZN_LABEL_MAX)
		len += 1u + left.data[len];
	if (len >= left.len || left.data[len] != 0 || len >= ZN_NAME_MAX) {
		p->in.failed = true;
		return;
	}
	emit_name(p->out, zn_read_view(&p->in, len + 1), p->apex);
}

static void print_quoted(struct print *p, struct zn_view bytes)
{
	uint8_t *at = emit_room(p->out, 4 * bytes.len + 2);

	if (!at)
		return;
	*at++ = '"';
	for (size_t i = 0; i < bytes.len; i++) {
		uint8_t byte = bytes.data[i];
		if (byte < ' ' || byte > '~') {
			at = emit_escape(at, byte);
			continue;
		}
		if (byte == '"' || byte == '\\')
			*at++ = '\\';
		*at++ = byte;
	}
	*at++ = '"';
	emit_end(p->out, at);
}

static void print_string(struct print *p)
{
	struct zn_view bytes = zn_read_view(&p->in, zn_read_u8(&p->in));

	if (!p->in.failed)
		print_quoted(p, bytes);
}

static void print_hex(struct print *p, struct zn_view bytes)
{
	uint8_t *at = emit_room(p->out, 2 * bytes.len);

	if (!at)
		return;
	for (size_t i = 0; i < bytes.len; i++) {
		*at++ = (uint8_t)hex_digits[bytes.data[i] >> 4];
		*at++ = (uint8_t)hex_digits[bytes.data[i] & 15];
	}
	emit_end(p->out, at);
}

static void print_base64(struct print *p, struct zn_view bytes)
{
	static const char digits[] =
			"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint8_t *at = emit_room(p->out, (bytes.len + 2) / 3 * 4);

	for (size_t i = 0; at && i < bytes.len; i += 3) {
		size_t left = bytes.len - i;
		uint32_t bits = (uint32_t)bytes.data[i] << 16 |
				(left > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0) |
				(left > 2 ? bytes.data[i + 2] : 0);
		*at++ = (uint8_t)digits[bits >> 18];
		*at++ = (uint8_t)digits[bits >> 12 & 63];
		*at++ = left > 1 ? (uint8_t)digits[bits >> 6 & 63] : '=';
		*at++ = left > 2 ? (uint8_t)digits[bits & 63] : '=';
	}
	if (at)
		emit_end(p->out, at);
}

/* RFC 4648 7, lower case, without padding: hashed owners. */
static void print_base32hex(struct print *p, struct zn_view bytes)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
	uint8_t *at = emit_room(p->out, (bytes.len + 4) / 5 * 8);
	uint32_t bits = 0;
	unsigned count = 0;

	for (size_t i = 0; at && i < bytes.len; i++) {
		bits = bits << 8 | bytes.data[i];
		for (count += 8; count >= 5; count -= 5)
			*at++ = (uint8_t)digits[bits >> (count - 5) & 31];
	}
	if (at && count > 0)
		*at++ = (uint8_t)digits[bits << (5 - count) & 31];
	if (at)
		emit_end(p->out, at);
}

static void print_ipv4(struct print *p)
{
	struct zn_view bytes = zn_read_view(&p->in, 4);
	uint8_t *at = emit_room(p->out, INET_ADDRSTRLEN);

	if (!at || p->in.failed)
		return;
	for (int i = 0; i < 4; i++) {
		at = emit_decimal(at, bytes.data[i]);
		*at++ = '.';
	}
	emit_end(p->out, at - 1);
}

static void print_ipv6(struct print *p)
{
	struct zn_view bytes = zn_read_view(&p->in, 16);
	char text[INET6_ADDRSTRLEN];

	if (!p->in.failed && inet_ntop(AF_INET6, bytes.data, text, sizeof(text)))
		zn_buf_add_str(p->out, text);
}

/* RFC 6742: four groups of four digits. */
static void print_ilnp(struct print *p)
{
	for (int i = 0; i < 4; i++) {
		if (i)
			emit_byte(p->out, ':');
		print_hex(p, zn_read_view(&p->in, 2));
	}
}

/* RFC 7043. */
static void print_eui(struct print *p)
{
	if (zn_reader_left(&p->in) != (p->type == ZN_TYPE_EUI48 ? 6 : 8))
		p->in.failed = true;
	for (bool first = true; zn_reader_left(&p->in) > 0; first = false) {
		if (!first)
			emit_byte(p->out, '-');
		print_hex(p, zn_read_view(&p->in, 1));
	}
}

static void print_time(struct print *p)
{
	time_t seconds = (time_t)zn_read_u32(&p->in);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	zn_buf_addf(p->out, "%04d%02d%02d%02d%02d%02d", tm.tm_year + 1900, tm.tm_mon + 1,
			tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* Numbers that are no types of records have no text that is read back. */
static void print_type(struct print *p, uint16_t type)
{
	char text[ZN_TYPE_TEXT_MAX];
	uint16_t back;

	zn_buf_add_str(p->out, zn_rrtype_text(type, text));
	if (!zn_rrtype_from_text(zn_view_str(text), &back))
		p->in.failed = true;
}

/* RFC 4034 4.1.2. A bitmap written otherwise than a parser would write it (00 at the end of a
 * window) is left to RFC 3597. */
static void print_bitmap(struct print *p)
{
	int last = -1;
	bool first = true;

	while (zn_reader_left(&p->in) > 0) {
		int window = zn_read_u8(&p->in);
		struct zn_view bits = zn_read_view(&p->in, zn_read_u8(&p->in));
		if (window <= last || bits.len < 1 || bits.len > 32 ||
				bits.data[bits.len - 1] == 0) {
			p->in.failed = true;
			return;
		}
		last = window;
		for (size_t i = 0; i < 8 * bits.len; i++) {
			if (!(bits.data[i / 8] & 0x80 >> i % 8))
				continue;
			if (!first)
				emit_byte(p->out, ' ');
			print_type(p, (uint16_t)(window << 8 | (int)i));
			first = false;
		}
	}
	if (first)
		drop_blank(p);
}

/* RFC 8659 4.1.1: letters and digits. */
static void print_tag(struct print *p)
{
	struct zn_view tag = zn_read_view(&p->in, zn_read_u8(&p->in));

	if (tag.len == 0)
		p->in.failed = true;
	for (size_t i = 0; i < tag.len; i++) {
		uint8_t byte = tag.data[i];
		if (!((byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
				    (byte >= 'a' && byte <= 'z')))
			p->in.failed = true;
	}
	zn_buf_add(p->out, tag);
}

/* RFC 4025 3.1: by the type in the second byte; 0 is a dot. */
static void print_gateway(struct print *p)
{
	switch (p->in.failed ? 255 : p->in.in.data[1]) {
	case 0:
		emit_byte(p->out, '.');
		break;
	case 1:
		print_ipv4(p);
		break;
	case 2:
		print_ipv6(p);
		break;
	case 3:
		print_name(p);
		break;
	default:
		p->in.failed = true;
	}
}

/* RFC 8005 6. */
static void print_hip(struct print *p)
{
	size_t hit_len = zn_read_u8(&p->in);
	uint8_t algorithm = zn_read_u8(&p->in);
	size_t key_len = zn_read_u16(&p->in);
	struct zn_view hit = zn_read_view(&p->in, hit_len), key = zn_read_view(&p->in, key_len);

	if (hit.len == 0 || key.len == 0)
		p->in.failed = true;
	emit_number(p->out, algorithm);
	emit_byte(p->out, ' ');
	print_hex(p, hit);
	emit_byte(p->out, ' ');
	print_base64(p, key);
	while (zn_reader_left(&p->in) > 0) {
		emit_byte(p->out, ' ');
		print_name(p);
	}
}

/* RFC 9460 2.1, RFC 9461 (dohpath). Keys that name servers in use do not know are keyNNNNN. */
static const char *const param_names[] = {"mandatory", "alpn", "no-default-alpn", "port",
		"ipv4hint", "ech", "ipv6hint", "dohpath"};
enum { MANDATORY, ALPN, NO_DEFAULT_ALPN, PORT, IPV4HINT, ECH, IPV6HINT, DOHPATH, PARAM_NAMES };

static void print_param_name(struct print *p, unsigned key)
{
	if (key < PARAM_NAMES)
		zn_buf_add_str(p->out, param_names[key]);
	else
		zn_buf_addf(p->out, "key%u", key);
}

/* Protocol ids that need no escapes on two levels. */
static bool is_plain_alpn(struct zn_view id)
{
	for (size_t i = 0; i < id.len; i++)
		if (emit_label_class[id.data[i]] != EMIT_PLAIN && id.data[i] != '.')
			return false;
	return id.len > 0;
}

/* Keys that must be understood: ascending, and there. RFC 9460 8. */
static void print_mandatory(struct print *p, struct zn_reader others)
{
	const char *separator = "";
	unsigned last = MANDATORY;

	while (zn_reader_left(&p->in) > 0) {
		unsigned key = zn_read_u16(&p->in), other = MANDATORY;
		if (key <= last)
			p->in.failed = true;
		last = key;
		while (other < key && zn_reader_left(&others) > 0) {
			other = zn_read_u16(&others);
			zn_read_view(&others, zn_read_u16(&others));
		}
		if (other != key)
			p->in.failed = true;
		zn_buf_add_str(p->out, separator);
		print_param_name(p, key);
		separator = ",";
	}
}

/* `others`: the parameters behind this one. */
static void print_param_value(struct print *p, unsigned key, struct zn_reader others)
{
	const char *separator = "";

	if (key == DOHPATH || key >= PARAM_NAMES) {
		if (zn_reader_left(&p->in) > 0) {
			emit_byte(p->out, '=');
			print_quoted(p, zn_read_rest(&p->in));
		} else if (key == DOHPATH) {
			p->in.failed = true;
		}
		return;
	}
	if (key == NO_DEFAULT_ALPN)
		return; /* anything left fails it */
	emit_byte(p->out, '=');
	if (key == PORT) {
		emit_number(p->out, zn_read_u16(&p->in));
		return;
	}
	if ((key == IPV4HINT || key == IPV6HINT) && zn_reader_left(&p->in) == 0) {
		zn_buf_add_str(p->out, "auto"); /* PowerDNS's form: filled in when it answers */
		return;
	}
	if (zn_reader_left(&p->in) == 0)
		p->in.failed = true;
	if (key == MANDATORY)
		print_mandatory(p, others);
	while (zn_reader_left(&p->in) > 0) {
		struct zn_view id;
		zn_buf_add_str(p->out, separator);
		separator = ",";
		if (key == IPV4HINT) {
			print_ipv4(p);
		} else if (key == IPV6HINT) {
			print_ipv6(p);
		} else if (key == ECH) {
			print_base64(p, zn_read_rest(&p->in));
		} else {
			id = zn_read_view(&p->in, zn_read_u8(&p->in));
			if (!is_plain_alpn(id))
				p->in.failed = true;
			zn_buf_add(p->out, id);
		}
	}
}

static void print_params(struct print *p)
{
	int last = -1;

	if (zn_reader_left(&p->in) == 0)
		drop_blank(p);
	for (bool first = true; zn_reader_left(&p->in) > 0; first = false) {
		unsigned key = zn_read_u16(&p->in);
		struct print value = *p;
		value.in = zn_reader_init(zn_read_view(&p->in, zn_read_u16(&p->in)));
		if (p->in.failed || (int)key <= last) {
			p->in.failed = true;
			return;
		}
		last = (int)key;
		if (!first)
			emit_byte(p->out, ' ');
		print_param_name(p, key);
		print_param_value(&value, key, p->in);
		if (value.in.failed || zn_reader_left(&value.in) > 0)
			p->in.failed = true;
	}
}

/* RFC 1876 2: a power of ten in cm, one digit each. */
static void print_loc_size(struct print *p, uint8_t size)
{
	unsigned base = size >> 4, power = size & 15;
	uint64_t cm = base;

	if (base > 9 || power > 9 || (base == 0 && power > 0))
		p->in.failed = true;
	for (; power > 0; power--)
		cm *= 10;
	if (cm % 100)
		zn_buf_addf(p->out, " %u.%02um", (unsigned)(cm / 100), (unsigned)(cm % 100));
	else
		zn_buf_addf(p->out, " %um", (unsigned)(cm / 100));
}

/* Thousandths of a second of arc from the equator or meridian. */
static void print_loc_angle(
		struct print *p, uint32_t angle, uint32_t degrees_max, const char *signs)
{
	bool positive = angle >= UINT32_C(1) << 31;
	uint32_t value = positive ? angle - (UINT32_C(1) << 31) : (UINT32_C(1) << 31) - angle;

	if (value > degrees_max * 3600000)
		p->in.failed = true;
	zn_buf_addf(p->out, "%u %u %u.%03u %c ", (unsigned)(value / 3600000),
			(unsigned)(value / 60000 % 60), (unsigned)(value / 1000 % 60),
			(unsigned)(value % 1000), signs[positive ? 0 : 1]);
}

/* RFC 1876 3. */
static void print_loc(struct print *p)
{
	const uint32_t ground = 10000000; /* cm below which heights are negative */
	uint8_t version = zn_read_u8(&p->in), size = zn_read_u8(&p->in),
		horizontal = zn_read_u8(&p->in), vertical = zn_read_u8(&p->in);
	uint32_t latitude = zn_read_u32(&p->in), longitude = zn_read_u32(&p->in),
		 altitude = zn_read_u32(&p->in);
	uint32_t cm = altitude < ground ? ground - altitude : altitude - ground;

	if (version != 0)
		p->in.failed = true;
	print_loc_angle(p, latitude, 90, "NS");
	print_loc_angle(p, longitude, 180, "EW");
	zn_buf_addf(p->out, "%s%u.%02um", altitude < ground ? "-" : "", (unsigned)(cm / 100),
			(unsigned)(cm % 100));
	print_loc_size(p, size);
	print_loc_size(p, horizontal);
	print_loc_size(p, vertical);
}

/* RFC 3123 5. Addresses are stored without their last zero bytes. */
static void print_apl(struct print *p)
{
	const char *separator = "";

	if (zn_reader_left(&p->in) == 0)
		p->in.failed = true;
	while (zn_reader_left(&p->in) > 0) {
		char text[INET6_ADDRSTRLEN] = "";
		uint8_t address[16] = {0};
		unsigned family = zn_read_u16(&p->in), prefix = zn_read_u8(&p->in),
			 len = zn_read_u8(&p->in);
		struct zn_view bytes = zn_read_view(&p->in, len & 0x7f);
		size_t most = family == 1 ? 4 : family == 2 ? 16 : 0;

		if (most == 0 || bytes.len > most || prefix > 8 * most ||
				(bytes.len && bytes.data[bytes.len - 1] == 0)) {
			p->in.failed = true;
			return;
		}
		if (bytes.len)
			memcpy(address, bytes.data, bytes.len);
		inet_ntop(family == 1 ? AF_INET : AF_INET6, address, text, sizeof(text));
		zn_buf_addf(p->out, "%s%s%u:%s/%u", separator, len & 0x80 ? "!" : "", family, text,
				prefix);
		separator = " ";
	}
}

static void print_rest(struct print *p, void (*print)(struct print *p, struct zn_view bytes))
{
	struct zn_view rest = zn_read_rest(&p->in);

	if (rest.len)
		print(p, rest);
	else
		p->in.failed = true;
}

/* RFC 4025 2.4: algorithm 0, in the third byte, has no key. */
static void print_gateway_key(struct print *p)
{
	bool none = !p->in.failed && p->in.in.data[2] == 0;

	if (none && zn_reader_left(&p->in) == 0)
		drop_blank(p);
	else if (none)
		p->in.failed = true;
	else
		print_rest(p, print_base64);
}

static void print_field(struct print *p, char field)
{
	switch (field) {
	case 'n':
		print_name(p);
		break;
	case '1':
		emit_number(p->out, zn_read_u8(&p->in));
		break;
	case '2':
		emit_number(p->out, zn_read_u16(&p->in));
		break;
	case '4':
		emit_number(p->out, zn_read_u32(&p->in));
		break;
	case 'i':
		print_ipv4(p);
		break;
	case 'I':
		print_ipv6(p);
		break;
	case '6':
		print_ilnp(p);
		break;
	case 't':
		print_string(p);
		break;
	case 'T':
		print_string(p);
		while (zn_reader_left(&p->in) > 0) {
			emit_byte(p->out, ' ');
			print_string(p);
		}
		break;
	case 'o':
		if (zn_reader_left(&p->in) > 0)
			print_string(p);
		else
			drop_blank(p);
		break;
	case 'x':
		print_rest(p, print_hex);
		break;
	case 'b':
		print_rest(p, print_base64);
		break;
	case 'K':
		print_gateway_key(p);
		break;
	case 'q':
		print_quoted(p, zn_read_rest(&p->in));
		break;
	case 'd':
		print_time(p);
		break;
	case 'y':
		print_type(p, zn_read_u16(&p->in));
		break;
	case 'm':
		print_bitmap(p);
		break;
	case 's': {
		struct zn_view salt = zn_read_view(&p->in, zn_read_u8(&p->in));
		if (salt.len)
			print_hex(p, salt);
		else
			emit_byte(p->out, '-');
		break;
	}
	case 'w': {
		struct zn_view hash = zn_read_view(&p->in, zn_read_u8(&p->in));
		p->in.failed = p->in.failed || hash.len == 0;
		print_base32hex(p, hash);
		break;
	}
	case 'e':
		print_eui(p);
		break;
	case 'a':
		print_tag(p);
		break;
	case 'g':
		print_gateway(p);
		break;
	case 'h':
		print_hip(p);
		break;
	case 'v':
		print_params(p);
		break;
	case 'l':
		print_loc(p);
		break;
	case 'p':
		print_apl(p);
		break;
	}
}

static void print_generic(struct print *p, struct zn_view rdata)
{
	zn_buf_add_str(p->out, "\\# ");
	emit_number(p->out, (uint32_t)rdata.len);
	if (rdata.len) {
		emit_byte(p->out, ' ');
		print_hex(p, rdata);
	}
}

void zn_print_rdata(
		uint16_t type, struct zn_view rdata, const struct zn_name *apex, struct zn_buf *out)
{
	const char *fields = layout_of(type);
	struct print p = {zn_reader_init(rdata), out, apex, type};
	size_t start = out->len;

	if (fields) {
		for (const char *field = fields; *field && !p.in.failed; field++) {
			if (field != fields)
				emit_byte(out, ' ');
			print_field(&p, *field);
		}
		if (!p.in.failed && zn_reader_left(&p.in) == 0)
			return;
		if (!out->failed && out->data) {
			out->len = start;
			out->data[start] = 0;
		}
	}
	print_generic(&p, rdata);
}
