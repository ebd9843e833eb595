/* store/dns/name.h - domain names, and the form in which the databases order them.
 *
 * RFC 1035 3.1 (wire), RFC 4343 (case), RFC 4034 6.1 (canonical order); keys: docs/format.md,
 * PowerDNS "keyform". Two shapes:
 *
 *   zn_name  wire form, absolute, uncompressed, root byte included, case as given (compare folds ASCII)
 *   zn_key   lower case, labels in reverse order, each followed by a 00 byte, no root:
 *              www.example.org below example.org   "www" 00
 *              a.b.example.org below example.org   "b" 00 "a" 00
 *              the apex itself (or the root, when not relative)    00
 *
 * Bytewise order of keys is canonical DNS order, and what lies at or below a name begins with its key
 * (below the apex: everything). A label with a NUL byte cannot be told apart there: such names are refused. */
#pragma once
#include "store/base/bytes.h"

#define ZN_NAME_MAX 255		/* bytes in wire form, RFC 1035 2.3.4 */
#define ZN_LABEL_MAX 63
#define ZN_NAME_TEXT_MAX 1024	/* bytes of presentation form with every byte escaped, and NUL */

struct zn_name {
	uint8_t len; /* bytes of wire used, root byte included; 0 = unset */
	uint8_t wire[ZN_NAME_MAX];
};

struct zn_key {
	uint8_t len; /* 1 to 254 */
	uint8_t bytes[ZN_NAME_MAX];
};

/* A name that fills the view exactly. ZN_ECORRUPT: no valid uncompressed name, or more behind it. */
ZN_MUST_USE enum zn_code zn_name_from_wire(struct zn_view wire, struct zn_name *ret_name);
/* Reads one uncompressed name at the reader (declared in wire.h); fails the reader when there is none. */
struct zn_reader;
void zn_read_name(struct zn_reader *r, struct zn_name *ret_name);

/* Presentation form, RFC 1035 5.1 escapes; "@" and relative names need an origin (NULL: they are taken as
 * absolute). ZN_EINVAL with a sentence. */
ZN_MUST_USE enum zn_code zn_name_from_text(struct zn_view text, const struct zn_name *origin,
	struct zn_name *ret_name, struct zn_err *err);
/* "example.org." - the trailing dot always there, root is "."; bytes other than letters, digits and
 * "-_*" "/" and such printable ones as need none are escaped. Returns text. */
char *zn_name_text(const struct zn_name *name, char text[static ZN_NAME_TEXT_MAX]);
/* The same without the trailing dot (the root is "."): for people and for names of zones. */
char *zn_name_plain(const struct zn_name *name, char text[static ZN_NAME_TEXT_MAX]);

bool zn_name_equal(const struct zn_name *a, const struct zn_name *b);
/* name lies at or below apex. */
bool zn_name_within(const struct zn_name *name, const struct zn_name *apex);
void zn_name_lower(struct zn_name *name);
size_t zn_name_labels(const struct zn_name *name); /* without the root: 0 for the root */
struct zn_name zn_name_root(void);
static inline struct zn_view zn_name_view(const struct zn_name *name)
{
	return (struct zn_view){name->wire, name->len};
}

/* Key relative to `apex`; apex NULL: the whole name (zone list indexes).
 * ZN_EINVAL: not within apex, or a label with a NUL byte. */
ZN_MUST_USE enum zn_code zn_key_from_name(const struct zn_name *name, const struct zn_name *apex, struct zn_key *ret_key);
/* Back; apex NULL: the key is a whole name. ZN_ECORRUPT: no key, or too long. */
ZN_MUST_USE enum zn_code zn_key_to_name(struct zn_view key, const struct zn_name *apex, struct zn_name *ret_name);
static inline struct zn_view zn_key_view(const struct zn_key *key)
{
	return (struct zn_view){key->bytes, key->len};
}
static inline bool zn_key_is_apex(struct zn_view key)
{
	return key.len == 1 && key.data[0] == 0;
}
/* key lies at or below `above`, both relative to the same apex. */
static inline bool zn_key_within(struct zn_view key, struct zn_view above)
{
	return zn_key_is_apex(above) || zn_view_starts_with(key, above);
}
