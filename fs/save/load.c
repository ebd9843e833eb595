#include "fs/save/load.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "fs/text/parse.h"
#include "fs/text/pieces.h"
#include "fs/text/print.h"
#include "store/base/limits.h"
#include "store/dns/presigned.h"
#include "store/text.h"

_Static_assert(ZN_ORDER_MAX == ZN_ORDER_KEY_MAX, "order keys of fs/text fit those of store/text.h");

enum {
	PART = 256 << 10, /* bytes handed to a sink at a time */
	SHOWN = 4096,     /* zones whose last mtime is remembered */
};

/* What a zone was shown as, so that its next change is seen to move mtime forward. */
struct shown {
	uint32_t id;
	struct zn_zone_stat stat;
};

struct zn_loader {
	struct zn_env *env;
	struct zn_local *local;
	bool keep_text;
	pthread_mutex_t lock; /* guards shown */
	struct shown *shown;
};

enum zn_code zn_loader_new(struct zn_env *env, struct zn_local *local, bool keep_text,
		struct zn_loader **ret_loader)
{
	struct zn_loader *loader = calloc(1, sizeof *loader);

	if (!loader)
		return ZN_ENOMEM;
	*loader = (struct zn_loader){.env = env,
			.local = local,
			.keep_text = keep_text,
			.shown = calloc(SHOWN, sizeof *loader->shown)};
	if (!loader->shown) {
		free(loader);
		return ZN_ENOMEM;
	}
	pthread_mutex_init(&loader->lock, NULL);
	*ret_loader = loader;
	return ZN_OK;
}

void zn_loader_free(struct zn_loader *loader)
{
	if (!loader)
		return;
	pthread_mutex_destroy(&loader->lock);
	free(loader->shown);
	free(loader);
}

/* One load on its way. */
struct load {
	struct zn_loader *loader;
	const struct zn_zone_info *zone;
	struct zn_txn main, records;
	struct zn_zone_stat cached; /* known false: not */
	struct zn_zone_mode mode;
	struct zn_loaded *loaded;
	struct zn_err *err;

	/* kept text, borrowed from the transaction */
	bool has_head;
	struct zn_text_head head;
	struct zn_stamp head_stamp;
	struct zn_view *texts;
	size_t count, capacity;
	uint64_t size;
	struct zn_digest says; /* what the pieces yield */

	/* output */
	const struct zn_sink *sink; /* NULL: nobody wants the bytes */
	struct zn_buf part;
	uint64_t written;
};

static void end_load(struct load *load)
{
	free(load->texts);
	zn_buf_release(&load->part);
	zn_txn_end(&load->records);
	zn_txn_end(&load->main);
}

/* The zone is in the list, under this name, and has a SOA. */
static enum zn_code begin_load(struct load *load)
{
	struct zn_zone_info info;
	struct zn_stamp stamp;
	enum zn_code code = zn_txn_begin(
			&load->main, load->loader->env, ZN_MAIN, ZN_TXN_READ, load->err);

	if (code == ZN_OK)
		code = zn_txn_begin(&load->records, load->loader->env, ZN_RECORDS, ZN_TXN_READ,
				load->err);
	if (code == ZN_OK)
		code = zn_zones_get(&load->main, load->zone->id, &info, load->err);
	if (code == ZN_OK && !zn_name_equal(&info.zone.name, &load->zone->zone.name))
		code = ZN_ENOTFOUND;
	if (code == ZN_OK)
		code = zn_records_serial(&load->records, load->zone->id, &load->loaded->serial,
				&stamp, load->err);
	if (code == ZN_OK) {
		load->loaded->txnid[ZN_MAIN] = zn_txn_id(&load->main);
		load->loaded->txnid[ZN_RECORDS] = zn_txn_id(&load->records);
	}
	return code;
}

/* --- output --- */

static enum zn_code flush_part(void *context, struct zn_buf *part)
{
	struct load *load = context;
	enum zn_code code = ZN_OK;

	load->written += part->len;
	if (load->sink && part->len)
		code = load->sink->write(load->sink->context, zn_buf_view(part));
	zn_buf_clear(part);
	return code;
}

