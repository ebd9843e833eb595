/* fs/save/follow.h - events of what others change: "foreign" for another process, "merge" for the syncer, one a zone. docs/events.md. */
#pragma once
#include "fs/save/events.h"
#include "store/watch.h"

struct zn_follower;
/* Before the first change; freed when the watch has stopped. The events must outlive it. */
ZN_MUST_USE enum zn_code zn_follower_new(struct zn_events *events, struct zn_env *env, struct zn_watch *watch, struct zn_follower **ret_follower);
void zn_follower_free(struct zn_follower *follower); /* takes NULL */
