#include "fs/config.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/base/auto.h"
#include "store/base/limits.h"
#include "store/base/log.h"

/* How a value is read and printed. */
enum option_kind {
	KIND_TEXT,	/* char * */
	KIND_PATH,	/* char *, made absolute */
	KIND_SWITCH,	/* bool: on, off; without a value: on */
	KIND_DURATION,	/* uint64_t ns: 500ms, 3s, 10m, 4h, 30d; `never` where max says so */
	KIND_BYTES,	/* uint64_t: 512M, 1G */
	KIND_MEGABYTES, /* uint64_t bytes, given in MB as PowerDNS does */
	KIND_WORD,	/* read and printed by functions of its own */
	KIND_LATER,	/* known to the manual of a coming release, refused by this one */
};

struct option {
	const char *name;
	enum option_kind kind;
	size_t offset;
	bool (*read)(struct zn_config *config, const char *value);
	void (*print)(const struct zn_config *config, struct zn_buf *out);
	const char *expects;	/* KIND_WORD: what a good value looks like; KIND_LATER: why not */
};

static bool read_choice(const char *value, const char *off, const char *on, bool *ret)
{
	if (!value || (strcmp(value, off) != 0 && strcmp(value, on) != 0))
		return false;
	*ret = strcmp(value, on) == 0;
	return true;
}

static bool read_text_option(struct zn_config *config, const char *value)
{
	return read_choice(value, "off", "keep", &config->keep_text);
}

static void print_text_option(const struct zn_config *config, struct zn_buf *out)
{
	zn_buf_add_str(out, config->keep_text ? "keep" : "off");
}

static bool read_presigned(struct zn_config *config, const char *value)
{
	return read_choice(value, "auto", "refuse", &config->presigned_refused);
}

static void print_presigned(const struct zn_config *config, struct zn_buf *out)
{
	zn_buf_add_str(out, config->presigned_refused ? "refuse" : "auto");
}

static bool read_owners(struct zn_config *config, const char *value)
{
	return read_choice(value, "ignore", "keep", &config->keep_owners);
}

static void print_owners(const struct zn_config *config, struct zn_buf *out)
{
	zn_buf_add_str(out, config->keep_owners ? "keep" : "ignore");
}

static bool read_serial(struct zn_config *config, const char *value)
{
	return value && zn_serial_policy_from_text(zn_view_str(value), &config->serial);
}

static void print_serial(const struct zn_config *config, struct zn_buf *out)
{
	zn_buf_add_str(out, zn_serial_policy_text(config->serial));
}

static bool read_kind(struct zn_config *config, const char *value)
{
	enum zn_kind kind;

	if (!value || !zn_kind_from_text(zn_view_str(value), &kind))
		return false;
	if (kind != ZN_KIND_NATIVE && kind != ZN_KIND_PRIMARY)
		return false;
	config->kind = kind;
	return true;
}

static void print_kind(const struct zn_config *config, struct zn_buf *out)
{
	zn_buf_add_str(out, zn_kind_text(config->kind));
}

/* "50%:20/30%:10": records, then zones; percent and the smallest number that counts. */
static bool read_guard(struct zn_config *config, const char *value)
{
	unsigned rp, rm, zp, zm;
	int end = -1;

	if (!value)
		return false;
	if (strcmp(value, "off") == 0) {
		config->guard_records_percent = config->guard_zones_percent = 0;
		return true;
	}
	if (sscanf(value, "%u%%:%u/%u%%:%u%n", &rp, &rm, &zp, &zm, &end) != 4 || end < 0 || value[end] || rp > 100 ||
		zp > 100)
		return false;
	config->guard_records_percent = rp;
	config->guard_records_min = rm;
	config->guard_zones_percent = zp;
	config->guard_zones_min = zm;
	return true;
}

static void print_guard(const struct zn_config *config, struct zn_buf *out)
{
	if (!config->guard_records_percent && !config->guard_zones_percent)
		zn_buf_add_str(out, "off");
	else
		zn_buf_addf(out, "%u%%:%u/%u%%:%u", config->guard_records_percent, config->guard_records_min,
			config->guard_zones_percent, config->guard_zones_min);
}

