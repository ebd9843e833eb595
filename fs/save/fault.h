/* fs/save/fault.h - zones that a change from elsewhere left wrong: a merge (a CNAME here, an A there) or another process that did not look. They are
 * served as they are; the fault is told (event `fault`, status), becomes a warning of later saves that do not touch it, and is told again when it is
 * mended (`mended`). replication.md 4, step 3; docs/events.md.
 *
 * A thread of its own reads and judges each zone changed by a merge or another process, and those with a fault after every change. A burst that
 * may have changed everything is not judged zone by zone. */
#pragma once
#include "fs/save/events.h"
#include "store/watch.h"

struct zn_faults;
/* Before the first change. */
ZN_MUST_USE enum zn_code zn_faults_start(struct zn_events *events, struct zn_env *env, struct zn_watch *watch, struct zn_faults **ret_faults,
	struct zn_err *err);
void zn_faults_stop(struct zn_faults *faults); /* takes NULL; after the watch has stopped */

/* Zones known to be wrong, at most ZN_FAULTS_MAX: name, number of errors, the first of them. */
#define ZN_FAULTS_MAX 1000
size_t zn_faults_count(struct zn_faults *faults);
void zn_faults_each(struct zn_faults *faults, void (*each)(void *context, const char *zone, size_t errors, const char *sentence), void *context);
