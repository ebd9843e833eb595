/* sync/publish.h - local changes into the bucket: a base of one or both databases, each a snapshot of
 * everything that an LS reader gets complete state from.
 *
 * A base is dumped to a temporary file under a read transaction, read back and checked, then stored: the
 * records first, so that nobody sees a zone in the list before its records, though main was dumped first,
 * so that it lists no zone that the records lack. Stamps of an instance strictly increase; a failed upload
 * is never repeated under its name. */
#pragma once
#include "sync/engine.h"

enum zn_publish_why {
	ZN_PUBLISH_NOT,
	ZN_PUBLISH_PENDING,	/* transactions that are neither published nor echoes */
	ZN_PUBLISH_RENEW,	/* the bucket lacks a young one that covers what we hold */
};

/* At the start: an env that holds nothing of its own has nothing to publish, whatever was committed in it. Before
 * the first merge, after which that is no longer to be seen. */
ZN_MUST_USE enum zn_code zn_publish_begin(struct zn_sync *sync, struct zn_err *err);

/* Why a base of `db` is due, by what the last listing and the env say. */
ZN_MUST_USE enum zn_code zn_publish_due(struct zn_sync *sync, struct zn_sync_db *db, enum zn_publish_why *ret_why,
		struct zn_err *err);

/* Publish what `why`, by enum zn_which, asks for. An empty database, and one in which no replicated row
 * changed, is noted as published without an object. */
ZN_MUST_USE enum zn_code zn_publish(struct zn_sync *sync, const enum zn_publish_why why[static 2],
		struct zn_err *err);
