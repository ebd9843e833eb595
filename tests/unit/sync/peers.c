#include "tests/unit/suite.h"

#include <stdlib.h>

#include "store/base/auto.h"
#include "sync/peers.h"

#define DAY ZN_SYNC_DAY_NS
#define NOW (UINT64_C(20000) * DAY)

static void list(struct zn_listing *listing, const char *instance, uint64_t ns)
{
	char name[ZN_OBJECT_NAME_MAX + 1];

	ck_assert_int_eq(zn_listing_add(listing, zn_object_name(ZN_VIEW("main"), zn_view_str(instance),
							 (struct zn_stamp){ns}, name), 1, NULL), ZN_OK);
}

static int by_name(const void *x, const void *y)
{
	return strcmp(((const struct zn_listed *)x)->name, ((const struct zn_listed *)y)->name);
}

static void take_in(struct zn_peers *peers, struct zn_listing *listing)
{
	if (listing->count)
		qsort(listing->items, listing->count, sizeof *listing->items, by_name);
	ck_assert_int_eq(zn_peers_update(peers, listing, ZN_VIEW("main"), NULL), ZN_OK);
}

static uint64_t candidate(struct zn_peers *peers, const struct zn_listing *listing, const char *instance,
		uint64_t merged)
{
	struct zn_object object;
	const char *name = zn_peers_candidate(peers, listing, ZN_VIEW("main"), zn_view_str(instance),
			(struct zn_stamp){merged}, (struct zn_stamp){NOW});

	if (!name)
		return 0;
	ck_assert(zn_object_parse(zn_view_str(name), &object));
	ck_assert(zn_view_is(object.instance, instance));
	return object.stamp.ns;
}

START_TEST(candidates)
{
	ZN_AUTO(zn_peers_release) struct zn_peers peers = {0};
	ZN_AUTO(zn_listing_release) struct zn_listing listing = {0};
	char name[ZN_OBJECT_NAME_MAX + 1];

	list(&listing, "ns1", NOW - 3);
	list(&listing, "ns1", NOW - 2);
	list(&listing, "ns1", NOW - 1);
	list(&listing, "ns1-d", NOW);
	list(&listing, "ns10", NOW - 9);
	ck_assert_int_eq(zn_listing_add(&listing, "main__ns1__bad__GX.pb.gz", 1, NULL), ZN_OK);
	ck_assert_int_eq(zn_listing_add(&listing, "main_x__ns1__20240102-030405-000000006__GX.pb.gz", 1, NULL), ZN_OK);
	take_in(&peers, &listing);
	ck_assert_uint_eq(peers.count, 3);
	ck_assert_uint_eq(zn_peers_find(&peers, ZN_VIEW("ns1"))->listed.ns, NOW - 1);
	ck_assert_ptr_null(zn_peers_find(&peers, ZN_VIEW("ns2")));
	ck_assert_uint_eq(candidate(&peers, &listing, "ns1", 0), NOW - 1);
	ck_assert_uint_eq(candidate(&peers, &listing, "ns1", NOW - 2), NOW - 1);
	ck_assert_uint_eq(candidate(&peers, &listing, "ns1", NOW - 1), 0);
	ck_assert_uint_eq(candidate(&peers, &listing, "ns1", NOW), 0);
	ck_assert_uint_eq(candidate(&peers, &listing, "ns10", 0), NOW - 9);
	/* The newest is no snapshot: the one before it, as far as that is news. */
	zn_peers_refuse(&peers, zn_object_name(ZN_VIEW("main"), ZN_VIEW("ns1"), (struct zn_stamp){NOW - 1}, name));
	ck_assert_uint_eq(candidate(&peers, &listing, "ns1", 0), NOW - 2);
	ck_assert_uint_eq(candidate(&peers, &listing, "ns1", NOW - 2), 0);
	/* Gone from the listing: known still, nothing to merge, no longer refused. */
	zn_listing_release(&listing);
	take_in(&peers, &listing);
	ck_assert_uint_eq(peers.count, 3);
	ck_assert_uint_eq(peers.refused_count, 0);
	ck_assert_uint_eq(zn_peers_find(&peers, ZN_VIEW("ns1"))->listed.ns, 0);
	ck_assert_uint_eq(candidate(&peers, &listing, "ns1", 0), 0);
}
END_TEST