static bool read_number(const char *value, int base, unsigned long max, unsigned long *ret)
{
	char *end;

	if (!value || !isalnum((unsigned char)*value))
		return false;
	errno = 0;
	*ret = strtoul(value, &end, base);
	return !errno && !*end && *ret <= max;
}

static bool read_uid(struct zn_config *config, const char *value)
{
	unsigned long number;

	if (!read_number(value, 10, UINT32_MAX - 1, &number))
		return false;
	config->uid = (uid_t)number;
	config->uid_set = true;
	return true;
}

static void print_uid(const struct zn_config *config, struct zn_buf *out)
{
	if (config->uid_set)
		zn_buf_addf(out, "%u", (unsigned)config->uid);
}

static bool read_gid(struct zn_config *config, const char *value)
{
	unsigned long number;

	if (!read_number(value, 10, UINT32_MAX - 1, &number))
		return false;
	config->gid = (gid_t)number;
	config->gid_set = true;
	return true;
}

static void print_gid(const struct zn_config *config, struct zn_buf *out)
{
	if (config->gid_set)
		zn_buf_addf(out, "%u", (unsigned)config->gid);
}

static bool read_umask(struct zn_config *config, const char *value)
{
	unsigned long number;

	if (!read_number(value, 8, 0777, &number))
		return false;
	config->umask = (mode_t)number;
	config->umask_set = true;
	return true;
}

static void print_umask(const struct zn_config *config, struct zn_buf *out)
{
	if (config->umask_set)
		zn_buf_addf(out, "%03o", (unsigned)config->umask);
}

static const char *const level_names[] = {"error", "warning", "info", "debug"};

static bool read_level(struct zn_config *config, const char *value)
{
	for (int i = 0; value && i < 4; i++)
		if (strcmp(value, level_names[i]) == 0) {
			config->log_level = i;
			return true;
		}
	return false;
}

static void print_level(const struct zn_config *config, struct zn_buf *out)
{
	zn_buf_add_str(out, level_names[config->log_level]);
}

#define FIELD(name) offsetof(struct zn_config, name)
#define LATER(name) {name, KIND_LATER, 0, NULL, NULL, "not part of this version"}

/* In the order of the manual. */
static const struct option options[] = {
	{"db", KIND_PATH, FIELD(db), NULL, NULL, NULL},
	{"db-owner", KIND_TEXT, FIELD(db_owner), NULL, NULL, NULL},
	{"map-size", KIND_MEGABYTES, FIELD(map_size), NULL, NULL, NULL},
	{"grow", KIND_SWITCH, FIELD(grow), NULL, NULL, NULL},
	{"bucket", KIND_TEXT, FIELD(bucket), NULL, NULL, NULL},
	{"instance", KIND_TEXT, FIELD(instance), NULL, NULL, NULL},
	{"ro", KIND_SWITCH, FIELD(ro), NULL, NULL, NULL},
	{"receive", KIND_SWITCH, FIELD(receive), NULL, NULL, NULL},
	{"poll", KIND_DURATION, FIELD(poll), NULL, NULL, NULL},
	{"text", KIND_WORD, 0, read_text_option, print_text_option, "keep or off"},
	{"serial", KIND_WORD, 0, read_serial, print_serial, "auto, keep, increase, date or epoch"},
	{"presigned", KIND_WORD, 0, read_presigned, print_presigned, "auto or refuse"},
	{"kind", KIND_WORD, 0, read_kind, print_kind, "native or primary"},
	{"strict", KIND_SWITCH, FIELD(strict), NULL, NULL, NULL},
	{"guard", KIND_WORD, 0, read_guard, print_guard, "off, or like 50%:20/30%:10 (records, then zones)"},
	{"grace", KIND_DURATION, FIELD(grace), NULL, NULL, NULL},
	{"lock-wait", KIND_DURATION, FIELD(lock_wait), NULL, NULL, NULL},
	{"quota", KIND_BYTES, FIELD(quota), NULL, NULL, NULL},
	{"owners", KIND_WORD, 0, read_owners, print_owners, "ignore or keep"},
	{"allow_other", KIND_SWITCH, FIELD(allow_other), NULL, NULL, NULL},
	{"allow_root", KIND_SWITCH, FIELD(allow_root), NULL, NULL, NULL},
	{"uid", KIND_WORD, 0, read_uid, print_uid, "a number"},
	{"gid", KIND_WORD, 0, read_gid, print_gid, "a number"},
	{"umask", KIND_WORD, 0, read_umask, print_umask, "an octal number"},
	{"log-level", KIND_WORD, 0, read_level, print_level, "error, warning, info or debug"},
	LATER("lightningstream"),
	LATER("bucket-key"),
	LATER("bucket-history"),
	LATER("history"),
	LATER("history-size"),
	LATER("tombstones"),
	LATER("on-change"),
	LATER("pdns"),
	LATER("http"),
	LATER("ls-config"),
};

