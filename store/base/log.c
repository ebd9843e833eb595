#include "store/base/log.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static _Atomic int log_level = ZN_INFO;
static _Atomic int to_journal;

void zn_log_set_level(enum zn_level level)
{
	atomic_store(&log_level, (int)level);
}

void zn_log_set_journal(int on)
{
	atomic_store(&to_journal, on);
}

void zn_log(enum zn_level level, const char *format, ...)
{
	static const char *const names[] = {"error", "warning", "info", "debug"};
	static const int priorities[] = {3, 4, 6, 7};
	char line[2048];
	size_t len;
	va_list args;

	if ((int)level > atomic_load(&log_level))
		return;
	if (atomic_load(&to_journal)) {
		len = (size_t)snprintf(line, sizeof line, "<%d>", priorities[level]);
	} else {
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
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0)
		return; /* nobody is left to tell */
}
