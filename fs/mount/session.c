#include "fs/mount/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "fs/mount/lifeline.h"
#include "fs/mount/ops.h"

/* What libfuse has to say goes where everything goes. Once the mount is gone it says of every late answer that nobody takes it. */
static atomic_bool mount_is_gone;

static void log_fuse(enum fuse_log_level level, const char *format, va_list args)
{
	char line[1024];

	vsnprintf(line, sizeof line, format, args);
	line[strcspn(line, "\n")] = '\0';
	zn_log(level > FUSE_LOG_WARNING || atomic_load(&mount_is_gone) ? ZN_DEBUG : ZN_WARNING, "%s", line);
}

/* The mount point */

/* What mountinfo says is mounted there: the file system's type. */
static bool mounted_type(const char *mountpoint, char *type, size_t size)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	ZN_AUTO_FREE char *line = NULL;
	size_t capacity = 0;
	bool found = false;

	while (file && getline(&line, &capacity, file) > 0) {
		char point[4096], kind[64];
		const char *dash = strstr(line, " - ");

		if (!dash || sscanf(line, "%*s %*s %*s %*s %4095s", point) != 1 || sscanf(dash, " - %63s", kind) != 1)
			continue;
		/* Blanks and the like are written as \ooo there. */
		char *to = point;

		for (const char *from = point; *from; to++) {
			if (*from == '\\' && from[1] && from[2] && from[3]) {
				*to = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
				from += 4;
			} else {
				*to = *from++;
			}
		}
		*to = '\0';
		if (strcmp(point, mountpoint) == 0) {
			snprintf(type, size, "%s", kind);
			found = true; /* the last one is on top */
		}
	}
	if (file)
		fclose(file);
	return found;
}

/* fusermount3 -u -z: what a user without privileges may do about his own mount. */
static bool lazy_unmount(const char *mountpoint)
{
	if (geteuid() == 0)
		return umount2(mountpoint, MNT_DETACH) == 0;
	pid_t child = fork();

	if (child == 0) {
		execlp("fusermount3", "fusermount3", "-u", "-z", "-q", "--", mountpoint, (char *)NULL);
		_exit(127);
	}
	int status = 0;

	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* A daemon that was killed leaves a mount that answers nobody. Ours, and dead: taken away. Anything else is explained. */
static enum zn_code check_mountpoint(const char *mountpoint, struct zn_err *err)
{
	struct stat st;
	char type[64];

	if (stat(mountpoint, &st) == 0)
		return S_ISDIR(st.st_mode) ? ZN_OK : zn_fail_errno(err, ENOTDIR, "%s", mountpoint);
	if (errno != ENOTCONN && errno != ECONNABORTED)
		return zn_fail_errno(err, errno, "%s", mountpoint);
	if (!mounted_type(mountpoint, type, sizeof type) || strcmp(type, "fuse.zonefs") != 0)
		return zn_fail(err, ZN_ESYS, "%s: a dead mount of another program is there (Transport endpoint is not connected): fusermount3 -u %s",
			mountpoint, mountpoint);
	if (!lazy_unmount(mountpoint) || stat(mountpoint, &st) != 0)
		return zn_fail(err, ZN_ESYS, "%s: the mount of a zonefs that was killed is still there (Transport endpoint is not connected): fusermount3 -u %s",
			mountpoint, mountpoint);
	zn_warning("%s: took away the mount of a zonefs that was killed", mountpoint);
	return S_ISDIR(st.st_mode) ? ZN_OK : zn_fail_errno(err, ENOTDIR, "%s", mountpoint);
}

/* st_dev of what we mounted: what the kernel knows, without asking us. */
static dev_t mounted_device(const char *mountpoint)
{
	struct statx st;

	if (statx(AT_FDCWD, mountpoint, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_INO, &st) != 0)
		return 0;
	return makedev(st.stx_dev_major, st.stx_dev_minor);
}

static struct fuse_session *new_session(struct zn_mount *mount, struct zn_err *err)
{
	const struct zn_mount_options *o = &mount->options;
	ZN_AUTO(zn_buf_release) struct zn_buf words = ZN_BUF_INIT(4096);
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);

	zn_buf_addf(&words, "subtype=zonefs,fsname=");
	/* A comma or backslash in the label would end the word. */
	for (const char *at = o->source && *o->source ? o->source : "zonefs"; *at; at++) {
		if (*at == ',' || *at == '\\')
			zn_buf_add_byte(&words, '\\');
		zn_buf_add_byte(&words, (uint8_t)*at);
	}
	if (o->allow_other)
		zn_buf_add_str(&words, ",allow_other");
	else if (o->allow_root)
		zn_buf_add_str(&words, ",allow_root");
	if (o->read_only)
		zn_buf_add_str(&words, ",ro");
	if (o->kernel_options && *o->kernel_options)
		zn_buf_addf(&words, ",%s", o->kernel_options);
	if (zn_buf_check(&words, "mount options", err) != ZN_OK)
		return NULL;
	struct fuse_session *session = NULL;

	if (fuse_opt_add_arg(&args, "zonefs") == 0 && fuse_opt_add_arg(&args, "-o") == 0 && fuse_opt_add_arg(&args, zn_buf_str(&words)) == 0)
		session = fuse_session_new(&args, &zn_ops, sizeof zn_ops, mount);
	fuse_opt_free_args(&args);
	if (!session)
		zn_fail(err, ZN_EINVAL, "mount options are not understood: %s", zn_buf_str(&words));
	return session;
}