static enum zn_code write_kept(struct load *load)
{
	enum zn_code code = ZN_OK;

	for (size_t i = 0; i < load->count && load->sink && code == ZN_OK; i++) {
		zn_buf_add(&load->part, load->texts[i]);
		if (load->part.len >= PART || i + 1 == load->count) {
			code = zn_buf_check(&load->part, "text", load->err);
			if (code == ZN_OK)
				code = flush_part(load, &load->part);
		}
	}
	return code;
}

/* --- kept text --- */

static enum zn_code take_piece(
		void *context, struct zn_view order, struct zn_stamp stamp, struct zn_view payload)
{
	struct load *load = context;
	struct zn_piece piece;
	enum zn_code code = zn_piece_read(payload, &piece);

	(void)order;
	(void)stamp;
	if (code)
		return zn_fail(load->err, code, "a piece of the text %s",
				code == ZN_EFORMAT ? "is of a newer format than this program knows"
						   : "does not decode");
	if (load->count == load->capacity) {
		size_t capacity = load->capacity ? 2 * load->capacity : 4;
		struct zn_view *texts = realloc(load->texts, capacity * sizeof *texts);
		if (!texts)
			return zn_fail(load->err, ZN_ENOMEM, "text: out of memory");
		load->texts = texts;
		load->capacity = capacity;
	}
	load->texts[load->count++] = piece.text;
	load->size += piece.text.len;
	load->says.count += piece.digest.count;
	load->says.sum = (load->says.sum + piece.digest.sum) & ((UINT64_C(1) << 48) - 1);
	return ZN_OK;
}

/* Damaged text is as good as none, but it is told. */
static enum zn_code read_kept(struct load *load)
{
	struct zn_err err = {0}, *outer = load->err;
	enum zn_code code;

	load->err = &err;
	code = zn_text_head_get(
			&load->records, load->zone->id, &load->head, &load->head_stamp, &err);
	load->has_head = code == ZN_OK;
	if (code == ZN_OK || code == ZN_ENOTFOUND)
		code = zn_text_each(&load->records, load->zone->id, take_piece, load, &err);
	load->err = outer;
	if (code == ZN_ECORRUPT || code == ZN_EFORMAT) {
		load->loaded->damaged = true;
		snprintf(load->loaded->damage, sizeof load->loaded->damage, "%s", err.text);
		load->count = 0;
		return ZN_OK;
	}
	return code ? zn_fail(outer, code, "%s", err.text) : ZN_OK;
}

static bool forgive(void *context, struct zn_view entry, const char *sentence)
{
	(void)context;
	(void)entry;
	(void)sentence;
	return true; /* it is stored already; here it is only compared */
}

/* What the kept text yields, each record once, is what its zone says. */
static bool parses_to(struct load *load, struct zn_digest says)
{
	ZN_AUTO(zn_buf_release) struct zn_buf text = ZN_BUF_INIT(ZN_TEXT_MAX);
	ZN_AUTO(zn_findings_release) struct zn_findings findings = {0};
	struct zn_parse_options options = {.apex = &load->zone->zone.name, .known_fault = forgive};
	struct zn_parsed parsed;

	if (!zn_buf_reserve(&text, load->size))
		return false;
	for (size_t i = 0; i < load->count; i++)
		zn_buf_add(&text, load->texts[i]);
	if (zn_parse(zn_buf_view(&text), &options, &findings, &parsed, NULL) != ZN_OK)
		return false;
	bool same = zn_digest_equal(zn_zone_digest(parsed.zone), says);
	zn_parsed_release(&parsed);
	return same;
}

static bool head_counts(const struct load *load, struct zn_digest zone)
{
	return load->has_head && zn_digest_equal(load->head.digest, zone);
}

/* Its pieces yield the zone; or they yield more, because the text gives some records twice, and who
 * wrote it says that it fits. */
static bool kept_fits(struct load *load, struct zn_digest zone)
{
	if (load->count == 0)
		return false;
	if (zn_digest_equal(load->says, zone))
		return true;
	return load->says.count > zone.count && head_counts(load, zone) && parses_to(load, zone);
}

