#include "sync/snapshot.h"

#include <stdlib.h>

#include "store/base/auto.h"
#include "store/base/wire.h"
#include "sync/protobuf.h"

/* Field numbers of the four messages; the header draws them. */
enum { FILE_FORMAT = 1, FILE_META = 2, FILE_DBI = 3, FILE_COMPAT = 4 };
enum {
	META_GENERATION = 1,
	META_INSTANCE = 2,
	META_HOST = 3,
	META_TXNID = 4,
	META_STAMP = 5,
	META_DB = 7,
	META_VECTOR = 1000,
	META_BOOT = 1001,
	META_STARTED = 1002,
	META_MAIN = 1003,
};
enum { DBI_NAME = 1, DBI_ENTRY = 2, DBI_FLAGS = 3, DBI_TRANSFORM = 4 };
enum { ENTRY_KEY = 1, ENTRY_VALUE = 2, ENTRY_STAMP = 3, ENTRY_FLAGS = 4 };

/* LMDB's persistent flags. With duplicates a key is no unit of merging; integer keys of another size
 * than LMDB expects would end the process. */
enum { FLAG_REVERSEKEY = 0x02, FLAGS_DUP = 0x04 | 0x10 | 0x20 | 0x40, FLAG_INTEGERKEY = 0x08 };

#define ENTRY_OVERHEAD 64 /* tags, lengths, stamp and flags of an entry, generously */
#define ENTRY_MAX (ZN_SNAPSHOT_VALUE_MAX + ZN_LMDB_KEY_MAX + ENTRY_OVERHEAD)

/* ---- writing ---- */

void zn_snapshot_writer_init(struct zn_snapshot_writer *writer, struct zn_sink out)
{
	*writer = (struct zn_snapshot_writer){
			.out = out,
			.head = ZN_BUF_INIT(2 * ZN_SNAPSHOT_META_MAX),
			.entries = ZN_BUF_INIT(ZN_SNAPSHOT_DBI_BYTES + ENTRY_MAX),
	};
}

void zn_snapshot_writer_release(struct zn_snapshot_writer *writer)
{
	zn_buf_release(&writer->head);
	zn_buf_release(&writer->entries);
}

static enum zn_code flush_buf(struct zn_snapshot_writer *w, struct zn_buf *buf, struct zn_err *err)
{
	enum zn_code code = zn_buf_check(buf, "write a snapshot", err);

	return code ? code : zn_sink_write(w->out, zn_buf_view(buf), err);
}

enum zn_code zn_snapshot_write_meta(struct zn_snapshot_writer *writer, const struct zn_snapshot_meta *meta,
		struct zn_err *err)
{
	ZN_AUTO(zn_buf_release) struct zn_buf fields = ZN_BUF_INIT(ZN_SNAPSHOT_META_MAX);
	struct zn_buf *head = &writer->head;

	zn_pb_add_bytes(&fields, META_GENERATION, meta->generation.len ? meta->generation : ZN_VIEW("GX"));
	zn_pb_add_bytes(&fields, META_INSTANCE, meta->instance);
	zn_pb_add_bytes(&fields, META_HOST, meta->host);
	zn_pb_add_bytes(&fields, META_DB, meta->db);
	zn_pb_add_varint(&fields, META_TXNID, meta->txnid);
	zn_pb_add_64(&fields, META_STAMP, meta->stamp.ns);
	zn_pb_add_bytes(&fields, META_VECTOR, meta->vector);
	zn_pb_add_64(&fields, META_BOOT, meta->boot);
	zn_pb_add_64(&fields, META_STARTED, meta->started.ns);
	zn_pb_add_64(&fields, META_MAIN, meta->main.ns);
	enum zn_code code = zn_buf_check(&fields, "write a snapshot", err);
	if (code)
		return code;

	zn_buf_clear(head);
	zn_pb_add_varint(head, FILE_FORMAT, ZN_SNAPSHOT_FORMAT);
	zn_pb_add_varint(head, FILE_COMPAT, ZN_SNAPSHOT_COMPAT);
	zn_pb_add_head(head, FILE_META, fields.len);
	zn_buf_add(head, zn_buf_view(&fields));
	return flush_buf(writer, head, err);
}

