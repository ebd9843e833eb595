#include "fs/text/align.h"

#include <stdlib.h>
#include <xxhash.h>

#define ANCHOR 64 /* bytes on one side of a cut by which it is found again */

/* "The stored piece `stored` begins at `offset`." */
struct find {
	size_t offset, stored;
	bool whole;
};

struct finds {
	struct find *list;
	size_t count, capacity;
	bool failed;
};

/* What stands around the cuts of stored pieces, by hash: buckets of chains. */
struct anchor {
	uint64_t hash;
	size_t stored; /* the piece that begins at the cut */
	bool behind;   /* the bytes behind the cut; else those before it */
	uint32_t next; /* 1 + index; 0: last */
};
struct anchors {
	struct anchor *list;
	uint32_t *buckets;
	size_t count, mask;
};

static void add_find(struct finds *finds, size_t offset, size_t stored, bool whole)
{
	if (finds->count == finds->capacity) {
		size_t capacity = finds->capacity ? 2 * finds->capacity : 64;
		struct find *list = realloc(finds->list, capacity * sizeof(*list));
		if (!list) {
			finds->failed = true;
			return;
		}
		finds->list = list;
		finds->capacity = capacity;
	}
	finds->list[finds->count++] = (struct find){offset, stored, whole};
}

static bool stands_at(struct zn_view text, size_t offset, struct zn_view piece)
{
	return piece.len && offset <= text.len &&
	       zn_view_starts_with(zn_view_sub(text, offset, SIZE_MAX), piece);
}

static void add_anchor(struct anchors *anchors, const uint8_t *bytes, size_t stored, bool behind)
{
	struct anchor *anchor = &anchors->list[anchors->count++];
	uint32_t *bucket;

	*anchor = (struct anchor){
			.hash = XXH3_64bits(bytes, ANCHOR), .stored = stored, .behind = behind};
	bucket = &anchors->buckets[anchor->hash & anchors->mask];
	anchor->next = *bucket;
	*bucket = (uint32_t)anchors->count;
}

/* Of the cuts before the pieces from `from` to `to`. */
static bool anchors_init(
		struct anchors *anchors, const struct zn_piece *stored, size_t from, size_t to)
{
	size_t buckets = 16;

	while (buckets < 4 * (to - from))
		buckets *= 2;
	*anchors = (struct anchors){.list = calloc(2 * (to - from), sizeof(*anchors->list)),
			.buckets = calloc(buckets, sizeof(*anchors->buckets)),
			.mask = buckets - 1};
	if (!anchors->list || !anchors->buckets)
		return false;
	for (size_t i = to; i-- > from;) { /* chains then begin with the first piece */
		struct zn_view text = stored[i].text,
			       before = i > from ? stored[i - 1].text : zn_view(NULL, 0);
		if (text.len >= ANCHOR)
			add_anchor(anchors, text.data, i, true);
		if (before.len >= ANCHOR)
			add_anchor(anchors, before.data + before.len - ANCHOR, i, false);
	}
	return true;
}

/* The bytes before or behind a cut, in the text and as stored. */
static bool same_side(struct zn_view text, size_t at, const struct zn_piece *stored,
		const struct anchor *anchor)
{
	const struct zn_view *side =
			&stored[anchor->behind ? anchor->stored : anchor->stored - 1].text;

	return anchor->behind ? memcmp(text.data + at, side->data, ANCHOR) == 0
			      : memcmp(text.data + at - ANCHOR, side->data + side->len - ANCHOR,
						ANCHOR) == 0;
}

/* What begins at the line start `at`: a whole piece, from `least` on when there are several; else
 * the piece whose cut looks like this place, when there is only one. false: nothing. Texts that
 * repeat themselves make long chains: only their beginning is looked at. */
