/* fs/control/zone.c - zones/<zone>/: what there is about a zone that is not its text. */
#include "fs/control/tree.h"

#include <inttypes.h>
#include <stdlib.h>

#include "fs/save/policy.h"
#include "fs/text/zonefile.h"
#include "store/base/limits.h"

#define SUFFIX ".zone"

/* Its files. An empty value removes what was set. */
struct file {
	const char *name;
	uint16_t mode;
	enum zn_code (*read)(struct zn_control *control, const struct zn_zone_info *zone, struct zn_buf *out, struct zn_err *err);
	enum zn_code (*write)(struct zn_control *control, const struct zn_zone_info *zone, struct zn_view value, struct zn_err *err);
};

static enum zn_code begin_main(struct zn_control *control, struct zn_txn *main, struct zn_err *err)
{
	return zn_txn_begin(main, control->options.env, ZN_MAIN, ZN_TXN_READ, err);
}

static const char *dnssec_text(const struct zn_zone_mode *mode)
{
	if (mode->presigned)
		return "presigned";
	switch (mode->dnssec) {
	case ZN_DNSSEC_UNSIGNED:
		return "unsigned";
	case ZN_DNSSEC_NSEC:
		return "nsec";
	case ZN_DNSSEC_NSEC3:
		return mode->nsec3.flags & 1 ? "nsec3 opt-out" : "nsec3";
	case ZN_DNSSEC_NARROW:
		return "nsec3 narrow";
	}
	return "unknown";
}

static enum zn_code read_info(struct zn_control *control, const struct zn_zone_info *zone, struct zn_buf *out, struct zn_err *err)
{
	ZN_AUTO(zn_txn_end) struct zn_txn main = {0};
	struct zn_zone_mode mode;
	struct zn_loaded loaded;
	char time[ZN_STAMP_TEXT_MAX];

	enum zn_code code = begin_main(control, &main, err);
	if (code == ZN_OK)
		code = zn_meta_mode(&main, &zone->zone, &mode, err);
	if (code != ZN_OK)
		return code;
	zn_txn_end(&main);
	code = zn_load_stat(control->options.loader, zone, &loaded, err);
	if (code != ZN_OK)
		return code;
	zn_buf_addf(out, "id          %" PRIu32 "\nkind        %s\nserial      %" PRIu32 "\nrecords     %" PRIu64 "\ndnssec      %s\n", zone->id,
		zn_kind_text(zone->kind), loaded.serial, loaded.stat.digest.count, dnssec_text(&mode));
	zn_buf_addf(out, "changed     %s\n", zn_stamp_text(loaded.stat.mtime, time));
	zn_buf_addf(out, "text        %s\n", loaded.stat.text_fits ? "as written" : "printed");
	return out->failed;
}

static enum zn_code read_kind(struct zn_control *control, const struct zn_zone_info *zone, struct zn_buf *out, struct zn_err *err)
{
	(void)control;
	(void)err;
	zn_buf_addf(out, "%s\n", zn_kind_text(zone->kind));
	return out->failed;
}

static enum zn_code read_warnings(struct zn_control *control, const struct zn_zone_info *zone, struct zn_buf *out, struct zn_err *err)
{
	enum zn_code code = zn_saver_warnings(control->options.saver, &zone->zone, out, err);

	return code == ZN_ENOTFOUND ? ZN_OK : code; /* none: an empty file */
}

static enum zn_code read_serial(struct zn_control *control, const struct zn_zone_info *zone, struct zn_buf *out, struct zn_err *err)
{
	ZN_AUTO(zn_txn_end) struct zn_txn main = {0};
	enum zn_serial_policy policy = zn_saver_policy(control->options.saver);

	enum zn_code code = begin_main(control, &main, err);
	if (code == ZN_OK)
		code = zn_policy_get(&main, &zone->zone, &policy, err);
	if (code != ZN_OK)
		return code;
	zn_buf_addf(out, "%s\n", zn_serial_policy_text(policy));
	return out->failed;
}

struct serial_setting {
	const struct zn_zone_id *zone;
	const enum zn_serial_policy *policy;	/* NULL: none of its own */
};

static enum zn_code set_serial(void *context, struct zn_txn *main, bool *ret_written, struct zn_err *err)
{
	const struct serial_setting *setting = context;

	return zn_policy_set(main, setting->zone, setting->policy, ret_written, err);
}

static enum zn_code write_serial(struct zn_control *control, const struct zn_zone_info *zone, struct zn_view value, struct zn_err *err)
{
	enum zn_serial_policy policy;
	struct serial_setting setting = {&zone->zone, value.len ? &policy : NULL};

	if (value.len && !zn_serial_policy_from_text(value, &policy))
		return zn_fail(err, ZN_EINVAL, "serial: auto, keep, increase, date or epoch");
	return zn_saver_set(control->options.saver, zone, set_serial, &setting, err);
}