/* Words that mount(8), fstab and mount.fuse3 hand on: those for the kernel, and those for nobody. */
static const char *const kernel_words[] = {"nodev", "dev", "nosuid", "suid", "noexec", "exec", "noatime", "atime", "sync",
	"async", "dirsync", "nosymfollow", NULL};
static const char *const silent_words[] = {"rw", "defaults", "auto", "noauto", "user", "nouser", "users", "owner", "group",
	"nofail", "_netdev", "relatime", "norelatime", "nodiratime", "diratime", NULL};

static bool word_in(const char *word, const char *const *list)
{
	for (; *list; list++)
		if (strcmp(word, *list) == 0)
			return true;
	return false;
}

static void *field(const struct zn_config *config, const struct option *option)
{
	return (char *)(uintptr_t)config + option->offset;
}

static bool set_text(char **place, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return false;
	free(*place);
	*place = copy;
	return true;
}

struct unit {
	const char *name;
	uint64_t factor;
};
static const struct unit durations[] = {{"ms", ZN_NS_PER_MS}, {"s", ZN_NS_PER_S}, {"m", 60 * ZN_NS_PER_S},
	{"h", 3600 * ZN_NS_PER_S}, {"d", 86400 * ZN_NS_PER_S}, {"", ZN_NS_PER_S}, {NULL, 0}};
