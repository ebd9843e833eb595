#include "store/dns/rdata.h"

#include "store/base/wire.h"

/* The fields of a type, one character each:
 *   1 2 4 6 8  so many bytes          a  16 bytes
 *   N          domain name            n  the same, which PowerDNS may compress (an optional message pointer is
 *                                        followed in N too: other writers exist)
 *   s          character-string       S  one or more of them        t  character-string of at least one byte
 *   o          character-string or nothing
 *   *          whatever is left       +  the same, at least one byte
 *   b          type bitmaps, RFC 4034 4.1.2
 *   g          gateway of IPSECKEY and AMTRELAY, by the type in the byte `g` counts back from
 *   h          HIP: lengths, HIT, key, and names
 *   v          SvcParams, RFC 9460 2.2
 *   p          APL items, RFC 3123 4 */
static const struct layout {
	uint16_t type;
	const char *fields;
} layouts[] = {
	{1, "4"}, {2, "n"}, {3, "n"}, {4, "n"}, {5, "n"}, {6, "nn44444"}, {7, "n"}, {8, "n"}, {9, "n"},
	{12, "n"}, {13, "ss"}, {14, "nn"}, {15, "2n"}, {16, "S"}, {17, "NN"}, {18, "2N"}, {19, "s"},
	{20, "so"}, {21, "2N"}, {23, "N"}, {24, "2114442N+"}, {25, "211*"}, {26, "2NN"}, {27, "sss"},
	{28, "a"}, {29, "1*"}, {33, "222N"}, {35, "22sssN"}, {36, "2N"}, {37, "221+"}, {39, "N"}, {42, "p"},
	{43, "211+"}, {44, "11+"}, {45, "111g*"}, {46, "2114442N+"}, {47, "Nb"}, {48, "211*"}, {49, "+"},
	{50, "112stb"}, {51, "112s"}, {52, "111+"}, {53, "111+"}, {55, "h"}, {57, "211*"}, {58, "NN"},
	{59, "211+"}, {60, "211*"}, {61, "+"}, {62, "42b"}, {63, "411+"}, {64, "2Nv"}, {65, "2Nv"}, {99, "S"},
	{104, "28"}, {105, "24"}, {106, "28"}, {107, "2N"}, {108, "6"}, {109, "8"}, {256, "22+"}, {257, "1t*"},
	{258, "S"}, {260, "11G"}, {261, "S"}, {262, "S"}, {32768, "211+"}, {32769, "211+"}, {65401, "N"},
	{65402, "2S"},
};

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

/* A walk over RDATA. Names that point are followed when there is an owner to build the imaginary message from. */
struct walk {
	struct zn_reader in;
	const struct zn_name *owner;	/* NULL: pointers are not RDATA we take */
	struct zn_buf *out;		/* NULL: nothing is copied */
	struct zn_name *names;		/* NULL: names are not kept */
	size_t names_max, names_count;
};

#define MESSAGE_OWNER 17 /* header and the question for the root */

/* Byte `at` of the imaginary message; false: none there that a pointer may reach. */
static bool message_byte(const struct walk *w, size_t at, uint8_t *ret_byte)
{
	size_t rdata = MESSAGE_OWNER + w->owner->len + 10u;

	if (at >= MESSAGE_OWNER && at - MESSAGE_OWNER < w->owner->len)
		*ret_byte = w->owner->wire[at - MESSAGE_OWNER];
	else if (at >= rdata && at - rdata < w->in.in.len)
		*ret_byte = w->in.in.data[at - rdata];
	else
		return false;
	return true;
}

