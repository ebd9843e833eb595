#include "fs/text/record.h"

#include <stdarg.h>
#include <strings.h>

#include "fs/text/ttl.h"
#include "store/dns/rrtype.h"

#define SHOWN 60	/* bytes of a word in a sentence */

/* Up to 8 letters of a word as a number, folded to upper case. */
#define WORD(a, b, c, d, e, f) \
	((uint64_t)(a) | (uint64_t)(b) << 8 | (uint64_t)(c) << 16 | (uint64_t)(d) << 24 | (uint64_t)(e) << 32 | (uint64_t)(f) << 40)

static uint64_t word_number(struct zn_view word)
{
	uint64_t number = 0;

	for (size_t i = 0; i < word.len; i++) {
		uint8_t byte = word.data[i];
		number |= (uint64_t)(byte >= 'a' && byte <= 'z' ? byte - 0x20 : byte) << (8 * i);
	}
	return number;
}

bool zn_record_type(struct zn_view word, uint16_t *ret_type)
{
	switch (word.len <= 6 ? word_number(word) : 0) {
	case WORD('A', 0, 0, 0, 0, 0):
		*ret_type = ZN_TYPE_A;
		return true;
	case WORD('N', 'S', 0, 0, 0, 0):
		*ret_type = ZN_TYPE_NS;
		return true;
	case WORD('D', 'S', 0, 0, 0, 0):
		*ret_type = ZN_TYPE_DS;
		return true;
	case WORD('M', 'X', 0, 0, 0, 0):
		*ret_type = ZN_TYPE_MX;
		return true;
	case WORD('A', 'A', 'A', 'A', 0, 0):
		*ret_type = ZN_TYPE_AAAA;
		return true;
	case WORD('T', 'X', 'T', 0, 0, 0):
		*ret_type = ZN_TYPE_TXT;
		return true;
	case WORD('S', 'R', 'V', 0, 0, 0):
		*ret_type = ZN_TYPE_SRV;
		return true;
	case WORD('P', 'T', 'R', 0, 0, 0):
		*ret_type = ZN_TYPE_PTR;
		return true;
	case WORD('C', 'A', 'A', 0, 0, 0):
		*ret_type = ZN_TYPE_CAA;
		return true;
	case WORD('C', 'N', 'A', 'M', 'E', 0):
		*ret_type = ZN_TYPE_CNAME;
		return true;
	case WORD('R', 'R', 'S', 'I', 'G', 0):
		*ret_type = ZN_TYPE_RRSIG;
		return true;
	case WORD('N', 'S', 'E', 'C', 0, 0):
		*ret_type = ZN_TYPE_NSEC;
		return true;
	case WORD('N', 'S', 'E', 'C', '3', 0):
		*ret_type = ZN_TYPE_NSEC3;
		return true;
	default:
		return zn_rrtype_from_text(word, ret_type);
	}
}

ZN_PRINTF(3, 4)
static bool wrong(struct zn_record_fault *fault, const struct zn_token *token, const char *format, ...)
{
	va_list args;

	fault->token = token;
	va_start(args, format);
	vsnprintf(fault->sentence, sizeof(fault->sentence), format, args);
	va_end(args);
	return false;
}

static bool is_in(struct zn_view word)
{
	return word.len == 2 && (word.data[0] | 0x20) == 'i' && (word.data[1] | 0x20) == 'n';
}

/* Another class than the word IN; CLASS1 is IN by its number. */
static bool is_class(struct zn_view word, bool *ret_in)
{
	static const char *const others[] = {"CH", "HS", "CS", "CHAOS", "HESIOD"};
	const char *text = (const char *)word.data;
	uint32_t number = 0;

	*ret_in = false;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (word.len == strlen(others[i]) && strncasecmp(text, others[i], word.len) == 0)
			return true;
	if (word.len < 6 || word.len > 10 || strncasecmp(text, "CLASS", 5) != 0)
		return false;
	for (size_t i = 5; i < word.len; i++) {
		if (word.data[i] < '0' || word.data[i] > '9')
			return false;
		number = number * 10 + (uint32_t)(word.data[i] - '0');
	}
	*ret_in = number == 1;
	return true;
}

/* Words of a sentence: what stands where a type should. */
static bool no_type(const struct zn_token *token, bool first, bool has_owner, struct zn_record_fault *fault)
{
	int shown = (int)(token->len > SHOWN ? SHOWN : token->len);
	const char *text = (const char *)token->data;

	if (first && !has_owner)
		return wrong(fault, token, "unknown record type \"%.*s\"; if it is a name: a line that begins with a blank belongs to the name before",
			shown, text);
	if (token->len > 0 && text[0] >= '0' && text[0] <= '9')
		return wrong(fault, token, "\"%.*s\" is neither a TTL nor a record type", shown, text);
	return wrong(fault, token, "unknown record type \"%.*s\"", shown, text);
}

bool zn_record_split(const struct zn_token *tokens, size_t count, bool has_owner, struct zn_record_words *ret_words,
	struct zn_record_fault *ret_fault)
{
	const struct zn_token *token = tokens, *end = tokens + count, *class = NULL;
	struct zn_record_words words = {0};

	if (has_owner && token < end)
		words.owner = token++;
	for (; token < end; token++) {
		struct zn_view word = zn_token_view(token);

		if (token->flags != 0 || word.len == 0)
			return no_type(token, token == tokens, has_owner, ret_fault);
		if (word.data[0] >= '0' && word.data[0] <= '9') {
			enum zn_ttl_form form = zn_ttl_read(word, &words.ttl_value);
			if (form == ZN_TTL_NONE)
				return no_type(token, token == tokens, has_owner, ret_fault);
			if (form == ZN_TTL_LARGE)
				return wrong(ret_fault, token, "the TTL is above 2147483647");
			if (words.ttl)
				return wrong(ret_fault, token, "a record type is missing here: there are two TTLs");
			words.ttl = token;
			continue;
		}
		bool in = is_in(word);
		if (!in && zn_record_type(word, &words.type_value)) {
			words.type = token;
			words.rdata = token + 1;
			words.rdata_count = (size_t)(end - token) - 1;
			*ret_words = words;
			return true;
		}
		if (!in && !is_class(word, &in))
			return no_type(token, token == tokens, has_owner, ret_fault);
		if (!in)
			return wrong(ret_fault, token, "class %.*s is not served here, only IN", (int)word.len, (const char *)word.data);
		if (class)
			return wrong(ret_fault, token, "the class is given twice");
		class = token;
	}
	return wrong(ret_fault, NULL, words.owner && count == 1 ? "a name alone is no record: its type and data are missing" :
		"the record type is missing");
}
