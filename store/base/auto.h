/* store/base/auto.h - ownership by scope.
 *
 *   ZN_AUTO(zn_buf_release) struct zn_buf text = ZN_BUF_INIT(ZN_TEXT_MAX);   released when it goes out of scope
 *   ZN_AUTO_PTR(zn_zone_free) struct zn_zone *zone = NULL;                    the same for a pointer to free
 *   *ret_zone = zn_steal(&zone);                                              handed on: the scope frees nothing
 *
 * Each function named in ZN_AUTO_PTR needs one ZN_DEFINE_AUTO(type, function) in the header that
 * declares it. */
#pragma once
#include <stdlib.h>
#include <unistd.h>

#define ZN_AUTO(release) __attribute__((cleanup(release)))

#define ZN_DEFINE_AUTO(type, function)                           \
	static inline void function##_auto_(type **pointer)      \
	{                                                        \
		if (*pointer)                                    \
			function(*pointer);                      \
	}
#define ZN_AUTO_PTR(function) __attribute__((cleanup(function##_auto_)))

static inline void zn_auto_free_(void *pointer)
{
	free(*(void **)pointer);
}
#define ZN_AUTO_FREE __attribute__((cleanup(zn_auto_free_)))

static inline void zn_auto_close_(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
#define ZN_AUTO_CLOSE __attribute__((cleanup(zn_auto_close_)))

#define zn_steal(pointer)                          \
	({                                         \
		__typeof__(pointer) p_ = (pointer); \
		__typeof__(*p_) v_ = *p_;          \
		*p_ = NULL;                        \
		v_;                                \
	})
