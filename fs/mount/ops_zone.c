#include "fs/mount/ops.h"

#include <errno.h>
#include <time.h>

#include "fs/save/zoneid.h"
#include "store/base/log.h"
#include "store/meta.h"

uint64_t zn_boot_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return zn_stamp_from_timespec(now).ns;
}

enum zn_code zn_mount_zone(struct zn_mount *mount, const struct zn_zone_id *zone, struct zn_zone_info *ret_info)
{
	return zn_load_find(mount->parts.loader, zone, ret_info, NULL);
}

enum zn_code zn_mount_zone_by_id(struct zn_mount *mount, uint32_t id, struct zn_zone_info *ret_info)
{
	ZN_AUTO(zn_txn_end) struct zn_txn main = {0};
	enum zn_code code = zn_txn_begin(&main, mount->parts.env, ZN_MAIN, ZN_TXN_READ, NULL);

	return code == ZN_OK ? zn_zones_get(&main, id, ret_info, NULL) : code;
}

enum zn_code zn_zone_reserve(struct zn_mount *mount, const struct zn_zone_id *zone, struct zn_zone_info *ret_info)
{
	ZN_AUTO(zn_txn_end) struct zn_txn main = {0};
	ZN_AUTO(zn_txn_end) struct zn_txn records = {0};
	enum zn_code code = zn_txn_begin(&main, mount->parts.env, ZN_MAIN, ZN_TXN_READ, NULL);

	if (code == ZN_OK)
		code = zn_txn_begin(&records, mount->parts.env, ZN_RECORDS, ZN_TXN_READ, NULL);
	*ret_info = (struct zn_zone_info){.zone = *zone, .kind = ZN_KIND_NATIVE};
	return code == ZN_OK ? zn_zones_new_id(&main, &records, zone, &ret_info->id, NULL) : code;
}

/* Which version was read; when nobody told us of that state, the kernel's names are old. false: a commit came in between. */
static bool observe(struct zn_mount *mount, uint32_t zone, const struct zn_loaded *loaded, uint32_t *ret_version)
{
	uint64_t seen = zn_watch_seen(mount->parts.watch, ZN_RECORDS), txnid = loaded->txnid[ZN_RECORDS];

	pthread_mutex_lock(&mount->lock);
	zn_nodes_told(&mount->nodes, seen);
	bool news = zn_nodes_observe(&mount->nodes, zone, txnid, zn_loaded_print(loaded));
	bool covered = zn_nodes_covers(&mount->nodes, zone, txnid);

	*ret_version = covered ? zn_nodes_version(&mount->nodes, zone) : ZN_VERSION_NONE;
	pthread_mutex_unlock(&mount->lock);
	if (news)
		zn_notify_changed(mount->notify, &zone, 1);
	return covered;
}

/* The zone is shown as its rows say; whoever wrote the text should know. */
static void tell_damage(struct zn_mount *mount, const struct zn_zone_info *info, const struct zn_loaded *loaded)
{
	ZN_AUTO(zn_buf_release) struct zn_buf members = ZN_BUF_INIT(4096);
	char zone[ZN_ZONEID_TEXT_MAX];

	if (!loaded->damaged)
		return;
	zn_warning("%s: the text kept for it is not shown: %s", zn_zoneid_text(&info->zone, zone), loaded->damage);
	zn_buf_add_str(&members, ",\"reason\":");
	zn_json_string(&members, zn_view_str(loaded->damage));
	if (!members.failed)
		zn_events_post(mount->parts.events, "damaged-text", zone, zn_buf_str(&members));
}

enum zn_code zn_mount_zone_stat(struct zn_mount *mount, const struct zn_zone_info *info, struct zn_loaded *ret_loaded, uint32_t *ret_version)
{
	struct zn_err err;
	enum zn_code code;

	for (int tries = 0; tries < 8; tries++) {
		code = zn_load_stat(mount->parts.loader, info, ret_loaded, &err);
		if (code != ZN_OK || observe(mount, info->id, ret_loaded, ret_version))
			break;
	}
	if (code == ZN_OK)
		tell_damage(mount, info, ret_loaded);
	else if (code != ZN_ENOTFOUND)
		zn_warning("size of zone %u: %s", info->id, err.text);
	return code;
}

static enum zn_code append_bytes(void *context, struct zn_view bytes)
{
	return zn_content_append(context, bytes, NULL);
}

enum zn_code zn_zone_text(struct zn_mount *mount, const struct zn_zone_info *info, enum zn_content_kind kind, struct zn_content **ret_content,
	struct zn_loaded *ret_loaded, struct zn_err *err)
{
	ZN_AUTO_PTR(zn_content_unref) struct zn_content *content = NULL;
	enum zn_code code = zn_content_new(mount->spool, kind, ZN_TEXT_MAX, &content);

	if (code != ZN_OK)
		return zn_fail(err, code, "out of memory");
	struct zn_sink sink = {content, append_bytes};

	code = zn_load_text(mount->parts.loader, info, &sink, ret_loaded, err);
	if (code != ZN_OK)
		return code;
	tell_damage(mount, info, ret_loaded);
	*ret_content = zn_steal(&content);
	return ZN_OK;
}

/* Names by which the kernel knows zones. */

/* Deleted elsewhere, and nobody here has a file of it open: the kernel may know it still, from a listing. */
static bool name_of_gone(struct zn_mount *mount, uint32_t zone, struct zn_zone_id *ret_zone)
{
	ZN_AUTO(zn_txn_end) struct zn_txn main = {0};

	return zn_txn_begin(&main, mount->parts.env, ZN_MAIN, ZN_TXN_READ, NULL) == ZN_OK &&
	       zn_zones_gone(&main, zone, ret_zone, NULL) == ZN_OK;
}

static bool name_of_zone(void *context, uint32_t zone, char name[static ZN_FILENAME_MAX + 1])
{
	struct zn_mount *mount = context;
	struct zn_zone_info info;

	if (zn_mount_zone_by_id(mount, zone, &info) != ZN_OK) {
		/* Gone from the list: its name may still be remembered. */
		pthread_mutex_lock(&mount->lock);
		const struct zn_file *file = zn_tree_find_id(&mount->tree, zone);
		bool known = file != NULL;

		if (known)
			info.zone = file->zone;
		pthread_mutex_unlock(&mount->lock);
		if (!known && !name_of_gone(mount, zone, &info.zone))
			return false;
	}
	return zn_zone_to_filename(&info.zone.name, info.zone.variant, name) == ZN_OK;
}

static bool slice_of_names(void *context, struct zn_index_key *after, void (*each)(void *context, const char *name), void *each_context)
{
	enum { SLICE = 256 };
	struct zn_mount *mount = context;
	ZN_AUTO_FREE struct zn_zone_info *infos = calloc(SLICE, sizeof *infos);
	size_t count = 0;

	if (!infos)
		return false;
	{
		ZN_AUTO(zn_txn_end) struct zn_txn main = {0};

		if (zn_txn_begin(&main, mount->parts.env, ZN_MAIN, ZN_TXN_READ, NULL) != ZN_OK)
			return false;
		while (count < SLICE && zn_zones_next(&main, after, &infos[count], NULL) == ZN_OK)
			count++;
	}
	for (size_t i = 0; i < count; i++) {
		char name[ZN_FILENAME_MAX + 1];

		if (zn_zone_to_filename(&infos[i].zone.name, infos[i].zone.variant, name) == ZN_OK)
			each(each_context, name);
	}
	return count == SLICE;
}

struct zn_notify_names zn_zone_names(struct zn_mount *mount)
{
	return (struct zn_notify_names){mount, name_of_zone, slice_of_names};
}
