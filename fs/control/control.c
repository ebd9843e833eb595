#include "fs/control/tree.h"

#include <stdlib.h>

#include "fs/save/events.h"
#include "fs/save/refused.h"
#include "store/base/limits.h"

#define REJECTED "rejected"
#define ZONES "zones"

/* The files of the directory itself. */
static const struct top {
	const char *name;
	enum zn_control_type type;
	uint16_t mode;
} top_files[] = {
	{"allow", ZN_CONTROL_FILE, 0644},
	{"config", ZN_CONTROL_FILE, 0444},
	{"events", ZN_CONTROL_EVENTS, 0444},
	{REJECTED, ZN_CONTROL_DIR, 0755},
	{"status", ZN_CONTROL_FILE, 0444},
	{"status.json", ZN_CONTROL_FILE, 0444},
	{ZONES, ZN_CONTROL_DIR, 0755},
};
#define TOP_COUNT (sizeof top_files / sizeof *top_files)

enum zn_code zn_control_new(const struct zn_control_options *options, struct zn_control **ret_control)
{
	struct zn_control *control = calloc(1, sizeof *control);

	if (!control)
		return ZN_ENOMEM;
	control->options = *options;
	control->started = zn_clock_now();
	*ret_control = control;
	return ZN_OK;
}

void zn_control_free(struct zn_control *control)
{
	free(control);
}

static const struct top *find_top(const char *path)
{
	for (size_t i = 0; i < TOP_COUNT; i++)
		if (strcmp(path, top_files[i].name) == 0)
			return &top_files[i];
	return NULL;
}

/* What lies behind "room/" in a path; NULL: it is not in there. */
static const char *within(const char *path, const char *room)
{
	size_t len = strlen(room);

	return strncmp(path, room, len) == 0 && path[len] == '/' ? path + len + 1 : NULL;
}

static enum zn_code read_top(struct zn_control *control, const char *path, struct zn_buf *out)
{
	if (strcmp(path, "status") == 0)
		zn_status_text(control, out);
	else if (strcmp(path, "status.json") == 0)
		zn_status_json(control, out);
	else if (strcmp(path, "config") == 0)
		zn_buf_add_str(out, control->options.config_text);
	return out->failed;
}

static enum zn_code stat_top(struct zn_control *control, const struct top *top, struct zn_control_stat *ret_stat)
{
	ZN_AUTO(zn_buf_release) struct zn_buf content = ZN_BUF_INIT(ZN_TEXT_MAX);
	struct zn_control_stat stat = {.type = top->type, .mode = top->mode, .mtime = control->started};

	if (top->type == ZN_CONTROL_EVENTS) {
		stat.size = zn_events_end(control->options.events);
		stat.mtime = zn_clock_now();
	} else if (top->type == ZN_CONTROL_FILE) {
		enum zn_code code = read_top(control, top->name, &content);

		if (code != ZN_OK)
			return code;
		stat.size = content.len;
	}
	*ret_stat = stat;
	return ZN_OK;
}

enum zn_code zn_control_stat(struct zn_control *control, const char *path, struct zn_control_stat *ret_stat)
{
	const struct top *top = find_top(path);
	const char *rest;

	if (!*path) {
		*ret_stat = (struct zn_control_stat){.type = ZN_CONTROL_DIR, .mode = 0755, .mtime = control->started};
		return ZN_OK;
	}
	if (top)
		return stat_top(control, top, ret_stat);
	if ((rest = within(path, REJECTED))) {
		struct zn_refused_stat refused;

		enum zn_code code = zn_refused_stat(zn_saver_refused(control->options.saver), rest, &refused);
		if (code == ZN_OK)
			*ret_stat = (struct zn_control_stat){.type = ZN_CONTROL_FILE, .mode = 0444, .size = refused.size, .mtime = refused.mtime};
		return code;
	}
	if ((rest = within(path, ZONES))) {
		struct zn_zone_place place;

		enum zn_code code = zn_zone_place(control, rest, &place);
		return code == ZN_OK ? zn_zone_place_stat(control, &place, ret_stat) : code;
	}
	return ZN_ENOTFOUND;
}

