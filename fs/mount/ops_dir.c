/* Listings. The offset of an entry is its kind and number, so that a listing can go on at any of them; a zone's place in the order is its key, kept for
 * the last one in the handle and looked up by id for any other. Nothing is kept per zone. */
#include "fs/mount/ops.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

enum part { PART_DOTS, PART_ZONES, PART_SCRATCH, PART_MADE, PART_END };
#define OFFSET(part, number) ((off_t)(part) << 32 | (off_t)(number))
#define OFFSET_PART(offset) ((enum part)((offset) >> 32))
#define OFFSET_NUMBER(offset) ((uint32_t)(offset))

struct control_name {
	char *name;
	bool directory;
};
struct zn_listing {
	struct zn_place place;
	char *path;			/* of a control directory */
	pthread_mutex_t lock;		/* two threads may read one descriptor */
	struct zn_index_key after;	/* zones: the last one that was given out */
	off_t last;			/* its offset */
	size_t unlisted;		/* zones passed over: their names would be too long */
	struct made {
		uint32_t id;
		char name[ZN_FILENAME_MAX + 1];
	} *made;			/* names without text, as of the begin of that part */
	size_t made_count;
	struct control_name *control;
	size_t control_count;
};

/* A reply that is being filled. */
struct page {
	fuse_req_t req;
	struct zn_mount *mount;
	char *bytes;
	size_t size, used;
	bool plus;
};

/* false: it does not fit any more. */
static bool add(struct page *page, const char *name, const struct fuse_entry_param *entry, off_t offset)
{
	char *at = page->bytes + page->used;
	size_t room = page->size - page->used;
	size_t need = page->plus ? fuse_add_direntry_plus(page->req, at, room, name, entry, offset)
				 : fuse_add_direntry(page->req, at, room, name, &entry->attr, offset);

	if (need > room)
		return false;
	page->used += need;
	return true;
}

/* No inode for it: the kernel asks when it wants to know more. */
static bool add_name(struct page *page, const char *name, uint64_t inode, mode_t type, off_t offset)
{
	struct fuse_entry_param entry = {.attr = {.st_ino = inode, .st_mode = type}};

	return add(page, name, &entry, offset);
}

/* Zones */

static bool hidden(struct zn_mount *mount, uint32_t zone)
{
	pthread_mutex_lock(&mount->lock);
	bool hide = false;

	if (mount->tree.vacated) {
		const struct zn_file *file = zn_tree_find_id(&mount->tree, zone);

		hide = file && !zn_file_visible(file, true);
	}
	pthread_mutex_unlock(&mount->lock);
	return hide;
}

static bool add_zone(struct page *page, const struct zn_listed *listed, const char *name, uint64_t told)
{
	struct zn_mount *mount = page->mount;
	off_t offset = OFFSET(PART_ZONES, listed->zone.id);
	struct fuse_entry_param entry = {.generation = 1};
	struct zn_zone_info info;

	if (!page->plus || !listed->stat.known || zn_mount_zone_by_id(mount, listed->zone.id, &info) != ZN_OK)
		return add_name(page, name, zn_inode_zone(listed->zone.id), S_IFREG, offset);
	pthread_mutex_lock(&mount->lock);
	/* A zone on which a writer is on his way is looked up one by one. */
	bool plain = !zn_tree_find_id(&mount->tree, info.id) && zn_nodes_covers(&mount->nodes, info.id, told);
	uint32_t version = zn_nodes_version(&mount->nodes, info.id);

	pthread_mutex_unlock(&mount->lock);
	/* Nothing was committed since the listing began, so size and version belong together. */
	if (!plain || zn_env_last_txnid(mount->parts.env, ZN_RECORDS) > told)
		return add_name(page, name, zn_inode_zone(info.id), S_IFREG, offset);
	entry.ino = zn_version_node(info.id, version);
	entry.attr_timeout = entry.entry_timeout = ZN_LONG_TIMEOUT;
	zn_zone_attr(mount, &info, listed->stat.size, listed->stat.mtime, &entry.attr);
	return add(page, name, &entry, offset);
}