static const struct unit sizes[] = {{"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {"T", UINT64_C(1) << 40}, {"", 1}, {NULL, 0}};
static const struct unit megabytes[] = {{"", 1 << 20}, {NULL, 0}};

static bool read_amount(const char *value, const struct unit *units, uint64_t *ret)
{
	char *end;

	if (!value || !isdigit((unsigned char)*value))
		return false;
	errno = 0;
	unsigned long long number = strtoull(value, &end, 10);
	if (errno)
		return false;
	for (; units->name; units++)
		if (strcmp(end, units->name) == 0)
			return !__builtin_mul_overflow((uint64_t)number, units->factor, ret);
	return false;
}

static void print_amount(uint64_t amount, const struct unit *units, struct zn_buf *out)
{
	const struct unit *best = NULL;

	for (; units->name; units++)
		if (amount % units->factor == 0 && (!best || units->factor > best->factor) && (amount || !units->name[0]))
			best = units;
	zn_buf_addf(out, "%llu%s", (unsigned long long)(best ? amount / best->factor : amount), best ? best->name : "");
}

static bool read_switch(const char *value, bool *ret)
{
	if (!value) {
		*ret = true;
		return true;
	}
	return read_choice(value, "off", "on", ret) || read_choice(value, "no", "yes", ret);
}

static const struct option *find_option(const char *name)
{
	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		if (strcmp(options[i].name, name) == 0)
			return &options[i];
	return NULL;
}

static enum zn_code set_option(struct zn_config *config, const struct option *option, const char *value, const char **ret_expects)
{
	bool good = false;

	switch (option->kind) {
	case KIND_TEXT:
	case KIND_PATH:
		*ret_expects = "a value";
		if (!value || !*value)
			return ZN_EINVAL;
		return set_text(field(config, option), value) ? ZN_OK : ZN_ENOMEM;
	case KIND_SWITCH:
		*ret_expects = "on or off";
		good = read_switch(value, field(config, option));
		break;
	case KIND_DURATION:
		*ret_expects = "a duration like 500ms, 3s, 10m, 4h or 30d";
		if (option->offset == FIELD(grace) && value && strcmp(value, "never") == 0) {
			config->grace = UINT64_MAX;
			return ZN_OK;
		}
		good = read_amount(value, durations, field(config, option));
		break;
	case KIND_BYTES:
		*ret_expects = "a size like 512M or 1G";
		good = read_amount(value, sizes, field(config, option));
		break;
	case KIND_MEGABYTES:
		*ret_expects = "a number of megabytes";
		good = read_amount(value, megabytes, field(config, option));
		break;
	case KIND_WORD:
		*ret_expects = option->expects;
		good = option->read(config, value);
		break;
	case KIND_LATER:
		break;
	}
	return good ? ZN_OK : ZN_EINVAL;
}

enum zn_code zn_config_set(struct zn_config *config, const char *place, const char *name, const char *value, struct zn_err *err)
{
	const struct option *option = find_option(name);

	if (!option) {
		if (!value && word_in(name, kernel_words)) {
			zn_buf_addf(&config->mount_options, "%s%s", config->mount_options.len ? "," : "", name);
			return zn_buf_check(&config->mount_options, "mount options", err);
		}
		if ((!value && word_in(name, silent_words)) || strncmp(name, "x-", 2) == 0 || strcmp(name, "comment") == 0)
			return ZN_OK;
		return zn_fail(err, ZN_EINVAL, "%s: there is no option '%s'", place, name);
	}
	if (option->kind == KIND_LATER)
		return zn_fail(err, ZN_EINVAL, "%s: option '%s' is %s", place, name, option->expects);
	const char *expects = "";
	enum zn_code code = set_option(config, option, value, &expects);
	if (code == ZN_EINVAL)
		return zn_fail(err, code, "%s: option '%s' takes %s, not '%s'", place, name, expects, value ? value : "");
	return code == ZN_OK ? ZN_OK : zn_fail(err, code, "%s: %s", place, zn_code_text(code));
}

/* `name=value` or `name`, in place. */
static enum zn_code set_pair(struct zn_config *config, const char *place, char *pair, struct zn_err *err)
{
	char *value = strchr(pair, '=');

	if (value)
		*value++ = '\0';
	return zn_config_set(config, place, pair, value, err);
}

static char *trim(char *text)
{
	while (isspace((unsigned char)*text))
		text++;
	size_t len = strlen(text);
	while (len && isspace((unsigned char)text[len - 1]))
		text[--len] = '\0';
	return text;
}

static enum zn_code load_file(struct zn_config *config, const char *path, struct zn_err *err)
{
	FILE *file = fopen(path, "re");

	if (!file) {
		if (errno == ENOENT)
			return ZN_OK;
		return zn_fail_errno(err, errno, "%s", path);
	}
	enum zn_code code = ZN_OK;
	char *line = NULL;
	size_t size = 0;
	for (unsigned number = 1; code == ZN_OK && getline(&line, &size, file) >= 0; number++) {
		char place[PATH_MAX + 16];
		char *text = trim(line);

		if (!*text || *text == '#')
			continue;
		snprintf(place, sizeof place, "%s:%u", path, number);
		char *value = strchr(text, '=');
		if (value) {
			*value = '\0';
			value = trim(value + 1);
		}
		code = zn_config_set(config, place, trim(text), value, err);
	}
	free(line);
	fclose(file);
	return code;
}

/* ZONEFS_MAP_SIZE for map-size. */
static enum zn_code load_environment(struct zn_config *config, struct zn_err *err)
{
	for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
		char name[64];
		snprintf(name, sizeof name, "ZONEFS_%s", options[i].name);
		for (char *c = name; *c; c++)
			*c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
		const char *value = getenv(name);
		if (!value)
			continue;
		enum zn_code code = zn_config_set(config, name, options[i].name, value, err);
		if (code != ZN_OK)
			return code;
	}
	return ZN_OK;
}

/* $variable/rest, or $HOME/home_part/rest. false: neither is set. */
static bool user_path(char *path, size_t size, const char *variable, const char *home_part, const char *rest)
{
	const char *base = getenv(variable);

	if (base && *base == '/') {
		snprintf(path, size, "%s/%s", base, rest);
		return true;
	}
	base = getenv("HOME");
	if (!base || *base != '/')
		return false;
	snprintf(path, size, "%s/%s/%s", base, home_part, rest);
	return true;
}

enum zn_code zn_config_load(struct zn_config *config, struct zn_err *err)
{
	char path[PATH_MAX];
	enum zn_code code = ZN_OK;
	const char *named = getenv("ZONEFS_CONFIG");

	if (named)
		code = load_file(config, named, err);
	else if (geteuid() == 0)
		code = load_file(config, "/etc/zonefs/zonefs.conf", err);
	else if (user_path(path, sizeof path, "XDG_CONFIG_HOME", ".config", "zonefs/zonefs.conf"))
		code = load_file(config, path, err);
	return code == ZN_OK ? load_environment(config, err) : code;
}

enum zn_code zn_config_init(struct zn_config *config, struct zn_err *err)
{
	char path[PATH_MAX];

	*config = (struct zn_config){
		.poll = ZN_NS_PER_S,
		.keep_text = true,
		.kind = ZN_KIND_NATIVE,
		.guard_records_percent = 50,
		.guard_records_min = 20,
		.guard_zones_percent = 30,
		.guard_zones_min = 10,
		.grace = 3 * ZN_NS_PER_S,
		.lock_wait = 10 * ZN_NS_PER_S,
		.quota = UINT64_C(1) << 30,
		.log_level = ZN_INFO,
		.mount_options = ZN_BUF_INIT(4096),
	};
	if (geteuid() == 0)
		snprintf(path, sizeof path, "/var/lib/zonefs/pdns.lmdb");
	else if (!user_path(path, sizeof path, "XDG_DATA_HOME", ".local/share", "zonefs/pdns.lmdb"))
		return zn_fail(err, ZN_EINVAL, "neither XDG_DATA_HOME nor HOME is set: say where the database is with -o db=PATH");
	config->db = strdup(path);
	config->source = strdup("zonefs");
	if (!config->db || !config->source)
		return zn_fail(err, ZN_ENOMEM, "out of memory");
	return ZN_OK;
}

void zn_config_release(struct zn_config *config)
{
	free(config->db);
	free(config->db_owner);
	free(config->bucket);
	free(config->instance);
	free(config->source);
	free(config->mountpoint);
	zn_buf_release(&config->mount_options);
	*config = (struct zn_config){0};
}

/* "a,b=c,d"; a comma within a value is written "\,". */
static enum zn_code set_list(struct zn_config *config, const char *place, const char *list, struct zn_err *err)
{
	ZN_AUTO_FREE char *copy = strdup(list);
	enum zn_code code = ZN_OK;

	if (!copy)
		return zn_fail(err, ZN_ENOMEM, "out of memory");
	for (char *from = copy; code == ZN_OK && from;) {
		char *to = from, *at = from, *next = NULL;
		for (; *at; at++) {
			if (*at == '\\' && at[1] == ',')
				at++;
			else if (*at == ',') {
				next = at + 1;
				break;
			}
			*to++ = *at;
		}
		*to = '\0';
		if (*from)
			code = set_pair(config, place, from, err);
		from = next;
	}
	return code;
}

enum zn_code zn_config_arguments(struct zn_config *config, int *argc, char **argv, struct zn_err *err)
{
	int kept = 0;
	bool only_operands = false;

	for (int i = 0; i < *argc; i++) {
		char *arg = argv[i];
		enum zn_code code = ZN_OK;

		if (only_operands || arg[0] != '-' || !arg[1]) {
			argv[kept++] = arg;
		} else if (strcmp(arg, "--") == 0) {
			only_operands = true;
		} else if (strcmp(arg, "-f") == 0) {
			config->foreground = true;
		} else if (strcmp(arg, "-d") == 0) {
			config->log_level = ZN_DEBUG;
		} else if (strcmp(arg, "-n") == 0 || strcmp(arg, "-s") == 0 || strcmp(arg, "-v") == 0) {
			/* mount(8) hands these to every helper: no mtab, sloppy, verbose */
		} else if (strncmp(arg, "-o", 2) == 0) {
			const char *list = arg[2] ? arg + 2 : i + 1 < *argc ? argv[++i] : NULL;
			if (!list)
				return zn_fail(err, ZN_EINVAL, "-o wants a list of options");
			code = set_list(config, "-o", list, err);
		} else if (arg[1] == '-') {
			ZN_AUTO_FREE char *copy = strdup(arg + 2);
			if (!copy)
				return zn_fail(err, ZN_ENOMEM, "out of memory");
			code = set_pair(config, "command line", copy, err);
		} else {
			return zn_fail(err, ZN_EINVAL, "there is no option '%s'", arg);
		}
		if (code != ZN_OK)
			return code;
	}
	*argc = kept;
	return ZN_OK;
}

static enum zn_code make_absolute(char **path, struct zn_err *err)
{
	char here[PATH_MAX];
	struct zn_buf full = ZN_BUF_INIT(PATH_MAX);

	if (!*path || **path == '/')
		return ZN_OK;
	if (!getcwd(here, sizeof here))
		return zn_fail_errno(err, errno, "current directory");
	zn_buf_addf(&full, "%s/%s", here, *path);
	enum zn_code code = zn_buf_check(&full, *path, err);
	if (code == ZN_OK) {
		free(*path);
		*path = (char *)full.data;
	}
	return code;
}

static bool instance_char(char c)
{
	return isalnum((unsigned char)c) || c == '-';
}

/* Lightning Stream replaces what it cannot write by '-': we do that to the host name, and refuse a given name that would change. */
static enum zn_code settle_instance(struct zn_config *config, struct zn_err *err)
{
	char host[256];

	if (config->instance) {
		for (const char *c = config->instance; *c; c++)
			if (!instance_char(*c))
				return zn_fail(err, ZN_EINVAL, "instance '%s': only letters, digits and '-' can stand in object names", config->instance);
		return ZN_OK;
	}
	if (gethostname(host, sizeof host - 1) != 0)
		return zn_fail_errno(err, errno, "host name");
	host[sizeof host - 1] = '\0';
	for (char *c = host; *c; c++)
		if (!instance_char(*c))
			*c = '-';
	config->instance = strdup(*host ? host : "zonefs");
	return config->instance ? ZN_OK : zn_fail(err, ZN_ENOMEM, "out of memory");
}

enum zn_code zn_config_finish(struct zn_config *config, struct zn_err *err)
{
	if (config->receive && !config->bucket)
		return zn_fail(err, ZN_EINVAL, "option 'receive' needs 'bucket'");
	if (config->poll < 10 * ZN_NS_PER_MS)
		return zn_fail(err, ZN_EINVAL, "option 'poll': at least 10ms");
	if (config->map_size && config->map_size < (UINT64_C(1) << 20))
		return zn_fail(err, ZN_EINVAL, "option 'map-size': at least 1");
	enum zn_code code = settle_instance(config, err);
	if (code == ZN_OK)
		code = make_absolute(&config->db, err);
	if (code == ZN_OK)
		code = make_absolute(&config->mountpoint, err);
	return code;
}

static void print_value(const struct zn_config *config, const struct option *option, struct zn_buf *out)
{
	void *at = field(config, option);

	switch (option->kind) {
	case KIND_TEXT:
	case KIND_PATH:
		zn_buf_add_str(out, *(char **)at ? *(char **)at : "");
		break;
	case KIND_SWITCH:
		zn_buf_add_str(out, *(bool *)at ? "on" : "off");
		break;
	case KIND_DURATION:
		if (*(uint64_t *)at == UINT64_MAX)
			zn_buf_add_str(out, "never");
		else
			print_amount(*(uint64_t *)at, durations, out);
		break;
	case KIND_BYTES:
		print_amount(*(uint64_t *)at, sizes, out);
		break;
	case KIND_MEGABYTES:
		if (*(uint64_t *)at)
			print_amount(*(uint64_t *)at, megabytes, out);
		break;
	case KIND_WORD:
		option->print(config, out);
		break;
	case KIND_LATER:
		break;
	}
}

void zn_config_print(const struct zn_config *config, struct zn_buf *out)
{
	for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
		struct zn_buf value = ZN_BUF_INIT(8192);
		if (options[i].kind != KIND_LATER)
			print_value(config, &options[i], &value);
		if (value.len)
			zn_buf_addf(out, "%s = %s\n", options[i].name, zn_buf_str(&value));
		zn_buf_release(&value);
	}
}
