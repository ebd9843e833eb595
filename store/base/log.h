/* store/base/log.h - what the daemon tells its operator: stderr, the journal, or syslog.
 *
 * error: someone must act; warning: we went on; info: a state changed; debug: each request. base, dns,
 * store and bucket never log above debug: they return, and the edge (ops, syncer, cmd) logs once,
 * naming zone, instance or object. No RDATA and no credentials at info or above. */
#pragma once
#include "store/base/error.h"

enum zn_level { ZN_ERROR, ZN_WARNING, ZN_INFO, ZN_DEBUG };

/* Default ZN_INFO. Set once at start. */
void zn_log_set_level(enum zn_level level);
/* Where lines go; set once at start. stderr carries a time, the journal (stderr of a systemd service) a priority. */
enum zn_log_place { ZN_LOG_STDERR, ZN_LOG_JOURNAL, ZN_LOG_SYSLOG };
void zn_log_set_place(enum zn_log_place place);

/* One line; a newline within it becomes a space. Thread-safe, one write(2) a line. */
void zn_log(enum zn_level level, const char *format, ...) ZN_PRINTF(2, 3);

#define zn_error(...) zn_log(ZN_ERROR, __VA_ARGS__)
#define zn_warning(...) zn_log(ZN_WARNING, __VA_ARGS__)
#define zn_info(...) zn_log(ZN_INFO, __VA_ARGS__)
#define zn_debug(...) zn_log(ZN_DEBUG, __VA_ARGS__)
