#include "fs/save/policy.h"

#define KIND "X-ZONEFS-SERIAL"

enum zn_code zn_policy_get(struct zn_txn *main, const struct zn_zone_id *zone, enum zn_serial_policy *policy, struct zn_err *err)
{
	ZN_AUTO(zn_buf_release) struct zn_buf value = ZN_BUF_INIT(4096);
	size_t count;

	enum zn_code code = zn_meta_get(main, zone, KIND, &value, &count, err);
	/* A word that this version does not know leaves the default. */
	if (code == ZN_OK && !zn_serial_policy_from_text(zn_view_str(zn_buf_str(&value)), policy))
		return ZN_OK;
	return code == ZN_ENOTFOUND ? ZN_OK : code;
}

enum zn_code zn_policy_set(struct zn_txn *main, const struct zn_zone_id *zone, const enum zn_serial_policy *policy, bool *ret_written,
	struct zn_err *err)
{
	ZN_AUTO(zn_buf_release) struct zn_buf stored = ZN_BUF_INIT(4096);
	const char *value = policy ? zn_serial_policy_text(*policy) : NULL;
	size_t count = 0;

	enum zn_code code = zn_meta_get(main, zone, KIND, &stored, &count, err);
	if (code != ZN_OK && code != ZN_ENOTFOUND)
		return code;
	*ret_written = count != (value ? 1 : 0) || (value && strcmp(zn_buf_str(&stored), value) != 0);
	return *ret_written ? zn_meta_set(main, zone, KIND, &value, value ? 1 : 0, ZN_USER, err) : ZN_OK;
}
