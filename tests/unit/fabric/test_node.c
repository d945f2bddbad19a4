/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nodes: who they are, where they listen, whom they know.
 *
 * shows X3 (names are the only addresses)
 */
#include "../../support/fabric_world.h"
#include "../test.h"

#include "core/log.h"
#include "fabric/greeting.h"

#include <errno.h>
#include <stdio.h>

static struct fabric_world w;

static int setup(void **state)
{
	(void)state;
	world_start(&w, 1);
	world_boot(&w, 0, 1);
	world_boot(&w, 1, 2);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_stop(&w);
	return 0;
}

/* A node beside those of the world. */
static struct node *another(const char *name, uint8_t id,
                            const struct auth_key *key, bool insecure)
{
	struct node_opts opts = { .reactor = w.reactor,
		                  .name = name,
		                  .id = { id },
		                  .boot = 1,
		                  .key = key,
		                  .insecure = insecure,
		                  .service = &w.nodes[2].service.service,
		                  .transports = w.transports,
		                  .n_transports = 1 };
	struct node *n;

	memory_service_init(&w.nodes[2].service);
	assert_int_equal(node_create(&opts, &n, NULL), 0);
	return n;
}

static struct fabric_peer *know(struct node *n, const char *name, unsigned node,
                                unsigned link)
{
	struct fabric_address a = world_address(node, link);
	struct fabric_peer *p;

	assert_int_equal(node_peer_add(n, name, &a, 1, &p, NULL), 0);
	return p;
}

static void test_creation(void **state)
{
	static const char *const bad[] = { "", ".a", "-a", "a b", "a/b", "ä" };
	struct fabric_address out[NODE_LISTENERS];
	struct node_opts opts = { .reactor = w.reactor,
		                  .key = &w.key,
		                  .service = &w.nodes[0].service.service };
	char name[NODE_NAME + 1];
	struct node *n;
	struct err e = { 0 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		opts.name = bad[i];
		assert_int_equal(node_create(&opts, &n, NULL), -EINVAL);
	}
	memset(name, 'x', sizeof(name));
	name[NODE_NAME] = '\0';
	opts.name = name;
	assert_int_equal(node_create(&opts, &n, NULL), -EINVAL);
	name[NODE_NAME - 1] = '\0';
	assert_int_equal(node_create(&opts, &n, NULL), 0);
	assert_string_equal(node_name(n), name);
	assert_int_equal(node_listeners(n, out), 0); /* D1 */
	assert_null(node_peer_next(n, NULL));
	node_destroy(n);
	opts.key = NULL;
	assert_int_equal(node_create(&opts, &n, &e), -EINVAL);
	assert_non_null(strstr(e.text, "cluster_key"));
}

static void test_listening(void **state)
{
	struct fabric_address out[NODE_LISTENERS], a = world_address(1, 0), tcp;
	struct node *beta = w.nodes[1].node;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(node_listeners(beta, out), 2);
	assert_true(address_equal(&out[0], &a));
	assert_int_equal(node_listen(beta, &a, &e), -EADDRINUSE);
	assert_int_equal(address_parse("tcp:127.0.0.1:0", &tcp, NULL), 0);
	assert_int_equal(node_listen(beta, &tcp, NULL), -EPROTONOSUPPORT);
	assert_int_equal(node_unlisten(beta, &a), 0);
	assert_int_equal(node_unlisten(beta, &a), -ENOENT);
	assert_int_equal(node_listeners(beta, out), 1);
}

