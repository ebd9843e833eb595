/* fs/cmd/zones.c - ls, cat, put, rm: the store without FUSE, beside a running mount or without one. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "fs/cmd/cmd.h"
#include "fs/cmd/program.h"
#include "store/base/limits.h"

/* "example.org", "example.org." or "example.org..internal" (a view variant). */
static enum zn_code read_zone(const char *text, struct zn_zone_id *ret_zone, struct zn_err *err)
{
	const char *variant = strstr(text, "..");
	struct zn_view name = zn_view(text, variant ? (size_t)(variant - text) : strlen(text));

	*ret_zone = (struct zn_zone_id){0};
	if (variant) {
		if (strlen(variant + 2) > ZN_VARIANT_MAX || !variant[2])
			return zn_fail(err, ZN_EINVAL, "%s: no variant of a zone is called so", text);
		memcpy(ret_zone->variant, variant + 2, strlen(variant + 2) + 1);
	}
	enum zn_code code = zn_name_from_text(name, NULL, &ret_zone->name, err);
	if (code != ZN_OK)
		return zn_err_prefix(err, code, "%s", text);
	zn_name_lower(&ret_zone->name);
	return ZN_OK;
}

struct command {
	struct zn_config config;
	struct zn_program program;
	struct zn_zone_id zone;
	const char *zone_text;
};

/* Options, the one operand, and the database. 0, or an exit code after the reason was printed. */
static int begin(struct command *command, const char *usage, int operands, int argc, char **argv)
{
	struct zn_err err = {0};
	int exit_code = zn_cmd_configure(&command->config, usage, &argc, argv);

	if (exit_code)
		return exit_code;
	if (argc != operands + 1) {
		fprintf(stderr, "usage: %s\n", usage);
		zn_config_release(&command->config);
		return EX_USAGE;
	}
	enum zn_code code = ZN_OK;
	if (operands) {
		command->zone_text = argv[1];
		code = read_zone(argv[1], &command->zone, &err);
	}
	if (code == ZN_OK)
		code = zn_program_open(&command->program, &command->config, ZN_PROGRAM_COMMAND, &err);
	if (code == ZN_OK)
		return 0;
	zn_config_release(&command->config);
	return zn_cmd_failed(code, &err);
}

static int end(struct command *command, enum zn_code code, const struct zn_err *err)
{
	zn_program_close(&command->program);
	zn_config_release(&command->config);
	return code == ZN_OK ? EX_OK : zn_cmd_failed(code, err);
}

static enum zn_code write_out(void *context, struct zn_view bytes)
{
	FILE *out = context;

	return fwrite(bytes.data, 1, bytes.len, out) == bytes.len ? ZN_OK : ZN_ESYS;
}

int zn_cmd_ls(int argc, char **argv)
{
	struct command command = {0};
	struct zn_err err = {0};
	int exit_code = begin(&command, "zonefs ls [-o OPTION,...]", 0, argc, argv);

	if (exit_code)
		return exit_code;
	ZN_AUTO(zn_txn_end) struct zn_txn txn = {0};
	enum zn_code code = zn_txn_begin(&txn, command.program.env, ZN_MAIN, ZN_TXN_READ, &err);
	struct zn_index_key at = {0};
	struct zn_zone_info info;
	while (code == ZN_OK && (code = zn_zones_next(&txn, &at, &info, &err)) == ZN_OK) {
		char name[ZN_NAME_TEXT_MAX];
		struct zn_zone_info listed;

		code = zn_load_find(command.program.loader, &info.zone, &listed, &err);
		if (code == ZN_OK)
			printf("%s%s%s\n", zn_name_plain(&info.zone.name, name), info.zone.variant[0] ? ".." : "", info.zone.variant);
		else if (code == ZN_ENOTFOUND)
			code = ZN_OK; /* no SOA yet: not in the list */
	}
	if (code == ZN_ENOTFOUND)
		code = ZN_OK;
	zn_txn_end(&txn);
	return end(&command, code, &err);
}

int zn_cmd_cat(int argc, char **argv)
{
	struct command command = {0};
	struct zn_err err = {0};
	struct zn_zone_info info;
	struct zn_loaded loaded;
	struct zn_sink sink = {stdout, write_out};
	int exit_code = begin(&command, "zonefs cat [-o OPTION,...] ZONE", 1, argc, argv);

	if (exit_code)
		return exit_code;
	enum zn_code code = zn_load_find(command.program.loader, &command.zone, &info, &err);
	if (code == ZN_ENOTFOUND)
		zn_fail(&err, code, "%s: no such zone", command.zone_text);
	if (code == ZN_OK)
		code = zn_load_text(command.program.loader, &info, &sink, &loaded, &err);
	if (code == ZN_OK && fflush(stdout) != 0)
		code = zn_fail_errno(&err, errno, "write");
	return end(&command, code, &err);
}

static enum zn_code read_input(struct zn_buf *text, struct zn_err *err)
{
	for (;;) {
		if (!zn_buf_reserve(text, 1 << 16))
			return zn_buf_check(text, "standard input", err);
		ssize_t len = read(STDIN_FILENO, text->data + text->len, 1 << 16);
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return zn_fail_errno(err, errno, "standard input");
		if (len == 0)
			return ZN_OK;
		text->len += (size_t)len;
	}
}

static struct zn_actor this_process(const char *program)
{
	struct zn_actor actor = {.uid = geteuid(), .gid = getegid(), .pid = getpid()};

	snprintf(actor.program, sizeof actor.program, "%s", program);
	return actor;
}

int zn_cmd_put(int argc, char **argv)
{
	struct command command = {0};
	struct zn_err err = {0};
	ZN_AUTO(zn_buf_release) struct zn_buf text = ZN_BUF_INIT(ZN_TEXT_MAX);
	ZN_AUTO(zn_buf_release) struct zn_buf findings = ZN_BUF_INIT((size_t)16 << 20);
	int exit_code = begin(&command, "zonefs put [-o OPTION,...] ZONE < FILE", 1, argc, argv);

	if (exit_code)
		return exit_code;
	enum zn_code code = read_input(&text, &err);
	if (code == ZN_OK) {
		struct zn_save save = {
			.zone = command.zone,
			.text = zn_buf_view(&text),
			.actor = this_process("zonefs put"),
			.way = ZN_SAVE_COMMAND,
			.findings = &findings,
		};
		struct zn_save_result result = {0};

		zn_saver_run(command.program.saver, &save, &result);
		code = result.code;
		err = result.err;
		fputs(zn_buf_str(&findings), stderr);
	}
	return end(&command, code, &err);
}

int zn_cmd_rm(int argc, char **argv)
{
	struct command command = {0};
	struct zn_err err = {0};
	int exit_code = begin(&command, "zonefs rm [-o OPTION,...] ZONE", 1, argc, argv);

	if (exit_code)
		return exit_code;
	struct zn_actor actor = this_process("zonefs rm");
	enum zn_code code = zn_saver_bury(command.program.saver, &command.zone, &actor, &err);
	if (code == ZN_ENOTFOUND && !err.text[0])
		zn_fail(&err, code, "%s: no such zone", command.zone_text);
	return end(&command, code, &err);
}