static const struct file files[] = {
	{"info", 0444, read_info, NULL},
	{"kind", 0444, read_kind, NULL},
	{"serial", 0644, read_serial, write_serial},
	{"warnings", 0444, read_warnings, NULL},
};
#define FILE_COUNT (sizeof files / sizeof *files)

static const struct file *find_file(const struct zn_zone_place *place)
{
	for (size_t i = 0; i < FILE_COUNT; i++)
		if (strcmp(place->file, files[i].name) == 0)
			return &files[i];
	return NULL;
}

/* Zones are called here as their files are, without the suffix. */
enum zn_code zn_zone_place(struct zn_control *control, const char *path, struct zn_zone_place *ret_place)
{
	const char *slash = strchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : strlen(path);
	char filename[ZN_FILENAME_MAX + sizeof SUFFIX];
	struct zn_zone_id zone = {0};

	if (len > ZN_FILENAME_MAX)
		return ZN_ENOTFOUND;
	snprintf(filename, sizeof filename, "%.*s" SUFFIX, (int)len, path);
	if (!zn_zone_from_filename(zn_view_str(filename), &zone.name, zone.variant))
		return ZN_ENOTFOUND;
	ret_place->file = slash ? slash + 1 : "";
	return zn_load_find(control->options.loader, &zone, &ret_place->info, NULL);
}

enum zn_code zn_zone_place_stat(struct zn_control *control, const struct zn_zone_place *place, struct zn_control_stat *ret_stat)
{
	const struct file *file = find_file(place);
	ZN_AUTO(zn_buf_release) struct zn_buf content = ZN_BUF_INIT(ZN_TEXT_MAX);

	if (!*place->file) {
		*ret_stat = (struct zn_control_stat){.type = ZN_CONTROL_DIR, .mode = 0755, .mtime = place->info.stamp};
		return ZN_OK;
	}
	if (!file)
		return ZN_ENOTFOUND;
	enum zn_code code = file->read(control, &place->info, &content, NULL);
	if (code == ZN_OK)
		*ret_stat = (struct zn_control_stat){
			.type = ZN_CONTROL_FILE, .mode = file->mode, .size = content.len, .mtime = place->info.stamp,
		};
	return code;
}

enum zn_code zn_zone_place_list(struct zn_control *control, const struct zn_zone_place *place,
	enum zn_code (*each)(void *context, const char *name, enum zn_control_type type), void *context)
{
	enum zn_code code = ZN_OK;
	(void)control;

	if (*place->file)
		return find_file(place) ? ZN_EINVAL : ZN_ENOTFOUND;
	for (size_t i = 0; code == ZN_OK && i < FILE_COUNT; i++)
		code = each(context, files[i].name, ZN_CONTROL_FILE);
	return code;
}

enum zn_code zn_zone_place_read(struct zn_control *control, const struct zn_zone_place *place, struct zn_buf *out, struct zn_err *err)
{
	const struct file *file = find_file(place);

	return file ? file->read(control, &place->info, out, err) : ZN_ENOTFOUND;
}

enum zn_code zn_zone_place_write(struct zn_control *control, const struct zn_zone_place *place, struct zn_view bytes, struct zn_err *err)
{
	const struct file *file = find_file(place);

	if (!file)
		return *place->file ? ZN_ENOTFOUND : zn_fail(err, ZN_EACCES, "a directory");
	if (!file->write)
		return zn_fail(err, ZN_EACCES, "%s: not to be written", file->name);
	while (bytes.len && (bytes.data[bytes.len - 1] == '\n' || bytes.data[bytes.len - 1] == ' '))
		bytes.len--;
	return file->write(control, &place->info, bytes, err);
}

enum zn_code zn_zone_place_remove(struct zn_control *control, const struct zn_zone_place *place, struct zn_err *err)
{
	return zn_zone_place_write(control, place, zn_view(NULL, 0), err);
}

enum zn_code zn_zone_places(struct zn_control *control,
	enum zn_code (*each)(void *context, const char *name, enum zn_control_type type), void *context)
{
	ZN_AUTO_PTR(zn_zone_list_end) struct zn_zone_list *list = NULL;
	struct zn_index_key at = {0};
	struct zn_listed listed;

	enum zn_code code = zn_zone_list_begin(control->options.local, &list, NULL);
	while (code == ZN_OK) {
		char filename[ZN_FILENAME_MAX + 1];

		code = zn_zone_list_next(list, &at, &listed, NULL);
		if (code != ZN_OK || zn_zone_to_filename(&listed.zone.zone.name, listed.zone.zone.variant, filename) != ZN_OK)
			continue;
		filename[strlen(filename) - strlen(SUFFIX)] = '\0';
		code = each(context, filename, ZN_CONTROL_DIR);
	}
	return code == ZN_ENOTFOUND ? ZN_OK : code;
}