struct listing {
	enum zn_code (*each)(void *context, const char *name, enum zn_control_type type);
	void *context;
};

static enum zn_code list_refused(void *context, const char *file)
{
	const struct listing *listing = context;

	return listing->each(listing->context, file, ZN_CONTROL_FILE);
}

enum zn_code zn_control_list(struct zn_control *control, const char *path,
	enum zn_code (*each)(void *context, const char *name, enum zn_control_type type), void *context)
{
	struct listing listing = {each, context};
	struct zn_zone_place place;
	enum zn_code code = ZN_OK;
	const char *rest;

	if (!*path) {
		for (size_t i = 0; code == ZN_OK && i < TOP_COUNT; i++)
			code = each(context, top_files[i].name, top_files[i].type);
		return code;
	}
	if (strcmp(path, REJECTED) == 0)
		return zn_refused_list(zn_saver_refused(control->options.saver), list_refused, &listing);
	if (strcmp(path, ZONES) == 0)
		return zn_zone_places(control, each, context);
	if (!(rest = within(path, ZONES)))
		return find_top(path) ? ZN_EINVAL : ZN_ENOTFOUND;
	code = zn_zone_place(control, rest, &place);
	return code == ZN_OK ? zn_zone_place_list(control, &place, each, context) : code;
}

enum zn_code zn_control_read(struct zn_control *control, const char *path, struct zn_buf *out, struct zn_err *err)
{
	const struct top *top = find_top(path);
	const char *rest;

	if (top && top->type == ZN_CONTROL_FILE) {
		enum zn_code code = read_top(control, path, out);
		return code == ZN_OK ? code : zn_buf_check(out, path, err);
	}
	if ((rest = within(path, REJECTED)))
		return zn_refused_read(zn_saver_refused(control->options.saver), rest, out, err);
	if ((rest = within(path, ZONES))) {
		struct zn_zone_place place;

		enum zn_code code = zn_zone_place(control, rest, &place);
		return code == ZN_OK ? zn_zone_place_read(control, &place, out, err) : code;
	}
	return top || !*path ? zn_fail(err, ZN_EINVAL, "%s: not a file to be read", path) : ZN_ENOTFOUND;
}

static enum zn_code write_allow(struct zn_control *control, struct zn_view bytes, struct zn_err *err)
{
	while (bytes.len && (bytes.data[bytes.len - 1] == '\n' || bytes.data[bytes.len - 1] == ' '))
		bytes.len--;
	if (!zn_view_is(bytes, "once"))
		return zn_fail(err, ZN_EINVAL, "allow: write `once`");
	zn_saver_allow(control->options.saver);
	return ZN_OK;
}

enum zn_code zn_control_write(struct zn_control *control, const char *path, struct zn_view bytes, const struct zn_actor *actor, struct zn_err *err)
{
	const char *rest;
	(void)actor;

	if (strcmp(path, "allow") == 0)
		return write_allow(control, bytes, err);
	if ((rest = within(path, ZONES))) {
		struct zn_zone_place place;

		enum zn_code code = zn_zone_place(control, rest, &place);
		return code == ZN_OK ? zn_zone_place_write(control, &place, bytes, err) : code;
	}
	return zn_fail(err, ZN_EACCES, "%s: not to be written", path);
}

enum zn_code zn_control_remove(struct zn_control *control, const char *path, struct zn_err *err)
{
	const char *rest;

	if ((rest = within(path, REJECTED)))
		return zn_refused_remove(zn_saver_refused(control->options.saver), rest, err);
	if ((rest = within(path, ZONES))) {
		struct zn_zone_place place;

		enum zn_code code = zn_zone_place(control, rest, &place);
		return code == ZN_OK ? zn_zone_place_remove(control, &place, err) : code;
	}
	return find_top(path) || !*path ? zn_fail(err, ZN_EACCES, "%s: cannot be removed", path) : ZN_ENOTFOUND;
}
