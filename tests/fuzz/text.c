/* Zone text: whatever is read, findings lie within it, and what is accepted is printed and read back as the same zone. */
#include "fs/text/parse.h"
#include "fs/text/print.h"
#include "store/base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool truth)
{
	if (!truth)
		abort();
}

static enum zn_code parse(struct zn_view text, struct zn_findings *findings, struct zn_parsed *ret_parsed)
{
	static const struct zn_name apex = {.len = 13, .wire = "\7example\3com"};
	struct zn_parse_options options = {.apex = &apex};

	return zn_parse(text, &options, findings, ret_parsed, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ZN_AUTO(zn_findings_release) struct zn_findings findings = {0}, again = {0};
	ZN_AUTO(zn_buf_release) struct zn_buf shown = ZN_BUF_INIT(ZN_TEXT_MAX), text = ZN_BUF_INIT(ZN_TEXT_MAX);
	struct zn_parsed first = {0}, second = {0};
	struct zn_view input = zn_view(data, size);
	enum zn_code code = parse(input, &findings, &first);

	require(code == ZN_OK || code == ZN_ESYNTAX);
	zn_findings_render(&findings, "fuzz", input, &shown);
	if (code == ZN_OK) {
		require(zn_print_zone(first.zone, &text, NULL, NULL, NULL) == ZN_OK);
		require(parse(zn_buf_view(&text), &again, &second) == ZN_OK);
		require(zn_digest_equal(zn_zone_digest(first.zone), zn_zone_digest(second.zone)));
	}
	zn_parsed_release(&first);
	zn_parsed_release(&second);
	return 0;
}
