/* fs/cmd/status.h - what sync and the mount have to say of themselves, brought to .zonefs/status: the rooms do not know each other. */
#pragma once
#include "fs/cmd/program.h"

struct zn_mount;
struct zn_status_parts {
	struct zn_program *program;
	struct zn_mount **mount;	/* NULL behind it before the mount is made */
};
/* `parts` is borrowed for as long as the source is asked. */
struct zn_control_source zn_status_source(struct zn_status_parts *parts);