static void test_knowing(void **state)
{
	struct node *alpha = w.nodes[0].node;
	struct fabric_address a = world_address(1, 0);
	struct fabric_peer *p, *walk = NULL;
	char name[16];
	unsigned n = 0;

	(void)state;
	assert_int_equal(node_peer_add(alpha, "alpha", &a, 1, &p, NULL),
	                 -EINVAL);
	assert_int_equal(node_peer_add(alpha, "no name", &a, 1, &p, NULL),
	                 -EINVAL);
	for (unsigned i = 0; i < NODE_PEERS; i++) {
		snprintf(name, sizeof(name), "peer-%u", i);
		assert_int_equal(node_peer_add(alpha, name, NULL, 0, &p, NULL),
		                 0);
	}
	assert_int_equal(node_peer_add(alpha, "more", NULL, 0, &p, NULL),
	                 -ENOSPC);
	assert_int_equal(node_peer_add(alpha, "peer-7", NULL, 0, &p, NULL),
	                 -EEXIST);
	while ((walk = node_peer_next(alpha, walk)))
		n++;
	assert_int_equal(n, NODE_PEERS);
	p = node_peer_find(alpha, "peer-7");
	assert_string_equal(node_peer_name(p), "peer-7");
	for (unsigned i = 0; i < SESSION_LINKS; i++) {
		a.ip[15] = (uint8_t)i;
		assert_int_equal(node_link_add(p, &a, NULL), 0);
	}
	a.ip[15] = 99;
	assert_int_equal(node_link_add(p, &a, NULL), -ENOSPC);
	node_peer_remove(alpha, p);
	assert_null(node_peer_find(alpha, "peer-7"));
}

/* D2: a stranger becomes nothing here. */
static void test_wrong_key(void **state)
{
	static const uint8_t secret[32] = "not the key of this cluster, no";
	struct node_stats stats;
	struct auth_key key;
	struct node *n;
	struct fabric_peer *p;

	(void)state;
	assert_int_equal(auth_key_derive(secret, sizeof(secret), &key), 0);
	n = another("mallory", 9, &key, false);
	p = know(n, "beta", 1, 0);
	world_pass(&w, 1000000);
	assert_int_not_equal(session_state(node_peer_session(p)), SESSION_UP);
	assert_null(node_peer_next(w.nodes[1].node, NULL));
	node_stats(w.nodes[1].node, &stats);
	assert_true(stats.refused_auth > 0);
	assert_int_equal(stats.accepted, 0);
	node_destroy(n);
}

/* One that asks for no authentication gets none. */
static void test_insecure(void **state)
{
	struct node *n = another("mallory", 9, NULL, true);
	struct fabric_peer *p = know(n, "beta", 1, 0);

	(void)state;
	world_pass(&w, 1000000);
	assert_int_not_equal(session_state(node_peer_session(p)), SESSION_UP);
	assert_null(node_peer_next(w.nodes[1].node, NULL));
	node_destroy(n);
}

/* The node that answers must be the one that was meant. */
static void test_wrong_node(void **state)
{
	struct fabric_peer *p = know(w.nodes[0].node, "gamma", 1, 0);
	struct session_link_info info[SESSION_LINKS];

	(void)state;
	world_pass(&w, 1000000);
	assert_int_not_equal(session_state(node_peer_session(p)), SESSION_UP);
	assert_int_equal(session_links(node_peer_session(p), info), 1);
	assert_int_equal(info[0].state, SESSION_LINK_DOWN);
	assert_true(strlen(info[0].why) > 0);
}

/* D3: a name that is in use. */
static void test_name_in_use(void **state)
{
	struct fabric_peer *real = know(w.nodes[0].node, "beta", 1, 0), *p;
	struct node_stats stats;
	struct node *n;

	(void)state;
	assert_true(world_wait_state(&w, real, SESSION_UP, 200));
	n = another("alpha", 77, &w.key, false);
	p = know(n, "beta", 1, 0);
	world_pass(&w, 1000000);
	assert_int_not_equal(session_state(node_peer_session(p)), SESSION_UP);
	node_stats(w.nodes[1].node, &stats);
	assert_true(stats.refused_stale > 0);

	/* Its owner is gone for good: the machine was set up again. */
	world_kill(&w, 0);
	assert_true(world_wait_state(&w, p, SESSION_UP, 8000));
	node_destroy(n);
	n = another("beta", 78, &w.key, false);
	p = know(n, "beta-too", 1, 0);
	world_pass(&w, 100000);
	assert_int_not_equal(session_state(node_peer_session(p)), SESSION_UP);
	node_destroy(n);
}

