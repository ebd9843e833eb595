#include "fs/mount/node.h"

#include <stdlib.h>

#include "tests/unit/suite.h"

/* One zone, what the kernel asks for it, and what it is told. Nodes that a LOOKUP gave are kept in places a to h. */
enum op {
	END,
	LOOK,		/* thread, place: the node; want 'v' the current version, 'f' a fresh node */
	READ, WRITE,	/* thread, place: OPEN; want is a verdict */
	CLOSE_READ, CLOSE_WRITE,
	CHANGED,	/* a change is told: a new version */
	LATER,		/* `thread` seconds later */
};
struct step {
	enum op op;
	int thread;
	char place, want;
};

static const char verdicts[] = {
	[ZN_OPEN_STALE] = 'e', [ZN_OPEN_VERSION] = 'v', [ZN_OPEN_FRESH] = 'f', [ZN_OPEN_PRIVATE] = 'p',
	[ZN_OPEN_STOLEN] = 's', [ZN_OPEN_AGAIN] = 'a', [ZN_OPEN_ENOMEM] = 'm',
};

/* clang-format off */
static const struct {
	const char *name;
	struct step steps[16];
} scripts[] = {
	{"readers share the version", {{LOOK, 1, 'a', 'v'}, {READ, 1, 'a', 'v'}, {LOOK, 2, 'b', 'v'}, {READ, 2, 'b', 'v'}, {CLOSE_READ, 1, 'a', 0}, {CLOSE_READ, 2, 'b', 0}}},
	{"a writer gets a node of his own", {{LOOK, 1, 'a', 'v'}, {WRITE, 1, 'a', 'e'}, {LOOK, 1, 'b', 'f'}, {WRITE, 1, 'b', 'p'}, {LOOK, 1, 'c', 'v'}, {CLOSE_WRITE, 1, 'b', 0}}},
	{"while he is on his way readers get fresh nodes too", {{LOOK, 1, 'a', 'v'}, {WRITE, 1, 'a', 'e'}, {LOOK, 2, 'c', 'f'}, {LOOK, 1, 'b', 'f'}, {WRITE, 1, 'b', 'p'}, {LOOK, 2, 'd', 'v'}}},
	{"a reader who met the writer's LOOKUP leaves him the node, once", {{LOOK, 1, 'a', 'v'}, {WRITE, 1, 'a', 'e'}, {LOOK, 1, 'b', 'f'}, {READ, 2, 'b', 'e'}, {WRITE, 1, 'b', 'p'}, {LOOK, 2, 'c', 'f'}, {READ, 2, 'c', 'f'}}},
	{"a reader of a private node is sent away", {{LOOK, 1, 'a', 'v'}, {WRITE, 1, 'a', 'e'}, {LOOK, 1, 'b', 'f'}, {WRITE, 1, 'b', 'p'}, {READ, 2, 'b', 'e'}, {LOOK, 2, 'c', 'f'}, {READ, 2, 'c', 'f'}}},
	{"a fresh node that was read is nobody's own", {{LOOK, 1, 'a', 'v'}, {WRITE, 1, 'a', 'e'}, {LOOK, 2, 'b', 'f'}, {READ, 2, 'b', 'e'}, {LOOK, 2, 'c', 'f'}, {READ, 2, 'c', 'f'}, {WRITE, 1, 'c', 'e'}, {LOOK, 1, 'd', 'f'}, {WRITE, 1, 'd', 'p'}}},
	{"two writers at once", {{LOOK, 1, 'a', 'v'}, {LOOK, 2, 'a', 'v'}, {WRITE, 1, 'a', 'e'}, {WRITE, 2, 'a', 'e'}, {LOOK, 1, 'b', 'f'}, {LOOK, 2, 'c', 'f'}, {WRITE, 1, 'b', 'p'}, {LOOK, 3, 'd', 'f'}, {WRITE, 2, 'c', 'p'}, {LOOK, 3, 'e', 'v'}}},
	{"reopened by descriptor for writing", {{LOOK, 1, 'a', 'v'}, {READ, 1, 'a', 'v'}, {WRITE, 1, 'a', 'e'}, {WRITE, 1, 'a', 's'}, {LOOK, 2, 'b', 'v'}, {READ, 2, 'b', 'v'}, {READ, 2, 'a', 'e'}}},
	{"a draft opened again by descriptor", {{LOOK, 1, 'a', 'v'}, {WRITE, 1, 'a', 'e'}, {LOOK, 1, 'b', 'f'}, {WRITE, 1, 'b', 'p'}, {WRITE, 1, 'b', 'a'}, {READ, 1, 'b', 'e'}, {READ, 1, 'b', 'a'}}},
	{"an invisible writer", {{LOOK, 0, 'a', 'v'}, {WRITE, 0, 'a', 'e'}, {LOOK, 0, 'b', 'f'}, {WRITE, 0, 'b', 'p'}, {LOOK, 0, 'c', 'f'}, {LATER, 3, 0, 0}, {LOOK, 0, 'd', 'v'}}},
	{"a writer who never comes back is forgotten", {{LOOK, 1, 'a', 'v'}, {WRITE, 1, 'a', 'e'}, {LOOK, 2, 'b', 'f'}, {LATER, 31, 0, 0}, {LOOK, 2, 'c', 'v'}}},
	{"a version that is none any more", {{LOOK, 1, 'a', 'v'}, {CHANGED, 0, 0, 0}, {READ, 1, 'a', 'e'}, {LOOK, 1, 'b', 'f'}, {READ, 1, 'b', 'f'}, {LOOK, 2, 'c', 'v'}, {READ, 2, 'c', 'v'}}},
	{"held over a change it can be opened again by descriptor", {{LOOK, 1, 'a', 'v'}, {READ, 1, 'a', 'v'}, {CHANGED, 0, 0, 0}, {READ, 1, 'a', 'e'}, {READ, 1, 'a', 'v'}}},
	{"a private node whose handles are gone is nobody's", {{LOOK, 1, 'a', 'v'}, {WRITE, 1, 'a', 'e'}, {LOOK, 1, 'b', 'f'}, {WRITE, 1, 'b', 'p'}, {CLOSE_WRITE, 1, 'b', 0}, {WRITE, 1, 'b', 'e'}}},
};
/* clang-format on */