/* Sends the DBI message at hand. */
static enum zn_code flush_dbi(struct zn_snapshot_writer *w, struct zn_err *err)
{
	ZN_AUTO(zn_buf_release) struct zn_buf tag = ZN_BUF_INIT(ENTRY_OVERHEAD);

	zn_pb_add_head(&tag, FILE_DBI, w->head.len + w->entries.len);
	enum zn_code code = flush_buf(w, &tag, err);
	if (!code)
		code = flush_buf(w, &w->head, err);
	if (!code)
		code = flush_buf(w, &w->entries, err);
	zn_buf_clear(&w->entries);
	w->written = true;
	return code;
}

/* Sends what is left of the DBI at hand, an empty message when nothing of it went out. */
static enum zn_code end_dbi(struct zn_snapshot_writer *w, struct zn_err *err)
{
	if (!w->open || (w->written && w->entries.len == 0))
		return ZN_OK;
	return flush_dbi(w, err);
}

enum zn_code zn_snapshot_write_dbi(struct zn_snapshot_writer *writer, struct zn_view name, unsigned flags,
		struct zn_err *err)
{
	if (name.len == 0 || name.len > ZN_LMDB_KEY_MAX)
		return zn_fail(err, ZN_EINVAL, "a DBI whose name has %zu bytes", name.len);
	enum zn_code code = end_dbi(writer, err);
	if (code)
		return code;
	zn_buf_clear(&writer->head);
	zn_pb_add_bytes(&writer->head, DBI_NAME, name);
	zn_pb_add_varint(&writer->head, DBI_FLAGS, flags);
	writer->open = true;
	writer->written = false;
	return ZN_OK;
}

static size_t varint_len(uint64_t value)
{
	size_t len = 1;

	for (; value > 0x7f; value >>= 7)
		len++;
	return len;
}

enum zn_code zn_snapshot_write_entry(struct zn_snapshot_writer *writer, const struct zn_snapshot_entry *entry,
		struct zn_err *err)
{
	struct zn_buf *out = &writer->entries;
	struct zn_view value = entry->deleted ? zn_view(NULL, 0) : entry->value;

	if (entry->key.len == 0 || entry->key.len > ZN_LMDB_KEY_MAX)
		return zn_fail(err, ZN_EINVAL, "an entry whose key has %zu bytes", entry->key.len);
	if (value.len > ZN_SNAPSHOT_VALUE_MAX)
		return zn_fail(err, ZN_ETOOBIG, "an entry whose value has %zu bytes", value.len);
	size_t len = 1 + varint_len(entry->key.len) + entry->key.len + (entry->deleted ? 2 : 0) +
			(entry->stamp.ns ? 9 : 0);
	if (value.len)
		len += 1 + varint_len(value.len) + value.len;
	zn_pb_add_head(out, DBI_ENTRY, len);
	zn_pb_add_bytes(out, ENTRY_KEY, entry->key);
	zn_pb_add_bytes(out, ENTRY_VALUE, value);
	zn_pb_add_varint(out, ENTRY_FLAGS, entry->deleted ? ZN_ENTRY_DELETED : 0);
	zn_pb_add_64(out, ENTRY_STAMP, entry->stamp.ns);
	return out->len < ZN_SNAPSHOT_DBI_BYTES ? zn_buf_check(out, "write a snapshot", err)
						: flush_dbi(writer, err);
}

enum zn_code zn_snapshot_write_end(struct zn_snapshot_writer *writer, struct zn_err *err)
{
	enum zn_code code = end_dbi(writer, err);

	writer->open = false;
	return code;
}

/* ---- reading ---- */

static enum zn_code corrupt(struct zn_err *err, const char *what)
{
	return zn_fail(err, ZN_ECORRUPT, "the snapshot has %s", what);
}

static bool is_bytes(const struct zn_pb_field *field)
{
	return field->type == ZN_PB_BYTES;
}

static enum zn_code parse_meta(struct zn_view bytes, struct zn_snapshot_meta *meta, struct zn_err *err)
{
	struct zn_reader r = zn_reader_init(bytes);
	struct zn_pb_field field;
	struct zn_view text;
	bool fits = true;

