/* sync/object.h - names of LS-readable objects: <db>__<instance>__<stamp>__<generation>[__<extra>…].pb.gz
 * (docs/format.md "Object names"; Lightning Stream's own grammar).
 *
 * The stamp is UTC with nine digits of nanoseconds and always 25 characters long, so the bytewise order
 * of an instance's names is the order of their stamps. Pure. */
#pragma once
#include <stdbool.h>

#include "store/base/bytes.h"
#include "store/base/clock.h"

#define ZN_OBJECT_NAME_MAX 255		/* bytes: what a directory can hold */
#define ZN_OBJECT_STAMP_LEN 25		/* 20240102-030405-000000006 */
#define ZN_INSTANCE_MAX 63		/* bytes of a sanitised instance name of ours */

/* A name taken apart. The views borrow from the name. */
struct zn_object {
	struct zn_view db;
	struct zn_view instance;
	struct zn_stamp stamp;
	struct zn_view generation;	/* "GX"; anything is accepted */
	struct zn_view extra;		/* what follows the generation, without the first "__"; mostly empty */
};

/* False for every name that Lightning Stream would ignore: another extension, fewer than four parts, no
 * valid date. Also false where LS's own arithmetic ends: before 1970 and after 2554. */
bool zn_object_parse(struct zn_view name, struct zn_object *ret_object);

/* The name we publish under, NUL-terminated. db and instance must pass the two checks below. */
const char *zn_object_name(struct zn_view db, struct zn_view instance, struct zn_stamp stamp,
		char name[static ZN_OBJECT_NAME_MAX + 1]);

/* "20240102-030405-000000006", NUL-terminated. */
const char *zn_object_stamp_text(struct zn_stamp stamp, char text[static ZN_OBJECT_STAMP_LEN + 1]);

/* [a-z0-9-]+: everything else makes LS lose or mix up databases without a word. */
bool zn_object_db_valid(struct zn_view db);

/* What Lightning Stream makes of an instance name: every character (not byte) outside [A-Za-z0-9-]
 * becomes "-". Cut at ZN_INSTANCE_MAX; NUL-terminated. Returns whether the name was clean already: a
 * configured one that is not is refused, since "ns1.a" and "ns1_a" would become one. */
bool zn_instance_sanitise(const char *name, char instance[static ZN_INSTANCE_MAX + 1]);
