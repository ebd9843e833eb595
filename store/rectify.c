#include "store/rectify.h"

#include "store/apply.h"

enum zn_code zn_rectify_zone(struct zn_txn *records, uint32_t id, const struct zn_name *apex, const struct zn_zone_mode *mode,
	uint64_t *ret_written, struct zn_err *err)
{
	ZN_AUTO_PTR(zn_zone_free) struct zn_zone *zone = NULL;
	struct zn_records_change change = {0};

	enum zn_code code = zn_records_read(records, id, apex, &zone, NULL, err);
	if (code == ZN_ENOTFOUND) /* nothing that names could follow from: what is left of the derived rows goes */
		code = zn_zone_new(apex, &zone);
	if (!code)
		code = zn_apply_rows(records, id, zone, mode, ZN_APPLY_DERIVED, &change, err);
	if (!code && ret_written)
		*ret_written = change.rows_written;
	return code;
}
