/* store/commit.h - the commit thread: the only writer of this process.
 *
 * A job is handed over, waits for the writer lock (other processes write too) and runs inside a transaction; saves that wait together
 * share one transaction, each in a child of its own, accepted or refused by itself; saves go before merges (but a merge is not kept waiting for ever). A merge never shares its
 * transaction with anything: sync tells its own commits from everybody else's by their number (sync/ledger.h). A job names the envs it
 * writes and in which order (details.md 1): one transaction per env, never two writer locks at a time.
 * When main is written after records (a new zone) or before (a deletion), the intent that the job leaves in _sync_zonefs of the first env is
 * rolled forward at the next start (store/zones.h). */
#pragma once
#include "store/txn.h"

enum zn_job_class { ZN_JOB_SAVE, ZN_JOB_MERGE };
enum zn_job_order { ZN_JOB_RECORDS, ZN_JOB_MAIN, ZN_JOB_RECORDS_MAIN, ZN_JOB_MAIN_RECORDS };

struct zn_job {
	enum zn_job_class class;
	enum zn_job_order order;
	uint64_t deadline;	/* zn_clock_mono(); a job not claimed by then is done with ZN_EBUSY. 0: waits for ever */
	/* Runs on the commit thread inside a transaction of `txn->which`, once per env in `order`; must not block. A failure drops what it
	 * did there, and later envs are not run. May set order to leave out the second env. May run again from the start when the transaction
	 * as a whole could not be committed with the others: it must not keep results of a run until done() says ZN_OK. */
	enum zn_code (*run)(struct zn_job *job, struct zn_txn *txn, struct zn_err *err);
	/* Last word, with no lock of ours held: on the commit thread after the commit or with the failure; on the thread that watches deadlines, or in
	 * submit or stop, when refused there. Must not block; owns the job from here on. */
	void (*done)(struct zn_job *job, enum zn_code code, const struct zn_err *err);
	bool more;		/* for done(): a job that shares its transactions is told after this one; what it tells zn_watch_tell() goes with it */
	/* private to commit.c */
	struct zn_job *next;
	struct zn_job_waiter *waiter;
	enum zn_job_order asked;
	int state;
};

struct zn_commit;
ZN_MUST_USE enum zn_code zn_commit_start(struct zn_env *env, struct zn_commit **ret_commit, struct zn_err *err);
/* Jobs waiting are run; those not had by `deadline` (zn_clock_mono()), or when a foreign process holds the lock for a second, are done with ZN_EBUSY. When the
 * commit thread itself cannot be had back, because LMDB waits for that process for ever, it is left behind and the env abandoned
 * (zn_env_abandon): the process is to exit. Nothing is submitted any more. */
void zn_commit_stop(struct zn_commit *commit, uint64_t deadline);

void zn_commit_submit(struct zn_commit *commit, struct zn_job *job);
/* Withdraw a job that has not been claimed: true, and done() is not called. false: it is running or done. */
bool zn_commit_withdraw(struct zn_commit *commit, struct zn_job *job);
/* Submit and wait; for commands and tests, never on a FUSE worker. done may be NULL. */
ZN_MUST_USE enum zn_code zn_commit_run(struct zn_commit *commit, struct zn_job *job, struct zn_err *err);

struct zn_commit_usage {
	size_t waiting;
	uint64_t commits, jobs;
	bool lock_held_elsewhere;	/* we have been waiting for the lock for over a second */
};
void zn_commit_usage(struct zn_commit *commit, struct zn_commit_usage *ret_usage);