/* --- size and time --- */

static struct zn_digest digest_of(const struct zn_zone_stat *stat)
{
	return (struct zn_digest){stat->digest.count, stat->digest.sum};
}

/* The time to show for a zone of this digest. */
static struct zn_stamp time_of(struct load *load, struct zn_digest digest, struct zn_stamp newest)
{
	const struct zn_zone_stat *now = &load->loaded->stat;
	struct shown *shown = &load->loader->shown[load->zone->id % SHOWN];
	struct zn_stamp time = newest;

	if (head_counts(load, digest) && load->head.mtime.ns)
		return load->head.mtime;
	if (load->has_head && load->head_stamp.ns > time.ns)
		time = load->head_stamp;
	pthread_mutex_lock(&load->loader->lock);
	if (shown->id == load->zone->id && time.ns <= shown->stat.mtime.ns) {
		bool same = zn_digest_equal(digest_of(&shown->stat), digest) &&
			    shown->stat.size == now->size &&
			    shown->stat.text_fits == now->text_fits;
		struct zn_stamp found = same ? shown->stat.mtime : zn_clock_now();
		time = found.ns > shown->stat.mtime.ns || same
				       ? found
				       : (struct zn_stamp){shown->stat.mtime.ns + 1};
	}
	pthread_mutex_unlock(&load->loader->lock);
	return time;
}

static void note_shown(struct load *load)
{
	struct zn_loader *loader = load->loader;

	pthread_mutex_lock(&loader->lock);
	loader->shown[load->zone->id % SHOWN] = (struct shown){load->zone->id, load->loaded->stat};
	pthread_mutex_unlock(&loader->lock);
}

/* What was found out: told, and cached unless it was. */
static void settle_stat(struct load *load, uint64_t size, struct zn_digest digest, bool text_fits,
		struct zn_stamp newest)
{
	struct zn_zone_stat *stat = &load->loaded->stat;
	const struct zn_zone_stat *cached = &load->cached;

	*stat = (struct zn_zone_stat){.known = true,
			.size = size,
			.digest = {digest.count, digest.sum},
			.text_fits = text_fits};
	if (cached->known && cached->size == size && cached->text_fits == text_fits &&
			zn_digest_equal(digest_of(cached), digest)) {
		*stat = *cached;
		load->loaded->damaged = false; /* told when it was found */
		return;
	}
	stat->mtime = time_of(load, digest, newest);
	note_shown(load);
	if (load->loader->local)
		zn_local_stat_put(load->loader->local, load->zone, load->loaded->txnid, stat);
}

/* --- the two forms --- */

/* The zone as its text says it: a presigned one with the chain that no row holds. */
static enum zn_code read_zone(struct load *load, struct zn_zone **ret_zone,
		struct zn_records_summary *ret_summary)
{
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *stored = NULL;
	enum zn_code code = zn_records_read(&load->records, load->zone->id, &load->zone->zone.name,
			&stored, ret_summary, load->err);

	if (code)
		return code;
	if (!load->mode.presigned) {
		*ret_zone = zn_steal(&stored);
		return ZN_OK;
	}
	code = zn_presigned_restore(stored, &load->mode, ret_zone);
	return code ? zn_fail(load->err, code, "the chain of a presigned zone: %s",
				      zn_code_text(code))
		    : ZN_OK;
}

static enum zn_code read_digest(struct load *load, struct zn_digest *ret_digest,
		struct zn_records_summary *ret_summary)
{
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *zone = NULL;
	enum zn_code code;

	if (!load->mode.presigned)
		return zn_records_digest(&load->records, load->zone->id, &load->zone->zone.name,
				ret_digest, ret_summary, load->err);
	code = read_zone(load, &zone, ret_summary);
	if (code == ZN_OK)
		*ret_digest = zn_zone_digest(zone);
	return code;
}

static enum zn_code load_canonical(struct load *load)
{
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *zone = NULL;
	struct zn_records_summary summary;
	enum zn_code code = read_zone(load, &zone, &summary);

