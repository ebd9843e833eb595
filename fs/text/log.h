/* fs/text/log.h - what a parse said of a text's entries, in about 20 bytes each, to be gone through
 * again when the text is cut. For cutter.c. Pure. */
#pragma once
#include "fs/text/parse.h"
#include "store/base/wire.h"

struct zn_entry_log {
	struct zn_name apex;
	struct zn_buf bytes;
	size_t end;                 /* of the last entry */
	struct zn_text_state state; /* behind it */
};
void zn_entry_log_init(struct zn_entry_log *log, const struct zn_name *apex);
void zn_entry_log_release(struct zn_entry_log *log);
/* An entry that ends at `end`; item NULL: one that yields no records. Running out of memory shows
 * in bytes.failed. */
void zn_entry_log_add(struct zn_entry_log *log, const struct zn_item *item, size_t end,
		const struct zn_text_state *after);

/* The same text with another serial: the item around `offset` has grown by `grown` (wraps: shrunk)
 * and yields a record of another hash. */
struct zn_serial_shift {
	size_t offset, grown;
	uint64_t soa_hash;
};
/* Going through it: a value, so that a copy looks ahead. `end` and `item` are those of the text
 * after the shift. */
struct zn_entry_reader {
	const struct zn_entry_log *log;
	struct zn_serial_shift shift;
	struct zn_reader in;
	size_t parsed_end; /* where the entry ended in the text that was parsed */
	size_t end;        /* and where it ends now */
	bool is_item;
	struct zn_item item;
	uint8_t flags; /* which part of the state it changes, and where that stands */
	size_t changes;
};
struct zn_entry_reader zn_entry_log_read(
		const struct zn_entry_log *log, const struct zn_serial_shift *shift);
/* The next entry; false: there is none. */
bool zn_entry_next(struct zn_entry_reader *reader);
/* Makes of the state before the entry the one behind it. */
void zn_entry_change_state(const struct zn_entry_reader *reader, struct zn_text_state *state);