/* D4: an older start of a process ends nothing that is newer. */
static void test_older_boot(void **state)
{
	struct fabric_peer *p;
	struct node_stats stats;

	(void)state;
	world_kill(&w, 0);
	world_boot(&w, 0, 1); /* boot 2 */
	p = know(w.nodes[0].node, "beta", 1, 0);
	assert_true(world_wait_state(&w, p, SESSION_UP, 200));
	world_kill(&w, 0);
	w.nodes[0].boot = 0;
	world_boot(&w, 0, 1);
	p = know(w.nodes[0].node, "beta", 1, 0);
	world_pass(&w, 1000000);
	assert_int_not_equal(session_state(node_peer_session(p)), SESSION_UP);
	node_stats(w.nodes[1].node, &stats);
	assert_true(stats.refused_stale > 0);
	w.nodes[0].boot = 2;
}

/* What a peer asks of us is counted, and its death noticed. */
static void test_asked(void **state)
{
	struct fabric_peer *p = know(w.nodes[0].node, "beta", 1, 0), *alpha;
	struct node_peer_stats stats;
	uint64_t data = 5;
	struct world_op o;

	(void)state;
	assert_true(world_wait_state(&w, p, SESSION_UP, 200));
	world_pass(&w, 5000);
	alpha = node_peer_find(w.nodes[1].node, "alpha");
	assert_non_null(alpha);
	world_op_init(&w, &o, FABRIC_WRITE, FABRIC_LATENCY, 0, &data, 8);
	assert_int_equal(world_run(&w, node_peer_session(p), &o, 50),
	                 FABRIC_OK);
	world_op_init(&w, &o, FABRIC_READ, FABRIC_LATENCY, WORLD_BYTES, &data,
	              8);
	assert_int_equal(world_run(&w, node_peer_session(p), &o, 50),
	                 FABRIC_RANGE);
	node_peer_stats(alpha, &stats);
	assert_int_equal(stats.requests, 2);
	assert_int_equal(stats.refused, 1);
	assert_int_equal(stats.bytes_written, 8);
	assert_int_equal(stats.lanes, FABRIC_CLASSES);
	assert_int_equal(node_peer_id(alpha)[0], 1);
	node_peer_set_data(alpha, &data);
	assert_ptr_equal(node_peer_data(alpha), &data);
	world_kill(&w, 0);
	world_pass(&w, 1000);
	node_peer_stats(alpha, &stats);
	assert_int_equal(stats.lanes, 0);
	assert_int_equal(w.nodes[1].service.downs, 1);
}

/* -- what members can make us hold ---------------------------------------- */

/* One lane of somebody who has the key and keeps it open. */
struct member {
	struct greeting greeting;
	struct lane *lane;
	struct auth_identity self;
	struct frame_join join;
	unsigned answers;
	enum fabric_wire_type type;
	enum fabric_status status;
};

static struct auth_gate gate;

static void say_join(struct greeting *g)
{
	struct member *m = container_of(g, struct member, greeting);
	uint8_t body[FABRIC_WIRE_CONTROL_MAX];
	struct frame f = { .type = FABRIC_WIRE_JOIN, .last = true };

	f.length = (uint32_t)frame_encode_join(&m->join, body);
	assert_int_equal(lane_control(m->lane, &f, body), 0);
}

static void answered(struct greeting *g, const struct frame *f,
                     const void *body)
{
	struct member *m = container_of(g, struct member, greeting);

	(void)body;
	m->type = f->type;
	m->status = f->status;
	m->answers++;
	greeting_leave(g);
}

/* Open for as long as it lasts. */
static void ended(struct greeting *g, enum auth_cause cause, int err)
{
	(void)g;
	(void)cause;
	(void)err;
}

