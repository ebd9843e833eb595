#include "fs/mount/tree.h"

#include "store/base/clock.h"

enum zn_name_kind zn_name_kind(const char *name, struct zn_zone_id *ret_zone, bool *ret_canonical)
{
	struct zn_view view = zn_view_str(name);

	if (strcmp(name, ZN_CONTROL_NAME) == 0)
		return ZN_NAME_CONTROL;
	if (!zn_zone_from_filename(view, &ret_zone->name, ret_zone->variant))
		return ZN_NAME_SCRATCH;
	*ret_canonical = zn_zone_filename_is_canonical(view);
	return ZN_NAME_ZONE;
}

bool zn_name_foretells(const char *name, struct zn_zone_id *ret_zone)
{
	static const char *const others[] = {"sw", "bak", "orig", "rej", "ZILESAVE"};
	char file[ZN_FILENAME_MAX + 1];
	bool canonical;

	name += *name == '.';
	const char *suffix = strstr(name, ".zone.");

	if (!suffix || suffix + 5 - name > ZN_FILENAME_MAX)
		return false;
	size_t len = (size_t)(suffix + 5 - name);

	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (strncmp(suffix + 6, others[i], strlen(others[i])) == 0)
			return false;
	if (name[strlen(name) - 1] == '~')
		return false;
	memcpy(file, name, len);
	file[len] = '\0';
	return zn_name_kind(file, ret_zone, &canonical) == ZN_NAME_ZONE;
}

static uint64_t name_key(const struct zn_zone_id *zone)
{
	return zn_table_hash(zn_name_view(&zone->name), zn_table_hash(zn_view_str(zone->variant), 0));
}

static bool same_zone(const struct zn_zone_id *a, const struct zn_zone_id *b)
{
	return zn_name_equal(&a->name, &b->name) && strcmp(a->variant, b->variant) == 0;
}

void zn_tree_release(struct zn_tree *tree)
{
	size_t at = 0;
	struct zn_file *file;

	while ((file = zn_table_next(&tree->names, &at)))
		while (file) {
			struct zn_file *next = file->same_hash;

			free(file);
			file = next;
		}
	zn_table_release(&tree->names);
	zn_table_release(&tree->ids);
}

struct zn_file *zn_tree_find(const struct zn_tree *tree, const struct zn_zone_id *zone)
{
	struct zn_file *file = zn_table_get(&tree->names, name_key(zone));

	while (file && !same_zone(&file->zone, zone))
		file = file->same_hash;
	return file;
}

struct zn_file *zn_tree_find_id(const struct zn_tree *tree, uint32_t id)
{
	return zn_table_get(&tree->ids, id);
}

struct zn_file *zn_tree_hold(struct zn_tree *tree, const struct zn_zone_id *zone, uint32_t id, bool stored)
{
	struct zn_file *file = zn_tree_find(tree, zone);

	if (file) {
		file->held++;
		return file;
	}
	uint64_t key = name_key(zone);

	file = calloc(1, sizeof *file);
	if (!file)
		return NULL;
	*file = (struct zn_file){.zone = *zone, .id = id, .stored = stored, .held = 1, .deadline = UINT64_MAX};
	file->same_hash = zn_table_get(&tree->names, key);
	if (zn_table_put(&tree->names, key, file) != ZN_OK) {
		free(file);
		return NULL;
	}
	/* Without this entry changes told by id would be missed for a while; nothing else depends on it. */
	if (!zn_table_get(&tree->ids, id) && zn_table_put(&tree->ids, id, file) != ZN_OK) {
		zn_tree_drop(tree, file);
		return NULL;
	}
	return file;
}

static void forget(struct zn_tree *tree, struct zn_file *file)
{
	uint64_t key = name_key(&file->zone);
	struct zn_file *head = zn_table_take(&tree->names, key), **link = &head;

	while (*link != file)
		link = &(*link)->same_hash;
	*link = file->same_hash;
	if (head && zn_table_put(&tree->names, key, head) != ZN_OK)
		abort(); /* cannot be: the slot was just freed */
	if (zn_table_get(&tree->ids, file->id) == file)
		zn_table_take(&tree->ids, file->id);
	free(file);
}

void zn_tree_drop(struct zn_tree *tree, struct zn_file *file)
{
	if (!file || --file->held > 0)
		return;
	if (!file->vacated && !file->made && !file->drafts && !file->asks && !file->blind_until && !file->saving)
		forget(tree, file);
}

void zn_tree_stored(struct zn_tree *tree, struct zn_file *file, bool stored, uint32_t id)
{
	file->stored = stored;
	if (stored)
		file->made = false;
	if (file->id == id || !stored)
		return;
	if (zn_table_get(&tree->ids, file->id) == file)
		zn_table_take(&tree->ids, file->id);
	file->id = id;
	if (!zn_table_get(&tree->ids, id) && zn_table_put(&tree->ids, id, file) != ZN_OK)
		return; /* as in zn_tree_hold() */
}

bool zn_file_visible(const struct zn_file *file, bool stored)
{
	if (!file)
		return stored;
	if (stored)
		return !file->vacated || file->creations > 0;
	return file->made;
}

static void start_grace(const struct zn_tree *tree, struct zn_file *file, uint64_t now)
{
	uint64_t grace = tree->grace == UINT64_MAX ? ZN_GRACE_DEFAULT : tree->grace;

	file->deadline = now + grace;
}

void zn_file_vacate(struct zn_tree *tree, struct zn_file *file, uint64_t now)
{
	tree->vacated += !file->vacated;
	file->vacated = true;
	/* Handles made under the name before are drafts of a zone that is gone from sight now: they hold nothing up. */
	file->creations = 0;
	start_grace(tree, file, now);
}

bool zn_file_return(struct zn_tree *tree, struct zn_file *file)
{
	bool was = file->vacated;

	tree->vacated -= was;
	file->vacated = false;
	file->burying = false;
	file->creations = 0;
	file->deadline = UINT64_MAX;
	return was;
}

void zn_file_creation_begin(struct zn_file *file)
{
	file->creations++;
	file->deadline = UINT64_MAX;
}

void zn_file_creation_end(struct zn_tree *tree, struct zn_file *file, uint64_t now)
{
	if (file->creations && --file->creations == 0 && file->vacated)
		start_grace(tree, file, now);
}

struct zn_file *zn_tree_due(struct zn_tree *tree, uint64_t now, bool all, uint64_t *ret_next)
{
	size_t at = 0;
	struct zn_file *head, *due = NULL;

	*ret_next = UINT64_MAX;
	if (!tree->vacated)
		return NULL;
	while ((head = zn_table_next(&tree->names, &at)))
		for (struct zn_file *file = head; file; file = file->same_hash) {
			if (!file->vacated || file->burying || file->saving)
				continue;
			if (!all && file->deadline > now) {
				if (file->deadline < *ret_next)
					*ret_next = file->deadline;
			} else if (tree->grace == UINT64_MAX) {
				zn_file_return(tree, file);
			} else if (!due) {
				due = file;
				file->burying = true;
				file->held++;
			} else {
				*ret_next = now;
			}
		}
	return due;
}
