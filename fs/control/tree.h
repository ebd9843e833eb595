/* fs/control/tree.h - what control.c, status.c and zone.c share. Private to fs/control. */
#pragma once
#include "fs/control/control.h"

struct zn_control {
	struct zn_control_options options;
	struct zn_stamp started;
};

/* status.c */
void zn_status_text(struct zn_control *control, struct zn_buf *out);
void zn_status_json(struct zn_control *control, struct zn_buf *out);

/* zone.c: zones/<zone>/<file>. `file` "" is the directory; all answer ZN_ENOTFOUND where there is no such zone or file. */
struct zn_zone_place {
	struct zn_zone_info info;
	const char *file;
};
/* `path` begins behind "zones/". */
ZN_MUST_USE enum zn_code zn_zone_place(struct zn_control *control, const char *path, struct zn_zone_place *ret_place);
ZN_MUST_USE enum zn_code zn_zone_place_stat(struct zn_control *control, const struct zn_zone_place *place, struct zn_control_stat *ret_stat);
ZN_MUST_USE enum zn_code zn_zone_place_list(struct zn_control *control, const struct zn_zone_place *place,
	enum zn_code (*each)(void *context, const char *name, enum zn_control_type type), void *context);
ZN_MUST_USE enum zn_code zn_zone_place_read(struct zn_control *control, const struct zn_zone_place *place, struct zn_buf *out, struct zn_err *err);
ZN_MUST_USE enum zn_code zn_zone_place_write(struct zn_control *control, const struct zn_zone_place *place, struct zn_view bytes, struct zn_err *err);
ZN_MUST_USE enum zn_code zn_zone_place_remove(struct zn_control *control, const struct zn_zone_place *place, struct zn_err *err);
ZN_MUST_USE enum zn_code zn_zone_places(struct zn_control *control,
	enum zn_code (*each)(void *context, const char *name, enum zn_control_type type), void *context);
