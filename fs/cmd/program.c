#include "fs/cmd/program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "store/base/limits.h"
#include "store/base/log.h"
#include "sync/syncer.h"

#define STOP_WAIT (60 * ZN_NS_PER_S)	/* for what is on its way, where lock-wait sets no limit */
#define EVENT_RING_BYTES ((size_t)1 << 20)

/* The directory of the database, with its parents, for the embedded default. */
static enum zn_code make_directories(const char *path, struct zn_err *err)
{
	ZN_AUTO_FREE char *copy = strdup(path);

	if (!copy)
		return zn_fail(err, ZN_ENOMEM, "out of memory");
	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, 0755) != 0 && errno != EEXIST)
			return zn_fail_errno(err, errno, "make directory %s", copy);
		*slash = '/';
	}
	return ZN_OK;
}

static enum zn_code make_spool(struct zn_program *program, struct zn_err *err)
{
	struct zn_buf path = ZN_BUF_INIT(4096);

	zn_buf_addf(&path, "%s-spool", program->config->db);
	enum zn_code code = zn_buf_check(&path, "spool path", err);
	if (code != ZN_OK) {
		zn_buf_release(&path);
		return code;
	}
	program->spool = (char *)path.data;
	if (mkdir(program->spool, 0700) != 0 && errno != EEXIST)
		return zn_fail_errno(err, errno, "make directory %s", program->spool);
	return zn_env_give(program->env, program->spool, err);
}

static struct zn_saver_options saver_options(const struct zn_program *program)
{
	const struct zn_config *config = program->config;

	return (struct zn_saver_options){
		.serial = config->serial,
		.kind = config->kind,
		.keep_text = config->keep_text,
		.strict = config->strict,
		.presigned_refused = config->presigned_refused,
		.read_only = config->ro,
		.guard_records_percent = config->guard_records_percent,
		.guard_records_min = config->guard_records_min,
		.guard_zones_percent = config->guard_zones_percent,
		.guard_zones_min = config->guard_zones_min,
		.lock_wait = config->lock_wait,
		.spool = program->spool,
	};
}

static enum zn_code open_parts(struct zn_program *program, enum zn_program_role role, struct zn_err *err)
{
	struct zn_config *config = program->config;
	struct zn_saver_options saver = {0};
	struct zn_env_options env = {
		.path = config->db,
		.map_size = config->map_size,
		.grow = config->grow,
		.read_only = config->ro,
		.daemon = role == ZN_PROGRAM_DAEMON,
		.owner = config->db_owner,
	};
	enum zn_code code = ZN_OK;

	if (role == ZN_PROGRAM_DAEMON && !config->ro)
		code = make_directories(config->db, err);
	if (code == ZN_OK)
		code = zn_env_open(&env, &program->env, err);
	if (code == ZN_OK)
		code = make_spool(program, err);
	if (code == ZN_OK && role == ZN_PROGRAM_DAEMON && !config->ro)
		code = zn_zones_roll_forward(program->env, err);
	if (code == ZN_OK)
		code = zn_local_open(program->env, &program->local, err);
	if (code == ZN_OK)
		code = zn_commit_start(program->env, &program->commit, err);
	if (code == ZN_OK)
		code = zn_watch_start(program->env, &program->watch, err);
	if (code == ZN_OK && role == ZN_PROGRAM_DAEMON)
		code = zn_local_watch(program->local, program->watch, err);
	if (code == ZN_OK)
		code = zn_loader_new(program->env, program->local, config->keep_text, &program->loader);
	if (code == ZN_OK)
		code = zn_events_new(EVENT_RING_BYTES, &program->events);
	if (code == ZN_OK && role == ZN_PROGRAM_DAEMON)
		code = zn_follower_new(program->events, program->env, program->watch, &program->follower);
	if (code == ZN_OK && role == ZN_PROGRAM_DAEMON)
		code = zn_faults_start(program->events, program->env, program->watch, &program->faults, err);
	if (code == ZN_OK) {
		saver = saver_options(program);
		code = zn_saver_start(program->env, program->local, program->commit, program->watch, program->loader,
			program->events, &saver, &program->saver, err);
	}
	return code;
}

