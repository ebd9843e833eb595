/* store/base/limits.h - every ceiling of the program, with unit and reason. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define ZN_TEXT_MAX ((size_t)2 << 30)		/* bytes of one zone's text: offsets in it are 32 bits signed in libzscanner */
#define ZN_ENTRY_MAX ((size_t)1 << 20)		/* bytes of one entry (a record in parentheses may span lines) */
#define ZN_INCLUDE_DEPTH_MAX 8
#define ZN_GENERATE_MAX 1000000			/* records one $GENERATE may make */
#define ZN_FINDINGS_MAX 1000			/* findings kept; the rest is counted */
#define ZN_RR_MAX ((size_t)65535)		/* RDATA bytes, RFC 1035 3.2.1 */
#define ZN_RRSET_MAX ((size_t)64 << 10)		/* bytes of an RRset that still fits a message */
#define ZN_TTL_MAX UINT32_C(0x7fffffff)		/* RFC 2181 8 */

#define ZN_OBJECT_MAX ((size_t)8 << 30)		/* bytes of a snapshot, decompressed */
#define ZN_DB_NAME_MAX 63			/* name of a DBI we create or replicate */
#define ZN_LMDB_KEY_MAX 511			/* LMDB's own */

#define ZN_MAP_SIZE_DEFAULT ((uint64_t)16000 << 20) /* PowerDNS's lmdb-map-size */
#define ZN_MAX_DBS 128				/* as PowerDNS */
#define ZN_MAX_READERS 1024			/* slots we ask for when we create the lock file */
