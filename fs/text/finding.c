#include "fs/text/finding.h"

#include <stdarg.h>

#include "fs/text/script.h"
#include "store/base/limits.h"

#define SENTENCE_MAX 500	/* bytes with the NUL; findings quote names, which may be long */
#define SHOWN_MAX 100		/* bytes of a source line that are shown */
#define SHOWN_BEFORE 60		/* of these before the caret, when the line is longer */
#define TAB 8

void zn_findings_release(struct zn_findings *findings)
{
	for (size_t i = 0; i < findings->count; i++)
		free(findings->list[i].sentence);
	free(findings->list);
	*findings = (struct zn_findings){0};
}

/* The list grows when its length is a power of two: no capacity to keep. */
static struct zn_finding *append(struct zn_findings *findings)
{
	if ((findings->count & (findings->count - 1)) == 0) {
		size_t capacity = findings->count ? findings->count * 2 : 1;
		struct zn_finding *list = realloc(findings->list, capacity * sizeof(*list));
		if (!list)
			return NULL;
		findings->list = list;
	}
	return &findings->list[findings->count++];
}

/* Where the list is full an error takes the place of the last warning: a thousand remarks must not hide what refuses
 * the save. */
static struct zn_finding *room_for(struct zn_findings *findings, enum zn_severity severity)
{
	if (findings->count < ZN_FINDINGS_MAX)
		return append(findings);
	if (severity == ZN_SEVERITY_WARNING || findings->kept_warnings == 0)
		return NULL;
	for (size_t i = findings->count; i-- > 0;) {
		struct zn_finding *finding = &findings->list[i];
		if (finding->severity == ZN_SEVERITY_WARNING) {
			free(finding->sentence);
			findings->kept_warnings--;
			return finding;
		}
	}
	return NULL;
}

/* One character made visible; returns its bytes and adds to the columns it takes. */
static size_t show_character(struct zn_view line, size_t at, struct zn_buf *out, size_t *columns)
{
	uint32_t character;
	uint8_t byte = line.data[at];
	size_t len = zn_utf8_read(zn_view_sub(line, at, SIZE_MAX), &character);

	if (byte == '\t') {
		size_t width = TAB - *columns % TAB;
		zn_buf_add_fill(out, ' ', width);
		*columns += width;
		return 1;
	}
	if (len == 0 || character < 0x20 || (character >= 0x7f && character < 0xa0) || zn_is_direction_mark(character)) {
		len = len ? len : 1;
		for (size_t i = 0; i < len; i++)
			zn_buf_addf(out, "\\%03u", line.data[at + i]);
		*columns += 4 * len;
		return len;
	}
	zn_buf_add(out, zn_view_sub(line, at, len));
	*columns += 1;
	return len;
}

/* Words of the text are part of sentences; what a terminal would obey is not. */
static char *make_visible(const char *sentence)
{
	ZN_AUTO(zn_buf_release) struct zn_buf out = ZN_BUF_INIT(4 * SENTENCE_MAX);
	struct zn_view text = zn_view_str(sentence);
	size_t columns = 0, at = 0;

	while (at < text.len && text.data[at] >= ' ' && text.data[at] < 0x7f)
		at++;
	if (at == text.len)
		return strdup(sentence);
	for (at = 0; at < text.len;)
		at += show_character(text, at, &out, &columns);
	return out.failed ? NULL : strdup(zn_buf_str(&out));
}

void zn_findings_add(struct zn_findings *findings, uint32_t line, uint32_t column, enum zn_severity severity, const char *format, ...)
{
	char sentence[SENTENCE_MAX];
	struct zn_finding *finding = room_for(findings, severity);
	va_list args;

	if (severity == ZN_SEVERITY_ERROR)
		findings->errors++;
	else
		findings->warnings++;
	if (!finding)
		return;
	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	*finding = (struct zn_finding){line, column, severity, make_visible(sentence)};
	if (severity == ZN_SEVERITY_WARNING)
		findings->kept_warnings++;
}

