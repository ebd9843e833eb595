#include "fs/mount/recent.h"

struct zn_content *zn_recent_find(struct zn_recent *recent, uint64_t node, struct zn_loaded *ret_loaded)
{
	for (size_t i = 0; i < ZN_RECENT_COUNT; i++) {
		const struct zn_recent_text *text = &recent->texts[i];

		if (text->content && text->node == node) {
			*ret_loaded = text->loaded;
			return zn_content_share(text->content);
		}
	}
	return NULL;
}

struct zn_content *zn_recent_keep(struct zn_recent *recent, uint64_t node, struct zn_content *content, const struct zn_loaded *loaded)
{
	size_t size = zn_content_size(content);
	struct zn_recent_text *text = &recent->texts[recent->next];

	if (size <= ZN_CONTENT_IN_MEMORY || size > ZN_RECENT_MAX)
		return NULL;
	for (size_t i = 0; i < ZN_RECENT_COUNT; i++)
		if (recent->texts[i].content && recent->texts[i].node == node)
			return NULL;
	struct zn_content *gone = text->content;

	*text = (struct zn_recent_text){node, zn_content_share(content), *loaded};
	recent->next = (recent->next + 1) % ZN_RECENT_COUNT;
	return gone;
}

void zn_recent_release(struct zn_recent *recent)
{
	for (size_t i = 0; i < ZN_RECENT_COUNT; i++)
		zn_content_unref(recent->texts[i].content);
	*recent = (struct zn_recent){0};
}