/* Where the part of zones goes on. */
static void seek_zone(struct zn_mount *mount, struct zn_listing *listing, off_t offset)
{
	struct zn_zone_info info;

	if (OFFSET_PART(offset) == PART_DOTS) {
		listing->after.len = 0;
		listing->unlisted = 0;
	} else if (offset != listing->last && zn_mount_zone_by_id(mount, OFFSET_NUMBER(offset), &info) == ZN_OK &&
		   zn_index_key_make(&info.zone, info.id, &listing->after) != ZN_OK) {
		listing->after.len = 0;
	}
}

/* true: all zones are in; false: the page is full, or *ret_code is not ZN_OK. */
static bool add_zones(struct page *page, struct zn_listing *listing, off_t offset, enum zn_code *ret_code)
{
	struct zn_mount *mount = page->mount;
	ZN_AUTO_PTR(zn_zone_list_end) struct zn_zone_list *list = NULL;
	struct zn_err err;

	seek_zone(mount, listing, offset);
	uint64_t told = zn_watch_seen(mount->parts.watch, ZN_RECORDS);

	*ret_code = zn_zone_list_begin(mount->parts.local, &list, &err);
	while (*ret_code == ZN_OK) {
		struct zn_index_key at = listing->after;
		struct zn_listed listed;
		char name[ZN_FILENAME_MAX + 1];

		*ret_code = zn_zone_list_next(list, &at, &listed, &err);
		if (*ret_code == ZN_ENOTFOUND) {
			pthread_mutex_lock(&mount->lock);
			mount->unlisted = listing->unlisted;
			pthread_mutex_unlock(&mount->lock);
			*ret_code = ZN_OK;
			return true;
		}
		if (*ret_code != ZN_OK)
			break;
		if (zn_zone_to_filename(&listed.zone.zone.name, listed.zone.zone.variant, name) != ZN_OK) {
			listing->unlisted++;
		} else if (!hidden(mount, listed.zone.id) && !add_zone(page, &listed, name, told)) {
			return false;
		}
		listing->after = at;
		listing->last = OFFSET(PART_ZONES, listed.zone.id);
	}
	zn_warning("list zones: %s", err.text);
	return false;
}

/* Scratch */

static bool add_scratch(struct page *page, struct zn_scratch *scratch)
{
	struct zn_mount *mount = page->mount;
	struct fuse_entry_param entry = {0};
	off_t offset = OFFSET(PART_SCRATCH, scratch->number);

	if (!page->plus) {
		zn_scratch_attr(mount, scratch, &entry.attr);
		return add(page, scratch->name, &entry, offset);
	}
	if (!zn_scratch_entry(mount, scratch, &entry))
		return add_name(page, scratch->name, zn_inode_scratch(scratch->number), S_IFREG, offset);
	if (add(page, scratch->name, &entry, offset))
		return true;
	/* Its node stays, with one lookup less; the next page takes it. */
	((struct zn_node *)scratch->node)->lookups--;
	return false;
}

static bool add_scratches(struct page *page, uint32_t directory, off_t offset)
{
	struct zn_mount *mount = page->mount;
	uint32_t number = OFFSET_PART(offset) == PART_SCRATCH ? OFFSET_NUMBER(offset) : 0;
	struct zn_scratch *scratch;
	bool fits = true;

	pthread_mutex_lock(&mount->lock);
	while (fits && (scratch = zn_scratch_after(&mount->scratches, directory, number))) {
		fits = add_scratch(page, scratch);
		number = scratch->number;
	}
	pthread_mutex_unlock(&mount->lock);
	return fits;
}

/* Names without text */

