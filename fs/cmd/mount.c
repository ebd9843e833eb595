/* fs/cmd/mount.c - `zonefs [SOURCE] MOUNTPOINT`: opens the program, begins replication, mounts, and takes all of it down again. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "fs/cmd/cmd.h"
#include "fs/cmd/program.h"
#include "fs/cmd/status.h"
#include "fs/mount/session.h"
#include "store/base/log.h"

struct daemon {
	struct zn_config config;
	struct zn_program program;
	struct zn_status_parts parts;
	struct zn_control *control;
	struct zn_mount *mount;
	struct zn_buf config_text;
	int ready_fd;	/* the waiting parent of a background daemon; -1: none */
};

/* "zonefs [SOURCE] MOUNTPOINT": mount(8) gives both or one. */
static bool take_operands(struct zn_config *config, int argc, char **argv)
{
	const char *source = argc == 3 ? argv[1] : "zonefs";
	const char *point = argc == 3 ? argv[2] : argc == 2 ? argv[1] : "";

	if (!*point || argc > 3)
		return false;
	free(config->source);
	config->source = strdup(source);
	config->mountpoint = realpath(point, NULL);
	if (!config->mountpoint && errno != ENOENT) /* a stale mount cannot be resolved: the mount room explains it */
		config->mountpoint = strdup(point);
	if (!config->mountpoint)
		fprintf(stderr, "zonefs: %s: %s\n", point, strerror(errno));
	return config->source && config->mountpoint;
}

/* Leave the terminal to the caller: the parent waits until the mount answers, or says why it never will. Returns in the daemon only. */
static int go_to_background(void)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) != 0) {
		fprintf(stderr, "zonefs: pipe: %s\n", strerror(errno));
		exit(EX_OSERR);
	}
	pid_t child = fork();
	if (child < 0) {
		fprintf(stderr, "zonefs: fork: %s\n", strerror(errno));
		exit(EX_OSERR);
	}
	if (child > 0) {
		char code = EX_SOFTWARE; /* the daemon died without a word */
		close(fds[1]);
		while (read(fds[0], &code, 1) < 0 && errno == EINTR)
			;
		_exit(code);
	}
	close(fds[0]);
	setsid();
	if (chdir("/") != 0)
		zn_warning("change to /: %s", strerror(errno));
	return fds[1];
}

static void tell_parent(struct daemon *daemon, int code)
{
	char byte = (char)code;

	if (daemon->ready_fd < 0)
		return;
	if (code == EX_OK) {
		/* From here on nobody reads the terminal's end. */
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);
		zn_log_set_place(ZN_LOG_SYSLOG);
		for (int fd = 0; fd <= 2 && null >= 0; fd++)
			dup2(null, fd);
		if (null > 2)
			close(null);
	}
	if (write(daemon->ready_fd, &byte, 1) != 1)
		zn_warning("nobody waited for the mount");
	close(daemon->ready_fd);
	daemon->ready_fd = -1;
}

static void on_ready(void *context)
{
	struct daemon *daemon = context;

	zn_info("mounted on %s: database %s, instance %s, bucket %s", daemon->config.mountpoint, daemon->config.db,
		daemon->config.instance, daemon->config.bucket ? daemon->config.bucket : "none");
	sd_notify(0, "READY=1");
	tell_parent(daemon, EX_OK);
}

static enum zn_code start_control(struct daemon *daemon, struct zn_err *err)
{
	struct zn_program *program = &daemon->program;

	daemon->parts = (struct zn_status_parts){.program = program, .mount = &daemon->mount};
	zn_config_print(&daemon->config, &daemon->config_text);
	enum zn_code code = zn_buf_check(&daemon->config_text, "options", err);
	if (code != ZN_OK)
		return code;
	struct zn_control_options options = {
		.env = program->env,
		.local = program->local,
		.loader = program->loader,
		.saver = program->saver,
		.commit = program->commit,
		.events = program->events,
		.spool = program->spool,
		.config_text = zn_buf_str(&daemon->config_text),
		.source = zn_status_source(&daemon->parts),
	};
	return zn_control_new(&options, &daemon->control);
}

static enum zn_code start_mount(struct daemon *daemon, struct zn_err *err)
{
	const struct zn_config *config = &daemon->config;
	struct zn_program *program = &daemon->program;
	struct zn_mount_options options = {
		.mountpoint = config->mountpoint,
		.source = config->source,
		.kernel_options = zn_buf_str(&config->mount_options),
		.spool = program->spool,
		.read_only = config->ro,
		.allow_other = config->allow_other || geteuid() == 0,
		.allow_root = config->allow_root,
		.keep_owners = config->keep_owners,
		.uid = config->uid_set ? config->uid : geteuid(),
		.gid = config->gid_set ? config->gid : getegid(),
		.umask = config->umask_set ? config->umask : 022,
		.grace = config->grace,
		.lock_wait = config->lock_wait,
		.quota = config->quota,
		.ready = on_ready,
		.context = daemon,
	};
	struct zn_mount_parts parts = {
		.env = program->env,
		.local = program->local,
		.commit = program->commit,
		.watch = program->watch,
		.loader = program->loader,
		.saver = program->saver,
		.events = program->events,
		.control = daemon->control,
	};
	return zn_mount_start(&options, &parts, &daemon->mount, err);
}

static enum zn_code run(struct daemon *daemon, struct zn_err *err)
{
	enum zn_code code = zn_program_open(&daemon->program, &daemon->config, ZN_PROGRAM_DAEMON, err);

	if (code == ZN_OK)
		code = start_control(daemon, err);
	if (code == ZN_OK)
		code = start_mount(daemon, err);
	if (code == ZN_OK)
		code = zn_program_sync(&daemon->program, err);
	if (code == ZN_OK)
		code = zn_mount_run(daemon->mount, err);
	sd_notify(0, "STOPPING=1");
	struct zn_mount *mount = daemon->mount;
	if (mount)
		zn_mount_stop(mount);
	/* The syncer's last word may ask nobody for status any more. */
	struct zn_control *control = daemon->control;
	zn_program_close(&daemon->program);
	if (control)
		zn_control_free(control);
	return code;
}

int zn_cmd_mount(int argc, char **argv)
{
	static const char usage[] = "zonefs [SOURCE] MOUNTPOINT [-f] [-o OPTION,...]";
	struct daemon daemon = {.ready_fd = -1, .config_text = ZN_BUF_INIT(1 << 16)};
	struct zn_err err = {0};
	int exit_code = zn_cmd_configure(&daemon.config, usage, &argc, argv);

	if (exit_code)
		return exit_code;
	if (!take_operands(&daemon.config, argc, argv)) {
		fprintf(stderr, "usage: %s\n", usage);
		zn_config_release(&daemon.config);
		return EX_USAGE;
	}
	if (getenv("JOURNAL_STREAM"))
		zn_log_set_place(ZN_LOG_JOURNAL);
	signal(SIGPIPE, SIG_IGN);
	if (!daemon.config.foreground)
		daemon.ready_fd = go_to_background();
	enum zn_code code = run(&daemon, &err);
	exit_code = code == ZN_OK ? EX_OK : zn_cmd_failed(code, &err);
	tell_parent(&daemon, exit_code);
	zn_buf_release(&daemon.config_text);
	zn_config_release(&daemon.config);
	return exit_code;
}
