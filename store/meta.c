#include "store/meta.h"

#include <errno.h>
#include <sys/random.h>

#include "store/base/wire.h"
#include "store/object.h"

#define ID_MAX UINT32_C(0x7fffffff)
#define VALUES_MAX ((size_t)1 << 20) /* bytes of one kind's values */

/* The next live row of this kind. Rows that do not decode belong to nobody. */
static enum zn_code next_of_kind(struct zn_objects *objects, const char *kind, struct zn_metadata *ret_metadata, struct zn_err *err)
{
	enum zn_code code;

	while ((code = zn_objects_next(objects, err)) == ZN_OK)
		if (zn_metadata_decode(objects->payload, ret_metadata) == ZN_OK && zn_view_is(ret_metadata->kind, kind))
			return ZN_OK;
	return code;
}

enum zn_code zn_meta_get(struct zn_txn *main, const struct zn_zone_id *zone, const char *kind, struct zn_buf *out, size_t *ret_count,
	struct zn_err *err)
{
	struct zn_objects objects;
	struct zn_metadata metadata;
	size_t count = 0;

	enum zn_code code = zn_objects_open(&objects, main, ZN_DBI_METADATA, zone, err);
	for (; !code && (code = next_of_kind(&objects, kind, &metadata, err)) == ZN_OK; count++) {
		zn_buf_add(out, metadata.value);
		zn_buf_add_byte(out, 0);
	}
	zn_objects_close(&objects);
	if (code != ZN_ENOTFOUND)
		return code;
	code = zn_buf_check(out, "metadata", err);
	if (code)
		return code;
	*ret_count = count;
	return count ? ZN_OK : ZN_ENOTFOUND;
}

/* The first of several ids that no live row has: by the rule of PowerDNS 5 for the first value of a kind, by the value for
 * the others (two nodes that add the same make the same row), by chance at last. */
static enum zn_code free_id(struct zn_txn *main, const struct zn_zone_id *zone, const char *kind, const char *value, uint32_t *ret_id,
	struct zn_err *err)
{
	uint32_t of_kind = zn_jenkins(zn_view_str(kind), zn_zone_hash(zone, 0));
	uint32_t id = of_kind;

	for (unsigned attempt = 0;; attempt++) {
		struct zn_view payload;
		id &= ID_MAX;
		enum zn_code code = id ? zn_object_get(main, ZN_DBI_METADATA, id, NULL, &payload, err) : ZN_OK;
		if (code == ZN_ENOTFOUND) {
			*ret_id = id;
			return ZN_OK;
		}
		if (code)
			return code;
		if (attempt == 0)
			id = zn_jenkins(zn_view_str(value), of_kind);
		else if (getrandom(&id, sizeof id, 0) != (ssize_t)sizeof id)
			return zn_fail_errno(err, errno, "getrandom");
	}
}

static enum zn_code put_value(struct zn_txn *main, const struct zn_index_key *key, const struct zn_zone_id *zone, const char *kind,
	const char *value, enum zn_author author, struct zn_err *err)
{
	ZN_AUTO(zn_buf_release) struct zn_buf payload = ZN_BUF_INIT(VALUES_MAX);
	struct zn_metadata metadata = {.form = zn_form_for(zone, 0, 0), .zone = *zone, .kind = zn_view_str(kind), .value = zn_view_str(value)};

	zn_metadata_encode(&metadata, &payload);
	enum zn_code code = zn_buf_check(&payload, "metadata", err);
	return code ? code : zn_object_put(main, ZN_DBI_METADATA, key, zn_buf_view(&payload), author, err);
}

/* Which of `values` is this one, and not met yet? SIZE_MAX: none. */
static size_t find_wanted(struct zn_view value, const char *const *values, const bool *met, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!met[i] && zn_view_is(value, values[i]))
			return i;
	return SIZE_MAX;
}

static size_t first_unmet(const bool *met, size_t count)
{
	size_t i = 0;

	while (i < count && met[i])
		i++;
	return i;
}

enum zn_code zn_meta_set(struct zn_txn *main, const struct zn_zone_id *zone, const char *kind, const char *const *values, size_t count,
	enum zn_author author, struct zn_err *err)
{
	ZN_AUTO_FREE bool *met = calloc(count + 1, sizeof *met);
	struct zn_objects objects;
	struct zn_metadata metadata;