/* The name at `at` of the message, its pointers followed; each must lead further back than the one before. */
static bool pointed_name(const struct walk *w, size_t at, struct zn_name *name)
{
	size_t bound = at;

	for (;;) {
		uint8_t label, low;

		if (!message_byte(w, at, &label))
			return false;
		if (label >= 0xc0) {
			if (!message_byte(w, at + 1, &low))
				return false;
			at = (size_t)(label & 0x3f) << 8 | low;
			if (at >= bound)
				return false;
			bound = at;
			continue;
		}
		if (label > ZN_LABEL_MAX || name->len + 1u + label + (label != 0) > ZN_NAME_MAX)
			return false;
		name->wire[name->len++] = label;
		if (label == 0)
			return true;
		for (at++; label > 0; label--, at++)
			if (!message_byte(w, at, &name->wire[name->len++]))
				return false;
	}
}

/* A name that stands there whole. */
static void walk_plain_name(struct walk *w, size_t len)
{
	struct zn_view wire = zn_read_view(&w->in, len);

	if (w->out)
		zn_buf_add(w->out, wire);
	if (w->names && w->names_count < w->names_max && zn_name_from_wire(wire, &w->names[w->names_count]) == ZN_OK)
		w->names_count++;
}

static void walk_name(struct walk *w)
{
	struct zn_name name = {.len = 0};
	size_t start = w->in.at, at = start;
	struct zn_view all = w->in.in;

	if (w->in.failed)
		return;
	while (at < all.len && all.data[at] != 0 && all.data[at] <= ZN_LABEL_MAX)
		at += 1u + all.data[at];
	if (at < all.len && all.data[at] == 0 && at - start < ZN_NAME_MAX) {
		walk_plain_name(w, at + 1 - start);
		return;
	}
	if (at >= all.len || all.data[at] < 0xc0 || !w->owner ||
			!pointed_name(w, MESSAGE_OWNER + w->owner->len + 10u + start, &name)) {
		w->in.failed = true;
		return;
	}
	zn_read_view(&w->in, at + 2 - start);
	if (w->in.failed)
		return;
	if (w->out)
		zn_buf_add(w->out, zn_name_view(&name));
	if (w->names && w->names_count < w->names_max)
		w->names[w->names_count++] = name;
}

static struct zn_view walk_bytes(struct walk *w, size_t len)
{
	struct zn_view bytes = zn_read_view(&w->in, len);

	if (w->out)
		zn_buf_add(w->out, bytes);
	return bytes;
}

static uint8_t walk_u8(struct walk *w)
{
	struct zn_view byte = walk_bytes(w, 1);

	return byte.len ? byte.data[0] : 0;
}

static uint16_t walk_u16(struct walk *w)
{
	struct zn_view bytes = walk_bytes(w, 2);

	return bytes.len ? zn_get_u16(bytes.data) : 0;
}

static size_t walk_string(struct walk *w)
{
	return walk_bytes(w, walk_u8(w)).len;
}

/* RFC 4025 2.5, RFC 8777 4.3: 0 none, 1 IPv4, 2 IPv6, 3 a name. */
static void walk_gateway(struct walk *w, uint8_t kind)
{
	if (kind == 1)
		walk_bytes(w, 4);
	else if (kind == 2)
		walk_bytes(w, 16);
	else if (kind == 3)
		walk_name(w);
	else if (kind != 0)
		walk_bytes(w, zn_reader_left(&w->in));
}

/* RFC 8005 5. */
static void walk_hip(struct walk *w)
{
	size_t hit = walk_u8(w);

	walk_u8(w);
	size_t key = walk_u16(w);
	walk_bytes(w, hit + key);
	while (zn_reader_left(&w->in) > 0)
		walk_name(w);
}

/* Windows of a type bitmap: ascending, 1 to 32 bytes each. */
static void walk_bitmap(struct walk *w)
{
	int last = -1;

	while (zn_reader_left(&w->in) > 0) {
		int window = walk_u8(w);
		size_t len = walk_u8(w);
		if (window <= last || len < 1 || len > 32)
			w->in.failed = true;
		last = window;
		walk_bytes(w, len);
	}
}

/* Keys ascending; what a value holds is the printer's business. */
static void walk_params(struct walk *w)
{
	int last = -1;

	while (zn_reader_left(&w->in) > 0) {
		int key = walk_u16(w);
		if (key <= last)
			w->in.failed = true;
		last = key;
		walk_bytes(w, walk_u16(w));
	}
}

