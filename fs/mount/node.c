#include "fs/mount/node.h"

void zn_nodes_init(struct zn_nodes *nodes, struct zn_tree *tree, uint64_t seen)
{
	*nodes = (struct zn_nodes){.tree = tree, .seen = seen, .next_id = ZN_NODE_ROOT + 1};
}

void zn_nodes_release(struct zn_nodes *nodes)
{
	size_t at = 0;
	void *each;

	for (struct zn_file *head; (head = zn_table_next(&nodes->tree->names, &at));)
		for (struct zn_file *file = head; file; file = file->same_hash)
			zn_file_awaited(file, UINT64_MAX); /* all are over */
	at = 0;
	while ((each = zn_table_next(&nodes->by_id, &at)))
		free(each);
	at = 0;
	while ((each = zn_table_next(&nodes->versions, &at)))
		free(each);
	zn_table_release(&nodes->by_id);
	zn_table_release(&nodes->versions);
}

struct zn_node *zn_nodes_get(const struct zn_nodes *nodes, uint64_t id)
{
	return zn_table_get(&nodes->by_id, id);
}

static struct zn_node *add(struct zn_nodes *nodes, uint64_t id, enum zn_node_kind kind)
{
	struct zn_node *node = calloc(1, sizeof *node);

	if (!node)
		return NULL;
	node->id = id;
	node->kind = kind;
	if (zn_table_put(&nodes->by_id, id, node) != ZN_OK) {
		free(node);
		return NULL;
	}
	return node;
}

struct zn_node *zn_nodes_add(struct zn_nodes *nodes, enum zn_node_kind kind)
{
	return add(nodes, nodes->next_id++, kind);
}

struct zn_node *zn_nodes_add_private(struct zn_nodes *nodes, struct zn_file *file)
{
	struct zn_node *node = zn_nodes_add(nodes, ZN_NODE_PRIVATE);

	if (!node)
		return NULL;
	file->held++;
	file->drafts++;
	node->file = file;
	node->zone = file->id;
	node->handles = node->writers = 1;
	return node;
}

static bool spent(const struct zn_node *node)
{
	return node->lookups == 0 && node->handles == 0 && node->held == 0;
}

struct zn_node *zn_nodes_spent(struct zn_nodes *nodes, struct zn_node *node)
{
	if (!spent(node))
		return NULL;
	zn_table_take(&nodes->by_id, node->id);
	return node;
}

struct zn_node *zn_nodes_forget(struct zn_nodes *nodes, uint64_t id, uint64_t count)
{
	struct zn_node *node = zn_nodes_get(nodes, id);

	if (!node || ZN_NODE_IS_VERSION(id))
		return NULL;
	node->lookups -= count < node->lookups ? count : node->lookups;
	return zn_nodes_spent(nodes, node);
}

void zn_node_free(struct zn_nodes *nodes, struct zn_node *node)
{
	zn_tree_drop(nodes->tree, node->file);
	free(node);
}

static struct zn_version *version_of(const struct zn_nodes *nodes, uint32_t zone)
{
	return zn_table_get(&nodes->versions, zone);
}

uint32_t zn_nodes_version(const struct zn_nodes *nodes, uint32_t zone)
{
	const struct zn_version *version = version_of(nodes, zone);

	return version ? version->version : nodes->base_version;
}

/* The counter goes round after 2^31 commits in one mount; a version that old is nobody's any more. */
static uint32_t new_version(struct zn_nodes *nodes)
{
	nodes->last_version = nodes->last_version % ZN_VERSION_MAX + 1;
	return nodes->last_version;
}

static void forget_versions(struct zn_nodes *nodes)
{
	size_t at = 0;
	void *each;

	while ((each = zn_table_next(&nodes->versions, &at)))
		free(each);
	zn_table_release(&nodes->versions);
	nodes->base_version = new_version(nodes);
}

/* The zone's own entry. When there is no room for it all zones begin a new version: that is always right. */
static struct zn_version *own_version(struct zn_nodes *nodes, uint32_t zone)
{
	struct zn_version *version = version_of(nodes, zone);

	if (version)
		return version;
	if (nodes->versions.count >= ZN_VERSIONS_MAX)
		forget_versions(nodes);
	version = calloc(1, sizeof *version);
	if (version && zn_table_put(&nodes->versions, zone, version) == ZN_OK) {
		version->zone = zone;
		version->version = nodes->base_version;
		return version;
	}
	free(version);
	forget_versions(nodes);
	return NULL;
}

void zn_nodes_told(struct zn_nodes *nodes, uint64_t txnid)
{
	if (txnid > nodes->seen)
		nodes->seen = txnid;
}