	if (!met)
		return zn_fail(err, ZN_ENOMEM, "metadata: out of memory");
	/* What is wanted and there stays as it is. */
	enum zn_code code = zn_objects_open(&objects, main, ZN_DBI_METADATA, zone, err);
	while (!code && (code = next_of_kind(&objects, kind, &metadata, err)) == ZN_OK) {
		size_t at = find_wanted(metadata.value, values, met, count);
		if (at != SIZE_MAX)
			met[at] = true;
	}
	zn_objects_close(&objects);
	if (code != ZN_ENOTFOUND)
		return code;
	/* Other rows take a value that has none yet, or go. */
	ZN_AUTO_FREE bool *kept = calloc(count + 1, sizeof *kept);
	if (!kept)
		return zn_fail(err, ZN_ENOMEM, "metadata: out of memory");
	code = zn_objects_open(&objects, main, ZN_DBI_METADATA, zone, err);
	while (!code && (code = next_of_kind(&objects, kind, &metadata, err)) == ZN_OK) {
		size_t same = find_wanted(metadata.value, values, kept, count);
		size_t next = first_unmet(met, count);
		if (same != SIZE_MAX) {
			kept[same] = true;
		} else if (next < count) {
			met[next] = kept[next] = true;
			code = put_value(main, &objects.key, zone, kind, values[next], author, err);
		} else {
			code = zn_object_bury(main, ZN_DBI_METADATA, &objects.key, author, err);
		}
	}
	zn_objects_close(&objects);
	if (code != ZN_ENOTFOUND)
		return code;
	/* And what is left gets rows of its own. */
	for (size_t i = first_unmet(met, count); i < count; i = first_unmet(met, count)) {
		struct zn_index_key key;
		uint32_t id = 0;
		met[i] = true;
		code = free_id(main, zone, kind, values[i], &id, err);
		if (!code && zn_index_key_make(zone, id, &key))
			code = zn_fail(err, ZN_EINVAL, "a name with a NUL byte");
		if (!code)
			code = put_value(main, &key, zone, kind, values[i], author, err);
		if (code)
			return code;
	}
	return ZN_OK;
}

/* The first value of a kind; ZN_ENOTFOUND: there is none. */
static enum zn_code first_value(struct zn_txn *main, const struct zn_zone_id *zone, const char *kind, struct zn_buf *out, struct zn_err *err)
{
	size_t count;

	zn_buf_clear(out);
	return zn_meta_get(main, zone, kind, out, &count, err);
}

static enum zn_code flag(struct zn_txn *main, const struct zn_zone_id *zone, const char *kind, bool *ret_set, struct zn_err *err)
{
	ZN_AUTO(zn_buf_release) struct zn_buf value = ZN_BUF_INIT(VALUES_MAX);

	enum zn_code code = first_value(main, zone, kind, &value, err);
	*ret_set = code == ZN_OK && strcmp(zn_buf_str(&value), "1") == 0;
	return code == ZN_ENOTFOUND ? ZN_OK : code;
}

static enum zn_code active_keys(struct zn_txn *main, const struct zn_zone_id *zone, bool *ret_any, struct zn_err *err)
{
	struct zn_objects objects;
	struct zn_keydata keydata;

	*ret_any = false;
	enum zn_code code = zn_objects_open(&objects, main, ZN_DBI_KEYDATA, zone, err);
	while (!code && !*ret_any && (code = zn_objects_next(&objects, err)) == ZN_OK)
		*ret_any = zn_keydata_decode(objects.payload, &keydata) == ZN_OK && keydata.active;
	zn_objects_close(&objects);
	return code == ZN_ENOTFOUND ? ZN_OK : code;
}

enum zn_code zn_meta_mode(struct zn_txn *main, const struct zn_zone_id *zone, struct zn_zone_mode *ret_mode, struct zn_err *err)
{
	ZN_AUTO(zn_buf_release) struct zn_buf param = ZN_BUF_INIT(VALUES_MAX);
	struct zn_zone_mode mode = {0};
	bool narrow = false;

	enum zn_code code = active_keys(main, zone, &mode.has_keys, err);
	if (!code)
		code = flag(main, zone, "PRESIGNED", &mode.presigned, err);
	if (!code)
		code = flag(main, zone, "NSEC3NARROW", &narrow, err);
	if (code)
		return code;
	code = first_value(main, zone, "NSEC3PARAM", &param, err);
	if (!code) {
		code = zn_nsec3param_parse(zn_view_str(zn_buf_str(&param)), &mode.nsec3, err);
		if (code)
			return zn_err_prefix(err, code, "metadata NSEC3PARAM");
		/* Without active keys PowerDNS rectifies as if the zone were unsigned. */
		if (mode.has_keys || mode.presigned)
			mode.dnssec = narrow ? ZN_DNSSEC_NARROW : ZN_DNSSEC_NSEC3;
	} else if (code == ZN_ENOTFOUND) {
		mode.dnssec = mode.has_keys || mode.presigned ? ZN_DNSSEC_NSEC : ZN_DNSSEC_UNSIGNED;
	} else {
		return code;
	}
	*ret_mode = mode;
	return ZN_OK;
}

enum zn_code zn_meta_set_signing(struct zn_txn *main, const struct zn_zone_id *zone, const struct zn_zone_mode *mode, struct zn_err *err)
{
	static const char *const yes = "1";
	char text[ZN_NSEC3PARAM_TEXT_MAX];
	const char *param = text;
	bool hashed = mode->presigned && mode->dnssec == ZN_DNSSEC_NSEC3;

	if (hashed)
		zn_nsec3param_text(&mode->nsec3, text);
	enum zn_code code = zn_meta_set(main, zone, "PRESIGNED", &yes, mode->presigned ? 1 : 0, ZN_USER, err);
	if (!code)
		code = zn_meta_set(main, zone, "NSEC3PARAM", &param, hashed ? 1 : 0, ZN_USER, err);
	if (!code)
		code = zn_meta_set(main, zone, "NSEC3NARROW", NULL, 0, ZN_USER, err);
	return code;
}