static void walk_apl(struct walk *w)
{
	while (zn_reader_left(&w->in) > 0) {
		walk_bytes(w, 3);
		walk_bytes(w, walk_u8(w) & 0x7f);
	}
}

/* The whole RDATA by the fields of its type. false: it does not fit them. */
static bool walk_fields(struct walk *w, const char *fields)
{
	for (const char *field = fields; *field && !w->in.failed; field++) {
		switch (*field) {
		case 'n':
		case 'N':
			walk_name(w);
			break;
		case 's':
			walk_string(w);
			break;
		case 'o':
			if (zn_reader_left(&w->in) > 0)
				walk_string(w);
			break;
		case 't':
			if (walk_string(w) == 0)
				w->in.failed = true;
			break;
		case 'S':
			do
				walk_string(w);
			while (zn_reader_left(&w->in) > 0);
			break;
		case '+':
			if (zn_reader_left(&w->in) == 0)
				w->in.failed = true;
			walk_bytes(w, zn_reader_left(&w->in));
			break;
		case '*':
			walk_bytes(w, zn_reader_left(&w->in));
			break;
		case 'a':
			walk_bytes(w, 16);
			break;
		case 'b':
			walk_bitmap(w);
			break;
		case 'g': /* IPSECKEY: precedence, gateway type, algorithm */
			walk_gateway(w, w->in.in.data[1]);
			break;
		case 'G': /* AMTRELAY: precedence, discovery bit and relay type */
			walk_gateway(w, w->in.in.data[1] & 0x7f);
			break;
		case 'h':
			walk_hip(w);
			break;
		case 'v':
			walk_params(w);
			break;
		case 'p':
			walk_apl(w);
			break;
		default:
			walk_bytes(w, (size_t)(*field - '0'));
			break;
		}
	}
	return !w->in.failed && zn_reader_left(&w->in) == 0;
}

enum zn_code zn_rdata_expand(uint16_t type, struct zn_view rdata, const struct zn_name *owner, struct zn_buf *out)
{
	const char *fields = layout_of(type);
	struct walk w = {.in = zn_reader_init(rdata), .owner = owner, .out = out};
	size_t before = out->len;

	if (!fields || zn_rdata_is_plain(type, rdata)) {
		zn_buf_add(out, rdata);
		return out->failed;
	}
	if (!walk_fields(&w, fields)) {
		if (!out->failed)
			out->len = before;
		return out->failed ? out->failed : ZN_ECORRUPT;
	}
	return out->failed;
}

bool zn_rdata_is_plain(uint16_t type, struct zn_view rdata)
{
	return zn_rdata_well_formed(type, rdata);
}

size_t zn_rdata_names(uint16_t type, struct zn_view rdata, struct zn_name *ret_names, size_t max)
{
	const char *fields = layout_of(type);
	struct walk w = {.in = zn_reader_init(rdata), .names = ret_names, .names_max = max};

	if (fields && strpbrk(fields, "nNgGh"))
		(void)walk_fields(&w, fields);
	return w.names_count;
}

bool zn_rdata_well_formed(uint16_t type, struct zn_view rdata)
{
	const char *fields = layout_of(type);
	struct walk w = {.in = zn_reader_init(rdata)};

	return !fields || walk_fields(&w, fields);
}

bool zn_rdata_soa(struct zn_view rdata, struct zn_soa_times *ret_times)
{
	if (rdata.len < 20)
		return false;
	struct zn_reader r = zn_reader_init(zn_view_sub(rdata, rdata.len - 20, 20));
	ret_times->serial = zn_read_u32(&r);
	ret_times->refresh = zn_read_u32(&r);
	ret_times->retry = zn_read_u32(&r);
	ret_times->expire = zn_read_u32(&r);
	ret_times->minimum = zn_read_u32(&r);
	return true;
}
