/* fs/config.h - every option of the program, from where it may come, in one table.
 *
 * Later wins: built-in, the configuration file (/etc/zonefs/zonefs.conf; for a user $XDG_CONFIG_HOME/zonefs/zonefs.conf; one
 * `key = value` a line, # comments), the environment (ZONEFS_MAP_SIZE=…), the command line (-o key=value,… and --key=value).
 * zonefs(8) describes each. An option that is unknown or cannot take effect is an error that names it and its place. */
#pragma once
#include <sys/types.h>

#include "store/base/bytes.h"
#include "store/dns/serial.h"
#include "store/zones.h"

struct zn_config {
	/* where */
	char *db;		/* PowerDNS's lmdb-filename */
	char *db_owner;		/* NULL: owner of the directory */
	uint64_t map_size;	/* bytes; 0: what the file records */
	bool grow;
	/* replication */
	char *bucket;		/* URL; NULL: none */
	char *instance;		/* sanitised host name when not given */
	bool receive;
	uint64_t poll;		/* ns */
	/* text and judging */
	bool keep_text;
	enum zn_serial_policy serial;
	bool presigned_refused;
	enum zn_kind kind;
	bool strict;
	unsigned guard_records_percent, guard_records_min;	/* percent 0: off */
	unsigned guard_zones_percent, guard_zones_min;
	/* the mount */
	uint64_t grace;		/* ns; UINT64_MAX: never */
	uint64_t lock_wait;	/* ns */
	uint64_t quota;		/* bytes of scratch */
	bool keep_owners;
	bool ro;
	bool allow_other, allow_root;
	bool uid_set, gid_set, umask_set;
	uid_t uid;
	gid_t gid;
	mode_t umask;
	struct zn_buf mount_options;	/* words for the kernel, comma-separated: nodev,noexec,… */
	int log_level;			/* enum zn_level */
	/* how it was called */
	bool foreground;
	char *source;			/* label for mount tables */
	char *mountpoint;		/* NULL: commands without one */
};

/* Defaults for who runs it: root, or a user with XDG directories. */
ZN_MUST_USE enum zn_code zn_config_init(struct zn_config *config, struct zn_err *err);
void zn_config_release(struct zn_config *config);

/* One option by name. `place` ("/etc/zonefs/zonefs.conf:3", "-o") goes into the sentence. value NULL: given without one. */
ZN_MUST_USE enum zn_code zn_config_set(struct zn_config *config, const char *place, const char *name, const char *value, struct zn_err *err);
/* File (a missing default file is no error) and environment. */
ZN_MUST_USE enum zn_code zn_config_load(struct zn_config *config, struct zn_err *err);
/* Command line behind the subcommand: takes out options, leaves operands in argv (count returned through argc). ZN_EINVAL: usage. */
ZN_MUST_USE enum zn_code zn_config_arguments(struct zn_config *config, int *argc, char **argv, struct zn_err *err);
/* What belongs together: paths are made absolute, receive needs a bucket, … Called last. */
ZN_MUST_USE enum zn_code zn_config_finish(struct zn_config *config, struct zn_err *err);

/* `key = value` lines of what is in effect, no secrets: .zonefs/config. */
void zn_config_print(const struct zn_config *config, struct zn_buf *out);