static void collect_made(struct zn_mount *mount, struct zn_listing *listing)
{
	size_t at = 0, capacity = 0;
	const struct zn_file *file;

	free(listing->made);
	listing->made = NULL;
	listing->made_count = 0;
	pthread_mutex_lock(&mount->lock);
	while ((file = zn_table_next(&mount->tree.names, &at)))
		for (; file; file = file->same_hash) {
			if (!file->made || file->stored)
				continue;
			if (listing->made_count == capacity) {
				struct made *more = realloc(listing->made, (capacity = capacity ? capacity * 2 : 8) * sizeof *more);

				if (!more)
					break;
				listing->made = more;
			}
			struct made *made = &listing->made[listing->made_count];

			made->id = file->id;
			if (zn_zone_to_filename(&file->zone.name, file->zone.variant, made->name) == ZN_OK)
				listing->made_count++;
		}
	pthread_mutex_unlock(&mount->lock);
}

static bool add_made(struct page *page, struct zn_listing *listing, off_t offset)
{
	size_t at = OFFSET_PART(offset) == PART_MADE ? OFFSET_NUMBER(offset) : 0;

	if (at == 0)
		collect_made(page->mount, listing);
	for (; at < listing->made_count; at++)
		if (!add_name(page, listing->made[at].name, zn_inode_zone(listing->made[at].id), S_IFREG, OFFSET(PART_MADE, at + 1)))
			return false;
	return true;
}

/* .zonefs */

static enum zn_code collect_control_name(void *context, const char *name, enum zn_control_type type)
{
	struct zn_listing *listing = context;
	struct control_name *more = realloc(listing->control, (listing->control_count + 1) * sizeof *more);

	if (!more)
		return ZN_ENOMEM;
	listing->control = more;
	more[listing->control_count] = (struct control_name){strdup(name), type == ZN_CONTROL_DIR};
	if (!more[listing->control_count].name)
		return ZN_ENOMEM;
	listing->control_count++;
	return ZN_OK;
}

static void clear_control(struct zn_listing *listing)
{
	for (size_t i = 0; i < listing->control_count; i++)
		free(listing->control[i].name);
	free(listing->control);
	listing->control = NULL;
	listing->control_count = 0;
}

static enum zn_code add_control(struct page *page, struct zn_listing *listing, off_t offset)
{
	size_t at = OFFSET_PART(offset) == PART_MADE ? OFFSET_NUMBER(offset) : 0;
	enum zn_code code = ZN_OK;

	if (at == 0) {
		clear_control(listing);
		code = zn_control_list(page->mount->parts.control, listing->path, collect_control_name, listing);
	}
	for (; code == ZN_OK && at < listing->control_count; at++)
		if (!add_name(page, listing->control[at].name, zn_inode_control(UINT32_MAX), listing->control[at].directory ? S_IFDIR : S_IFREG,
			    OFFSET(PART_MADE, at + 1)))
			break;
	return code;
}

/* Pages */

static bool add_dots(struct page *page, off_t offset)
{
	for (off_t at = offset; at < 2; at++)
		if (!add_name(page, at ? ".." : ".", ZN_NODE_ROOT, S_IFDIR, at + 1))
			return false;
	return true;
}

static enum zn_code fill(struct page *page, struct zn_listing *listing, off_t offset)
{
	enum zn_code code = ZN_OK;

	if (OFFSET_PART(offset) == PART_DOTS && !add_dots(page, offset))
		return ZN_OK;
	switch (listing->place.kind) {
	case ZN_PLACE_TOP:
		break;
	case ZN_PLACE_SCRATCH:
		add_scratches(page, listing->place.scratch, offset);
		return ZN_OK;
	case ZN_PLACE_CONTROL:
		return add_control(page, listing, offset);
	case ZN_PLACE_NOT_A_DIRECTORY:
		return ZN_OK;
	}
	if (OFFSET_PART(offset) <= PART_ZONES && !add_zones(page, listing, offset, &code))
		return code;
	if (OFFSET_PART(offset) <= PART_SCRATCH && !add_scratches(page, 0, offset))
		return ZN_OK;
	add_made(page, listing, offset);
	return ZN_OK;
}

