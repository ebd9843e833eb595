/* fs/control/status.c - status for a person, status.json for a program. What sync and the mount have to say comes from the source. */
#include "fs/control/tree.h"

#include <inttypes.h>

#include "fs/save/events.h"
#include "fs/save/refused.h"

#define MAP_WARNING_PERCENT 80

static const char *const env_names[] = {"main", "records"}; /* by enum zn_which */

struct facts {
	struct zn_env_usage usage[2];
	struct zn_commit_usage commit;
	uint64_t zones, warned;
	struct zn_buf warnings;		/* sentences, each NUL-terminated */
	size_t warning_count;
};

static unsigned percent_of(const struct zn_env_usage *usage)
{
	return usage->map_size ? (unsigned)(usage->used * 100 / usage->map_size) : 0;
}

static uint64_t count_zones(struct zn_control *control)
{
	ZN_AUTO_PTR(zn_zone_list_end) struct zn_zone_list *list = NULL;
	struct zn_index_key at = {0};
	struct zn_listed listed;
	uint64_t count = 0;

	if (zn_zone_list_begin(control->options.local, &list, NULL) != ZN_OK)
		return 0;
	while (zn_zone_list_next(list, &at, &listed, NULL) == ZN_OK)
		count++;
	return count;
}

static void warn(struct facts *facts, const char *format, ...) ZN_PRINTF(2, 3);
static void warn(struct facts *facts, const char *format, ...)
{
	char sentence[512];
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof sentence, format, args);
	va_end(args);
	zn_buf_add(&facts->warnings, zn_view(sentence, strlen(sentence) + 1));
	facts->warning_count++;
}

static void gather(struct zn_control *control, struct facts *facts)
{
	size_t refused = zn_refused_count(zn_saver_refused(control->options.saver));

	*facts = (struct facts){.warnings = ZN_BUF_INIT(1 << 16)};
	for (int which = 0; which < 2; which++)
		if (zn_env_usage(control->options.env, (enum zn_which)which, &facts->usage[which], NULL) == ZN_OK &&
			percent_of(&facts->usage[which]) >= MAP_WARNING_PERCENT)
			warn(facts, "the map of the %s file is %u %% full: raise lmdb-map-size in PowerDNS and map-size here", env_names[which],
				percent_of(&facts->usage[which]));
	zn_commit_usage(control->options.commit, &facts->commit);
	if (facts->commit.lock_held_elsewhere)
		warn(facts, "another process holds the database's write lock");
	if (refused)
		warn(facts, "%zu zone%s refused text%s: rejected/ says why", refused, refused == 1 ? " has a" : "s have a", "");
	facts->zones = count_zones(control);
	facts->warned = zn_saver_warned(control->options.saver);
}

static void list_refused_text(void *context, const char *file)
{
	zn_buf_addf(context, "rejected    %s\n", file);
}

void zn_status_text(struct zn_control *control, struct zn_buf *out)
{
	struct facts facts;
	char time[ZN_STAMP_TEXT_MAX];

	gather(control, &facts);
	zn_buf_addf(out, "zonefs      %s, since %s\n", facts.warning_count ? "needs attention" : "ok", zn_stamp_text(control->started, time));
	const char *sentence = zn_buf_str(&facts.warnings);
	for (size_t i = 0; i < facts.warning_count; i++, sentence += strlen(sentence) + 1)
		zn_buf_addf(out, "warning     %s\n", sentence);
	zn_buf_addf(out, "database    %s, schema %" PRIu32 "%s\n", zn_env_path(control->options.env), zn_env_schema(control->options.env),
		zn_env_read_only(control->options.env) ? ", read-only" : "");
	for (int which = 0; which < 2; which++)
		zn_buf_addf(out, "%-11s %" PRIu64 " of %" PRIu64 " MB used (%u %%), transaction %" PRIu64 "\n", env_names[which],
			facts.usage[which].used >> 20, facts.usage[which].map_size >> 20, percent_of(&facts.usage[which]), facts.usage[which].last_txnid);
	zn_buf_addf(out, "zones       %" PRIu64 "%s\n", facts.zones, zn_local_complete(control->options.local) ? "" : ", list in the making");
	if (facts.warned)
		zn_buf_addf(out, "findings    %" PRIu64 " zone%s saved with warnings: zones/ZONE/warnings names them\n", facts.warned, facts.warned == 1 ? " was" : "s were");
	zn_buf_addf(out, "saves       %zu wait, %" PRIu64 " jobs in %" PRIu64 " transactions\n", facts.commit.waiting, facts.commit.jobs,
		facts.commit.commits);
	zn_refused_each_zone(zn_saver_refused(control->options.saver), list_refused_text, out);
	if (zn_saver_allowed(control->options.saver))
		zn_buf_add_str(out, "allow       the next save or deletion may pass the guard\n");
	if (control->options.source.status_text)
		control->options.source.status_text(control->options.source.context, out);
	zn_buf_release(&facts.warnings);
}