static int by_place(const void *a, const void *b)
{
	const struct zn_finding *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->column != y->column)
		return x->column < y->column ? -1 : 1;
	if (x->severity != y->severity)
		return x->severity == ZN_SEVERITY_ERROR ? -1 : 1;
	return strcmp(x->sentence ? x->sentence : "", y->sentence ? y->sentence : "");
}

void zn_findings_sort(struct zn_findings *findings)
{
	if (findings->count > 1)
		qsort(findings->list, findings->count, sizeof(findings->list[0]), by_place);
}

/* Walks the lines of a text forward; findings come sorted, so each is found by going on. */
struct lines {
	struct zn_view text;
	size_t at;	/* where line `number` begins */
	uint32_t number;
};

/* The line without its end; false: the text has not as many. */
static bool line_of(struct lines *lines, uint32_t number, struct zn_view *ret_line)
{
	const uint8_t *end;

	if (number < lines->number)
		*lines = (struct lines){lines->text, 0, 1};
	for (; lines->number < number; lines->number++) {
		struct zn_view rest = zn_view_sub(lines->text, lines->at, SIZE_MAX);
		end = rest.len ? memchr(rest.data, '\n', rest.len) : NULL;
		if (!end)
			return false;
		lines->at += (size_t)(end - rest.data) + 1;
	}
	*ret_line = zn_view_sub(lines->text, lines->at, SIZE_MAX);
	end = ret_line->len ? memchr(ret_line->data, '\n', ret_line->len) : NULL;
	if (end)
		ret_line->len = (size_t)(end - ret_line->data);
	if (ret_line->len && ret_line->data[ret_line->len - 1] == '\r')
		ret_line->len--;
	return true;
}

/* The line, and a caret below byte `column` (from 1; one past the end is where something is missing). */
static void show_line(struct zn_view line, uint32_t column, struct zn_buf *out)
{
	size_t caret = column ? column - 1 : 0, from = 0, columns = 0, caret_at = SIZE_MAX;
	size_t before = out->len;

	if (caret > line.len)
		caret = line.len;
	if (line.len > SHOWN_MAX && caret > SHOWN_BEFORE) {
		from = caret - SHOWN_BEFORE;
		while (from < caret && (line.data[from] & 0xc0) == 0x80)
			from++;
	}
	size_t to = line.len - from > SHOWN_MAX ? from + SHOWN_MAX : line.len;
	zn_buf_add_str(out, "  ");
	if (from > 0) {
		zn_buf_add_str(out, "...");
		columns = 3;
	}
	for (size_t at = from; at < to;) {
		size_t start = columns, len = show_character(line, at, out, &columns);
		if (caret >= at && caret < at + len)
			caret_at = start;
		at += len;
	}
	if (caret_at == SIZE_MAX)
		caret_at = columns;
	if (to < line.len)
		zn_buf_add_str(out, "...");
	if (out->failed)
		return;
	while (out->len > before && (out->data[out->len - 1] == ' '))
		out->len--;
	zn_buf_add_byte(out, '\n');
	zn_buf_add_fill(out, ' ', caret_at + 2);
	zn_buf_add_str(out, "^\n");
}

void zn_findings_render(const struct zn_findings *findings, const char *file, struct zn_view text, struct zn_buf *out)
{
	struct lines lines = {text, 0, 1};

	for (size_t i = 0; i < findings->count; i++) {
		const struct zn_finding *finding = &findings->list[i];
		const char *severity = finding->severity == ZN_SEVERITY_ERROR ? "error" : "warning";
		const char *sentence = finding->sentence ? finding->sentence : "out of memory for what is wrong here";
		struct zn_view line;
		if (finding->line == 0) {
			zn_buf_addf(out, "%s: %s: %s\n", file, severity, sentence);
			continue;
		}
		zn_buf_addf(out, "%s:%u:%u: %s: %s\n", file, finding->line, finding->column, severity, sentence);
		if (line_of(&lines, finding->line, &line))
			show_line(line, finding->column, out);
	}
	if (findings->errors + findings->warnings > findings->count)
		zn_buf_addf(out, "%s: %zu errors and %zu warnings in all, %zu of them shown\n", file, findings->errors, findings->warnings,
			findings->count);
}
