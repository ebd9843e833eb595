/* fs/save/policy.h - the serial policy of a zone: metadata X-ZONEFS-SERIAL, so that it replicates. zone-text 3. */
#pragma once
#include "store/dns/serial.h"
#include "store/meta.h"

/* Leaves *policy as it is where the zone has none of its own. */
ZN_MUST_USE enum zn_code zn_policy_get(struct zn_txn *main, const struct zn_zone_id *zone, enum zn_serial_policy *policy, struct zn_err *err);
/* In a write transaction; policy NULL: none of its own any more. ret_written: it was another one before. */
ZN_MUST_USE enum zn_code zn_policy_set(struct zn_txn *main, const struct zn_zone_id *zone, const enum zn_serial_policy *policy, bool *ret_written,
	struct zn_err *err);