/* Background */

static uint64_t tick(void *context)
{
	struct zn_mount *mount = context;
	uint64_t next = zn_bury_due(mount, false), hour = zn_clock_mono() + 3600 * ZN_NS_PER_S;

	for (;;) {
		pthread_mutex_lock(&mount->lock);
		struct zn_scratch *old = zn_scratch_expired(&mount->scratches, zn_clock_now());
		uint32_t number = old ? old->number : 0;

		if (old)
			zn_scratch_unlink(&mount->scratches, old);
		pthread_mutex_unlock(&mount->lock);
		if (!number)
			break;
		zn_scratch_persist(&mount->scratches, number);
	}
	return next < hour ? next : hour;
}

/* Sizes and times of all zones, once after the start: whoever lists them then waits for nothing. */
static void *warm(void *argument)
{
	enum { SLICE = 128 };
	struct zn_mount *mount = argument;
	ZN_AUTO_FREE struct zn_listed *listed = calloc(SLICE, sizeof *listed);
	struct zn_index_key after = {0};
	size_t count = listed ? SLICE : 0;

	while (count == SLICE && !mount->ending) {
		struct zn_zone_list *list = NULL;

		count = 0;
		if (zn_zone_list_begin(mount->parts.local, &list, NULL) != ZN_OK)
			break;
		while (count < SLICE && zn_zone_list_next(list, &after, &listed[count], NULL) == ZN_OK)
			count++;
		zn_zone_list_end(list);
		for (size_t i = 0; i < count && !mount->ending; i++) {
			struct zn_zone_info info;
			struct zn_loaded loaded;
			uint32_t version;

			if (!listed[i].stat.known && zn_mount_zone_by_id(mount, listed[i].zone.id, &info) == ZN_OK &&
			    zn_mount_zone_stat(mount, &info, &loaded, &version) != ZN_OK)
				continue; /* gone meanwhile */
		}
	}
	mount->warm = !mount->ending;
	return NULL;
}

/* Life */

static void free_mount(struct zn_mount *mount)
{
	size_t at = 0;
	struct zn_node *node;

	while (mount->handles)
		zn_handle_free(mount, mount->handles);
	zn_recent_release(&mount->recent);
	while ((node = zn_table_next(&mount->nodes.by_id, &at))) {
		struct zn_body *body = node->body;

		if (!body)
			continue;
		zn_content_unref(body->content);
		if (body->scan)
			zn_prescan_free(body->scan);
		free(body->path);
		pthread_mutex_destroy(&body->lock);
		free(body);
	}
	zn_nodes_release(&mount->nodes);
	zn_tree_release(&mount->tree);
	zn_locks_release(&mount->locks);
	zn_table_release(&mount->control_nodes);
	zn_scratches_close(&mount->scratches);
	zn_spool_close(mount->spool);
	pthread_cond_destroy(&mount->idle);
	pthread_mutex_destroy(&mount->lock);
	free(mount);
}

static enum zn_code start_threads(struct zn_mount *mount, struct zn_err *err)
{
	struct zn_notify_names names = zn_zone_names(mount);
	enum zn_code code = zn_notify_start(mount->session, &names, &mount->notify, err);

	if (code == ZN_OK)
		code = zn_errands_start(3, tick, mount, &mount->errands, err);
	if (code == ZN_OK)
		code = zn_thread_start(&mount->warmer, warm, mount, "warm", err);
	mount->warmer_runs = code == ZN_OK;
	return code;
}

static void stop_threads(struct zn_mount *mount)
{
	if (mount->warmer_runs)
		pthread_join(mount->warmer, NULL);
	zn_errands_stop(mount->errands);
	zn_notify_stop(mount->notify);
}

enum zn_code zn_mount_start(const struct zn_mount_options *options, const struct zn_mount_parts *parts, struct zn_mount **ret_mount,
	struct zn_err *err)
{
	struct zn_mount *mount = calloc(1, sizeof *mount);
	pthread_condattr_t monotonic;

	if (!mount)
		return zn_fail(err, ZN_ENOMEM, "out of memory");
	mount->options = *options;
	mount->parts = *parts;
	mount->started = zn_clock_now();
	mount->scratches.directory = -1;
	pthread_mutex_init(&mount->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&mount->idle, &monotonic);
	pthread_condattr_destroy(&monotonic);
	mount->tree.grace = options->grace;
	zn_nodes_init(&mount->nodes, &mount->tree, zn_watch_seen(parts->watch, ZN_RECORDS));

