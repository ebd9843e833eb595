#include "fs/text/print.h"

#include "fs/text/emit.h"
#include "store/dns/rdata.h"

enum {
	FLUSH = 256 << 10,  /* bytes in the buffer that are handed on */
	OWNER_WIDTH = 24,   /* longer owners stand out of their column rather than widen it */
	TYPE_WIDTH = 10,    /* NSEC3PARAM */
	TTLS = 64,          /* different ones that are counted */
	TYPES_CACHED = 258, /* up to CAA */
};

/* How the lines of one zone are laid out. */
struct layout {
	const struct zn_name *apex;
	uint32_t default_ttl;
	size_t owner_width, ttl_width, type_width;
	struct {
		uint8_t len;
		char text[ZN_TYPE_TEXT_MAX];
	} types[TYPES_CACHED];
};

struct ttl_counts {
	struct {
		uint32_t ttl;
		size_t records;
	} list[TTLS];
	size_t count;
};

static void count_ttl(struct ttl_counts *counts, uint32_t ttl)
{
	size_t i = 0;

	while (i < counts->count && counts->list[i].ttl != ttl)
		i++;
	if (i == TTLS)
		return;
	if (i == counts->count) {
		counts->list[counts->count].ttl = ttl;
		counts->list[counts->count++].records = 0;
	}
	counts->list[i].records++;
	/* Common ones drift to the front, where they are found sooner. */
	if (i > 0 && counts->list[i].records > counts->list[i - 1].records) {
		__typeof__(counts->list[0]) common = counts->list[i];
		counts->list[i] = counts->list[i - 1];
		counts->list[i - 1] = common;
	}
}

/* The most frequent; of several the smallest. */
static uint32_t common_ttl(const struct ttl_counts *counts)
{
	size_t best = 0;

	for (size_t i = 1; i < counts->count; i++)
		if (counts->list[i].records > counts->list[best].records ||
				(counts->list[i].records == counts->list[best].records &&
						counts->list[i].ttl < counts->list[best].ttl))
			best = i;
	return counts->count ? counts->list[best].ttl : 0;
}

static size_t decimal_width(uint32_t value)
{
	uint8_t digits[10];

	return (size_t)(emit_decimal(digits, value) - digits);
}

static size_t type_text(struct layout *layout, uint16_t type, char text[static ZN_TYPE_TEXT_MAX])
{
	if (type >= TYPES_CACHED)
		return strlen(zn_rrtype_text(type, text));
	if (layout->types[type].len == 0)
		layout->types[type].len =
				(uint8_t)strlen(zn_rrtype_text(type, layout->types[type].text));
	memcpy(text, layout->types[type].text, layout->types[type].len);
	return layout->types[type].len;
}

static void measure(const struct zn_zone *zone, struct layout *layout)
{
	struct ttl_counts counts = {.count = 0};
	size_t records = zn_zone_count(zone);
	struct zn_view owner = {0};
	char text[ZN_TYPE_TEXT_MAX];
	uint32_t most = 0;
	uint16_t last_type = 0;

	for (size_t i = 0; i < records; i++) {
		struct zn_record record = zn_zone_at(zone, i);
		count_ttl(&counts, record.ttl);
		if (record.type != last_type) {
			size_t width = type_text(layout, record.type, text);
			last_type = record.type;
			if (width > layout->type_width && width <= TYPE_WIDTH)
				layout->type_width = width;
		}
		if (record.owner.data != owner.data) {
			size_t width = emit_key_width(record.owner);
			owner = record.owner;
			if (width > layout->owner_width && width <= OWNER_WIDTH)
				layout->owner_width = width;
		}
	}
	layout->default_ttl = common_ttl(&counts);
	for (size_t i = 0; i < counts.count; i++)
		if (counts.list[i].ttl != layout->default_ttl && counts.list[i].ttl > most)
			most = counts.list[i].ttl;
	if (counts.count == TTLS)
		most = UINT32_MAX; /* not all were looked at */
	layout->ttl_width = counts.count > 1 ? decimal_width(most) : 0;
}

/* A blank, and as many as lead to a column of the line that began at `line`. */
static void go_to(struct zn_buf *out, size_t line, size_t column)
{
	size_t used = out->len - line;

	emit_fill(out, used < column ? column - used : 1);
}

/* Owner, TTL where it is not the default, type. An owner too long for its column takes the room of
 * a TTL that is not there. */