static enum fabric_status join(struct member *m, const char *name, uint8_t id,
                               uint64_t epoch, uint64_t number)
{
	struct transport *t = sim_transport(w.sim);
	struct fabric_address a = world_address(1, 0);
	struct auth_terms terms = { .key = &w.key,
		                    .self = &m->self,
		                    .version_min = FABRIC_WIRE_VERSION,
		                    .version_max = FABRIC_WIRE_VERSION };

	*m = (struct member){ .greeting = { .authenticated = say_join,
		                            .joined = answered,
		                            .ended = ended },
		              .self = { .id = { id }, .boot = 1 },
		              .join = { .class = FABRIC_BULK,
		                        .window = 1,
		                        .epoch = epoch,
		                        .lane = number } };
	snprintf(m->self.name, sizeof(m->self.name), "%s", name);
	assert_int_equal(t->dial(t, w.reactor, &a, &m->lane, NULL), 0);
	assert_int_equal(greeting_start(&m->greeting, m->lane, AUTH_DIALLER,
	                                &terms, &gate),
	                 0);
	assert_true(world_wait(&w, &m->answers, 1, 100));
	return m->type == FABRIC_WIRE_JOINED ? FABRIC_OK : m->status;
}

static void leave(struct member *m)
{
	greeting_leave(&m->greeting);
	lane_destroy(m->lane);
}

static void test_bounds_of_a_member(void **state)
{
	static struct member m[NODE_LANES + 4];
	struct node_peer_stats stats;
	struct node_stats node;
	unsigned n = 0;

	(void)state;
	auth_gate_init(&gate, w.reactor);
	for (; n < NODE_LANES; n++)
		assert_int_equal(join(&m[n], "mallory", 9, 5, n + 1),
		                 FABRIC_OK);
	assert_int_equal(join(&m[n++], "mallory", 9, 5, 7), FABRIC_BUSY);
	node_peer_stats(node_peer_find(w.nodes[1].node, "mallory"), &stats);
	assert_int_equal(stats.lanes, NODE_LANES);
	node_stats(w.nodes[1].node, &node);
	assert_int_equal(node.refused_full, 1);

	/* A new epoch ends the old one; an old one is refused. */
	assert_int_equal(join(&m[n++], "mallory", 9, 6, 1), FABRIC_OK);
	node_peer_stats(node_peer_find(w.nodes[1].node, "mallory"), &stats);
	assert_int_equal(stats.lanes, 1);
	assert_int_equal(join(&m[n++], "mallory", 9, 5, 2), FABRIC_REVOKED);
	assert_int_equal(join(&m[n++], "mallory", 9, 6, 1), FABRIC_PROTOCOL);
	for (unsigned i = 0; i < n; i++)
		leave(&m[i]);
	world_pass(&w, 1000);
	auth_gate_fini(&gate);
}

static void test_many_members(void **state)
{
	static struct member m[NODE_PEERS + 1];
	char name[16];

	(void)state;
	auth_gate_init(&gate, w.reactor);
	for (unsigned i = 0; i <= NODE_PEERS; i++) {
		snprintf(name, sizeof(name), "member-%u", i);
		assert_int_equal(join(&m[i], name, (uint8_t)(i + 10), 1, 1),
		                 i < NODE_PEERS ? FABRIC_OK : FABRIC_BUSY);
	}
	for (unsigned i = 0; i <= NODE_PEERS; i++)
		leave(&m[i]);
	world_pass(&w, 1000);
	auth_gate_fini(&gate);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_creation),     CASE(test_listening),
		CASE(test_knowing),      CASE(test_wrong_key),
		CASE(test_insecure),     CASE(test_wrong_node),
		CASE(test_name_in_use),  CASE(test_older_boot),
		CASE(test_asked),        CASE(test_bounds_of_a_member),
		CASE(test_many_members),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