	if (code)
		return code;
	load->written = 0;
	code = zn_print_zone(zone, &load->part, flush_part, load, load->err);
	if (code)
		return code;
	settle_stat(load, load->written, zn_zone_digest(zone), false, summary.newest);
	return ZN_OK;
}

/* The cache's word for it that the text still fits, without a look at the rows. */
static bool known_to_fit(const struct load *load)
{
	const struct zn_zone_stat *cached = &load->cached;

	return cached->known && cached->text_fits && load->size == cached->size &&
	       head_counts(load, digest_of(cached));
}

static enum zn_code load_zone(struct load *load)
{
	struct zn_records_summary summary;
	struct zn_digest digest;
	enum zn_code code = ZN_OK;

	if (load->loader->keep_text)
		code = read_kept(load);
	if (code)
		return code;
	if (load->count && known_to_fit(load)) {
		load->loaded->stat = load->cached;
		return write_kept(load);
	}
	code = zn_meta_mode(&load->main, &load->zone->zone, &load->mode, load->err);
	if (code)
		return code;
	if (load->count == 0 || (load->cached.known && !load->cached.text_fits))
		return load_canonical(load);
	code = read_digest(load, &digest, &summary);
	if (code)
		return code;
	if (!kept_fits(load, digest))
		return load_canonical(load);
	settle_stat(load, load->size, digest, true, summary.newest);
	return write_kept(load);
}

static enum zn_code run_load(struct zn_loader *loader, const struct zn_zone_info *zone,
		const struct zn_sink *sink, struct zn_loaded *ret_loaded, struct zn_err *err)
{
	struct zn_loaded loaded = {0};
	struct load load = {.loader = loader,
			.zone = zone,
			.loaded = &loaded,
			.err = err,
			.sink = sink,
			.part = ZN_BUF_INIT(ZN_TEXT_MAX)};
	enum zn_code code;

	/* Before the cache is asked: what was told by then is no longer in it when it has changed.
	 */
	uint64_t told = loader->local ? zn_local_told(loader->local, ZN_RECORDS) : 0;
	if (!loader->local || zn_local_stat_get(loader->local, zone, &load.cached) != ZN_OK)
		load.cached.known = false;
	code = begin_load(&load);
	/* There is a change that nobody was told of yet, and the cache speaks of the state before
	 * it. */
	if (code == ZN_OK && loaded.txnid[ZN_RECORDS] > told)
		load.cached.known = false;
	if (code == ZN_OK && load.cached.known) {
		loaded.stat = load.cached;
		note_shown(&load);
	}
	if (code == ZN_OK && (sink || !load.cached.known))
		code = load_zone(&load);
	end_load(&load);
	if (code == ZN_OK)
		*ret_loaded = loaded;
	return code;
}

enum zn_code zn_load_text(struct zn_loader *loader, const struct zn_zone_info *zone,
		const struct zn_sink *sink, struct zn_loaded *ret_loaded, struct zn_err *err)
{
	return run_load(loader, zone, sink, ret_loaded, err);
}

enum zn_code zn_load_stat(struct zn_loader *loader, const struct zn_zone_info *zone,
		struct zn_loaded *ret_loaded, struct zn_err *err)
{
	return run_load(loader, zone, NULL, ret_loaded, err);
}

enum zn_code zn_load_find(struct zn_loader *loader, const struct zn_zone_id *zone,
		struct zn_zone_info *ret_info, struct zn_err *err)
{
	ZN_AUTO(zn_txn_end) struct zn_txn main = {0};
	ZN_AUTO(zn_txn_end) struct zn_txn records = {0};
	struct zn_zone_info info;
	struct zn_stamp stamp;
	uint32_t serial;
	enum zn_code code = zn_txn_begin(&main, loader->env, ZN_MAIN, ZN_TXN_READ, err);

	if (code == ZN_OK)
		code = zn_txn_begin(&records, loader->env, ZN_RECORDS, ZN_TXN_READ, err);
	if (code == ZN_OK)
		code = zn_zones_find(&main, zone, &info, err);
	if (code == ZN_OK)
		code = zn_records_serial(&records, info.id, &serial, &stamp, err);
	if (code == ZN_OK)
		*ret_info = info;
	return code;
}
