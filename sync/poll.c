#include "sync/poll.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "store/base/auto.h"
#include "store/base/log.h"
#include "store/base/wire.h"
#include "sync/apply.h"
#include "sync/publish.h"
#include "sync/snapshot.h"
#include "sync/stage.h"

#define ZN_SCHEMA_MAX 6	/* that this program writes */
#define WAIT_KNOWN_NS (UINT64_C(60) * ZN_NS_PER_S)	/* for an object that its author has announced */
#define WAIT_OTHERS_NS (UINT64_C(2) * ZN_NS_PER_S)	/* for one of Lightning Stream that may come */
#define COMPLETE_EVERY_NS (UINT64_C(3600) * ZN_NS_PER_S)	/* it serves a limit of months */

/* An object of one instance and database on its way in. */
struct incoming {
	struct zn_sync *sync;
	struct zn_sync_db *db;
	struct zn_peer *peer;		/* until the next listing */
	const char *name;		/* NULL: nothing to merge; borrowed from the listing */
	struct zn_stamp stamp;
	bool gone;			/* cleaned up since it was listed */
	int fd;
	bool scanned;
	struct zn_snapshot_info info;
	uint32_t schema;		/* what its pdns/schemaversion says; 0: nothing */
	struct zn_stamp schema_stamp;
	bool staged;
	struct zn_stage stage;
	bool change;			/* of our name, by another process: ours to pass on */
	uint64_t written;
};

static void incoming_release(struct incoming *in)
{
	if (in->fd >= 0)
		close(in->fd);
	if (in->scanned)
		zn_snapshot_info_release(&in->info);
	if (in->staged)
		zn_stage_release(&in->stage);
	in->fd = -1;
	in->scanned = in->staged = false;
}

/* ---- list ---- */

static void note_own(struct zn_sync *sync, struct zn_sync_db *db)
{
	struct zn_peer *own = zn_peers_find(&db->peers, zn_sync_own(sync));

	db->own_listed = own ? own->listed : (struct zn_stamp){0};
	if (db->status.published.ns && db->own_listed.ns < db->status.published.ns)
		db->own_missing++;
	else
		db->own_missing = 0;
}

enum zn_code zn_poll_list(struct zn_sync *sync, struct zn_err *err)
{
	/* Records last: what main lists is then never younger than the records that go with it. */
	static const enum zn_which order[] = {ZN_MAIN, ZN_RECORDS};
	enum zn_code code = ZN_OK;

	for (size_t i = 0; i < 2 && !code; i++) {
		struct zn_sync_db *db = &sync->db[order[i]];
		struct zn_listing listing = {0};
		char prefix[32];

		snprintf(prefix, sizeof prefix, "%s__", db->name);
		code = zn_bucket_list(sync->bucket, prefix, &listing, err);
		if (code)
			break;
		zn_listing_release(&db->listing);
		db->listing = listing;
		code = zn_peers_update(&db->peers, &db->listing, zn_view_str(db->name), err);
		note_own(sync, db);
	}
	return code;
}

static void delete_object(void *arg, const char *name)
{
	struct zn_sync *sync = arg;
	struct zn_err err;

	if (zn_bucket_delete(sync->bucket, name, &err) != ZN_OK)
		zn_debug("%s", err.text);
}

void zn_poll_clean(struct zn_sync *sync)
{
	for (int i = 0; i < 2; i++) {
		struct zn_sync_db *db = &sync->db[i];

		if (zn_retain_plan(&db->retain, &db->listing, zn_view_str(db->name), zn_sync_own(sync),
				    zn_clock_mono(), delete_object, sync))
			return; /* out of memory: another time */
	}
}

/* ---- fetch and check ---- */

static bool is_of_the_object(enum zn_code code)
{
	return code == ZN_ECORRUPT || code == ZN_EFORMAT || code == ZN_ETOOBIG;
}

static enum zn_code scan_object(struct incoming *in, struct zn_err *err)
{
	struct zn_gzip_reader *gzip = NULL;
	enum zn_code code = zn_gzip_reader_new(in->fd, ZN_OBJECT_MAX, &gzip, err);

