/* store/dns/nsec3.h - the hashed owner names of RFC 5155. Pure. */
#pragma once
#include "store/dns/name.h"

struct zn_nsec3param {
	uint16_t iterations;
	uint8_t flags;		/* 1 = opt-out */
	uint8_t salt_len;
	uint8_t salt[255];
};

/* PowerDNS's metadata NSEC3PARAM: "1 <flags> <iterations> <salt hex or ->". ZN_EINVAL with a sentence. */
ZN_MUST_USE enum zn_code zn_nsec3param_parse(struct zn_view text, struct zn_nsec3param *ret_param, struct zn_err *err);

/* The same back: what metadata keeps. Returns text. */
#define ZN_NSEC3PARAM_TEXT_MAX 540
char *zn_nsec3param_text(const struct zn_nsec3param *param, char text[static ZN_NSEC3PARAM_TEXT_MAX]);

/* The hash of the absolute name folded to lower case, and its text. */
#define ZN_NSEC3_DIGEST_LEN 20
void zn_nsec3_digest(const struct zn_nsec3param *param, const struct zn_name *name, uint8_t digest[static ZN_NSEC3_DIGEST_LEN]);
#define ZN_NSEC3_HASH_LEN 32
void zn_nsec3_digest_text(const uint8_t digest[static ZN_NSEC3_DIGEST_LEN], char hash[static ZN_NSEC3_HASH_LEN + 1]);
/* base32hex, lower case, 32 characters and NUL, of the absolute name folded to lower case. */
void zn_nsec3_hash(const struct zn_nsec3param *param, const struct zn_name *name, char hash[static ZN_NSEC3_HASH_LEN + 1]);
