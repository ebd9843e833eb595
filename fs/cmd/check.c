/* fs/cmd/check.c - zonefs check: judges master files as a save would, with no mount and no database. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "fs/cmd/cmd.h"
#include "fs/text/parse.h"
#include "fs/text/zonefile.h"
#include "store/base/limits.h"

#define USAGE "zonefs check [--origin NAME] [--strict] FILE|DIR...\n"
#define KEEP_MAX ((size_t)1 << 20)	/* a text buffer larger than this is not kept for the next file */
#define OUT_MAX ((size_t)64 << 20)	/* bytes of findings of one file */

struct check {
	bool has_origin, strict;
	struct zn_name origin;
	struct zn_buf text;
	size_t zones, errors, warnings;
	bool unreadable, misnamed;
};

static void cannot(struct check *check, const char *path, int error)
{
	fprintf(stderr, "zonefs: %s: %s\n", path, strerror(error));
	check->unreadable = true;
}

/* The whole file into check->text. */
static bool read_all(struct check *check, int fd, const char *path)
{
	struct zn_buf *text = &check->text;
	struct stat st;

	zn_buf_clear(text);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
		zn_buf_reserve(text, (size_t)st.st_size);
	for (;;) {
		if (text->capacity - text->len < 2)
			zn_buf_reserve(text, text->len ? text->len : KEEP_MAX / 16);
		if (text->failed) {
			cannot(check, path, text->failed == ZN_ENOMEM ? ENOMEM : EFBIG);
			return false;
		}
		ssize_t got = read(fd, text->data + text->len, text->capacity - text->len - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			cannot(check, path, errno);
			return false;
		}
		if (got == 0)
			return true;
		text->len += (size_t)got;
	}
}

static void print_findings(const struct zn_findings *findings, const char *path, struct zn_view text)
{
	ZN_AUTO(zn_buf_release) struct zn_buf out = ZN_BUF_INIT(OUT_MAX);

	zn_findings_render(findings, path, text, &out);
	fwrite(zn_buf_str(&out), 1, out.len, stdout);
}

static void judge(struct check *check, const char *path, const struct zn_name *apex)
{
	ZN_AUTO(zn_findings_release) struct zn_findings findings = {0};
	struct zn_parse_options options = {.apex = apex, .strict = check->strict};
	struct zn_parsed parsed = {0};
	struct zn_view text = zn_buf_view(&check->text);
	struct zn_err err;

	enum zn_code code = zn_parse(text, &options, &findings, &parsed, &err);
	check->zones++;
	check->errors += findings.errors;
	check->warnings += findings.warnings;
	if (findings.count > 0)
		print_findings(&findings, path, text);
	if (code == ZN_OK) {
		zn_parsed_release(&parsed);
	} else if (code != ZN_ESYNTAX) {
		fprintf(stderr, "zonefs: %s: %s\n", path, err.text);
		check->unreadable = true;
	}
}

/* `fd` is closed. The zone is --origin, or what the file name says. */
static void check_open(struct check *check, int fd, const char *path, const struct zn_name *apex)
{
	if (read_all(check, fd, path))
		judge(check, path, apex);
	close(fd);
	if (check->text.capacity > KEEP_MAX)
		zn_buf_release(&check->text);
}

