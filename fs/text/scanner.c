#include "fs/text/scanner.h"

#include <libzscanner/scanner.h>
#include <stdarg.h>

#include "fs/text/name_read.h"
#include "store/base/wire.h"

#define HEAD ". 0 IN "	/* owner, TTL and class in front of every line; any will do */
#define LINE_CEILING (4 * ZN_ENTRY_MAX + ZN_NAME_TEXT_MAX)

/* Parameters of SVCB that libzscanner 3.2 does not know by name, RFC 9461, 9540. */
static const struct {
	const char *name, *number;
} svcb_keys[] = {{"dohpath", "key7"}, {"ohttp", "key8"}};

struct zn_scanner {
	zs_scanner_t zs;
	struct zn_buf line;
	uint32_t *starts;	/* of each word in the line */
	size_t starts_capacity;
	bool auto_hint[2];	/* SVCB: ipv4hint=auto, ipv6hint=auto */
};

static bool start(struct zn_scanner *scanner)
{
	return zs_init(&scanner->zs, ".", 1, 0) == 0;
}

enum zn_code zn_scanner_new(struct zn_scanner **ret_scanner)
{
	struct zn_scanner *scanner = malloc(sizeof(*scanner));

	if (!scanner)
		return ZN_ENOMEM;
	zn_buf_init(&scanner->line, LINE_CEILING);
	scanner->starts = NULL;
	scanner->starts_capacity = 0;
	if (!start(scanner)) {
		free(scanner);
		return ZN_ENOMEM;
	}
	*ret_scanner = scanner;
	return ZN_OK;
}

void zn_scanner_free(struct zn_scanner *scanner)
{
	if (!scanner)
		return;
	zs_deinit(&scanner->zs);
	zn_buf_release(&scanner->line);
	free(scanner->starts);
	free(scanner);
}

ZN_PRINTF(3, 4)
static enum zn_code wrong(struct zn_rdata_fault *fault, const struct zn_token *token, const char *format, ...)
{
	va_list args;

	fault->token = token;
	va_start(args, format);
	vsnprintf(fault->sentence, sizeof(fault->sentence), format, args);
	va_end(args);
	return ZN_ESYNTAX;
}

/* Absolute, and whatever libzscanner would not take as \DDD. */
static void add_name(struct zn_buf *line, struct zn_view wire)
{
	if (wire.len == 1)
		zn_buf_add_byte(line, '.');
	for (size_t at = 0; at + 1 < wire.len;) {
		for (size_t left = wire.data[at++]; left > 0; left--, at++) {
			uint8_t byte = wire.data[at], letter = byte | 0x20;
			if ((letter >= 'a' && letter <= 'z') || (byte >= '0' && byte <= '9') || byte == '-' || byte == '_')
				zn_buf_add_byte(line, byte);
			else
				zn_buf_addf(line, "\\%03u", byte);
		}
		zn_buf_add_byte(line, '.');
	}
}

/* A word as it stands, but in ASCII and on one line. */
static void add_word(struct zn_buf *line, const struct zn_token *token)
{
	bool quoted = token->flags & ZN_TOKEN_QUOTED;

	if (quoted)
		zn_buf_add_byte(line, '"');
	if (!(token->flags & (ZN_TOKEN_HIGH | ZN_TOKEN_LINES))) {
		zn_buf_add(line, zn_token_view(token));
	} else {
		for (size_t i = 0; i < token->len; i++) {
			uint8_t byte = token->data[i];
			if (byte == '\\' && i + 1 < token->len && token->data[i + 1] >= 0x80)
				continue;
			if (byte == '\r')
				continue;
			if (byte == '\n' || byte >= 0x80) {
				zn_buf_addf(line, "\\%03u", byte);
				continue;
			}
			zn_buf_add_byte(line, byte);
			if (byte == '\\' && i + 1 < token->len)
				zn_buf_add_byte(line, token->data[++i]);
		}
	}
	if (quoted)
		zn_buf_add_byte(line, '"');
}

/* The part of an SvcParam before "=". */
static struct zn_view svcb_key(const struct zn_token *token)
{
	const uint8_t *equals = memchr(token->data, '=', token->len);

	return zn_view(token->data, equals ? (size_t)(equals - token->data) : token->len);
}

static void add_svcb_name(struct zn_buf *line, struct zn_view name)
{
	for (size_t i = 0; i < sizeof(svcb_keys) / sizeof(svcb_keys[0]); i++)
		if (zn_view_is(name, svcb_keys[i].name))
			name = zn_view_str(svcb_keys[i].number);
	zn_buf_add(line, name);
}

/* mandatory=alpn,dohpath: the keys of a list, each by the name that is known. */
static void add_svcb_list(struct zn_buf *line, struct zn_view list)
{
	while (list.len > 0) {
		const uint8_t *comma = memchr(list.data, ',', list.len);
		size_t len = comma ? (size_t)(comma - list.data) : list.len;
		add_svcb_name(line, zn_view(list.data, len));
		if (comma)
			zn_buf_add_byte(line, ',');
		list = zn_view_sub(list, len + (comma ? 1 : 0), SIZE_MAX);
	}
}