	*meta = (struct zn_snapshot_meta){0};
	while (zn_pb_next(&r, &field, &text)) {
		enum zn_pb_type want = field.type;

		switch (field.number) {
		case META_GENERATION:
			want = ZN_PB_BYTES;
			meta->generation = text;
			break;
		case META_INSTANCE:
			want = ZN_PB_BYTES;
			meta->instance = text;
			break;
		case META_HOST:
			want = ZN_PB_BYTES;
			meta->host = text;
			break;
		case META_DB:
			want = ZN_PB_BYTES;
			meta->db = text;
			break;
		case META_VECTOR:
			want = ZN_PB_BYTES;
			meta->vector = text;
			break;
		case META_TXNID:
			want = ZN_PB_VARINT;
			meta->txnid = field.value;
			break;
		case META_STAMP:
			want = ZN_PB_64;
			meta->stamp.ns = field.value;
			break;
		case META_BOOT:
			want = ZN_PB_64;
			meta->boot = field.value;
			break;
		case META_STARTED:
			want = ZN_PB_64;
			meta->started.ns = field.value;
			break;
		case META_MAIN:
			want = ZN_PB_64;
			meta->main.ns = field.value;
			break;
		default:
			break;
		}
		fits = fits && field.type == want;
	}
	return r.failed || !fits ? corrupt(err, "damaged metadata") : ZN_OK;
}

/* One entry message, already in memory. */
static enum zn_code parse_entry(struct zn_view bytes, uint64_t format, struct zn_snapshot_entry *entry,
		struct zn_err *err)
{
	struct zn_reader r = zn_reader_init(bytes);
	struct zn_pb_field field;
	struct zn_view text;
	uint64_t flags = 0;
	bool fits = true;

	*entry = (struct zn_snapshot_entry){0};
	if (bytes.len == 0)
		return corrupt(err, "an entry without anything in it");
	while (zn_pb_next(&r, &field, &text)) {
		enum zn_pb_type want = field.type;

		switch (field.number) {
		case ENTRY_KEY:
			want = ZN_PB_BYTES;
			entry->key = text;
			break;
		case ENTRY_VALUE:
			want = ZN_PB_BYTES;
			entry->value = text;
			break;
		case ENTRY_STAMP:
			want = ZN_PB_64;
			entry->stamp.ns = field.value;
			break;
		case ENTRY_FLAGS:
			want = ZN_PB_VARINT;
			flags = field.value;
			break;
		default:
			break;
		}
		fits = fits && field.type == want;
	}
	if (r.failed || !fits)
		return corrupt(err, "a damaged entry");
	if (entry->key.len == 0 || entry->key.len > ZN_LMDB_KEY_MAX)
		return corrupt(err, "an entry with a key that no database can hold");
	if (entry->value.len > ZN_SNAPSHOT_VALUE_MAX)
		return zn_fail(err, ZN_ETOOBIG, "the snapshot has a value of %zu bytes", entry->value.len);
	entry->deleted = (flags & ZN_ENTRY_DELETED) || (format == 1 && entry->value.len == 0);
	if (entry->deleted)
		entry->value = zn_view(NULL, 0);
	return ZN_OK;
}

/* What is known of one DBI message after its end. */
struct dbi_message {
	struct zn_buf name;
	struct zn_buf transform;
	uint64_t flags;
};

static void dbi_message_release(struct dbi_message *m)
{
	zn_buf_release(&m->name);
	zn_buf_release(&m->transform);
}

typedef enum zn_code on_entry(void *arg, struct zn_view bytes, struct zn_err *err);

/* Reads a DBI message that ends at `limit`. */
static enum zn_code read_dbi(struct zn_pb_stream *s, uint64_t limit, struct dbi_message *m,
		struct zn_buf *scratch, on_entry *visit, void *arg, struct zn_err *err)
{
	for (;;) {
		struct zn_pb_field field;
		bool more;
		enum zn_code code = zn_pb_stream_next(s, limit, &field, &more, err);

		if (code || !more)
			return code;
		switch (field.number) {
		case DBI_FLAGS:
			if (field.type != ZN_PB_VARINT)
				return corrupt(err, "a damaged DBI");
			m->flags = field.value;
			break;
		case DBI_NAME:
		case DBI_TRANSFORM: {
			struct zn_buf *text = field.number == DBI_NAME ? &m->name : &m->transform;

			if (!is_bytes(&field) || field.value > ZN_LMDB_KEY_MAX)
				return corrupt(err, "a DBI with a name that no database can hold");
			zn_buf_clear(text);
			code = zn_pb_stream_bytes(s, field.value, text, err);
			break;
		}
		case DBI_ENTRY:
			if (!is_bytes(&field))
				return corrupt(err, "a damaged DBI");
			zn_buf_clear(scratch);
			code = zn_pb_stream_bytes(s, field.value, scratch, err);
			if (!code)
				code = visit(arg, zn_buf_view(scratch), err);
			break;
		default:
			if (is_bytes(&field))
				code = zn_pb_stream_skip(s, field.value, err);
			break;
		}
		if (code)
			return code;
	}
}

