#include "fs/cmd/status.h"

#include <inttypes.h>

#include "fs/mount/session.h"
#include "sync/syncer.h"

static const char *const health_names[] = {"ok", "warning", "error"};
static const char *const db_names[] = {"main", "shard"}; /* by enum zn_which */

static void add_string(struct zn_buf *out, const char *name, const char *text)
{
	zn_buf_addf(out, "\"%s\":", name);
	zn_json_string(out, zn_view_str(text));
}

static void add_stamp(struct zn_buf *out, const char *name, struct zn_stamp stamp)
{
	char text[ZN_STAMP_TEXT_MAX];

	if (stamp.ns)
		add_string(out, name, zn_stamp_text(stamp, text));
	else
		zn_buf_addf(out, "\"%s\":null", name);
}

static void add_bool(struct zn_buf *out, const char *name, bool value)
{
	zn_buf_addf(out, "\"%s\":%s", name, value ? "true" : "false");
}

static void sync_db_json(struct zn_buf *out, const char *name, const struct zn_syncer_db_status *db)
{
	zn_buf_addf(out, "\"%s\":{", name);
	add_stamp(out, "published", db->published);
	zn_buf_add_str(out, ",");
	add_bool(out, "pending", db->pending);
	zn_buf_addf(out, ",\"objects_published\":%" PRIu64 ",\"objects_merged\":%" PRIu64 ",\"entries_merged\":%" PRIu64
		",\"aside\":%" PRIu64 "}", db->objects_published, db->objects_merged, db->entries_merged, db->aside);
}

static void sync_json(struct zn_buf *out, const struct zn_syncer_status *status)
{
	zn_buf_add_str(out, ",\"sync\":{");
	add_string(out, "health", health_names[status->health]);
	zn_buf_add_str(out, ",");
	add_string(out, "bucket", status->bucket);
	zn_buf_add_str(out, ",");
	add_string(out, "instance", status->instance);
	zn_buf_add_str(out, ",");
	add_bool(out, "receive", status->receive);
	zn_buf_add_str(out, ",");
	add_bool(out, "duplicate", status->duplicate);
	zn_buf_add_str(out, ",");
	add_string(out, "problem", status->problem);
	zn_buf_add_str(out, ",");
	add_string(out, "hold", status->hold);
	zn_buf_addf(out, ",\"failing_seconds\":%" PRIu64 ",", status->failing_for / ZN_NS_PER_S);
	add_stamp(out, "listed", status->listed);
	zn_buf_add_str(out, ",");
	add_stamp(out, "complete", status->complete);
	for (int which = 0; which < 2; which++) {
		zn_buf_add_str(out, ",");
		sync_db_json(out, db_names[which], &status->db[which]);
	}
	zn_buf_add_str(out, ",\"peers\":[");
	for (size_t i = 0; i < status->peer_count; i++) {
		const struct zn_syncer_peer *peer = &status->peers[i];
		zn_buf_add_str(out, i ? ",{" : "{");
		add_string(out, "instance", peer->instance);
		zn_buf_add_str(out, ",");
		add_string(out, "program", peer->zonefs ? "zonefs" : "Lightning Stream");
		zn_buf_add_str(out, ",");
		add_stamp(out, "listed", peer->listed[ZN_RECORDS]);
		zn_buf_add_str(out, ",");
		add_stamp(out, "merged", peer->merged[ZN_RECORDS]);
		zn_buf_add_str(out, ",");
		add_string(out, "problem", peer->problem);
		zn_buf_add_str(out, "}");
	}
	zn_buf_add_str(out, "]}");
}

static void mount_json(struct zn_buf *out, const struct zn_mount_status *status)
{
	zn_buf_addf(out, ",\"mount\":{\"versions_open\":%zu,\"drafts_open\":%zu,\"vacated\":%zu,\"scratch_files\":%zu,"
		"\"scratch_bytes\":%" PRIu64 ",\"scratch_quota\":%" PRIu64 ",\"saves_waiting\":%zu,\"unlisted\":%zu,"
		"\"last_closes\":%" PRIu64 ",\"blind_closes\":%" PRIu64 ",",
		status->versions_open, status->drafts_open, status->vacated, status->scratch_files, status->scratch_bytes,
		status->scratch_quota, status->saves_waiting, status->unlisted, status->last_closes, status->blind_closes);
	add_bool(out, "warm", status->warm);
	zn_buf_add_str(out, "}");
}

struct fault_list {
	struct zn_buf *out;
	size_t count;
};