enum zn_code zn_program_open(struct zn_program *program, struct zn_config *config, enum zn_program_role role, struct zn_err *err)
{
	*program = (struct zn_program){.config = config};
	if (role == ZN_PROGRAM_COMMAND)
		zn_log_set_level(ZN_ERROR); /* a command says itself what was wrong */
	enum zn_code code = open_parts(program, role, err);
	if (code != ZN_OK)
		zn_program_close(program);
	return code;
}

void zn_program_close(struct zn_program *program)
{
	uint64_t wait = program->config && program->config->lock_wait ? program->config->lock_wait : STOP_WAIT;
	uint64_t deadline = zn_clock_mono() + wait;

	if (program->saver)
		zn_saver_stop(program->saver, deadline);
	if (program->syncer)
		zn_syncer_stop(program->syncer, deadline);
	if (program->commit)
		zn_commit_stop(program->commit, deadline);
	if (program->watch)
		zn_watch_stop(program->watch);
	zn_syncer_free(program->syncer);
	zn_faults_stop(program->faults);
	zn_follower_free(program->follower);
	if (program->loader)
		zn_loader_free(program->loader);
	if (program->events)
		zn_events_free(program->events);
	if (program->local)
		zn_local_close(program->local);
	zn_watch_free(program->watch);
	if (program->env)
		zn_env_close(program->env);
	free(program->spool);
	*program = (struct zn_program){0};
}

static void on_sync_event(void *context, const char *kind, const char *object, const char *text)
{
	struct zn_program *program = context;
	struct zn_buf members = ZN_BUF_INIT(8192);

	zn_buf_add_str(&members, ",\"object\":");
	zn_json_string(&members, zn_view_str(object ? object : ""));
	zn_buf_add_str(&members, ",\"text\":");
	zn_json_string(&members, zn_view_str(text ? text : ""));
	zn_events_post(program->events, kind, "", zn_buf_str(&members));
	zn_buf_release(&members);
	zn_info("bucket: %s%s%s%s%s", kind, object && *object ? " " : "", object ? object : "", text && *text ? ": " : "",
		text ? text : "");
}

enum zn_code zn_program_sync(struct zn_program *program, struct zn_err *err)
{
	const struct zn_config *config = program->config;
	struct zn_syncer_options options = {
		.bucket = config->bucket,
		.instance = config->instance,
		.spool = program->spool,
		.poll = config->poll,
		.receive = config->receive,
		.event = on_sync_event,
		.context = program,
	};

	if (!config->bucket)
		return ZN_OK;
	return zn_syncer_start(&options, program->env, program->commit, program->watch, &program->syncer, err);
}

int zn_cmd_configure(struct zn_config *config, const char *usage, int *argc, char **argv)
{
	struct zn_err err = {0};

	enum zn_code code = zn_config_init(config, &err);
	if (code == ZN_OK)
		code = zn_config_load(config, &err);
	if (code == ZN_OK)
		code = zn_config_arguments(config, argc, argv, &err);
	if (code == ZN_OK)
		code = zn_config_finish(config, &err);
	if (code == ZN_OK) {
		zn_log_set_level((enum zn_level)config->log_level);
		return 0;
	}
	fprintf(stderr, "zonefs: %s\nusage: %s\n", err.text, usage);
	zn_config_release(config);
	return EX_USAGE;
}

int zn_cmd_failed(enum zn_code code, const struct zn_err *err)
{
	fprintf(stderr, "zonefs: %s\n", err->text[0] ? err->text : zn_code_text(code));
	switch (code) {
	case ZN_OK:
		return EX_OK;
	case ZN_EINVAL:
		return EX_USAGE;
	case ZN_ENOTFOUND:
		return EX_NOINPUT;
	case ZN_ESYNTAX:
	case ZN_EZONE:
	case ZN_ECORRUPT:
	case ZN_EFORMAT:
	case ZN_ETOOBIG:
		return EX_DATAERR;
	case ZN_EACCES:
	case ZN_EROFS:
	case ZN_EGUARD:
	case ZN_EDENIED:
		return EX_NOPERM;
	case ZN_EBUSY:
	case ZN_ECONFLICT:
	case ZN_EINTR:
	case ZN_EAGAIN:
	case ZN_ENET:
		return EX_TEMPFAIL;
	case ZN_EEXIST:
	case ZN_EQUOTA:
	case ZN_EFULL:
		return EX_CANTCREAT;
	case ZN_ENOMEM:
	case ZN_ESYS:
		return EX_OSERR;
	}
	return EX_SOFTWARE;
}
