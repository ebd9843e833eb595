#include "fs/save/decide.h"

enum zn_verdict zn_decide(const struct zn_weighed *weighed, uint32_t *ret_serial)
{
	if (zn_serial_newer(weighed->offered, weighed->stored)) {
		*ret_serial = weighed->offered;
		return ZN_VERDICT_ROWS;
	}
	*ret_serial = weighed->stored;
	if (!weighed->differs)
		return ZN_VERDICT_SAME;
	if (weighed->since == ZN_SINCE_SOMEBODY)
		return ZN_VERDICT_CONFLICT;
	if (weighed->signed_elsewhere)
		return ZN_VERDICT_OLD_SERIAL;
	if (weighed->policy != ZN_SERIAL_KEEP)
		*ret_serial = zn_serial_next(weighed->stored, weighed->policy, weighed->now);
	return ZN_VERDICT_ROWS;
}