struct names {
	struct zn_buf *out;
	size_t count;
};

static void list_refused_json(void *context, const char *file)
{
	struct names *names = context;

	if (names->count++)
		zn_buf_add_byte(names->out, ',');
	zn_json_string(names->out, zn_view_str(file));
}

static void add_env(struct zn_buf *out, const char *name, const struct zn_env_usage *usage)
{
	zn_buf_addf(out, ",\"%s\":{\"map_size\":%" PRIu64 ",\"used\":%" PRIu64 ",\"percent\":%u,\"txnid\":%" PRIu64
		",\"readers\":%u,\"readers_max\":%u}", name, usage->map_size, usage->used, percent_of(usage), usage->last_txnid, usage->readers,
		usage->readers_max);
}

void zn_status_json(struct zn_control *control, struct zn_buf *out)
{
	struct facts facts;
	struct names names = {.out = out};
	char time[ZN_STAMP_TEXT_MAX];

	gather(control, &facts);
	zn_buf_addf(out, "{\"health\":\"%s\",\"started\":\"%s\",\"warnings\":[", facts.warning_count ? "warning" : "ok",
		zn_stamp_text(control->started, time));
	const char *sentence = zn_buf_str(&facts.warnings);
	for (size_t i = 0; i < facts.warning_count; i++, sentence += strlen(sentence) + 1) {
		if (i)
			zn_buf_add_byte(out, ',');
		zn_json_string(out, zn_view_str(sentence));
	}
	zn_buf_add_str(out, "],\"database\":{\"path\":");
	zn_json_string(out, zn_view_str(zn_env_path(control->options.env)));
	zn_buf_addf(out, ",\"schema\":%" PRIu32 ",\"read_only\":%s", zn_env_schema(control->options.env),
		zn_env_read_only(control->options.env) ? "true" : "false");
	for (int which = 0; which < 2; which++)
		add_env(out, env_names[which], &facts.usage[which]);
	zn_buf_addf(out, "},\"zones\":%" PRIu64 ",\"zones_with_warnings\":%" PRIu64 ",\"list_complete\":%s,\"rejected\":[", facts.zones, facts.warned,
		zn_local_complete(control->options.local) ? "true" : "false");
	zn_refused_each_zone(zn_saver_refused(control->options.saver), list_refused_json, &names);
	zn_buf_addf(out, "],\"allowed\":%s,\"commit\":{\"waiting\":%zu,\"jobs\":%" PRIu64 ",\"transactions\":%" PRIu64 ",\"lock_held_elsewhere\":%s}",
		zn_saver_allowed(control->options.saver) ? "true" : "false", facts.commit.waiting, facts.commit.jobs, facts.commit.commits,
		facts.commit.lock_held_elsewhere ? "true" : "false");
	if (control->options.source.status)
		control->options.source.status(control->options.source.context, out);
	zn_buf_add_str(out, "}\n");
	zn_buf_release(&facts.warnings);
}