static void fault_json(void *context, const char *zone, size_t errors, const char *sentence)
{
	struct fault_list *list = context;

	zn_buf_add_str(list->out, list->count++ ? ",{" : "{");
	add_string(list->out, "zone", zone);
	zn_buf_addf(list->out, ",\"errors\":%zu,", errors);
	add_string(list->out, "text", sentence);
	zn_buf_add_str(list->out, "}");
}

static void fault_text(void *context, const char *zone, size_t errors, const char *sentence)
{
	zn_buf_addf(context, "fault       %s, by a change from elsewhere: %s%s\n", zone, sentence, errors > 1 ? ", and more" : "");
}

static void add_json(void *context, struct zn_buf *out)
{
	struct zn_status_parts *parts = context;
	struct zn_syncer_status sync;
	struct zn_mount_status mount;
	struct fault_list list = {.out = out};

	zn_buf_add_str(out, ",\"faults\":[");
	zn_faults_each(parts->program->faults, fault_json, &list);
	zn_buf_add_str(out, "]");
	if (parts->program->syncer && zn_syncer_status(parts->program->syncer, &sync) == ZN_OK) {
		sync_json(out, &sync);
		zn_syncer_status_release(&sync);
	}
	zn_mount_status(*parts->mount, &mount);
	mount_json(out, &mount);
}

static void sync_text(struct zn_buf *out, const struct zn_syncer_status *status)
{
	char text[ZN_STAMP_TEXT_MAX];

	zn_buf_addf(out, "bucket      %s as %s%s, %s\n", status->bucket, status->instance, status->receive ? ", receiving only" : "",
		health_names[status->health]);
	if (status->problem[0])
		zn_buf_addf(out, "            %s\n", status->problem);
	if (status->failing_for)
		zn_buf_addf(out, "            not reached for %" PRIu64 " s\n", status->failing_for / ZN_NS_PER_S);
	if (status->hold[0])
		zn_buf_addf(out, "            nothing is published: %s\n", status->hold);
	if (status->duplicate)
		zn_buf_addf(out, "            another process publishes as %s: give each mount an instance of its own\n", status->instance);
	if (status->complete.ns)
		zn_buf_addf(out, "            complete as of %s\n", zn_stamp_text(status->complete, text));
	if (status->db[0].pending || status->db[1].pending)
		zn_buf_addf(out, "            changes wait to be published\n");
	for (int which = 0; which < 2; which++)
		if (status->db[which].aside)
			zn_buf_addf(out, "            %" PRIu64 " entries of %s come from more than a day ahead and wait\n",
				status->db[which].aside, db_names[which]);
	for (size_t i = 0; i < status->peer_count; i++) {
		const struct zn_syncer_peer *peer = &status->peers[i];
		struct zn_stamp merged = peer->merged[ZN_RECORDS];

		zn_buf_addf(out, "  peer      %s, merged as of %s%s%s\n", peer->instance, merged.ns ? zn_stamp_text(merged, text) : "never",
			peer->problem[0] ? ": " : "", peer->problem);
	}
}

static void mount_text(struct zn_buf *out, const struct zn_mount_status *status)
{
	zn_buf_addf(out, "scratch     %zu files, %" PRIu64 " of %" PRIu64 " bytes\n", status->scratch_files, status->scratch_bytes,
		status->scratch_quota);
	if (status->vacated)
		zn_buf_addf(out, "vacated     %zu names wait for a file to come back\n", status->vacated);
	if (status->unlisted)
		zn_buf_addf(out, "unlisted    %zu zones have names too long for a directory; zonefs cat and put reach them\n", status->unlisted);
	if (status->blind_closes)
		zn_buf_addf(out, "closes      %" PRIu64 " by processes that cannot be seen from here: their saves end at the last close, unheard\n",
			status->blind_closes);
}

static void add_text(void *context, struct zn_buf *out)
{
	struct zn_status_parts *parts = context;
	struct zn_syncer_status sync;
	struct zn_mount_status mount;

	zn_faults_each(parts->program->faults, fault_text, out);
	if (!parts->program->syncer) {
		zn_buf_add_str(out, "bucket      none: nothing is replicated\n");
	} else if (zn_syncer_status(parts->program->syncer, &sync) == ZN_OK) {
		sync_text(out, &sync);
		zn_syncer_status_release(&sync);
	}
	zn_mount_status(*parts->mount, &mount);
	mount_text(out, &mount);
}

struct zn_control_source zn_status_source(struct zn_status_parts *parts)
{
	return (struct zn_control_source){.context = parts, .status = add_json, .status_text = add_text};
}
