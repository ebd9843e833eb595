#include "fs/save/follow.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "fs/save/zoneid.h"
#include "store/records.h"

#define NAMED_MAX 256 /* zones of one change that are told one by one */

struct zn_follower {
	struct zn_events *events;
	struct zn_env *env;
};

struct reading {
	struct zn_txn main, records;
};

static void end_reading(struct reading *reading)
{
	zn_txn_end(&reading->records);
	zn_txn_end(&reading->main);
}

static void post_zone(struct zn_events *events, struct reading *reading, const char *kind, uint32_t id)
{
	char text[ZN_ZONEID_TEXT_MAX], members[64];
	struct zn_zone_info info;
	struct zn_stamp stamp;
	uint32_t serial;

	snprintf(members, sizeof members, ",\"id\":%" PRIu32, id);
	if (zn_zones_get(&reading->main, id, &info, NULL) != ZN_OK) { /* it was deleted, or its list entry is late */
		zn_events_post(events, kind, NULL, members);
		return;
	}
	if (zn_records_serial(&reading->records, id, &serial, &stamp, NULL) == ZN_OK)
		snprintf(members, sizeof members, ",\"id\":%" PRIu32 ",\"serial\":%" PRIu32, id, serial);
	zn_events_post(events, kind, zn_zoneid_text(&info.zone, text), members);
}

static void on_change(void *context, const struct zn_change *change)
{
	struct zn_follower *follower = context;
	struct zn_events *events = follower->events;
	ZN_AUTO(end_reading) struct reading reading = {0};
	const char *kind = change->origin == ZN_FOREIGN ? "foreign" : "merge";
	char members[64];

	if (change->origin == ZN_OWN_SAVE)
		return;
	if (change->all || change->count > NAMED_MAX) {
		snprintf(members, sizeof members, change->all ? ",\"all\":true" : ",\"zones\":%zu", change->count);
		zn_events_post(events, kind, NULL, members);
		return;
	}
	if (change->count == 0 || zn_txn_begin(&reading.main, follower->env, ZN_MAIN, ZN_TXN_READ, NULL) != ZN_OK ||
		zn_txn_begin(&reading.records, follower->env, ZN_RECORDS, ZN_TXN_READ, NULL) != ZN_OK)
		return;
	for (size_t i = 0; i < change->count; i++)
		post_zone(events, &reading, kind, change->ids[i]);
}

enum zn_code zn_follower_new(struct zn_events *events, struct zn_env *env, struct zn_watch *watch, struct zn_follower **ret_follower)
{
	struct zn_follower *follower = calloc(1, sizeof *follower);

	if (!follower)
		return ZN_ENOMEM;
	*follower = (struct zn_follower){events, env};
	zn_watch_listen(watch, on_change, follower);
	*ret_follower = follower;
	return ZN_OK;
}

void zn_follower_free(struct zn_follower *follower)
{
	free(follower);
}
