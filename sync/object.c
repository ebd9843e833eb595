#include "sync/object.h"

#include <stdio.h>
#include <time.h>

#define EXTENSION ZN_VIEW(".pb.gz")
#define SEPARATOR ZN_VIEW("__")

static bool is_alnum(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Cuts the part before the next "__" off `rest`; false when there is no separator (the part is then
 * all of it). */
static bool cut_part(struct zn_view *rest, struct zn_view *part)
{
	for (size_t i = 0; i + 1 < rest->len; i++) {
		if (rest->data[i] == '_' && rest->data[i + 1] == '_') {
			*part = zn_view_sub(*rest, 0, i);
			*rest = zn_view_sub(*rest, i + 2, rest->len);
			return true;
		}
	}
	*part = *rest;
	*rest = zn_view_sub(*rest, rest->len, 0);
	return false;
}

static bool parse_digits(struct zn_view text, size_t from, size_t len, unsigned *ret_number)
{
	unsigned number = 0;

	for (size_t i = from; i < from + len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
		number = number * 10 + (text.data[i] - '0');
	}
	*ret_number = number;
	return true;
}

static unsigned days_in_month(unsigned year, unsigned month)
{
	static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

static bool parse_stamp(struct zn_view text, struct zn_stamp *ret_stamp)
{
	unsigned year, month, day, hour, minute, second, ns;

	if (text.len != ZN_OBJECT_STAMP_LEN || text.data[8] != '-' || text.data[15] != '-')
		return false;
	if (!parse_digits(text, 0, 4, &year) || !parse_digits(text, 4, 2, &month) ||
			!parse_digits(text, 6, 2, &day) || !parse_digits(text, 9, 2, &hour) ||
			!parse_digits(text, 11, 2, &minute) || !parse_digits(text, 13, 2, &second) ||
			!parse_digits(text, 16, 9, &ns))
		return false;
	if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) || hour > 23 ||
			minute > 59 || second > 59)
		return false;
	if (year < 1970 || year > 2553) /* 64 bits of nanoseconds end in July 2554 */
		return false;

	struct tm utc = {.tm_year = (int)year - 1900, .tm_mon = (int)month - 1, .tm_mday = (int)day,
			.tm_hour = (int)hour, .tm_min = (int)minute, .tm_sec = (int)second};
	ret_stamp->ns = (uint64_t)timegm(&utc) * ZN_NS_PER_S + ns;
	return true;
}

bool zn_object_parse(struct zn_view name, struct zn_object *ret_object)
{
	struct zn_object object = {0};
	struct zn_view stamp;
	size_t dot = 0;

	while (dot < name.len && name.data[dot] != '.')
		dot++;
	if (!zn_view_equal(zn_view_sub(name, dot, name.len), EXTENSION))
		return false;
	struct zn_view rest = zn_view_sub(name, 0, dot);
	if (!cut_part(&rest, &object.db) || !cut_part(&rest, &object.instance) ||
			!cut_part(&rest, &stamp))
		return false;
	cut_part(&rest, &object.generation);
	object.extra = rest;
	if (!object.db.len || !object.instance.len || !parse_stamp(stamp, &object.stamp))
		return false;
	*ret_object = object;
	return true;
}

const char *zn_object_stamp_text(struct zn_stamp stamp, char text[static ZN_OBJECT_STAMP_LEN + 1])
{
	struct timespec t = zn_stamp_timespec(stamp);
	struct tm utc;

	gmtime_r(&t.tv_sec, &utc);
	size_t len = strftime(text, ZN_OBJECT_STAMP_LEN + 1, "%Y%m%d-%H%M%S", &utc);
	snprintf(text + len, ZN_OBJECT_STAMP_LEN + 1 - len, "-%09ld", t.tv_nsec);
	return text;
}

const char *zn_object_name(struct zn_view db, struct zn_view instance, struct zn_stamp stamp,
		char name[static ZN_OBJECT_NAME_MAX + 1])
{
	char stamp_text[ZN_OBJECT_STAMP_LEN + 1];

	snprintf(name, ZN_OBJECT_NAME_MAX + 1, "%.*s__%.*s__%s__GX.pb.gz", (int)db.len,
			(const char *)db.data, (int)instance.len, (const char *)instance.data,
			zn_object_stamp_text(stamp, stamp_text));
	return name;
}

bool zn_object_db_valid(struct zn_view db)
{
	if (!db.len || db.len > ZN_INSTANCE_MAX)
		return false;
	for (size_t i = 0; i < db.len; i++)
		if (!is_alnum(db.data[i]) && db.data[i] != '-')
			return false;
		else if (db.data[i] >= 'A' && db.data[i] <= 'Z')
			return false;
	return true;
}

bool zn_instance_sanitise(const char *name, char instance[static ZN_INSTANCE_MAX + 1])
{
	bool clean = *name != 0;
	size_t len = 0;

	for (const char *at = name; *at; at++) {
		uint8_t c = (uint8_t)*at;

		if ((c & 0xc0) == 0x80 && at != name) /* the rest of a UTF-8 sequence: one rune, one "-" */
			continue;
		if (len == ZN_INSTANCE_MAX) {
			clean = false;
			break;
		}
		bool keep = is_alnum(c) || c == '-';
		instance[len++] = keep ? (char)c : '-';
		clean = clean && keep;
	}
	instance[len] = 0;
	return clean;
}
