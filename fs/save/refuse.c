#include "fs/save/refuse.h"

#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>

#include "fs/save/events.h"
#include "fs/save/task.h"
#include "fs/save/zoneid.h"
#include "fs/text/zonefile.h"
#include "store/base/log.h"

#define LOGGED_MAX 100		/* findings in the log; all of them are in rejected/ */
#define PLACE_MAX (ZN_FILENAME_MAX + 24)
#define WHY_MAX ((size_t)4 << 20)

/* What asks the name service may wait: not for the commit thread. */
static const char *user_name(uint32_t uid, char *name, size_t size)
{
	char buffer[4096];
	struct passwd entry, *found = NULL;

	if (getpwuid_r(uid, &entry, buffer, sizeof buffer, &found) == 0 && found)
		snprintf(name, size, "%s", found->pw_name);
	else
		snprintf(name, size, "%" PRIu32, uid);
	return name;
}

void zn_actor_members(const struct zn_actor *actor, struct zn_buf *out)
{
	zn_buf_addf(out, ",\"uid\":%" PRIu32 ",\"pid\":%" PRId32 ",\"program\":", actor->uid, actor->pid);
	zn_json_string(out, zn_view_str(actor->program));
}

static const char *event_of(enum zn_code code)
{
	return code == ZN_ECONFLICT ? "conflict" : code == ZN_EGUARD ? "guard" : "refuse";
}

static bool has_findings(const struct zn_refusal *refusal)
{
	return refusal->code == ZN_ESYNTAX && refusal->findings && refusal->findings->errors;
}

/* "example.com.zone:14:9", or the file alone for what is about the text as a whole. */
static const char *place_of(const struct zn_finding *finding, const char *file, char place[static PLACE_MAX])
{
	if (finding->line)
		snprintf(place, PLACE_MAX, "%s:%" PRIu32 ":%" PRIu32, file, finding->line, finding->column);
	else
		snprintf(place, PLACE_MAX, "%s", file);
	return place;
}

/* "3 errors; example.com.zone:14:9: invalid IPv4 address" */
static void make_sentence(const struct zn_refusal *refusal, const char *file)
{
	const struct zn_findings *findings = refusal->findings;
	const struct zn_finding *first = NULL;
	char place[PLACE_MAX];

	for (size_t i = 0; i < findings->count && !first; i++)
		if (findings->list[i].severity == ZN_SEVERITY_ERROR)
			first = &findings->list[i];
	int len = snprintf(refusal->err->text, sizeof refusal->err->text, "%zu error%s", findings->errors, findings->errors == 1 ? "" : "s");
	if (first)
		snprintf(refusal->err->text + len, sizeof refusal->err->text - (size_t)len, "; %s: %s", place_of(first, file, place),
			first->sentence ? first->sentence : "");
}

static void write_why(const struct zn_refusal *refusal, const char *file, struct zn_buf *out)
{
	char time[ZN_STAMP_TEXT_MAX], user[256];

	zn_buf_addf(out, "time: %s\nuser: %s\nprogram: %s", zn_stamp_text(zn_clock_now(), time),
		user_name(refusal->actor->uid, user, sizeof user), refusal->actor->program[0] ? refusal->actor->program : "unknown");
	if (refusal->actor->pid)
		zn_buf_addf(out, " (pid %" PRId32 ")", refusal->actor->pid);
	zn_buf_addf(out, "\nreason: %s\n", refusal->err->text);
	if (refusal->findings && refusal->findings->count) {
		zn_buf_add_byte(out, '\n');
		zn_findings_render(refusal->findings, file, refusal->text, out);
	}
}

static void post(struct zn_saver *saver, const struct zn_refusal *refusal, const char *zone)
{
	ZN_AUTO(zn_buf_release) struct zn_buf members = ZN_BUF_INIT((size_t)1 << 19);

	zn_buf_add_str(&members, ",\"reason\":");
	zn_json_string(&members, zn_view_str(refusal->err->text));
	zn_actor_members(refusal->actor, &members);
	if (refusal->findings && refusal->findings->count) {
		zn_buf_add_str(&members, ",\"findings\":[");
		for (size_t i = 0; i < refusal->findings->count; i++) {
			const struct zn_finding *finding = &refusal->findings->list[i];

			zn_buf_addf(&members, "%s{\"line\":%" PRIu32 ",\"column\":%" PRIu32 ",\"severity\":\"%s\",\"text\":", i ? "," : "", finding->line,
				finding->column, finding->severity == ZN_SEVERITY_ERROR ? "error" : "warning");
			zn_json_string(&members, zn_view_str(finding->sentence ? finding->sentence : ""));
			zn_buf_add_byte(&members, '}');
		}
		zn_buf_add_byte(&members, ']');
	}
	if (!members.failed)
		zn_events_post(saver->events, event_of(refusal->code), zone, zn_buf_str(&members));
}

static void log_findings(const struct zn_refusal *refusal, const char *file)
{
	size_t logged = 0;
	char place[PLACE_MAX];

	for (size_t i = 0; i < refusal->findings->count && logged < LOGGED_MAX; i++) {
		const struct zn_finding *finding = &refusal->findings->list[i];

		if (finding->severity != ZN_SEVERITY_ERROR)
			continue;
		zn_warning("%s: error: %s", place_of(finding, file, place), finding->sentence ? finding->sentence : "");
		logged++;
	}
	if (refusal->findings->errors > logged)
		zn_warning("%s: and %zu more errors", file, refusal->findings->errors - logged);
}

void zn_refuse(struct zn_saver *saver, const struct zn_refusal *refusal)
{
	ZN_AUTO(zn_buf_release) struct zn_buf why = ZN_BUF_INIT(WHY_MAX);
	char zone[ZN_ZONEID_TEXT_MAX], file[ZN_FILENAME_MAX + 1];
	struct zn_err err = {0};

	zn_zoneid_text(refusal->zone, zone);
	if (zn_zone_to_filename(&refusal->zone->name, refusal->zone->variant, file) != ZN_OK)
		snprintf(file, sizeof file, "zone");
	if (has_findings(refusal))
		make_sentence(refusal, file);
	else if (!refusal->err->text[0])
		snprintf(refusal->err->text, sizeof refusal->err->text, "%s", zn_code_text(refusal->code));
	zn_warning("%s: refused a save by %s (uid %" PRIu32 "): %s", zone, refusal->actor->program[0] ? refusal->actor->program : "an unknown program",
		refusal->actor->uid, refusal->err->text);
	if (has_findings(refusal))
		log_findings(refusal, file);
	write_why(refusal, file, &why);
	enum zn_code code = zn_buf_check(&why, "findings", &err);
	if (code == ZN_OK)
		code = zn_refused_keep(saver->refused, refusal->zone, refusal->text, zn_buf_view(&why), &err);
	if (code != ZN_OK)
		zn_error("%s: the refused text is lost: %s", zone, err.text);
	post(saver, refusal, zone);
}