	if (!code)
		code = zn_snapshot_scan(zn_gzip_source(gzip), &in->info, err);
	in->scanned = !code;
	zn_gzip_reader_free(gzip);
	return code;
}

static enum zn_code walk_object(struct incoming *in, zn_snapshot_visit *visit, struct zn_err *err)
{
	struct zn_gzip_reader *gzip = NULL;
	enum zn_code code = zn_gzip_reader_new(in->fd, ZN_OBJECT_MAX, &gzip, err);

	if (!code)
		code = zn_snapshot_walk(zn_gzip_source(gzip), &in->info, visit, in, err);
	zn_gzip_reader_free(gzip);
	return code;
}

static enum zn_code see_schema(void *arg, const struct zn_snapshot_dbi *dbi, const struct zn_snapshot_entry *entry,
		struct zn_err *err)
{
	struct incoming *in = arg;

	(void)err;
	if (strcmp(dbi->name, "pdns") == 0 && zn_view_is(entry->key, "schemaversion") && entry->value.len == 4) {
		in->schema = zn_get_u32(entry->value.data);
		in->schema_stamp = entry->stamp;
	}
	return ZN_OK;
}

static void set_problem(struct zn_peer *peer, const char *format, ...) ZN_PRINTF(2, 3);
static void set_problem(struct zn_peer *peer, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(peer->problem, sizeof peer->problem, format, args);
	va_end(args);
}

static enum zn_code fetch(struct incoming *in, struct zn_err *err)
{
	enum zn_code code = zn_bucket_get(in->sync->bucket, in->name, ZN_OBJECT_FILE_MAX, &in->fd, err);

	if (!code)
		code = scan_object(in, err);
	if (!code && in->db->which == ZN_MAIN)
		code = walk_object(in, see_schema, err);
	return code;
}

static struct zn_stamp stamp_of(const char *name)
{
	struct zn_object object = {0};

	return zn_object_parse(zn_view_str(name), &object) ? object.stamp : (struct zn_stamp){0};
}

/* The newest object that can be read, and that `state` lacks; in->name is NULL when there is none. */
static enum zn_code choose(struct incoming *in, const struct zn_sync_state *state, struct zn_err *err)
{
	struct zn_view instance = zn_view_str(in->peer->instance);
	struct zn_stamp merged = {zn_vector_get(&state->vector, instance)};
	uint64_t due = zn_vector_get(&state->aside, instance);
	struct zn_stamp now = zn_clock_now();

	if (due && due <= now.ns) /* entries from the future have become present */
		merged.ns = 0;
	for (;;) {
		in->name = zn_peers_candidate(&in->db->peers, &in->db->listing, zn_view_str(in->db->name), instance,
				merged, now);
		if (!in->name)
			return ZN_OK;
		in->stamp = stamp_of(in->name);
		enum zn_code code = fetch(in, err);
		if (!code)
			return ZN_OK;
		incoming_release(in);
		if (code == ZN_ENOTFOUND) { /* cleaned up since it was listed: the next listing tells more */
			in->name = NULL;
			in->gone = true;
			return ZN_OK;
		}
		if (!is_of_the_object(code))
			return code;
		zn_peers_refuse(&in->db->peers, in->name);
		set_problem(in->peer, "%s: %.140s", in->name, err->text);
		zn_warning("%s: %s: the object is passed over", in->name, err->text);
		zn_sync_tell(in->sync, "object-refused", in->name, "%s", err->text);
	}
}

/* ---- identity ---- */

/* An object of our name that another process put there while we run (what is stamped before our start is of
 * an earlier life, shown late). The younger of the two yields; an unknown one (Lightning Stream) counts as
 * older. */
static void see_duplicate(struct zn_sync *sync, struct incoming *in)
{
	const struct zn_snapshot_meta *meta = &in->info.meta;
	bool older = !meta->boot || meta->started.ns < sync->started.ns ||
		     (meta->started.ns == sync->started.ns && meta->boot < sync->boot);

	in->change = true;
	if (sync->duplicate && sync->yields >= older)
		return;
	sync->duplicate = true;
	sync->yields = sync->yields || older;
	zn_error("another process publishes as instance %s: %s", sync->instance,
			older ? "it is the older, so this one publishes nothing; give one of them another name"
			      : "it is the younger and stops publishing; give one of them another name");
	zn_sync_tell(sync, "duplicate-instance", in->name, "instance %s is used twice", sync->instance);
}

