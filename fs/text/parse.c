#include "fs/text/parse.h"

#include "fs/text/late.h"
#include "fs/text/reading.h"
#include "store/base/limits.h"
#include "store/dns/presigned.h"
#include "store/dns/rdata.h"

struct parse {
	const struct zn_parse_options *options;
	struct zn_reading reading;
	struct zn_zone *zone;
	struct zn_lates lates;
	struct zn_parsed parsed;
	bool has_soa;
	bool only_errors;	/* the text has errors of syntax: records are missing, and whatever follows from that is not told */
	struct zn_item item;	/* of the current entry, for the sink */
};

void zn_parsed_release(struct zn_parsed *parsed)
{
	zn_zone_free(parsed->zone);
	*parsed = (struct zn_parsed){0};
}

/* Where the serial stands, so that a save can put another one there. */
static void note_serial(struct parse *parse, const struct zn_read_record *record)
{
	struct zn_soa_times times;

	if (parse->has_soa || !record->words || !zn_rdata_soa(record->rdata, &times))
		return;
	parse->has_soa = true;
	parse->parsed.serial = times.serial;
	if (record->words->rdata[0].flags == 0 && record->words->rdata_count >= 3) {
		const struct zn_token *serial = &record->words->rdata[2];
		parse->parsed.serial_offset = (size_t)(serial->data - parse->reading.text.data);
		parse->parsed.serial_len = serial->len;
	}
}

static void take_record(void *context, const struct zn_read_record *record)
{
	struct parse *parse = context;

	zn_zone_add(parse->zone, record->owner, record->type, record->ttl, record->rdata, parse->reading.number);
	if (record->type == ZN_TYPE_SOA)
		note_serial(parse, record);
	if (!parse->options->sink)
		return;
	const struct zn_record hashed = {.owner = record->owner, .rdata = record->rdata, .ttl = record->ttl, .type = record->type};
	parse->item.records++;
	parse->item.hash = (parse->item.hash + zn_record_hash(parse->reading.apex, &hashed)) & ((UINT64_C(1) << 48) - 1);
}

static void tell_sink(struct parse *parse)
{
	const struct zn_parse_sink *sink = parse->options->sink;
	const struct zn_entry *entry = &parse->reading.entry;

	if (!sink)
		return;
	parse->item.offset = entry->offset;
	parse->item.len = entry->end - entry->offset;
	parse->item.kind = parse->reading.kind;
	sink->entry(sink->context, parse->item.records ? &parse->item : NULL, entry->end, &parse->reading.state);
	parse->item.records = 0;
	parse->item.hash = 0;
}

static void duplicate(void *context, uint32_t dropped, uint32_t kept)
{
	struct parse *parse = context;
	char sentence[] = "the same record is there already, it counts once";

	zn_lates_add(&parse->lates, &(struct zn_late){
		.tag = dropped, .other = kept, .part = ZN_PART_OWNER, .severity = ZN_SEVERITY_WARNING, .sentence = sentence,
	});
}

static uint32_t tag_of(const struct parse *parse, size_t index)
{
	return index == SIZE_MAX ? ZN_LATE_NONE : zn_zone_at(parse->zone, index).tag;
}

static void report(void *context, enum zn_severity severity, size_t index, size_t other, enum zn_check_part part, const char *sentence)
{
	struct parse *parse = context;

	if (parse->only_errors && (severity == ZN_SEVERITY_WARNING || index == SIZE_MAX))
		return;
	zn_lates_add(&parse->lates, &(struct zn_late){
		.tag = tag_of(parse, index), .other = tag_of(parse, other), .part = part, .severity = severity,
		.sentence = (char *)(uintptr_t)sentence,
	});
}

/* The zone as a whole, once all records are there. */
static enum zn_code judge(struct parse *parse, struct zn_findings *findings)
{
	const struct zn_parse_options *options = parse->options;
	struct zn_check_options check = options->check;
	enum zn_code code = zn_zone_finish(parse->zone, duplicate, parse);

	if (code)
		return code;
	parse->only_errors = parse->reading.errors > 0;
	if (zn_zone_count(parse->zone) == 0 && !parse->only_errors) {
		zn_findings_add(findings, 0, 0, ZN_SEVERITY_ERROR, "the text has no records: a zone needs a SOA and an NS");
		return ZN_OK;
	}
	parse->parsed.presigned = check.presigned = !check.signed_zone && zn_zone_is_presigned(parse->zone);
	if (check.presigned && options->presigned_refused)
		zn_findings_add(findings, 0, 0, ZN_SEVERITY_ERROR,
			"the zone is signed already (DNSKEY and RRSIG at its apex), and presigned=refuse does not want that");
	(void)zn_check_zone(parse->zone, &check, report, parse);
	if (check.presigned) {
		size_t errors;

		code = zn_presigned_check(parse->zone, &parse->parsed.signing, report, parse, &errors);
		if (code)
			return code;
	}
	return zn_lates_tell(&parse->lates, parse->reading.text, options, findings);
}

/* What a text editor put in front. false: it is no text that could be read on. */
static bool strip_mark(struct zn_view *text, struct zn_findings *findings)
{
	if (zn_view_starts_with(*text, ZN_VIEW("\xff\xfe")) || zn_view_starts_with(*text, ZN_VIEW("\xfe\xff"))) {
		zn_findings_add(findings, 1, 1, ZN_SEVERITY_ERROR, "the text is UTF-16: save it as ASCII or UTF-8");
		return false;
	}
	if (zn_view_starts_with(*text, ZN_VIEW("\xef\xbb\xbf"))) {
		zn_findings_add(findings, 1, 1, ZN_SEVERITY_ERROR, "the text begins with a byte order mark: save it as UTF-8 without one");
		*text = zn_view_sub(*text, 3, SIZE_MAX);
	}
	return true;
}

static enum zn_code run(struct parse *parse, struct zn_findings *findings)
{
	enum zn_code code = zn_reading_init(&parse->reading);

	if (code)
		return code;
	while (zn_reading_next(&parse->reading))
		tell_sink(parse);
	return parse->reading.failed ? parse->reading.failed : judge(parse, findings);
}

enum zn_code zn_parse(struct zn_view text, const struct zn_parse_options *options, struct zn_findings *findings,
	struct zn_parsed *ret_parsed, struct zn_err *err)
{
	struct parse parse = {
		.options = options,
		.reading = {.apex = options->apex, .findings = findings, .strict = options->strict, .record = take_record},
	};

	if (text.len > ZN_TEXT_MAX)
		return zn_fail(err, ZN_ETOOBIG, "the text has %zu bytes, and at most %zu are read", text.len, ZN_TEXT_MAX);
	if (!strip_mark(&text, findings))
		return zn_fail(err, ZN_ESYNTAX, "the text is UTF-16");
	parse.reading.text = text;
	parse.reading.context = &parse;
	enum zn_code code = zn_zone_new(options->apex, &parse.zone);
	if (code == ZN_OK)
		code = run(&parse, findings);
	zn_reading_release(&parse.reading);
	zn_lates_release(&parse.lates);
	zn_findings_sort(findings);
	if (code == ZN_OK && findings->errors > 0)
		code = zn_fail(err, ZN_ESYNTAX, "%zu error%s in the text", findings->errors, findings->errors == 1 ? "" : "s");
	else if (code != ZN_OK)
		zn_fail(err, code, "reading zone text: %s", zn_code_text(code));
	if (code != ZN_OK) {
		zn_zone_free(parse.zone);
		return code;
	}
	parse.parsed.zone = parse.zone;
	*ret_parsed = parse.parsed;
	return ZN_OK;
}