bool zn_nodes_observe(struct zn_nodes *nodes, uint32_t zone, uint64_t txnid, uint64_t print)
{
	struct zn_version *version = version_of(nodes, zone);

	if (version && txnid < version->txnid)
		return false; /* read before this version began */
	if (txnid <= nodes->seen) {
		if (version && print)
			version->print = print;
		return false;
	}
	if (version && txnid == version->txnid) {
		version->print = print;
		return false;
	}
	if (version && print && version->print == print)
		return false; /* others' zones have changed */
	version = own_version(nodes, zone);
	if (version)
		*version = (struct zn_version){zone, new_version(nodes), txnid, print};
	return true;
}

bool zn_nodes_covers(const struct zn_nodes *nodes, uint32_t zone, uint64_t txnid)
{
	const struct zn_version *version = version_of(nodes, zone);

	return !version || txnid >= version->txnid;
}

bool zn_nodes_changed(struct zn_nodes *nodes, uint32_t zone, uint64_t txnid)
{
	struct zn_version *version = own_version(nodes, zone);

	if (!version)
		return true;
	if (txnid && version->txnid >= txnid)
		return false;
	*version = (struct zn_version){zone, new_version(nodes), txnid, 0};
	return true;
}

void zn_nodes_changed_all(struct zn_nodes *nodes, uint64_t txnid)
{
	forget_versions(nodes);
	nodes->seen = txnid;
}

uint64_t zn_print(uint64_t size, struct zn_stamp mtime, uint32_t serial, uint64_t count, uint64_t sum)
{
	uint64_t parts[5] = {size, mtime.ns, serial, count, sum};

	return zn_table_hash(zn_view(parts, sizeof parts), 5) | 1;
}

/* Asks */

static struct zn_ask *find_ask(struct zn_file *file, int32_t thread)
{
	struct zn_ask *ask = file->asks;

	while (ask && ask->thread != thread)
		ask = ask->next;
	return ask;
}

static void drop_ask(struct zn_file *file, int32_t thread)
{
	for (struct zn_ask **link = &file->asks; *link; link = &(*link)->next) {
		struct zn_ask *ask = *link;

		if (ask->thread != thread)
			continue;
		*link = ask->next;
		free(ask);
		return;
	}
}

/* Remember whom we answered ESTALE. Out of memory is as good as not seeing who it is. */
static void note_ask(struct zn_file *file, int32_t thread, uint64_t node, bool writer, uint64_t now)
{
	struct zn_ask *ask = thread ? find_ask(file, thread) : NULL;

	if (thread && !ask) {
		ask = calloc(1, sizeof *ask);
		if (ask) {
			ask->next = file->asks;
			file->asks = ask;
		}
	}
	if (ask)
		*ask = (struct zn_ask){ask->next, thread, node, now + ZN_AWAIT, writer, false};
	else
		file->blind_until = now + ZN_AWAIT_BLIND;
}

void zn_nodes_superseded(struct zn_file *file, uint64_t id, int32_t thread, uint64_t now)
{
	if (file)
		note_ask(file, thread, id, false, now);
}

bool zn_file_awaited(struct zn_file *file, uint64_t now)
{
	struct zn_ask **link = &file->asks;
	bool writer = false;

	while (*link) {
		struct zn_ask *ask = *link;

		if (ask->until > now) {
			writer |= ask->writer;
			link = &ask->next;
			continue;
		}
		*link = ask->next;
		free(ask);
	}
	if (file->blind_until && file->blind_until <= now)
		file->blind_until = 0;
	return writer || file->blind_until;
}

uint64_t zn_nodes_lookup(struct zn_nodes *nodes, struct zn_file *file, uint32_t zone, uint32_t version, int32_t thread, uint64_t now, bool *ret_fresh)
{
	struct zn_ask *ask = thread ? find_ask(file, thread) : NULL;

	if (ask) {
		ask->walked = true; /* so its next OPEN is no reopening by descriptor */
		ask->until = now + ZN_AWAIT;
	}
	*ret_fresh = zn_file_awaited(file, now) || ask || version != zn_nodes_version(nodes, zone);
	if (!*ret_fresh)
		return zn_version_node(zone, version);
	struct zn_node *node = add(nodes, nodes->next_id++, ZN_NODE_FRESH);

	if (!node)
		return 0;
	file->held++;
	node->file = file;
	node->zone = zone;
	node->lookups = 1;
	return node->id;
}

/* The node becomes its writer's own. */
static void make_private(struct zn_node *node, struct zn_file *file, int32_t thread)
{
	if (!node->file) {
		file->held++;
		node->file = file;
	}
	node->kind = ZN_NODE_PRIVATE;
	file->drafts++;
	drop_ask(file, thread);
}

/* The node exists only while it is open. */
static struct zn_node *open_version(struct zn_nodes *nodes, uint64_t id)
{
	struct zn_node *node = zn_nodes_get(nodes, id);

	if (node)
		return node;
	node = add(nodes, id, ZN_NODE_VERSION);
	if (node)
		node->zone = zn_node_zone(id);
	return node;
}

/* A second OPEN of the same node by the same thread without a LOOKUP between: it has no path to walk. */
static bool by_descriptor(struct zn_file *file, uint64_t id, int32_t thread)
{
	const struct zn_ask *ask = thread ? find_ask(file, thread) : NULL;

	return ask && ask->node == id && !ask->walked;
}