static void see_own(struct incoming *in)
{
	struct zn_sync *sync = in->sync;

	if (in->name && in->db->own_merged && in->info.meta.boot != sync->boot && in->stamp.ns > sync->started.ns)
		see_duplicate(sync, in);
}

/* ---- schema versions ---- */

/* A 4.x server can neither open a database of schema 6 nor read the objects that a 5.x one writes. So schema 6 comes
 * in only where nobody serves from this database with schema 5, and the database then becomes one of 6, as it would
 * under Lightning Stream; and nothing goes out into a bucket in which a Lightning Stream still has 5. zonefs
 * instances see to themselves. */
static bool schema_refused(struct zn_sync *sync, const struct zn_peer *main)
{
	return main && main->schema > zn_env_schema(sync->env) &&
	       (main->schema > ZN_SCHEMA_MAX || zn_env_open_elsewhere(sync->env));
}

struct schema_job {
	struct zn_job job;
	uint32_t version;
	struct zn_stamp stamp;
};

static enum zn_code run_schema(struct zn_job *job, struct zn_txn *txn, struct zn_err *err)
{
	struct schema_job *schema = (struct schema_job *)job;
	struct zn_header header;
	struct zn_view payload;
	uint8_t version[4];
	enum zn_code code = zn_txn_get_live(txn, ZN_DBI_PDNS, ZN_VIEW("schemaversion"), &header, &payload, err);

	if (code || payload.len != 4 || zn_get_u32(payload.data) >= schema->version)
		return code;
	if (schema->stamp.ns <= header.stamp.ns)
		schema->stamp.ns = header.stamp.ns + 1;
	zn_put_u32(version, schema->version);
	return zn_txn_put_raw(txn, ZN_DBI_PDNS, ZN_VIEW("schemaversion"), schema->stamp, 0, zn_view(version, 4), err);
}

/* Before the first row of a database of a newer schema is merged. */
static enum zn_code raise_schema(struct zn_sync *sync, struct incoming *main, struct zn_err *err)
{
	struct schema_job job = {
			.job = {.class = ZN_JOB_MERGE, .order = ZN_JOB_MAIN, .run = run_schema},
			.version = main->schema,
			.stamp = main->schema_stamp,
	};

	if (main->schema <= zn_env_schema(sync->env))
		return ZN_OK;
	enum zn_code code = zn_sync_run(sync, &job.job, err);
	if (code)
		return code;
	zn_warning("the database is now of schema version %u, as that of instance %s: PowerDNS 5 or newer serves it",
			main->schema, main->peer->instance);
	zn_sync_tell(sync, "schema-raised", main->name, "schema version %u: PowerDNS 5 or newer", main->schema);
	return ZN_OK;
}

/* Whether some instance in the bucket keeps us from publishing. */
static void see_schemas(struct zn_sync *sync)
{
	const struct zn_peers *peers = &sync->db[ZN_MAIN].peers;
	uint32_t ours = zn_env_schema(sync->env);

	sync->schema_conflict = false;
	for (size_t i = 0; i < peers->count; i++) {
		const struct zn_peer *peer = &peers->list[i];
		bool refused = peer->passed.ns && peer->passed.ns == peer->listed.ns;

		if (!peer->listed.ns || !peer->schema || zn_view_is(zn_sync_own(sync), peer->instance) ||
				!(refused || (peer->schema < ours && !peer->zonefs)))
			continue;
		sync->schema_conflict = true;
		snprintf(sync->schema_text, sizeof sync->schema_text,
				"the database of instance %.60s has schema version %u, this one %u: PowerDNS 4.x "
				"and 5.x cannot share a bucket",
				peer->instance, peer->schema, ours);
	}
}

/* ---- stage and apply ---- */

