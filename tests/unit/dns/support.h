/* tests/unit/dns/support.h - a zone from lines of a table, without the text layer. */
#pragma once
#include <check.h>

#include "store/base/wire.h"
#include "store/dns/rdata.h"
#include "store/dns/zone.h"

static inline struct zn_name name_of(const char *text)
{
	struct zn_name name;
	struct zn_err err = {0};

	ck_assert_msg(zn_name_from_text(zn_view_str(text), NULL, &name, &err) == ZN_OK, "%s: %s", text, err.text);
	return name;
}

static inline struct zn_key key_of(const char *owner, const struct zn_name *apex)
{
	struct zn_name name;
	struct zn_key key;

	ck_assert_int_eq(zn_name_from_text(zn_view_str(owner), apex, &name, NULL), ZN_OK);
	ck_assert_int_eq(zn_key_from_name(&name, apex, &key), ZN_OK);
	return key;
}

/* RDATA of a few types from text: names for NS, CNAME, DNAME, PTR, ALIAS and MX (preference 10), a dotted quad for A, mname and rname
 * with serial 1 for SOA; hex for all others. */
static inline void add_record(struct zn_zone *zone, const char *owner, const char *type_text, uint32_t ttl, const char *text, uint32_t tag)
{
	const struct zn_name *apex = zn_zone_apex(zone);
	struct zn_key key = key_of(owner, apex);
	struct zn_buf rdata = ZN_BUF_INIT(70000);
	struct zn_name name;
	unsigned a, b, c, d;
	uint16_t type;

	ck_assert(zn_rrtype_from_text(zn_view_str(type_text), &type));
	switch ((int)type) {
	case ZN_TYPE_SOA:
		for (const char *at = text; at; at = strchr(at, ' ') ? strchr(at, ' ') + 1 : NULL) {
			size_t len = strcspn(at, " ");
			ck_assert_int_eq(zn_name_from_text(zn_view(at, len), apex, &name, NULL), ZN_OK);
			zn_buf_add(&rdata, zn_name_view(&name));
		}
		for (unsigned i = 1; i <= 5; i++)
			zn_write_u32(&rdata, i);
		break;
	case ZN_TYPE_MX:
		zn_write_u16(&rdata, 10);
		/* fallthrough */
	case ZN_TYPE_NS:
	case ZN_TYPE_CNAME:
	case ZN_TYPE_DNAME:
	case ZN_TYPE_PTR:
	case ZN_TYPE_ALIAS:
		ck_assert_int_eq(zn_name_from_text(zn_view_str(text), apex, &name, NULL), ZN_OK);
		zn_buf_add(&rdata, zn_name_view(&name));
		break;
	case ZN_TYPE_A:
		ck_assert_int_eq(sscanf(text, "%u.%u.%u.%u", &a, &b, &c, &d), 4);
		zn_write_u32(&rdata, a << 24 | b << 16 | c << 8 | d);
		break;
	default:
		ck_assert_int_eq(zn_buf_add_from_hex(&rdata, text), ZN_OK);
		break;
	}
	zn_zone_add(zone, zn_key_view(&key), type, ttl, zn_buf_view(&rdata), tag);
	zn_buf_release(&rdata);
}

/* Lines "owner type ttl rdata", unfinished; tags are line numbers from 1. */
static inline struct zn_zone *zone_of(const char *apex_text, const char *const *lines)
{
	struct zn_name apex = name_of(apex_text);
	struct zn_zone *zone;
	uint32_t tag = 0;

	ck_assert_int_eq(zn_zone_new(&apex, &zone), ZN_OK);
	for (; *lines; lines++) {
		char owner[300], type[20];
		unsigned ttl;
		int rest = 0;
		ck_assert_msg(sscanf(*lines, "%299s %19s %u %n", owner, type, &ttl, &rest) == 3, "%s", *lines);
		add_record(zone, owner, type, ttl, *lines + rest, ++tag);
	}
	return zone;
}
