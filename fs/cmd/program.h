/* fs/cmd/program.h - the parts of the program, opened in order and closed in reverse: what a mount and a command without one share. */
#pragma once
#include "fs/config.h"
#include "fs/control/control.h"
#include "fs/save/events.h"
#include "fs/save/fault.h"
#include "fs/save/follow.h"
#include "fs/save/save.h"

struct zn_program {
	struct zn_config *config;	/* borrowed */
	char *spool;			/* DB-spool: scratch, spool files, refused texts */
	struct zn_env *env;
	struct zn_local *local;
	struct zn_commit *commit;
	struct zn_watch *watch;
	struct zn_loader *loader;
	struct zn_events *events;
	struct zn_follower *follower;
	struct zn_faults *faults;	/* daemon only */
	struct zn_saver *saver;
	struct zn_syncer *syncer;	/* NULL: no bucket, or not begun */
};

enum zn_program_role {
	ZN_PROGRAM_COMMAND,	/* beside a running daemon or none */
	ZN_PROGRAM_DAEMON,	/* the one: takes the lock, makes the database where there is none, finishes what a crash left */
};
/* On failure everything opened is closed again. */
ZN_MUST_USE enum zn_code zn_program_open(struct zn_program *program, struct zn_config *config, enum zn_program_role role, struct zn_err *err);
/* Begin replication when a bucket is configured. */
ZN_MUST_USE enum zn_code zn_program_sync(struct zn_program *program, struct zn_err *err);
/* Saves on their way are finished and published, at most for `lock-wait`. */
void zn_program_close(struct zn_program *program);

/* Reads configuration file, environment and command line into `config`; leaves operands in argv. Prints what is wrong and returns an exit
 * code; 0 when all is well. */
int zn_cmd_configure(struct zn_config *config, const char *usage, int *argc, char **argv);
/* Prints "zonefs: …" and gives the exit code that fits. */
int zn_cmd_failed(enum zn_code code, const struct zn_err *err);