static enum zn_code stage_entry(void *arg, const struct zn_snapshot_dbi *dbi, const struct zn_snapshot_entry *entry,
		struct zn_err *err)
{
	struct incoming *in = arg;
	enum zn_code code = zn_stage_add(&in->stage, dbi, entry, err);

	if (code != ZN_ETOOBIG || in->stage.count < ZN_STAGE_ROWS)
		return code;
	/* Full, so this is somebody's first fill: write what there is and go on. */
	code = zn_stage_seal(&in->stage, err);
	if (!code)
		code = zn_apply(in->sync, &in->stage, 0, in->stage.count, NULL, in->change, &in->written, err);
	if (!code)
		code = zn_stage_empty(&in->stage, err);
	return code ? code : zn_stage_add(&in->stage, dbi, entry, err);
}

static enum zn_code stage_object(struct incoming *in, struct zn_err *err)
{
	enum zn_code code = zn_stage_init(&in->stage, in->sync, in->db->which, &in->info, err);

	in->staged = true;
	if (!code)
		code = walk_object(in, stage_entry, err);
	return code ? code : zn_stage_seal(&in->stage, err);
}

static struct zn_apply_note note_of(struct incoming *in)
{
	struct zn_apply_note note = {
			.instance = zn_view_str(in->peer->instance),
			.stamp = in->stamp,
			.schema_told = in->db->which == ZN_MAIN,
			.schema = in->info.meta.boot ? 0 : in->schema,
	};

	if (in->stage.aside)
		note.aside_due = in->stage.aside_first.ns - ZN_SYNC_DAY_NS;
	return note;
}

/* It is in: remember what it covers, and say so. */
static void merged(struct incoming *in)
{
	struct zn_peer *peer = in->peer;
	struct zn_err err;

	peer->read = in->stamp;
	peer->zonefs = in->info.meta.vector.len &&
		       zn_vector_decode(in->info.meta.vector, &peer->covers, &err) == ZN_OK;
	peer->problem[0] = 0;
	if (in->stage.aside)
		set_problem(peer, "%llu entries are from more than a day ahead and wait for their time",
				(unsigned long long)in->stage.aside);
	else if (in->stage.skipped[0])
		set_problem(peer, "%s", in->stage.skipped);
	in->db->status.aside += in->stage.aside;
	in->db->status.objects_merged++;
	if (in->written)
		zn_sync_tell(in->sync, "merged", in->name, "%llu entries", (unsigned long long)in->written);
	if (zn_view_is(zn_sync_own(in->sync), peer->instance) && in->info.meta.boot == in->sync->boot)
		peer->zonefs = true;
}

/* What the records lose waits for the object of main that goes with it, so that no server sees a zone in the
 * list without its records: whoever deletes a zone takes it off the list first, but of two objects one
 * arrives first. Our own say which one they go with; of others any new one is good, and they wait shortly. */
static bool burials_wait(struct incoming *records, const struct incoming *main, struct zn_stamp main_merged)
{
	struct zn_peer *peer = records->peer;
	struct zn_stamp needed = records->info.meta.main;
	bool known = records->info.meta.boot != 0;

	if (records->stage.later == records->stage.count || zn_view_is(zn_sync_own(records->sync), peer->instance))
		return false;
	if (known ? (main->name ? main->stamp.ns : main_merged.ns) >= needed.ns : main->name != NULL)
		return false;
	if (peer->waits.ns != records->stamp.ns)
		peer->waits_until = zn_clock_mono() + (known ? WAIT_KNOWN_NS : WAIT_OTHERS_NS);
	peer->waits = records->stamp;
	peer->waits_main = needed;
	return zn_clock_mono() < peer->waits_until;
}

/* The same, before anything is fetched: still waiting, and nothing has changed. */
static bool still_waits(const struct zn_peer *records, const struct zn_peer *main, struct zn_stamp main_merged)
{
	struct zn_stamp listed = main ? main->listed : (struct zn_stamp){0};

	return records->waits.ns && records->waits.ns == records->listed.ns && listed.ns <= main_merged.ns &&
	       listed.ns < records->waits_main.ns && zn_clock_mono() < records->waits_until;
}