static void check_file(struct check *check, const char *path, const struct zn_name *apex)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		cannot(check, path, errno);
	else
		check_open(check, fd, path, apex);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int not_hidden(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* Zone files below a directory, in order of their names; other files are none of ours, as in a mount. */
static void check_directory(struct check *check, const char *path)
{
	struct dirent **entries;
	int count = scandir(path, &entries, not_hidden, alphasort);

	if (count < 0) {
		cannot(check, path, errno);
		return;
	}
	for (int i = 0; i < count; i++) {
		ZN_AUTO_FREE char *inner = NULL;
		struct zn_name apex;
		char variant[ZN_VARIANT_TEXT_MAX];
		struct stat st;
		const char *name = entries[i]->d_name;
		const char *slash = path[0] && path[strlen(path) - 1] == '/' ? "" : "/";

		if (asprintf(&inner, "%s%s%s", path, slash, name) < 0) {
			inner = NULL;
			cannot(check, path, ENOMEM);
		} else if (entries[i]->d_type == DT_DIR || (entries[i]->d_type == DT_UNKNOWN && lstat(inner, &st) == 0 && S_ISDIR(st.st_mode))) {
			check_directory(check, inner);
		} else if (zn_zone_from_filename(zn_view_str(name), &apex, variant)) {
			check_file(check, inner, &apex);
		}
		free(entries[i]);
	}
	free(entries);
}

static void check_operand(struct check *check, const char *path)
{
	struct zn_name apex = check->origin;
	char variant[ZN_VARIANT_TEXT_MAX];
	struct stat st;

	if (strcmp(path, "-") == 0) {
		if (check->has_origin) {
			check_open(check, dup(STDIN_FILENO), "<stdin>", &apex);
		} else {
			fprintf(stderr, "zonefs: standard input has no name to tell its zone: say --origin NAME\n");
			check->misnamed = true;
		}
		return;
	}
	if (stat(path, &st) != 0) {
		cannot(check, path, errno);
	} else if (S_ISDIR(st.st_mode)) {
		if (check->has_origin) {
			fprintf(stderr, "zonefs: %s is a directory: --origin is for files\n", path);
			check->misnamed = true;
		} else {
			check_directory(check, path);
		}
	} else if (check->has_origin || zn_zone_from_filename(zn_view_str(base_name(path)), &apex, variant)) {
		check_file(check, path, &apex);
	} else {
		fprintf(stderr, "zonefs: %s: the name does not tell the zone, as example.com.zone would: say --origin NAME\n", path);
		check->misnamed = true;
	}
}

static bool read_options(struct check *check, int argc, char **argv, int *ret_exit)
{
	static const struct option options[] = {
		{"origin", required_argument, NULL, 'o'}, {"strict", no_argument, NULL, 's'}, {"help", no_argument, NULL, 'h'}, {0},
	};
	struct zn_err err;

	optind = 1;
	for (int option; (option = getopt_long(argc, argv, "o:h", options, NULL)) != -1;) {
		switch (option) {
		case 'o':
			if (zn_name_from_text(zn_view_str(optarg), NULL, &check->origin, &err) != ZN_OK) {
				fprintf(stderr, "zonefs: --origin %s: %s\n", optarg, err.text);
				*ret_exit = EX_USAGE;
				return false;
			}
			zn_name_lower(&check->origin);
			check->has_origin = true;
			break;
		case 's':
			check->strict = true;
			break;
		case 'h':
			fputs("usage: " USAGE, stdout);
			*ret_exit = EX_OK;
			return false;
		default:
			fputs("usage: " USAGE, stderr);
			*ret_exit = EX_USAGE;
			return false;
		}
	}
	if (optind < argc)
		return true;
	fputs("usage: " USAGE, stderr);
	*ret_exit = EX_USAGE;
	return false;
}

int zn_cmd_check(int argc, char **argv)
{
	struct check check = {.text = ZN_BUF_INIT(ZN_TEXT_MAX)};
	int exit_code = EX_OK;

	if (!read_options(&check, argc, argv, &exit_code))
		return exit_code;
	for (int i = optind; i < argc; i++)
		check_operand(&check, argv[i]);
	zn_buf_release(&check.text);
	if (fflush(stdout) != 0) {
		fprintf(stderr, "zonefs: standard output: %s\n", strerror(errno));
		return EX_IOERR;
	}
	if (isatty(STDERR_FILENO) && check.zones != 0)
		fprintf(stderr, "%zu zone%s, %zu error%s, %zu warning%s\n", check.zones, check.zones == 1 ? "" : "s", check.errors,
			check.errors == 1 ? "" : "s", check.warnings, check.warnings == 1 ? "" : "s");
	if (check.unreadable)
		return EX_NOINPUT;
	if (check.misnamed)
		return EX_USAGE;
	return check.errors > 0 ? 1 : EX_OK;
}