static void add_svcb_word(struct zn_scanner *scanner, const struct zn_token *token)
{
	struct zn_view key = svcb_key(token), word = zn_token_view(token);
	struct zn_view value = zn_view_sub(word, key.len, SIZE_MAX);

	if (zn_view_is(word, "ipv4hint=auto") || zn_view_is(word, "ipv6hint=auto")) {
		scanner->auto_hint[word.data[3] == '6'] = true;	/* put in afterwards */
		return;
	}
	if (zn_view_is(key, "mandatory") && value.len > 1) {
		bool quoted = value.data[1] == '"' && value.len > 2;
		zn_buf_add_str(&scanner->line, "mandatory=");
		add_svcb_list(&scanner->line, zn_view_sub(value, quoted ? 2 : 1, value.len - (quoted ? 3 : 1)));
		return;
	}
	add_svcb_name(&scanner->line, key);
	struct zn_token rest = {value.data, (uint32_t)value.len, token->flags};
	add_word(&scanner->line, &rest);
}

static bool is_svcb(uint16_t type)
{
	return type == ZN_TYPE_SVCB || type == ZN_TYPE_HTTPS;
}

/* Writes the line. ZN_ESYNTAX: a word is wrong already, and fault says so. */
static enum zn_code write_line(struct zn_scanner *scanner, const struct zn_rdata_words *words, struct zn_rdata_fault *fault)
{
	const struct zn_form *form = zn_form_of(words->type);
	struct zn_buf *line = &scanner->line;
	size_t fields = strlen(form->layout);
	char text[ZN_TYPE_TEXT_MAX], why[ZN_NAME_FAULT_MAX];

	zn_buf_clear(line);
	zn_buf_add_str(line, HEAD);
	zn_buf_add_str(line, zn_rrtype_text(words->type, text));
	scanner->auto_hint[0] = scanner->auto_hint[1] = false;
	for (size_t i = 0; i < words->count; i++) {
		const struct zn_token *token = &words->tokens[i];
		if (token->flags & ZN_TOKEN_CONTROL)
			return wrong(fault, token, "a control character: write it as \\DDD if it is meant");
		if (token->flags & ZN_TOKEN_ADJACENT)
			return wrong(fault, token, "a blank is missing before this word");
		/* Hex and base64 may be split anywhere, but libzscanner wants whole groups. */
		if (!strchr("xb", fields ? form->layout[fields - 1] : '*') || i < fields)
			zn_buf_add_byte(line, ' ');
		scanner->starts[i] = (uint32_t)line->len;
		if (zn_form_is_name(form, i)) {
			uint8_t wire[ZN_NAME_MAX];
			size_t len = zn_name_read(token, words->origin, wire, why);
			if (len == 0)
				return wrong(fault, token, "%s", why);
			add_name(line, zn_view(wire, len));
		} else if (is_svcb(words->type) && i >= 2 && !(token->flags & ZN_TOKEN_QUOTED)) {
			add_svcb_word(scanner, token);
		} else {
			add_word(line, token);
		}
	}
	zn_buf_add_byte(line, '\n');
	return line->failed == ZN_ETOOBIG ? wrong(fault, NULL, "the record is too long") : line->failed;
}

/* Our words where libzscanner's would mislead or say too little. */
static const char *sentence_for(int code)
{
	switch (code) {
	case ZS_BAD_NUMBER:
		return "this is not a number";
	case ZS_NUMBER8_OVERFLOW:
		return "the number is above 255";
	case ZS_NUMBER16_OVERFLOW:
		return "the number is above 65535";
	case ZS_NUMBER32_OVERFLOW:
		return "the number is above 4294967295";
	case ZS_NUMBER64_OVERFLOW:
		return "the number is too large";
	case ZS_BAD_ADDRESS_CHAR:
		return "invalid address";
	case ZS_BAD_REST:
		return "nothing may follow here";
	case ZS_RDATA_OVERFLOW:
		return "the record is longer than 65535 bytes";
	case ZS_TEXT_OVERFLOW:
	case ZS_ITEM_OVERFLOW:
		return "the string is longer than 255 bytes";
	case ZS_BAD_TEXT:
	case ZS_BAD_TEXT_CHAR:
		return "invalid string: quotes around it and \\DDD for odd characters may help";
	case ZS_BAD_TIME_UNIT:
		return "this is not a time: write seconds, or numbers with the units w, d, h, m, s";
	case ZS_BAD_HEX_CHAR:
	case ZS_BAD_HEX_RDATA:
		return "invalid hex: pairs of the digits 0 to 9 and a to f";
	case ZS_BAD_BASE64_CHAR:
		return "invalid base64";
	case ZS_BAD_BASE32HEX_CHAR:
		return "invalid base32hex";
	case ZS_UNSUPPORTED_TYPE:
	case ZS_BAD_BITMAP:
		return "unknown record type";
	case ZS_BAD_ALGORITHM:
		return "unknown algorithm: write its number";
	default:
		return zs_strerror(code);
	}
}