static enum zn_open_verdict open_to_write(struct zn_nodes *nodes, uint64_t id, struct zn_file *file, int32_t thread, uint64_t now,
	struct zn_node **ret_node)
{
	struct zn_node *node = zn_nodes_get(nodes, id);

	if (node && node->kind == ZN_NODE_PRIVATE) {
		*ret_node = node;
		return node->handles ? ZN_OPEN_AGAIN : ZN_OPEN_STALE;
	}
	if (node && node->kind == ZN_NODE_FRESH && !node->read) {
		make_private(node, file, thread);
		*ret_node = node;
		return ZN_OPEN_PRIVATE;
	}
	if (by_descriptor(file, id, thread)) {
		if (!node)
			node = open_version(nodes, id);
		if (!node)
			return ZN_OPEN_ENOMEM;
		make_private(node, file, thread);
		/* Readers to come get a node of their own for the same state. */
		struct zn_version *version = own_version(nodes, node->zone);

		if (version && ZN_NODE_IS_VERSION(id) && version->version == zn_node_version(id))
			version->version = new_version(nodes);
		*ret_node = node;
		return ZN_OPEN_STOLEN;
	}
	note_ask(file, thread, id, true, now);
	return ZN_OPEN_STALE;
}

static enum zn_open_verdict open_to_read(struct zn_nodes *nodes, uint64_t id, struct zn_file *file, int32_t thread, uint64_t now,
	struct zn_node **ret_node)
{
	struct zn_node *node = zn_nodes_get(nodes, id);

	if (node && node->kind == ZN_NODE_PRIVATE) {
		if (node->handles && file && by_descriptor(file, id, thread)) {
			drop_ask(file, thread);
			*ret_node = node;
			return ZN_OPEN_AGAIN;
		}
		zn_nodes_superseded(file, id, thread, now);
		return ZN_OPEN_STALE;
	}
	if (node && node->kind == ZN_NODE_FRESH) {
		/* It may be the node that the awaited writer got from the same LOOKUP: leave it to him, once. */
		struct zn_ask *ask = thread && file ? find_ask(file, thread) : NULL;

		if (file && thread && !ask && zn_file_awaited(file, now)) {
			note_ask(file, thread, id, false, now);
			return ZN_OPEN_STALE;
		}
		if (ask && !ask->writer)
			drop_ask(file, thread);
		node->read = true;
		*ret_node = node;
		return ZN_OPEN_FRESH;
	}
	bool superseded = zn_node_version(id) != zn_nodes_version(nodes, zn_node_zone(id));

	if (superseded && !(node && file && by_descriptor(file, id, thread))) {
		zn_nodes_superseded(file, id, thread, now);
		return ZN_OPEN_STALE;
	}
	if (file && thread)
		drop_ask(file, thread);
	*ret_node = open_version(nodes, id);
	return *ret_node ? ZN_OPEN_VERSION : ZN_OPEN_ENOMEM;
}

enum zn_open_verdict zn_nodes_open(struct zn_nodes *nodes, uint64_t id, struct zn_file *file, bool writing, int32_t thread, uint64_t now,
	struct zn_node **ret_node)
{
	enum zn_open_verdict verdict = writing ? open_to_write(nodes, id, file, thread, now, ret_node)
					       : open_to_read(nodes, id, file, thread, now, ret_node);

	if (verdict != ZN_OPEN_STALE && verdict != ZN_OPEN_ENOMEM) {
		(*ret_node)->handles++;
		(*ret_node)->writers += writing;
	}
	return verdict;
}

enum zn_open_verdict zn_nodes_truncate(struct zn_nodes *nodes, uint64_t id, struct zn_file *file, int32_t thread, uint64_t now,
	struct zn_node **ret_node)
{
	return zn_nodes_open(nodes, id, file, true, thread, now, ret_node);
}

void zn_nodes_close(struct zn_nodes *nodes, struct zn_node *node, bool writing, uint64_t now)
{
	node->handles--;
	node->writers -= writing;
	if (node->handles || node->kind != ZN_NODE_PRIVATE)
		return;
	node->file->drafts--;
	if (node->creation)
		zn_file_creation_end(nodes->tree, node->file, now);
	node->creation = false;
}

void zn_nodes_sweep(struct zn_nodes *nodes, uint64_t now)
{
	for (bool again = true; again;) {
		size_t at = 0;
		struct zn_file *head;

		again = false;
		while (!again && (head = zn_table_next(&nodes->tree->names, &at)))
			for (struct zn_file *file = head; file && !again; file = file->same_hash) {
				if (!file->asks && !file->blind_until)
					continue;
				zn_file_awaited(file, now);
				if (file->asks || file->blind_until || file->held)
					continue;
				file->held++;
				zn_tree_drop(nodes->tree, file);
				again = true; /* the table has changed */
			}
	}
}
