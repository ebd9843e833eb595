#include "tests/unit/suite.h"

#include <sys/stat.h>

#include "fs/config.h"
#include "store/base/log.h"

static struct zn_config config;
static struct zn_err err;

static void setup(void)
{
	setenv("ZONEFS_CONFIG", "/nonexistent/zonefs.conf", 1);
	ck_assert_int_eq(zn_config_init(&config, &err), ZN_OK);
}

static void teardown(void)
{
	zn_config_release(&config);
}

static const struct {
	const char *list;
	const char *printed;	/* a line of .zonefs/config, or NULL: refused */
	const char *sentence;	/* why */
} rows[] = {
	{"db=/a/b.lmdb", "db = /a/b.lmdb\n", NULL},
	{"map-size=16000", "map-size = 16000\n", NULL},
	{"map-size=1G", NULL, "-o: option 'map-size' takes a number of megabytes, not '1G'"},
	{"grow", "grow = on\n", NULL},
	{"grow=off", "grow = off\n", NULL},
	{"grow=perhaps", NULL, "-o: option 'grow' takes on or off, not 'perhaps'"},
	{"poll=500ms", "poll = 500ms\n", NULL},
	{"poll=60s", "poll = 1m\n", NULL},
	{"poll=soon", NULL, "-o: option 'poll' takes a duration like 500ms, 3s, 10m, 4h or 30d, not 'soon'"},
	{"grace=0", "grace = 0\n", NULL},
	{"grace=never", "grace = never\n", NULL},
	{"lock-wait=never", NULL, "-o: option 'lock-wait' takes a duration like 500ms, 3s, 10m, 4h or 30d, not 'never'"},
	{"quota=512M", "quota = 512M\n", NULL},
	{"quota=99999999999T", NULL, "-o: option 'quota' takes a size like 512M or 1G, not '99999999999T'"},
	{"text=off", "text = off\n", NULL},
	{"serial=date", "serial = date\n", NULL},
	{"serial=random", NULL, "-o: option 'serial' takes auto, keep, increase, date or epoch, not 'random'"},
	{"kind=primary", "kind = primary\n", NULL},
	{"kind=secondary", NULL, "-o: option 'kind' takes native or primary, not 'secondary'"},
	{"guard=off", "guard = off\n", NULL},
	{"guard=40%:5/20%:3", "guard = 40%:5/20%:3\n", NULL},
	{"guard=400%:5/20%:3", NULL, "-o: option 'guard' takes off, or like 50%:20/30%:10 (records, then zones), not '400%:5/20%:3'"},
	{"umask=027", "umask = 027\n", NULL},
	{"umask=9", NULL, "-o: option 'umask' takes an octal number, not '9'"},
	{"uid=-1", NULL, "-o: option 'uid' takes a number, not '-1'"},
	{"instance=ns1,ro,rw,x-systemd.automount,nodev", "instance = ns1\nro = on\n", NULL},
	{"bucket=file:///a\\,b", "bucket = file:///a,b\n", NULL},
	{"colour=red", NULL, "-o: there is no option 'colour'"},
	{"http=127.0.0.1:80", NULL, "-o: option 'http' is not part of this version"},
	{"db", NULL, "-o: option 'db' takes a value, not ''"},
};

START_TEST(options_are_read_and_printed_back)
{
	char list[128];
	char *argv[] = {(char *)"-o", list};
	int argc = 2;
	struct zn_buf printed = ZN_BUF_INIT(1 << 16);

	snprintf(list, sizeof list, "%s", rows[_i].list);
	enum zn_code code = zn_config_arguments(&config, &argc, argv, &err);
	if (!rows[_i].printed) {
		ck_assert_msg(code == ZN_EINVAL, "%s", rows[_i].list);
		ck_assert_str_eq(err.text, rows[_i].sentence);
		return;
	}
	ck_assert_msg(code == ZN_OK, "%s: %s", rows[_i].list, err.text);
	ck_assert_int_eq(argc, 0);
	zn_config_print(&config, &printed);
	ck_assert_msg(strstr(zn_buf_str(&printed), rows[_i].printed), "%s not in\n%s", rows[_i].printed, zn_buf_str(&printed));
	zn_buf_release(&printed);
}
END_TEST