static enum zn_code apply_objects(struct zn_sync *sync, struct incoming in[static 2], struct zn_stamp main_merged,
		struct zn_err *err)
{
	struct incoming *records = &in[ZN_RECORDS], *main = &in[ZN_MAIN];
	bool wait = records->name && burials_wait(records, main, main_merged);
	enum zn_code code = ZN_OK;

	if (records->name)
		code = zn_apply(sync, &records->stage, 0, records->stage.later, NULL, records->change,
				&records->written, err);
	if (!code && main->name) {
		struct zn_apply_note note = note_of(main);
		code = zn_apply(sync, &main->stage, 0, main->stage.count, &note, main->change, &main->written, err);
		if (!code)
			merged(main);
	}
	if (!code && records->name && !wait) {
		struct zn_apply_note note = note_of(records);
		code = zn_apply(sync, &records->stage, records->stage.later, records->stage.count, &note,
				records->change, &records->written, err);
		if (!code)
			merged(records);
	}
	return code;
}

/* ---- an instance ---- */

static enum zn_code merge_chosen(struct zn_sync *sync, struct incoming in[static 2], struct zn_stamp main_merged,
		struct zn_err *err)
{
	struct zn_peer *main = in[ZN_MAIN].peer;
	enum zn_code code = ZN_OK;

	if (schema_refused(sync, main)) {
		main->passed = main->listed;
		set_problem(main, "its database has schema version %u: not merged into this one of %u, which is being served",
				main->schema, zn_env_schema(sync->env));
		return ZN_OK;
	}
	if (in[ZN_MAIN].name)
		code = raise_schema(sync, &in[ZN_MAIN], err);
	for (int i = 0; i < 2 && !code; i++)
		if (in[i].name)
			code = stage_object(&in[i], err);
	return code ? code : apply_objects(sync, in, main_merged, err);
}

/* The objects of both databases that are to be merged, and what of main has been. */
static enum zn_code choose_both(struct zn_sync *sync, struct incoming in[static 2], struct zn_stamp *main_merged,
		struct zn_err *err)
{
	enum zn_code code = ZN_OK;

	for (int i = 0; i < 2 && !code; i++) {
		ZN_AUTO(zn_sync_state_release) struct zn_sync_state state = {0};
		uint64_t last;

		if (!in[i].peer)
			continue;
		code = zn_sync_state_now(sync, (enum zn_which)i, &state, &last, err);
		if (!code && i == ZN_MAIN)
			main_merged->ns = zn_vector_get(&state.vector, zn_view_str(in[i].peer->instance));
		if (!code && !(i == ZN_RECORDS && still_waits(in[i].peer, in[ZN_MAIN].peer, *main_merged)))
			code = choose(&in[i], &state, err);
		if (code || i != ZN_MAIN)
			continue;
		if (in[i].schema)
			in[i].peer->schema = in[i].schema;
		else if (!in[i].peer->schema)
			in[i].peer->schema = (uint32_t)zn_vector_get(&state.schemas,
					zn_view_str(in[i].peer->instance));
	}
	return code;
}

/* Both databases of one instance; adds the objects merged to *count. */
static enum zn_code merge_instance(struct zn_sync *sync, struct zn_view instance, unsigned *count,
		struct zn_err *err)
{
	struct incoming in[2];
	bool own = zn_view_equal(instance, zn_sync_own(sync));

	for (int i = 0; i < 2; i++)
		in[i] = (struct incoming){.sync = sync, .db = &sync->db[i], .fd = -1,
				.peer = zn_peers_find(&sync->db[i].peers, instance)};
	struct zn_peer *main = in[ZN_MAIN].peer;
	if (main && main->passed.ns && main->passed.ns == main->listed.ns && schema_refused(sync, main))
		return ZN_OK;