/* The word that holds byte `at` of the line, or ends there. */
static size_t word_at(const struct zn_scanner *scanner, size_t count, size_t at)
{
	size_t index = count;

	while (index > 0 && scanner->starts[index - 1] > at)
		index--;
	return index ? index - 1 : 0;
}

static enum zn_code complain(const struct zn_scanner *scanner, const struct zn_rdata_words *words, struct zn_rdata_fault *fault)
{
	const struct zn_form *form = zn_form_of(words->type);
	char type[ZN_TYPE_TEXT_MAX];

	zn_rrtype_text(words->type, type);
	if (words->count < zn_form_min(form)) {
		if (words->count == 0)
			return wrong(fault, NULL, "%s has no data; it takes: %s", type, form->fields);
		return wrong(fault, NULL, "%s takes: %s; something is missing", type, form->fields);
	}
	/* What is left of the line from the byte it stumbled over on, with a NUL, is in `buffer`. */
	size_t rest = scanner->zs.buffer_length ? scanner->zs.buffer_length - 1 : 0, used = scanner->line.len - 1;
	size_t at = rest < used ? used - rest : 0;
	size_t index = word_at(scanner, words->count, at);
	int code = scanner->zs.error.code;
	if (words->count > zn_form_max(form) && (code == ZS_BAD_REST || index >= zn_form_max(form)))
		return wrong(fault, &words->tokens[zn_form_max(form)], "%s takes: %s; nothing may follow", type, form->fields);
	if (code == ZS_BAD_RDATA)
		return wrong(fault, &words->tokens[index], "invalid data; %s takes: %s", type, form->fields);
	return wrong(fault, &words->tokens[index], "%s", sentence_for(code));
}

/* ipv4hint=auto is PowerDNS's, and stands in RDATA as a hint without addresses; keys are sorted, RFC 9460 2.2. */
static bool insert_hint(uint16_t key, uint8_t *rdata, size_t *len)
{
	struct zn_reader r = zn_reader_init(zn_view(rdata, *len));
	struct zn_name target;
	uint8_t hint[4] = {0};

	zn_read_u16(&r);
	zn_read_name(&r, &target);
	while (zn_reader_left(&r) > 0) {
		size_t at = r.at;
		uint16_t other = zn_read_u16(&r);
		zn_read_view(&r, zn_read_u16(&r));
		if (r.failed || other == key)
			return false;
		if (other > key) {
			r.at = at;
			break;
		}
	}
	if (r.failed || *len + sizeof(hint) > ZN_RR_MAX)
		return false;
	zn_put_u16(hint, key);
	memmove(rdata + r.at + sizeof(hint), rdata + r.at, *len - r.at);
	memcpy(rdata + r.at, hint, sizeof(hint));
	*len += sizeof(hint);
	return true;
}

static bool reserve_starts(struct zn_scanner *scanner, size_t count)
{
	if (count <= scanner->starts_capacity)
		return true;
	uint32_t *starts = realloc(scanner->starts, count * sizeof(*starts));
	if (!starts)
		return false;
	scanner->starts = starts;
	scanner->starts_capacity = count;
	return true;
}

enum zn_code zn_scanner_read(struct zn_scanner *scanner, const struct zn_rdata_words *words, uint8_t out[static ZN_RR_MAX],
	size_t *ret_len, struct zn_rdata_fault *ret_fault)
{
	static const uint16_t hints[] = {4, 6};	/* ipv4hint, ipv6hint */
	zs_scanner_t *zs = &scanner->zs;

	if (!reserve_starts(scanner, words->count))
		return ZN_ENOMEM;
	enum zn_code code = write_line(scanner, words, ret_fault);
	if (code)
		return code;
	memcpy(zs->zone_origin, words->origin->wire, words->origin->len);
	zs->zone_origin_length = words->origin->len;
	if (zs_set_input_string(zs, (const char *)scanner->line.data, scanner->line.len) != 0)
		return ZN_ENOMEM;
	bool ok = zs_parse_record(zs) == 0 && zs->state == ZS_STATE_DATA;
	size_t len = zs->r_data_length;
	/* The newline is read with the next call: then it is where the next line begins. */
	if (ok && zs_parse_record(zs) == 0 && zs->state == ZS_STATE_EOF) {
		*ret_len = len;
		memcpy(out, zs->r_data, len);
		for (unsigned i = 0; i < 2; i++)
			if (scanner->auto_hint[i] && !insert_hint(hints[i], out, ret_len))
				return wrong(ret_fault, &words->tokens[words->count - 1], "the hint is given twice");
		return ZN_OK;
	}
	code = complain(scanner, words, ret_fault);
	if (zs->error.fatal || zs->state != ZS_STATE_ERROR) {
		zs_deinit(zs);
		if (!start(scanner))
			return ZN_ENOMEM;
	}
	return code;
}
