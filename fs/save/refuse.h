/* fs/save/refuse.h - a refusal as it is kept, logged and posted: the same words everywhere. rules 18, 20. Private to fs/save. */
#pragma once
#include "fs/save/save.h"

struct zn_refusal {
	const struct zn_zone_id *zone;
	struct zn_view text;
	const struct zn_actor *actor;
	const struct zn_findings *findings;	/* may be NULL */
	enum zn_code code;
	struct zn_err *err;			/* its sentence is made from the findings where it says nothing */
};
/* Does file I/O. */
void zn_refuse(struct zn_saver *saver, const struct zn_refusal *refusal);
/* ,"uid":0,"user":"root","pid":7,"program":"vim" */
void zn_actor_members(const struct zn_actor *actor, struct zn_buf *out);
