/* fs/mount/content.h - the bytes of one open file: in memory while small, in an unlinked spool file when big. editor-behaviour 4.
 *
 * Content is shared by counting. Whoever wants to change what is shared gets a copy of its own first (zn_content_own), so what a
 * save borrows or a version shows never moves under it. Reads and changes may come from several threads; sharing is guarded by the owner. */
#pragma once
#include <sys/types.h>

#include "store/base/auto.h"
#include "store/base/bytes.h"
#include "store/base/error.h"

#define ZN_CONTENT_IN_MEMORY ((size_t)64 << 10)	/* bytes; more goes to a file */

/* Where spool files are made, and how many bytes of what users write there may be. */
struct zn_spool;
ZN_MUST_USE enum zn_code zn_spool_open(const char *directory, uint64_t quota, struct zn_spool **ret_spool, struct zn_err *err);
void zn_spool_close(struct zn_spool *spool);
int zn_spool_directory(const struct zn_spool *spool);	/* its descriptor, borrowed */
uint64_t zn_spool_used(struct zn_spool *spool);
uint64_t zn_spool_quota(const struct zn_spool *spool);
/* Count bytes in (ZN_EQUOTA: they do not fit) or out. */
ZN_MUST_USE enum zn_code zn_spool_charge(struct zn_spool *spool, uint64_t bytes);
void zn_spool_charge_anyway(struct zn_spool *spool, uint64_t bytes);
void zn_spool_discharge(struct zn_spool *spool, uint64_t bytes);

enum zn_content_kind {
	ZN_CONTENT_VERSION,	/* what the daemon reads: not counted against the quota */
	ZN_CONTENT_DRAFT,	/* what a writer writes */
};
struct zn_content;
/* Empty. `max`: bytes it may ever have (ZN_ETOOBIG). */
ZN_MUST_USE enum zn_code zn_content_new(struct zn_spool *spool, enum zn_content_kind kind, size_t max, struct zn_content **ret_content);
/* What a named file of the spool has (scratch): stays there. Owns fd from success on. */
ZN_MUST_USE enum zn_code zn_content_of_file(struct zn_spool *spool, int fd, size_t max, struct zn_content **ret_content, struct zn_err *err);
struct zn_content *zn_content_share(struct zn_content *content);
void zn_content_unref(struct zn_content *content);	/* NULL does nothing */
ZN_DEFINE_AUTO(struct zn_content, zn_content_unref)

size_t zn_content_size(struct zn_content *content);
/* *content becomes one that nobody else has. A named file (scratch) is never replaced: it is the file. */
ZN_MUST_USE enum zn_code zn_content_own(struct zn_content **content, struct zn_err *err);
/* A hole before `offset` reads as zeroes. */
ZN_MUST_USE enum zn_code zn_content_write(struct zn_content *content, size_t offset, struct zn_view bytes, struct zn_err *err);
ZN_MUST_USE enum zn_code zn_content_append(struct zn_content *content, struct zn_view bytes, struct zn_err *err);
ZN_MUST_USE enum zn_code zn_content_truncate(struct zn_content *content, size_t size, struct zn_err *err);
/* Adds bytes [from, from + len) of another, cut to what is there. */
ZN_MUST_USE enum zn_code zn_content_append_from(struct zn_content *content, struct zn_content *other, size_t from, size_t len, struct zn_err *err);
ZN_MUST_USE enum zn_code zn_content_sync(struct zn_content *content, struct zn_err *err);

/* Bytes for a reply: at `offset`, at most `len`. In memory they are copied into `into` (room for len); in a file, *ret_fd names it (else
 * -1), borrowed while the content is. Returns how many there are. */
size_t zn_content_read(struct zn_content *content, size_t offset, size_t len, uint8_t *into, int *ret_fd);

/* All bytes as one view, borrowed until the loan ends; the content must not be changed meanwhile (whoever shares it, owns a copy first). */
struct zn_loan {
	struct zn_view view;
	void *mapped;
	size_t mapped_len;
	uint8_t *copied;
};
ZN_MUST_USE enum zn_code zn_content_lend(struct zn_content *content, struct zn_loan *ret_loan, struct zn_err *err);
void zn_loan_end(struct zn_loan *loan);