	enum zn_code code = check_mountpoint(options->mountpoint, err);

	if (code == ZN_OK)
		code = zn_spool_open(options->spool, options->quota, &mount->spool, err);
	if (code != ZN_OK)
		goto free;
	code = zn_scratches_open(&mount->scratches, mount->spool, &mount->lock, err);
	if (code != ZN_OK)
		goto free;
	atomic_store(&mount_is_gone, false);
	fuse_set_log_func(log_fuse);
	mount->session = new_session(mount, err);
	if (!mount->session) {
		code = ZN_EINVAL;
		goto free;
	}
	if (access("/dev/fuse", F_OK) != 0) {
		code = zn_fail_errno(err, errno, "/dev/fuse: the kernel's FUSE is needed (modprobe fuse; a container wants --device /dev/fuse)");
		goto destroy;
	}
	if (fuse_session_mount(mount->session, options->mountpoint) != 0) {
		code = zn_fail(err, ZN_ESYS, "%s: not mounted; what fuse says stands above%s", options->mountpoint,
			options->allow_other && geteuid() != 0 ? " (allow_other needs user_allow_other in /etc/fuse.conf)" : "");
		goto destroy;
	}
	mount->device = mounted_device(options->mountpoint);
	mount->lifeline = zn_lifeline_start(options->mountpoint, mount->device);
	code = start_threads(mount, err);
	if (code != ZN_OK)
		goto unmount;
	zn_watch_listen(parts->watch, zn_watch_changed, mount);
	zn_events_on_post(parts->events, zn_events_posted, mount);
	*ret_mount = mount;
	return ZN_OK;

unmount:
	mount->ending = true;
	stop_threads(mount);
	zn_lifeline_stop(mount->lifeline);
	fuse_session_unmount(mount->session);
destroy:
	fuse_session_destroy(mount->session);
free:
	free_mount(mount);
	return code;
}

enum zn_code zn_mount_run(struct zn_mount *mount, struct zn_err *err)
{
	struct fuse_loop_config *config = fuse_loop_cfg_create();

	if (!config)
		return zn_fail(err, ZN_ENOMEM, "out of memory");
	fuse_loop_cfg_set_max_threads(config, ZN_FUSE_THREADS);
	fuse_loop_cfg_set_idle_threads(config, ZN_FUSE_THREADS);
	if (fuse_set_signal_handlers(mount->session) != 0) {
		fuse_loop_cfg_destroy(config);
		return zn_fail(err, ZN_ESYS, "signal handlers");
	}
	if (mount->options.ready)
		mount->options.ready(mount->options.context);
	int result = fuse_session_loop_mt(mount->session, config);

	fuse_loop_cfg_destroy(config);
	fuse_remove_signal_handlers(mount->session);
	/* A signal's number is a good end; -ENODEV, an unmount from outside, as well. */
	if (result < 0 && result != -ENODEV)
		return zn_fail_errno(err, -result, "serving %s", mount->options.mountpoint);
	return ZN_OK;
}

void zn_mount_stop(struct zn_mount *mount)
{
	if (!mount)
		return;
	/* No worker answers any more: whoever holds a directory's lock may hold it until the mount is gone. */
	mount->ending = true;
	zn_notify_quiet(mount->notify);
	zn_events_on_post(mount->parts.events, NULL, NULL);
	zn_events_end_parked(mount);
	zn_locks_end(mount);
	atomic_store(&mount_is_gone, true);
	fuse_session_unmount(mount->session);
	zn_lifeline_stop(mount->lifeline);
	zn_saves_end(mount, zn_clock_mono() + mount->options.lock_wait);
	zn_drafts_end(mount);
	zn_bury_due(mount, true);
	/* Merges go on being committed after us. */
	zn_watch_unlisten(mount->parts.watch, zn_watch_changed, mount);
	stop_threads(mount);
	fuse_session_destroy(mount->session);
	free_mount(mount);
}

void zn_mount_status(struct zn_mount *mount, struct zn_mount_status *ret_status)
{
	size_t at = 0;
	const struct zn_node *node;

	*ret_status = (struct zn_mount_status){0};
	if (!mount)
		return;
	pthread_mutex_lock(&mount->lock);
	while ((node = zn_table_next(&mount->nodes.by_id, &at))) {
		ret_status->versions_open += node->kind == ZN_NODE_VERSION;
		ret_status->drafts_open += node->kind == ZN_NODE_PRIVATE && node->handles;
	}
	ret_status->vacated = mount->tree.vacated;
	ret_status->scratch_files = mount->scratches.count;
	ret_status->scratch_bytes = zn_spool_used(mount->spool);
	ret_status->scratch_quota = zn_spool_quota(mount->spool);
	ret_status->saves_waiting = mount->saves_waiting;
	ret_status->unlisted = mount->unlisted;
	ret_status->last_closes = mount->last_closes;
	ret_status->blind_closes = mount->blind_closes;
	ret_status->warm = mount->warm;
	pthread_mutex_unlock(&mount->lock);
}