static bool find_at(const struct anchors *anchors, struct zn_view text,
		const struct zn_piece *stored, size_t at, size_t least, struct find *ret_find)
{
	enum { CHAIN = 8 };
	bool found = false, ambiguous = false;

	*ret_find = (struct find){.offset = at};
	for (int behind = 1; behind >= 0 && !ret_find->whole; behind--) {
		int looked_at = 0;

		if (behind ? text.len - at < ANCHOR : at < ANCHOR)
			continue;
		uint64_t hash = XXH3_64bits(text.data + at - (behind ? 0 : ANCHOR), ANCHOR);
		for (uint32_t i = anchors->buckets[hash & anchors->mask]; i;
				i = anchors->list[i - 1].next) {
			const struct anchor *anchor = &anchors->list[i - 1];
			if (anchor->hash != hash || anchor->behind != behind ||
					!same_side(text, at, stored, anchor))
				continue;
			if (++looked_at > CHAIN) {
				ambiguous = true;
				break;
			}
			if (behind && stands_at(text, at, stored[anchor->stored].text)) {
				*ret_find = (struct find){at, anchor->stored, true};
				if (anchor->stored >= least)
					return true;
			} else if (!ret_find->whole) {
				ambiguous = ambiguous ||
					    (found && ret_find->stored != anchor->stored);
				ret_find->stored = anchor->stored;
				found = true;
			}
		}
	}
	return ret_find->whole || (found && !ambiguous);
}

/* All that is found between `start` and `end` of the pieces from `from` to `to`. */
static bool find_between(struct finds *finds, struct zn_view text, size_t start, size_t end,
		const struct zn_piece *stored, size_t from, size_t to)
{
	struct zn_view part = zn_view_sub(text, 0, end);
	struct anchors anchors = {0};
	size_t expected = from;
	bool ready = anchors_init(&anchors, stored, from, to);

	for (size_t at = start; ready && at < end;) {
		struct find find = {at, expected, true};
		bool found = expected < to && stands_at(part, at, stored[expected].text);

		if (!found)
			found = find_at(&anchors, part, stored, at, expected, &find);
		if (found)
			add_find(finds, at, find.stored, find.whole);
		if (found && find.whole) {
			expected = find.stored + 1;
			at += stored[find.stored].text.len;
			continue;
		}
		const uint8_t *newline = memchr(text.data + at, '\n', end - at);
		at = newline ? (size_t)(newline - text.data) + 1 : end;
	}
	free(anchors.list);
	free(anchors.buckets);
	return ready && !finds->failed;
}

/* Keeps the finds whose pieces ascend with their places; a whole piece counts for several cuts. */
static bool keep_ascending(struct finds *finds, size_t from, size_t to)
{
	enum { WHOLE = 8 };
	size_t n = finds->count, span = to - from, best = SIZE_MAX, kept = n;
	size_t *tree = calloc(span + 1, sizeof(*tree));      /* Fenwick: 1 + the find that ends the
								heaviest run up to a piece */
	size_t *previous = calloc(n + 1, sizeof(*previous)); /* 1 + find before; 0: none */
	uint64_t *weight = calloc(n + 1, sizeof(*weight));
	bool ready = tree && previous && weight;

	for (size_t f = 0; ready && f < n; f++) {
		size_t piece = finds->list[f].stored - from;
		for (size_t i = piece; i > 0; i -= i & -i)
			if (tree[i] && (!previous[f] || weight[tree[i] - 1] >
									weight[previous[f] - 1]))
				previous[f] = tree[i];
		weight[f] = (previous[f] ? weight[previous[f] - 1] : 0) +
			    (finds->list[f].whole ? WHOLE : 1);
		for (size_t i = piece + 1; i <= span; i += i & -i)
			if (!tree[i] || weight[f] > weight[tree[i] - 1])
				tree[i] = f + 1;
		if (best == SIZE_MAX || weight[f] > weight[best])
			best = f;
	}
	/* The run is known from its end: gathered at the end of the list, then moved to its start.
	 */
	for (size_t f = ready ? best : SIZE_MAX; f != SIZE_MAX; f = previous[f] - 1)
		finds->list[--kept] = finds->list[f];
	if (ready && n)
		memmove(finds->list, finds->list + kept, (n - kept) * sizeof(*finds->list));
	finds->count = n - kept;
	free(tree);
	free(previous);
	free(weight);
	return ready;
}