static struct zn_zone_id zone_id(const char *text)
{
	struct zn_zone_id zone = {.variant = ""};

	ck_assert_int_eq(zn_name_from_text(zn_view_str(text), NULL, &zone.name, NULL), ZN_OK);
	return zone;
}

START_TEST(opens)
{
	struct zn_tree tree = {0};
	struct zn_nodes nodes;
	struct zn_zone_id zone = zone_id("example.org.");
	uint64_t places[8] = {0}, now = ZN_NS_PER_S, txnid = 7;

	zn_nodes_init(&nodes, &tree, 0);
	struct zn_file *file = zn_tree_hold(&tree, &zone, 42, true);

	ck_assert_ptr_nonnull(file);
	for (const struct step *step = scripts[_i].steps; step->op != END; step++) {
		uint64_t *place = &places[step->place ? step->place - 'a' : 0];
		struct zn_node *node = NULL;
		int at = (int)(step - scripts[_i].steps);
		bool fresh;
		char got;

		switch (step->op) {
		case LOOK:
			*place = zn_nodes_lookup(&nodes, file, 42, zn_nodes_version(&nodes, 42), step->thread, now, &fresh);
			ck_assert_msg((fresh ? 'f' : 'v') == step->want, "%s, step %d: %s", scripts[_i].name, at, fresh ? "fresh" : "the version");
			ck_assert(fresh || *place == zn_version_node(42, zn_nodes_version(&nodes, 42)));
			break;
		case READ:
		case WRITE:
			got = verdicts[zn_nodes_open(&nodes, *place, file, step->op == WRITE, step->thread, now, &node)];
			ck_assert_msg(got == step->want, "%s, step %d: %c", scripts[_i].name, at, got);
			ck_assert(got == 'e' || node->id == *place);
			break;
		case CLOSE_READ:
		case CLOSE_WRITE:
			node = zn_nodes_get(&nodes, *place);
			zn_nodes_close(&nodes, node, step->op == CLOSE_WRITE, now);
			node = zn_nodes_spent(&nodes, node);
			if (node)
				zn_node_free(&nodes, node);
			break;
		case CHANGED:
			ck_assert(zn_nodes_changed(&nodes, 42, ++txnid));
			break;
		case LATER:
			now += (uint64_t)step->thread * ZN_NS_PER_S;
			break;
		case END:
			break;
		}
	}
	zn_nodes_release(&nodes);
	zn_tree_release(&tree);
}
END_TEST

