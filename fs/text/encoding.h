/* fs/text/encoding.h - how bytes are written in RDATA: hex, base64, base32hex, addresses, dates. Pure. */
#pragma once
#include "store/base/bytes.h"

/* 0 to 15, or -1. */
int zn_hex_digit(uint8_t byte);
/* Pairs of digits to bytes, as far as they go. Returns how many characters were read. */
size_t zn_hex_read(struct zn_view word, uint8_t *out);

/* RFC 4648 4, in as many parts as it comes. Begins as {0}; complete when `count` is 0 behind the last part. */
struct zn_base64 {
	uint32_t bits;
	unsigned count, padding;	/* characters and "=" of the current four */
};
/* Writes to *out, which has room for 3 bytes per 4 characters and 6 more, and moves it. Returns how many characters
 * were read: less than all where one does not belong. */
size_t zn_base64_read(struct zn_base64 *base64, struct zn_view word, uint8_t **out);

/* RFC 4648 7 without padding, whole groups of 8 characters: 5 bytes each to `out`. */
bool zn_base32hex_read(struct zn_view word, uint8_t *out);

/* Four decimal numbers. */
bool zn_ipv4_read(struct zn_view word, uint8_t out[static 4]);
/* RFC 4291 2.2, but without the dotted IPv4 tail. */
bool zn_ipv6_read(struct zn_view word, uint8_t out[static 16]);

/* YYYYMMDDHHmmSS in UTC, 1970 to 2105. */
bool zn_date_read(struct zn_view word, uint32_t *ret_seconds);