	struct zn_stamp main_merged = {0};
	enum zn_code code = choose_both(sync, in, &main_merged, err);
	for (int i = 0; i < 2 && !code && own; i++)
		see_own(&in[i]);
	if (!code && (in[0].name || in[1].name))
		code = merge_chosen(sync, in, main_merged, err);
	if (!code && own && !in[0].gone && !in[1].gone)
		sync->db[0].own_merged = sync->db[1].own_merged = true;
	*count += (in[0].name != NULL) + (in[1].name != NULL);
	incoming_release(&in[0]);
	incoming_release(&in[1]);
	return code ? zn_err_prefix(err, code, "instance %.*s", (int)instance.len, (const char *)instance.data)
		    : ZN_OK;
}

/* ---- a round ---- */

struct complete_job {
	struct zn_job job;
	struct zn_stamp now;
};

static enum zn_code run_complete(struct zn_job *job, struct zn_txn *txn, struct zn_err *err)
{
	ZN_AUTO(zn_sync_state_release) struct zn_sync_state state = {0};
	bool written = false;
	enum zn_code code = zn_sync_state_read(txn, &state, err);

	if (code)
		return code;
	state.complete = ((struct complete_job *)job)->now;
	code = zn_sync_state_write(txn, &state, &written, err);
	if (code || !written || state.fresh)
		return code;
	zn_ledger_own(&state.ledger, zn_txn_id(txn));
	return zn_sync_state_write_ledger(txn, &state, err);
}

/* Everything is in: note the time, seldom, and never in an env that has nothing else to note. */
static enum zn_code note_complete(struct zn_sync *sync, struct zn_err *err)
{
	for (int i = 0; i < 2; i++) {
		ZN_AUTO(zn_sync_state_release) struct zn_sync_state state = {0};
		struct complete_job job = {
				.job = {.class = ZN_JOB_MERGE,
						.order = i == ZN_MAIN ? ZN_JOB_MAIN : ZN_JOB_RECORDS,
						.run = run_complete},
				.now = zn_clock_now(),
		};
		uint64_t last;
		enum zn_code code = zn_sync_state_now(sync, (enum zn_which)i, &state, &last, err);

		if (!code && state.vector.count &&
				job.now.ns > state.complete.ns + COMPLETE_EVERY_NS && !sync->away_too_long)
			code = zn_sync_run(sync, &job.job, err);
		if (code)
			return code;
	}
	return ZN_OK;
}

/* At the start: whether we have been away for longer than deletions are kept. */
static enum zn_code see_absence(struct zn_sync *sync, struct zn_err *err)
{
	for (int i = 0; i < 2; i++) {
		ZN_AUTO(zn_sync_state_release) struct zn_sync_state state = {0};
		uint64_t last;
		enum zn_code code = zn_sync_state_now(sync, (enum zn_which)i, &state, &last, err);

		if (code)
			return code;
		bool alone = state.vector.count == 1 && zn_vector_get(&state.vector, zn_sync_own(sync));
		if (state.complete.ns && !alone && zn_clock_now().ns > state.complete.ns + ZN_REJOIN_NS)
			sync->away_too_long = true;
	}
	return ZN_OK;
}

enum zn_code zn_poll_merge(struct zn_sync *sync, bool *ret_more, struct zn_err *err)
{
	bool first = !sync->db[0].own_merged;
	unsigned count = 0;
	enum zn_code code = first ? see_absence(sync, err) : ZN_OK;

	*ret_more = false;
	if (!code && first)
		code = zn_publish_begin(sync, err);
	if (!code)
		code = merge_instance(sync, zn_sync_own(sync), &count, err);
	for (int i = 0; i < 2; i++) {
		struct zn_peers *peers = &sync->db[i].peers;

		for (size_t k = 0; k < peers->count && !code; k++) {
			struct zn_view instance = zn_view_str(peers->list[k].instance);

			/* Those that main knows were merged with it. */
			if (zn_view_equal(instance, zn_sync_own(sync)) ||
					(i == ZN_RECORDS && zn_peers_find(&sync->db[ZN_MAIN].peers, instance)))
				continue;
			if (count >= ZN_MERGES_A_ROUND || atomic_load(sync->stopping)) {
				*ret_more = true;
				see_schemas(sync);
				return ZN_OK;
			}
			code = merge_instance(sync, instance, &count, err);
		}
	}
	see_schemas(sync);
	return code ? code : note_complete(sync, err);
}
