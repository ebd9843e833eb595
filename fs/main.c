/* fs/main.c - which subcommand is meant; without one, a mount. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "fs/cmd/cmd.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *usage, *help;
} commands[] = {
	{"check", zn_cmd_check, "check [--origin NAME] [--strict] FILE|DIR...", "judge master files; no mount needed"},
	{"ls", zn_cmd_ls, "ls", "list the zones of the database"},
	{"cat", zn_cmd_cat, "cat ZONE", "print a zone's text"},
	{"put", zn_cmd_put, "put ZONE < FILE", "save a zone"},
	{"rm", zn_cmd_rm, "rm ZONE", "bury a zone"},
	{"status", zn_cmd_status, "status [--json] [MOUNTPOINT]", "how a running mount is"},
	{"allow", zn_cmd_allow, "allow [MOUNTPOINT]", "let one save or deletion past the mass-change guard"},
};

static void print_help(FILE *out)
{
	fprintf(out, "zonefs: DNS zones as files\n\n  zonefs [SOURCE] MOUNTPOINT [-f] [-o option,...]\n      mount the zone list\n");
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		fprintf(out, "  zonefs %s\n      %s\n", commands[i].usage, commands[i].help);
	fprintf(out, "\nOptions, files and exit codes: zonefs(8).\n");
}

int main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";

	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (strcmp(word, commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0 || strcmp(word, "version") == 0) {
		printf("zonefs " ZN_VERSION "\n");
		return EX_OK;
	}
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
		print_help(stdout);
		return EX_OK;
	}
	if (argc < 2) {
		print_help(stderr);
		return EX_USAGE;
	}
	return zn_cmd_mount(argc, argv);
}