static void read_directory(fuse_req_t req, size_t size, off_t offset, struct fuse_file_info *fi, bool plus)
{
	struct zn_listing *listing = zn_handle_of(fi)->listing;
	ZN_AUTO_FREE char *bytes = malloc(size);
	struct page page = {req, zn_mount_of(req), bytes, size, 0, plus};

	if (!bytes || !listing) {
		fuse_reply_err(req, bytes ? ENOTDIR : ENOMEM);
		return;
	}
	pthread_mutex_lock(&listing->lock);
	enum zn_code code = fill(&page, listing, offset);

	pthread_mutex_unlock(&listing->lock);
	if (code != ZN_OK && !page.used)
		fuse_reply_err(req, zn_errno(code, NULL, ZN_OP_OTHER));
	else
		fuse_reply_buf(req, bytes, page.used);
}

void zn_op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	(void)ino;
	read_directory(req, size, offset, fi, false);
}

void zn_op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	(void)ino;
	read_directory(req, size, offset, fi, true);
}

void zn_listing_free(struct zn_listing *listing)
{
	if (!listing)
		return;
	clear_control(listing);
	free(listing->made);
	free(listing->path);
	pthread_mutex_destroy(&listing->lock);
	free(listing);
}

void zn_op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct zn_mount *mount = zn_mount_of(req);
	struct zn_who who = zn_who(req);
	struct zn_place place = zn_place(mount, ino);
	int error = place.kind == ZN_PLACE_CONTROL ? 0 : zn_directory_may(mount, &who, ino, R_OK);
	struct zn_handle *handle = zn_handle_new(mount, NULL);
	struct zn_listing *listing = calloc(1, sizeof *listing);
	char *path = place.path ? strdup(place.path) : NULL;

	if (place.kind == ZN_PLACE_NOT_A_DIRECTORY)
		error = ENOTDIR;
	if (!handle || !listing || (place.path && !path))
		error = ENOMEM;
	if (error) {
		if (handle)
			zn_handle_free(mount, handle);
		free(listing);
		free(path);
		fuse_reply_err(req, error);
		return;
	}
	listing->place = place;
	listing->place.path = NULL;
	listing->path = path;
	pthread_mutex_init(&listing->lock, NULL);
	handle->listing = listing;
	fi->fh = (uint64_t)(uintptr_t)handle;
	if (fuse_reply_open(req, fi) != 0)
		zn_handle_free(mount, handle);
}

void zn_op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct zn_handle *handle = zn_handle_of(fi);

	(void)ino;
	if (fi->flock_release)
		zn_unlock(zn_mount_of(req), NULL, ZN_LOCK_FLOCK, fi->lock_owner);
	zn_handle_free(zn_mount_of(req), handle);
	fuse_reply_err(req, 0);
}

/* fsync of the top directory buries what is vacated (rule 11), and waits for it. */
struct bury_errand {
	struct zn_errand errand;
	struct zn_mount *mount;
	fuse_req_t req;
};

static void run_bury(struct zn_errand *errand)
{
	struct bury_errand *b = (struct bury_errand *)errand;

	zn_bury_due(b->mount, true);
	fuse_reply_err(b->req, 0);
	free(b);
}

void zn_op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct zn_mount *mount = zn_mount_of(req);
	struct bury_errand *b = ino == ZN_NODE_ROOT ? calloc(1, sizeof *b) : NULL;

	(void)datasync;
	(void)fi;
	if (!b) {
		fuse_reply_err(req, ino == ZN_NODE_ROOT ? ENOMEM : 0);
		return;
	}
	*b = (struct bury_errand){{.run = run_bury}, mount, req};
	zn_errands_add(mount->errands, &b->errand);
}