START_TEST(operands_stay_and_words_of_mount_are_taken)
{
	char *argv[] = {(char *)"zonefs", (char *)"source", (char *)"-n", (char *)"/mnt", (char *)"-o", (char *)"rw,dev,suid",
		(char *)"-f", (char *)"--grow=on"};
	int argc = 8;

	ck_assert_int_eq(zn_config_arguments(&config, &argc, argv, &err), ZN_OK);
	ck_assert_int_eq(argc, 3);
	ck_assert_str_eq(argv[1], "source");
	ck_assert_str_eq(argv[2], "/mnt");
	ck_assert(config.foreground && config.grow);
	ck_assert_str_eq(zn_buf_str(&config.mount_options), "dev,suid");
}
END_TEST

START_TEST(the_command_line_wins_over_environment_and_file)
{
	char path[] = "/tmp/zonefs-config.XXXXXX";
	char *argv[] = {(char *)"--serial=epoch"};
	int argc = 1;
	int fd = mkstemp(path);
	const char text[] = "# ours\n\n db = /file/db \nserial=date\nstrict = on\n";

	ck_assert(write(fd, text, sizeof text - 1) == (ssize_t)sizeof text - 1);
	close(fd);
	setenv("ZONEFS_CONFIG", path, 1);
	setenv("ZONEFS_LOCK_WAIT", "2s", 1);
	setenv("ZONEFS_DB", "/environment/db", 1);
	ck_assert_int_eq(zn_config_load(&config, &err), ZN_OK);
	ck_assert_int_eq(zn_config_arguments(&config, &argc, argv, &err), ZN_OK);
	ck_assert_str_eq(config.db, "/environment/db");
	ck_assert_int_eq(config.serial, ZN_SERIAL_EPOCH);
	ck_assert(config.strict);
	ck_assert_uint_eq(config.lock_wait, 2 * ZN_NS_PER_S);
	unsetenv("ZONEFS_LOCK_WAIT");
	unsetenv("ZONEFS_DB");
	unlink(path);
}
END_TEST

START_TEST(a_bad_line_is_named)
{
	char path[] = "/tmp/zonefs-config.XXXXXX";
	char expect[256];
	int fd = mkstemp(path);

	ck_assert(write(fd, "\nsrict = on\n", 12) == 12);
	close(fd);
	setenv("ZONEFS_CONFIG", path, 1);
	ck_assert_int_eq(zn_config_load(&config, &err), ZN_EINVAL);
	snprintf(expect, sizeof expect, "%s:2: there is no option 'srict'", path);
	ck_assert_str_eq(err.text, expect);
	unlink(path);
}
END_TEST

START_TEST(what_belongs_together_is_checked)
{
	ck_assert_int_eq(zn_config_set(&config, "-o", "receive", NULL, &err), ZN_OK);
	ck_assert_int_eq(zn_config_finish(&config, &err), ZN_EINVAL);
	ck_assert_str_eq(err.text, "option 'receive' needs 'bucket'");
	ck_assert_int_eq(zn_config_set(&config, "-o", "bucket", "file:///b", &err), ZN_OK);
	ck_assert_int_eq(zn_config_set(&config, "-o", "instance", "a.b", &err), ZN_OK);
	ck_assert_int_eq(zn_config_finish(&config, &err), ZN_EINVAL);
	ck_assert_str_eq(err.text, "instance 'a.b': only letters, digits and '-' can stand in object names");
	ck_assert_int_eq(zn_config_set(&config, "-o", "instance", "a-b", &err), ZN_OK);
	ck_assert_int_eq(zn_config_set(&config, "-o", "db", "here", &err), ZN_OK);
	ck_assert_int_eq(zn_config_finish(&config, &err), ZN_OK);
	ck_assert_int_eq(config.db[0], '/');
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, setup, teardown);
	tcase_add_loop_test(all, options_are_read_and_printed_back, 0, sizeof rows / sizeof *rows);
	tcase_add_test(all, operands_stay_and_words_of_mount_are_taken);
	tcase_add_test(all, the_command_line_wins_over_environment_and_file);
	tcase_add_test(all, a_bad_line_is_named);
	tcase_add_test(all, what_belongs_together_is_checked);
	suite_add_tcase(suite, all);
	return run_suite(suite);
}