/* Finds or adds the name of a message, and notes it for the walk. */
static enum zn_code note_message(struct zn_snapshot_info *info, const struct dbi_message *m,
		struct zn_err *err)
{
	size_t i = 0;

	if (m->name.len == 0 || memchr(m->name.data, 0, m->name.len))
		return corrupt(err, "a DBI with a name that no database can hold");
	if (m->transform.len || (m->flags & FLAGS_DUP))
		return zn_fail(err, ZN_EFORMAT,
				"DBI %s keeps duplicates or is transformed; only native databases are replicated",
				zn_buf_str(&m->name));
	if (m->flags & FLAG_INTEGERKEY)
		return zn_fail(err, ZN_EFORMAT, "DBI %s has integer keys, which are not supported",
				zn_buf_str(&m->name));
	while (i < info->dbi_count && strcmp(info->dbis[i].name, zn_buf_str(&m->name)) != 0)
		i++;
	if (i == ZN_SNAPSHOT_NAMES_MAX || info->message_count == ZN_SNAPSHOT_DBI_MAX)
		return zn_fail(err, ZN_ETOOBIG, "the snapshot has too many DBIs");
	if (i == info->dbi_count) {
		struct zn_snapshot_dbi *dbis = realloc(info->dbis, (i + 1) * sizeof *dbis);

		if (!dbis)
			return zn_fail(err, ZN_ENOMEM, "read an object: %s", zn_code_text(ZN_ENOMEM));
		info->dbis = dbis;
		info->dbis[i] = (struct zn_snapshot_dbi){.flags = m->flags & FLAG_REVERSEKEY};
		memcpy(info->dbis[i].name, m->name.data, m->name.len);
		info->dbi_count++;
	}
	if ((info->message_count & (info->message_count - 1)) == 0) { /* grows at powers of two */
		size_t room = info->message_count ? 2 * info->message_count : 1;
		uint32_t *messages = realloc(info->messages, room * sizeof *messages);

		if (!messages)
			return zn_fail(err, ZN_ENOMEM, "read an object: %s", zn_code_text(ZN_ENOMEM));
		info->messages = messages;
	}
	info->messages[info->message_count++] = (uint32_t)i;
	return ZN_OK;
}

/* Checks an entry whatever the format turns out to be: that only decides about empty values. */
static enum zn_code check_entry(void *arg, struct zn_view bytes, struct zn_err *err)
{
	struct zn_snapshot_info *info = arg;
	struct zn_snapshot_entry entry;

	info->entries++;
	return parse_entry(bytes, ZN_SNAPSHOT_FORMAT, &entry, err);
}

static enum zn_code scan_dbi(struct zn_pb_stream *s, uint64_t len, struct zn_snapshot_info *info,
		struct zn_buf *scratch, struct zn_err *err)
{
	ZN_AUTO(dbi_message_release)
	struct dbi_message m = {
			.name = ZN_BUF_INIT(ZN_LMDB_KEY_MAX), .transform = ZN_BUF_INIT(ZN_LMDB_KEY_MAX)};
	enum zn_code code = read_dbi(s, s->at + len, &m, scratch, check_entry, info, err);

	return code ? code : note_message(info, &m, err);
}