static size_t count_lines(struct zn_view text)
{
	size_t lines = 0;

	while (text.len) {
		const uint8_t *newline = memchr(text.data, '\n', text.len);
		size_t line = newline ? (size_t)(newline - text.data) + 1 : text.len;
		text = zn_view_sub(text, line, SIZE_MAX);
		lines++;
	}
	return lines;
}

static size_t skip_lines(struct zn_view text, size_t lines)
{
	size_t at = 0;

	for (; lines > 0 && at < text.len; lines--) {
		const uint8_t *newline = memchr(text.data + at, '\n', text.len - at);
		at = newline ? (size_t)(newline - text.data) + 1 : text.len;
	}
	return at;
}

static void add_segment(struct zn_segments *segments, struct zn_segment segment)
{
	if (segment.start < segment.end)
		segments->list[segments->count++] = segment;
}

/* The text from `start` to `end`, where the pieces from `from` to `to` (none: an insertion) were.
 */
static void add_gap(struct zn_segments *segments, struct zn_view text, size_t start, size_t end,
		const struct zn_piece *stored, size_t from, size_t to)
{
	size_t lines = 0;

	if (from == to) {
		add_segment(segments, (struct zn_segment){start, end, ZN_NOT_STORED, 0, false});
		return;
	}
	for (size_t i = from; i < to; i++)
		lines += to - from > 1 ? count_lines(stored[i].text) : 0;
	if (to - from == 1 || lines != count_lines(zn_view_sub(text, start, end - start))) {
		add_segment(segments, (struct zn_segment){start, end, from, to - 1, false});
		return;
	}
	for (size_t i = from; i < to; i++) {
		struct zn_view left = zn_view_sub(text, start, end - start);
		size_t len = i + 1 < to ? skip_lines(left, count_lines(stored[i].text)) : left.len;
		bool whole = zn_view_equal(zn_view_sub(left, 0, len), stored[i].text);
		add_segment(segments, (struct zn_segment){start, start + len, i, i, whole});
		start += len;
	}
}

enum zn_code zn_align(struct zn_view text, const struct zn_piece *stored, size_t count,
		struct zn_segments *ret_segments)
{
	struct zn_segments segments = {0};
	struct finds finds = {0};
	size_t start = 0, end = text.len, from = 0, to = count, place, next;
	enum zn_code code = ZN_ENOMEM;

	for (; from < to && stands_at(text, start, stored[from].text); from++)
		start += stored[from].text.len;
	for (; to > from; to--) {
		size_t len = stored[to - 1].text.len;
		if (len == 0 || end - start < len ||
				memcmp(text.data + end - len, stored[to - 1].text.data, len) != 0)
			break;
		end -= len;
	}
	if (from < to && start < end &&
			!(find_between(&finds, text, start, end, stored, from, to) &&
					keep_ascending(&finds, from, to)))
		goto out;
	/* Every piece, every find's gap, the gaps at both ends. */
	segments.list = calloc(count + finds.count + 2, sizeof(*segments.list));
	if (!segments.list)
		goto out;

	place = 0;
	for (size_t i = 0; i < from; place += stored[i].text.len, i++)
		add_segment(&segments,
				(struct zn_segment){place, place + stored[i].text.len, i, i, true});
	next = from;
	for (size_t f = 0; f <= finds.count; f++) {
		/* A whole piece ends where its bytes do; the gap behind it, or from an edited piece
		 * on, lasts until the next find. */
		const struct find *find = f < finds.count ? &finds.list[f] : NULL;
		add_gap(&segments, text, place, find ? find->offset : end, stored, next,
				find ? find->stored : to);
		if (!find)
			break;
		place = find->offset;
		next = find->stored;
		if (find->whole) {
			size_t len = stored[next].text.len;
			add_segment(&segments,
					(struct zn_segment){place, place + len, next, next, true});
			place += len;
			next++;
		}
	}
	for (size_t i = to, at = end; i < count; at += stored[i].text.len, i++)
		add_segment(&segments,
				(struct zn_segment){at, at + stored[i].text.len, i, i, true});
	*ret_segments = segments;
	segments.list = NULL;
	code = ZN_OK;
out:
	free(segments.list);
	free(finds.list);
	return code;
}
