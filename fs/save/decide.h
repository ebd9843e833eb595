/* fs/save/decide.h - what a text that parsed amounts to over what is stored: the serial it ends up with, or why not. rules 13, 22, 23;
 * zone-text 3. Pure. */
#pragma once
#include "store/dns/serial.h"

/* Who changed the zone since the text that this writer last read or wrote. */
enum zn_since {
	ZN_SINCE_UNKNOWN,	/* nobody remembers: taken for nobody */
	ZN_SINCE_NOBODY,
	ZN_SINCE_SOMEBODY,
};

struct zn_weighed {
	bool differs;		/* the records do, the serial of the SOA left aside */
	uint32_t stored;	/* serial of the stored zone */
	uint32_t offered;	/* serial of the text */
	bool signed_elsewhere;	/* the text is presigned: its serial is never touched */
	enum zn_serial_policy policy;
	enum zn_since since;
	struct zn_stamp now;
};

enum zn_verdict {
	ZN_VERDICT_SAME,	/* the rows stay; the text gets the committed serial */
	ZN_VERDICT_ROWS,	/* new rows under ret_serial */
	ZN_VERDICT_CONFLICT,	/* an older text, and somebody else committed in between */
	ZN_VERDICT_OLD_SERIAL,	/* presigned: changed records under a serial that is not newer */
};
enum zn_verdict zn_decide(const struct zn_weighed *weighed, uint32_t *ret_serial);