static void print_head(struct layout *layout, const struct zn_record *record, struct zn_buf *out)
{
	size_t line = out->len, column = layout->owner_width + 1;
	char text[ZN_TYPE_TEXT_MAX];

	emit_key(out, record->owner);
	if (record->ttl != layout->default_ttl) {
		go_to(out, line, column);
		emit_number(out, record->ttl);
	}
	column += layout->ttl_width ? layout->ttl_width + 1 : 0;
	go_to(out, line, column);
	zn_buf_add(out, zn_view(text, type_text(layout, record->type, text)));
	go_to(out, line, column + layout->type_width + 1);
}

/* "4h", "1d12h": as a master file may say it. */
static void print_period(struct zn_buf *out, uint32_t seconds)
{
	static const struct {
		uint32_t seconds;
		char unit;
	} units[] = {{604800, 'w'}, {86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (seconds / units[i].seconds == 0)
			continue;
		emit_number(out, seconds / units[i].seconds);
		emit_byte(out, (uint8_t)units[i].unit);
		seconds %= units[i].seconds;
	}
}

/* false: RDATA that is none; nothing was printed. */
static bool print_soa(struct layout *layout, const struct zn_record *record, struct zn_buf *out)
{
	static const char *const names[] = {"serial", "refresh", "retry", "expire", "minimum"};
	struct zn_soa_times times;
	size_t indent;

	if (!zn_rdata_well_formed(record->type, record->rdata) ||
			!zn_rdata_soa(record->rdata, &times))
		return false;
	const uint32_t values[] = {
			times.serial, times.refresh, times.retry, times.expire, times.minimum};
	struct zn_view primary = record->rdata, mailbox;
	size_t len = 0;
	while (primary.data[len] != 0)
		len += 1u + primary.data[len];
	mailbox = zn_view_sub(record->rdata, len + 1, record->rdata.len - 20 - (len + 1));
	primary.len = len + 1;

	size_t line = out->len;
	print_head(layout, record, out);
	indent = out->len - line;
	emit_name(out, primary, layout->apex);
	emit_byte(out, ' ');
	emit_name(out, mailbox, layout->apex);
	zn_buf_add_str(out, " (\n");
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		emit_fill(out, indent);
		size_t start = out->len;
		emit_number(out, values[i]);
		go_to(out, start, 11);
		zn_buf_add_str(out, "; ");
		zn_buf_add_str(out, names[i]);
		if (i > 0 && values[i] >= 60) {
			zn_buf_add_str(out, ", ");
			print_period(out, values[i]);
		}
		emit_byte(out, '\n');
	}
	emit_fill(out, indent);
	zn_buf_add_str(out, ")\n");
	return true;
}

static void print_record(struct layout *layout, const struct zn_record *record, struct zn_buf *out)
{
	if (record->type == ZN_TYPE_SOA && print_soa(layout, record, out))
		return;
	print_head(layout, record, out);
	zn_print_rdata(record->type, record->rdata, layout->apex, out);
	emit_byte(out, '\n');
}

/* Which records of the apex come when: the SOA, then who serves the zone, then the others as they
 * are sorted. */
static int turn(const struct zn_record *record)
{
	return record->type == ZN_TYPE_SOA ? 0 : record->type == ZN_TYPE_NS ? 1 : 2;
}

enum zn_code zn_print_zone(const struct zn_zone *zone, struct zn_buf *out,
		enum zn_code (*flush)(void *context, struct zn_buf *out), void *context,
		struct zn_err *err)
{
	struct layout layout = {.apex = zn_zone_apex(zone)};
	size_t count = zn_zone_count(zone), apex_end = 0;
	enum zn_code code = ZN_OK;

	measure(zone, &layout);
	zn_buf_add_str(out, "$ORIGIN ");
	emit_name(out, zn_name_view(layout.apex), NULL);
	zn_buf_add_str(out, "\n$TTL ");
	emit_number(out, layout.default_ttl);
	emit_byte(out, '\n');
	while (apex_end < count && zn_key_is_apex(zn_zone_at(zone, apex_end).owner))
		apex_end++;
	for (int now = 0; now < 3; now++) {
		for (size_t i = 0; i < apex_end; i++) {
			struct zn_record record = zn_zone_at(zone, i);
			if (turn(&record) == now)
				print_record(&layout, &record, out);
		}
	}
	for (size_t i = apex_end; i < count && !code; i++) {
		struct zn_record record = zn_zone_at(zone, i);
		print_record(&layout, &record, out);
		if (flush && out->len >= FLUSH && !out->failed)
			code = flush(context, out);
	}
	if (!code)
		code = zn_buf_check(out, "print", err);
	if (!code && flush && out->len)
		code = flush(context, out);
	return code;
}
