/* fs/text/record.h - the words of a record in front of its data: [owner] [TTL] [class] type, TTL and class in either
 * order and both optional. RFC 1035 5.1. Pure. */
#pragma once
#include "fs/text/split.h"

struct zn_record_words {
	const struct zn_token *owner;	/* NULL: the one before */
	const struct zn_token *ttl;	/* NULL: not given */
	const struct zn_token *type;
	const struct zn_token *rdata;
	size_t rdata_count;
	uint32_t ttl_value;
	uint16_t type_value;
};

/* What is wrong. token NULL: something is missing at the end. */
struct zn_record_fault {
	const struct zn_token *token;
	char sentence[200];
};

/* `has_owner`: the first word is one (struct zn_entry.at_margin). */
bool zn_record_split(const struct zn_token *tokens, size_t count, bool has_owner, struct zn_record_words *ret_words,
	struct zn_record_fault *ret_fault);

/* Mnemonic or TYPEnnn; the ones met most at once. */
bool zn_record_type(struct zn_view word, uint16_t *ret_type);
