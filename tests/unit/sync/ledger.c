#include "tests/unit/suite.h"

#include <stdlib.h>

#include "store/base/auto.h"
#include "sync/ledger.h"

START_TEST(stories)
{
	struct zn_ledger l = {0};

	ck_assert(!zn_ledger_pending(&l, 0));
	ck_assert(zn_ledger_pending(&l, 1)); /* the first commit is somebody's */
	zn_ledger_published(&l, 1);
	ck_assert(!zn_ledger_pending(&l, 1));
	zn_ledger_own(&l, 2); /* a merge right behind: nothing to tell */
	ck_assert(!zn_ledger_pending(&l, 2));
	zn_ledger_own(&l, 4); /* 3 was a save between two merges */
	ck_assert(zn_ledger_pending(&l, 4));
	zn_ledger_own(&l, 5);
	ck_assert(zn_ledger_pending(&l, 5));
	ck_assert(zn_ledger_settled(&l, 2) && !zn_ledger_settled(&l, 3) && zn_ledger_settled(&l, 4));
	ck_assert(zn_ledger_settled(&l, 5) && !zn_ledger_settled(&l, 6));
	zn_ledger_published(&l, 3); /* the dump saw 3; 4 and 5 came while it was sent */
	ck_assert(!zn_ledger_pending(&l, 5));
	ck_assert(zn_ledger_pending(&l, 6));
	ck_assert(!zn_ledger_void(&l, 5));
	ck_assert(zn_ledger_void(&l, 4)); /* the counter went back: another history */
}
END_TEST

/* Any interleaving of saves, merges, dumps that are sent while others commit, lost publications and
 * restarts: pending exactly when a change of somebody's is in no published dump. Against a model that
 * remembers every single transaction. */
START_TEST(interleavings)
{
	enum { LAST = 300 };

	for (unsigned seed = 0; seed < 2000; seed++) {
		struct zn_ledger l = {0};
		bool settled[LAST + 1] = {false};
		uint64_t last = 0, dumped = 0;
		bool forgets = seed % 4 == 0; /* saves and merges in turn overflow the ranges */

		srand(seed);
		while (last < LAST) {
			switch (rand() % (forgets ? 3 : 7)) {
			case 0:
				last++; /* a save, or another process */
				break;
			case 1:
			case 2:
				last++;
				zn_ledger_own(&l, last);
				settled[last] = true;
				break;
			case 3:
				dumped = last; /* the dump's read transaction */
				break;
			case 4:
				if (!dumped)
					break;
				/* Uploaded; noted in a transaction of our own. */
				for (uint64_t t = 1; t <= dumped; t++)
					settled[t] = true;
				last++;
				settled[last > LAST ? LAST : last] = true;
				zn_ledger_published(&l, dumped);
				zn_ledger_own(&l, last);
				dumped = 0;
				break;
			case 5:
				dumped = 0; /* the upload failed */
				break;
			default: {
				ZN_AUTO(zn_buf_release) struct zn_buf bytes = ZN_BUF_INIT(4096);

				zn_ledger_encode(&l, &bytes);
				ck_assert_int_eq(zn_ledger_decode(zn_buf_view(&bytes), &l), ZN_OK);
				dumped = 0;
			}
			}
			bool pending = false;
			for (uint64_t t = 1; t <= last && t <= LAST; t++)
				pending = pending || !settled[t];
			/* What is forgotten is published once more, never the other way round. */
			if (pending)
				ck_assert_msg(zn_ledger_pending(&l, last), "seed %u: a change was lost", seed);
			else if (!forgets)
				ck_assert_msg(!zn_ledger_pending(&l, last), "seed %u: an echo", seed);
			ck_assert(!zn_ledger_void(&l, last));
		}
	}
}
END_TEST

START_TEST(coding)
{
	ZN_AUTO(zn_buf_release) struct zn_buf bytes = ZN_BUF_INIT(4096);
	struct zn_ledger l = {0}, back;

	zn_ledger_published(&l, 7);
	zn_ledger_own(&l, 10);
	zn_ledger_own(&l, 11);
	zn_ledger_own(&l, 13);
	zn_ledger_encode(&l, &bytes);
	for (size_t len = 0; len < bytes.len; len++)
		ck_assert_int_eq(zn_ledger_decode(zn_view(bytes.data, len), &back), ZN_ECORRUPT);
	ck_assert_int_eq(zn_ledger_decode(zn_buf_view(&bytes), &back), ZN_OK);
	ck_assert_uint_eq(back.quiet, 7);
	ck_assert_uint_eq(back.count, 2);
	ck_assert_uint_eq(back.ranges[0].first, 10);
	ck_assert_uint_eq(back.ranges[1].last, 13);
	bytes.data[0] = 9;
	ck_assert_int_eq(zn_ledger_decode(zn_buf_view(&bytes), &back), ZN_EFORMAT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sync/ledger");
	TCase *tests = tcase_create("all");

	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, stories);
	tcase_add_test(tests, interleavings);
	tcase_add_test(tests, coding);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