START_TEST(too_old)
{
	ZN_AUTO(zn_peers_release) struct zn_peers peers = {0};
	ZN_AUTO(zn_listing_release) struct zn_listing listing = {0};

	list(&listing, "dead", NOW - 297 * DAY);
	take_in(&peers, &listing);
	ck_assert_uint_ne(candidate(&peers, &listing, "dead", 0), 0); /* all there is */
	list(&listing, "alive", NOW - 295 * DAY);
	take_in(&peers, &listing);
	ck_assert_uint_eq(candidate(&peers, &listing, "dead", 0), 0);
	ck_assert_uint_ne(candidate(&peers, &listing, "alive", 0), 0);
}
END_TEST

START_TEST(ahead)
{
	ZN_AUTO(zn_peers_release) struct zn_peers peers = {0};
	ZN_AUTO(zn_listing_release) struct zn_listing listing = {0};
	struct zn_stamp now = {NOW};

	ck_assert(!zn_peers_ahead(&peers, ZN_VIEW("me"), now));
	list(&listing, "a", NOW + 2 * DAY);
	list(&listing, "me", NOW + 2 * DAY);
	take_in(&peers, &listing);
	ck_assert(!zn_peers_ahead(&peers, ZN_VIEW("me"), now)); /* one against one */
	list(&listing, "b", NOW + 2 * DAY);
	take_in(&peers, &listing);
	ck_assert(zn_peers_ahead(&peers, ZN_VIEW("me"), now));
	list(&listing, "c", NOW);
	take_in(&peers, &listing);
	ck_assert(!zn_peers_ahead(&peers, ZN_VIEW("me"), now));
}
END_TEST

START_TEST(covering)
{
	ZN_AUTO(zn_peers_release) struct zn_peers peers = {0};
	ZN_AUTO(zn_listing_release) struct zn_listing listing = {0};
	ZN_AUTO(zn_vector_release) struct zn_vector ours = {0};

	list(&listing, "a", 100);
	list(&listing, "b", 90);
	take_in(&peers, &listing);
	ck_assert_int_eq(zn_vector_set(&ours, ZN_VIEW("a"), 100, NULL), ZN_OK);
	ck_assert_int_eq(zn_vector_set(&ours, ZN_VIEW("me"), 50, NULL), ZN_OK);
	ck_assert_uint_eq(zn_peers_covering(&peers, &ours).ns, 0); /* not read yet */
	struct zn_peer *a = zn_peers_find(&peers, ZN_VIEW("a"));
	a->read.ns = 100;
	ck_assert_uint_eq(zn_peers_covering(&peers, &ours).ns, 0); /* it had not merged us */
	ck_assert_int_eq(zn_vector_set(&a->covers, ZN_VIEW("me"), 50, NULL), ZN_OK);
	ck_assert_uint_eq(zn_peers_covering(&peers, &ours).ns, 100);
	ck_assert_int_eq(zn_vector_set(&ours, ZN_VIEW("me"), 51, NULL), ZN_OK);
	ck_assert_uint_eq(zn_peers_covering(&peers, &ours).ns, 0);
	struct zn_peer *b = zn_peers_find(&peers, ZN_VIEW("b"));
	b->read.ns = 90;
	ck_assert_int_eq(zn_vector_join(&b->covers, &ours, NULL), ZN_OK);
	ck_assert_uint_eq(zn_peers_covering(&peers, &ours).ns, 90);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sync/peers");
	TCase *tests = tcase_create("all");

	tcase_add_test(tests, candidates);
	tcase_add_test(tests, too_old);
	tcase_add_test(tests, ahead);
	tcase_add_test(tests, covering);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
