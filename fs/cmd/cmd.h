/* fs/cmd/cmd.h - the subcommands: each takes its own argv (argv[0] is its name) and returns an exit code of <sysexits.h>. zonefs(8). */
#pragma once

int zn_cmd_mount(int argc, char **argv);	/* zonefs [SOURCE] MOUNTPOINT */
int zn_cmd_check(int argc, char **argv);
int zn_cmd_ls(int argc, char **argv);
int zn_cmd_cat(int argc, char **argv);
int zn_cmd_put(int argc, char **argv);
int zn_cmd_rm(int argc, char **argv);
int zn_cmd_status(int argc, char **argv);
int zn_cmd_allow(int argc, char **argv);
