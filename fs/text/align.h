/* fs/text/align.h - where the pieces that are stored stand in a text that has been edited. For
 * cutter.c. Pure.
 *
 * Whole pieces are found by their bytes, from both ends and in between; a piece that was edited by
 * what stands right before and behind its cut; where lines were changed but none added or removed,
 * by counting them. The longest ascending run of such finds decides. Cuts found here lie at line
 * starts; whether one is the end of an entry the parse knows better. */
#pragma once
#include "fs/text/pieces.h"

#define ZN_NOT_STORED SIZE_MAX

/* A part of the text and the stored piece whose place it takes. Segments follow each other without
 * a gap. */
struct zn_segment {
	size_t start, end;
	size_t stored; /* ZN_NOT_STORED: text between two pieces, both of which stay as they are */
	size_t last;   /* stored pieces from `stored` to here went into it */
	bool whole;    /* the bytes of that piece */
};
struct zn_segments {
	struct zn_segment *list;
	size_t count;
};
/* ZN_ENOMEM. Freed by free(list). An empty text has no segments. */
ZN_MUST_USE enum zn_code zn_align(struct zn_view text, const struct zn_piece *stored, size_t count,
		struct zn_segments *ret_segments);