static enum zn_code scan_file(struct zn_pb_stream *s, struct zn_snapshot_info *info, struct zn_buf *scratch,
		struct zn_err *err)
{
	for (;;) {
		struct zn_pb_field field;
		bool more;
		enum zn_code code = zn_pb_stream_next(s, UINT64_MAX, &field, &more, err);

		if (code || !more)
			return code;
		switch (field.number) {
		case FILE_FORMAT:
		case FILE_COMPAT:
			if (field.type != ZN_PB_VARINT)
				return corrupt(err, "a damaged head");
			*(field.number == FILE_FORMAT ? &info->format : &info->compat) = field.value;
			break;
		case FILE_META: /* messages of one field put together are its parts merged */
			if (!is_bytes(&field))
				return corrupt(err, "a damaged head");
			code = zn_pb_stream_bytes(s, field.value, &info->meta_bytes, err);
			break;
		case FILE_DBI:
			if (!is_bytes(&field))
				return corrupt(err, "a damaged head");
			code = scan_dbi(s, field.value, info, scratch, err);
			break;
		default:
			if (is_bytes(&field))
				code = zn_pb_stream_skip(s, field.value, err);
			break;
		}
		if (code)
			return code;
	}
}

enum zn_code zn_snapshot_scan(struct zn_source in, struct zn_snapshot_info *ret_info, struct zn_err *err)
{
	ZN_AUTO(zn_pb_stream_release) struct zn_pb_stream s = {0};
	ZN_AUTO(zn_buf_release) struct zn_buf scratch = ZN_BUF_INIT(ENTRY_MAX);
	struct zn_snapshot_info info = {.meta_bytes = ZN_BUF_INIT(ZN_SNAPSHOT_META_MAX)};
	enum zn_code code = zn_pb_stream_init(&s, in, err);

	if (!code)
		code = scan_file(&s, &info, &scratch, err);
	if (!code)
		code = parse_meta(zn_buf_view(&info.meta_bytes), &info.meta, err);
	if (!code && info.message_count && info.format == 0)
		code = corrupt(err, "no format version");
	if (!code && info.compat > ZN_SNAPSHOT_COMPAT_MAX)
		code = zn_fail(err, ZN_EFORMAT, "the snapshot needs a newer program (compat version %llu)",
				(unsigned long long)info.compat);
	if (code) {
		zn_snapshot_info_release(&info);
		return code;
	}
	*ret_info = info;
	return ZN_OK;
}

void zn_snapshot_info_release(struct zn_snapshot_info *info)
{
	zn_buf_release(&info->meta_bytes);
	free(info->dbis);
	free(info->messages);
	*info = (struct zn_snapshot_info){0};
}

struct walk {
	const struct zn_snapshot_info *info;
	const struct zn_snapshot_dbi *dbi;
	zn_snapshot_visit *visit;
	void *arg;
};

static enum zn_code hand_out(void *arg, struct zn_view bytes, struct zn_err *err)
{
	struct walk *walk = arg;
	struct zn_snapshot_entry entry;
	enum zn_code code = parse_entry(bytes, walk->info->format, &entry, err);

	return code ? code : walk->visit(walk->arg, walk->dbi, &entry, err);
}

enum zn_code zn_snapshot_walk(struct zn_source in, const struct zn_snapshot_info *info,
		zn_snapshot_visit *visit, void *arg, struct zn_err *err)
{
	ZN_AUTO(zn_pb_stream_release) struct zn_pb_stream s = {0};
	ZN_AUTO(zn_buf_release) struct zn_buf scratch = ZN_BUF_INIT(ENTRY_MAX);
	ZN_AUTO(dbi_message_release)
	struct dbi_message m = {
			.name = ZN_BUF_INIT(ZN_LMDB_KEY_MAX), .transform = ZN_BUF_INIT(ZN_LMDB_KEY_MAX)};
	struct walk walk = {.info = info, .visit = visit, .arg = arg};
	size_t message = 0;
	enum zn_code code = zn_pb_stream_init(&s, in, err);

	while (!code) {
		struct zn_pb_field field;
		bool more;

		code = zn_pb_stream_next(&s, UINT64_MAX, &field, &more, err);
		if (code || !more)
			break;
		if (field.number == FILE_DBI && is_bytes(&field)) {
			if (message == info->message_count)
				return corrupt(err, "changed while it was read");
			walk.dbi = &info->dbis[info->messages[message++]];
			code = read_dbi(&s, s.at + field.value, &m, &scratch, hand_out, &walk, err);
		} else if (is_bytes(&field)) {
			code = zn_pb_stream_skip(&s, field.value, err);
		}
	}
	return code;
}