/* A state that is read, and what is told: when is it another version? */
START_TEST(versions)
{
	struct zn_tree tree = {0};
	struct zn_nodes nodes;

	zn_nodes_init(&nodes, &tree, 10);
	ck_assert_uint_eq(zn_nodes_version(&nodes, 1), 0);
	ck_assert(!zn_nodes_observe(&nodes, 1, 10, 111)); /* all of it was told */
	ck_assert_uint_eq(zn_nodes_version(&nodes, 1), 0);
	ck_assert(zn_nodes_observe(&nodes, 1, 11, 222)); /* nobody told us */
	uint32_t second = zn_nodes_version(&nodes, 1);

	ck_assert_uint_gt(second, 0);
	ck_assert(!zn_nodes_observe(&nodes, 1, 12, 222)); /* somebody else's zone changed */
	ck_assert(!zn_nodes_changed(&nodes, 1, 11));	  /* told now, and included */
	ck_assert_uint_eq(zn_nodes_version(&nodes, 1), second);
	ck_assert(zn_nodes_changed(&nodes, 1, 12)); /* it was this one's after all */
	ck_assert(!zn_nodes_covers(&nodes, 1, 11)); /* what was read before is not its size */
	ck_assert(zn_nodes_covers(&nodes, 1, 12));
	ck_assert(!zn_nodes_observe(&nodes, 1, 11, 222));
	ck_assert(zn_nodes_changed(&nodes, 1, 0)); /* without a number: always */
	uint32_t last = zn_nodes_version(&nodes, 1);

	zn_nodes_changed_all(&nodes, 3);
	ck_assert_uint_gt(zn_nodes_version(&nodes, 1), last);
	ck_assert_uint_eq(zn_nodes_version(&nodes, 1), zn_nodes_version(&nodes, 2));
	zn_nodes_release(&nodes);
	zn_tree_release(&tree);
}
END_TEST

/* No memory per zone: more than are kept one by one, and each still gets a version of its own. */
START_TEST(many)
{
	struct zn_tree tree = {0};
	struct zn_nodes nodes;
	uint32_t before;

	zn_nodes_init(&nodes, &tree, 0);
	for (uint32_t zone = 1; zone <= 2 * ZN_VERSIONS_MAX; zone++) {
		before = zn_nodes_version(&nodes, zone);
		zn_nodes_changed(&nodes, zone, zone);
		ck_assert_uint_ne(zn_nodes_version(&nodes, zone), before);
	}
	ck_assert_uint_le(nodes.versions.count, ZN_VERSIONS_MAX);
	zn_nodes_release(&nodes);
	zn_tree_release(&tree);
}
END_TEST

/* The kernel's lookups, a handle and a hold each keep a node; versions are kept by handles alone. */
START_TEST(lives)
{
	struct zn_tree tree = {0};
	struct zn_nodes nodes;

	zn_nodes_init(&nodes, &tree, 0);
	struct zn_node *node = zn_nodes_add(&nodes, ZN_NODE_SCRATCH);

	node->lookups = 3;
	node->handles = 1;
	ck_assert_ptr_null(zn_nodes_forget(&nodes, node->id, 3));
	zn_nodes_close(&nodes, node, false, 0);
	ck_assert_ptr_eq(zn_nodes_spent(&nodes, node), node);
	ck_assert_ptr_null(zn_nodes_get(&nodes, node->id));
	zn_node_free(&nodes, node);
	ck_assert_ptr_null(zn_nodes_forget(&nodes, zn_version_node(5, 0), 1));
	ck_assert_uint_eq(zn_node_zone(zn_version_node(UINT32_MAX, ZN_VERSION_MAX)), UINT32_MAX);
	ck_assert_uint_eq(zn_node_version(zn_version_node(UINT32_MAX, ZN_VERSION_MAX)), ZN_VERSION_MAX);
	ck_assert(!ZN_NODE_IS_VERSION(nodes.next_id));
	zn_nodes_release(&nodes);
	zn_tree_release(&tree);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("node");
	TCase *tests = tcase_create("nodes");

	tcase_add_loop_test(tests, opens, 0, (int)(sizeof scripts / sizeof *scripts));
	tcase_add_test(tests, versions);
	tcase_add_test(tests, many);
	tcase_add_test(tests, lives);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
