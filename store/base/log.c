#include "store/base/log.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

static _Atomic int log_level = ZN_INFO;
static _Atomic int log_place = ZN_LOG_STDERR;

void zn_log_set_level(enum zn_level level)
{
	atomic_store(&log_level, (int)level);
}

void zn_log_set_place(enum zn_log_place place)
{
	if (place == ZN_LOG_SYSLOG)
		openlog("zonefs", LOG_PID, LOG_DAEMON);
	atomic_store(&log_place, (int)place);
}

void zn_log(enum zn_level level, const char *format, ...)
{
	static const char *const names[] = {"error", "warning", "info", "debug"};
	static const int priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};
	int place = atomic_load(&log_place);
	char line[2048];
	size_t len = 0;
	va_list args;

	if ((int)level > atomic_load(&log_level))
		return;
	if (place == ZN_LOG_JOURNAL) {
		len = (size_t)snprintf(line, sizeof line, "<%d>", priorities[level]);
	} else if (place == ZN_LOG_STDERR) {
		time_t now = time(NULL);
		struct tm local;

		localtime_r(&now, &local);
		len = strftime(line, sizeof line, "%F %T ", &local);
		len += (size_t)snprintf(line + len, sizeof line - len, "zonefs: %s: ", names[level]);
	}
	va_start(args, format);
	int added = vsnprintf(line + len, sizeof line - len - 1, format, args);
	va_end(args);
	if (added > 0)
		len += (size_t)added;
	if (len > sizeof line - 2)
		len = sizeof line - 2;
	for (size_t i = 0; i < len; i++)
		if (line[i] == '\n')
			line[i] = ' ';
	if (place == ZN_LOG_SYSLOG) {
		syslog(priorities[level], "%.*s", (int)len, line);
		return;
	}
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0)
		return; /* nobody is left to tell */
}
