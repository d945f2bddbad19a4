/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client of mad/ over libibumad, for tests against foreign SMAs.
 *
 *   mad_probe walk            every node and link that directed routes reach:
 *                               node GUID TYPE PORTS "DESCRIPTION"
 *                               link GUID PORT GUID PORT
 *   mad_probe get ATTR MOD LID   an attribute by LID, as mad_print() has it
 *   mad_probe rate WINDOW N   N NodeInfo Gets of this node's first neighbour;
 *                               rate PER_SECOND answered N retried N ...
 *   mad_probe sm N            be an SM (IsSM) until N requests were answered:
 *                               Get(SMInfo), and Trap by TrapRepress
 */
#include "base/base.h"
#include "core/reactor.h"
#include "mad/notice.h"
#include "mad/port_umad.h"
#include "mad/smp.h"
#include "mad/transact.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define NODES_MAX 20000u
#define HASH 65536u

static struct reactor *reactor;
static struct mad_port *port;
static struct transact *transact;
static unsigned in_flight; /* and with it: when to stop */
static int status;

static void ended(void)
{
	if (!--in_flight)
		reactor_stop(reactor);
}

static void failed(const char *what, int err)
{
	fprintf(stderr, "%s: %s\n", what, strerror(-err));
	status = 1;
}

/* -- walk ------------------------------------------------------------------ */

struct node {
	struct smp_node_info info;
	struct smp_route route;
	struct node *next; /* of the same hash */
};

/* A look at what is behind a port, then at its description. */
struct look {
	struct transact_request q;
	struct smp_route route;
	struct node *from; /* NULL: this very node */
	uint8_t out_port;
	struct node *node;
};

static struct node *nodes[HASH];
static unsigned n_nodes;

static void look_behind(struct node *from, uint8_t out_port);

static struct node *find_node(uint64_t guid)
{
	struct node *n = nodes[guid % HASH];

	while (n && n->info.node_guid != guid)
		n = n->next;
	return n;
}

static void submit_get(struct look *l, uint16_t attr, uint32_t mod,
                       transact_done_fn done)
{
	l->q.to = mad_address_directed();
	mad_init(&l->q.mad, MAD_CLASS_SUBN_DIRECTED, MAD_GET, attr, mod);
	smp_set_route(&l->q.mad, &l->route);
	l->q.done = done;
	transact_submit(transact, &l->q);
}

static void described(struct transact_request *q, int err,
                      const struct mad *reply)
{
	struct look *l = container_of(q, struct look, q);
	const struct smp_node_info *i = &l->node->info;
	struct smp_node_description d = { "" };

	if (!err)
		smp_get(reply, &smp_node_description_table, &d);
	printf("node 0x%016" PRIx64 " %s %u \"%.64s\"\n", i->node_guid,
	       smp_node_type_name(i->node_type), i->n_ports, d.text);
	for (unsigned p = 1; p <= i->n_ports; p++)
		if (i->node_type == SMP_NODE_SWITCH || p == i->local_port)
			look_behind(l->node, (uint8_t)p);
	free(l);
	ended();
}

static void identified(struct transact_request *q, int err,
                       const struct mad *reply)
{
	struct look *l = container_of(q, struct look, q);
	struct smp_node_info i;

	if (err || mad_status(reply)) {
		free(l); /* nothing behind that port */
		ended();
		return;
	}
	smp_get(reply, &smp_node_info_table, &i);
	if (l->from)
		printf("link 0x%016" PRIx64 " %u 0x%016" PRIx64 " %u\n",
		       l->from->info.node_guid, l->out_port, i.node_guid,
		       i.local_port);
	if (find_node(i.node_guid) || n_nodes == NODES_MAX) {
		free(l);
		ended();
		return;
	}
	l->node = calloc(1, sizeof(*l->node));
	l->node->info = i;
	l->node->route = l->route;
	l->node->next = nodes[i.node_guid % HASH];
	nodes[i.node_guid % HASH] = l->node;
	n_nodes++;
	submit_get(l, MAD_ATTR_NODE_DESCRIPTION, 0, described);
}

static void look_behind(struct node *from, uint8_t out_port)
{
	struct look *l = calloc(1, sizeof(*l));

	l->from = from;
	l->out_port = out_port;
	if (from) {
		l->route = from->route;
		l->route.out[++l->route.n_hops] = out_port;
	}
	in_flight++;
	submit_get(l, MAD_ATTR_NODE_INFO, 0, identified);
}

static int walk(void)
{
	look_behind(NULL, 0);
	reactor_run(reactor);
	for (unsigned i = 0; i < HASH; i++)
		for (struct node *n = nodes[i], *next; n; n = next) {
			next = n->next;
			free(n);
		}
	return status;
}

/* -- get ------------------------------------------------------------------- */

static void got(struct transact_request *q, int err, const struct mad *reply)
{
	char text[8192];

	(void)q;
	if (err) {
		failed("get", err);
	} else {
		mad_print(reply, text, sizeof(text));
		fputs(text, stdout);
		status = mad_status(reply) != 0;
	}
	ended();
}

static int get(uint16_t attr, uint32_t mod, uint16_t lid)
{
	struct transact_request q = { .to = mad_address_smi(lid), .done = got };

	mad_init(&q.mad, MAD_CLASS_SUBN_LID, MAD_GET, attr, mod);
	in_flight = 1;
	transact_submit(transact, &q);
	reactor_run(reactor);
	return status;
}

/* -- rate ------------------------------------------------------------------ */

static unsigned left_to_send;

static void counted(struct transact_request *q, int err,
                    const struct mad *reply)
{
	if (err || mad_status(reply))
		failed("rate", err);
	if (!left_to_send) {
		ended();
		return;
	}
	left_to_send--;
	transact_submit(transact, q);
}

static int rate(unsigned window, unsigned n)
{
	struct smp_route route = { .n_hops = 1, .out = { 0, 1 } };
	struct transact_request *qs = calloc(window, sizeof(*qs));
	uint64_t start = clock_now_ns(), took;
	struct transact_stats stats;

	left_to_send = n > window ? n - window : 0;
	in_flight = window;
	for (unsigned i = 0; i < window; i++) {
		qs[i].to = mad_address_directed();
		qs[i].done = counted;
		mad_init(&qs[i].mad, MAD_CLASS_SUBN_DIRECTED, MAD_GET,
		         MAD_ATTR_NODE_INFO, 0);
		smp_set_route(&qs[i].mad, &route);
		transact_submit(transact, &qs[i]);
	}
	reactor_run(reactor);
	took = clock_now_ns() - start;
	transact_get_stats(transact, &stats);
	printf("rate %" PRIu64 " answered %" PRIu64 " retried %" PRIu64
	       " stray %" PRIu64 "\n",
	       stats.answered * NS_PER_S / took, stats.answered, stats.retried,
	       stats.stray);
	free(qs);
	return status;
}

/* -- sm -------------------------------------------------------------------- */

static unsigned left_to_answer;

static void say_trap(const struct mad *m)
{
	const struct field_table *t;
	uint8_t details[256];
	char text[1024] = "";
	struct notice n;

	smp_get(m, &notice_table, &n);
	t = n.generic ? notice_details(n.trap) : NULL;
	if (t) {
		field_decode(t, n.details, details);
		field_print(t, details, text, sizeof(text));
	}
	printf("trap %u issuer %u\n%s", n.trap, n.issuer_lid, text);
}

static void serve(struct mad_agent *a, const struct mad_datagram *d)
{
	struct smp_sm_info i = { .guid = 0x1234,
		                 .act_count = 77,
		                 .priority = 9,
		                 .state = SMP_SM_MASTER };
	struct mad m = d->mad;

	if (m.header.method == MAD_TRAP) {
		say_trap(&m);
	} else if (mad_attr_id(&m) == MAD_ATTR_SM_INFO) {
		printf("sminfo from %u\n", d->peer.lid);
		smp_put(&m, &smp_sm_info_table, &i);
	} else {
		return;
	}
	fflush(stdout);
	if (mad_port_reply(a, d, &m, 0))
		failed("reply", -EIO);
	if (!--left_to_answer)
		reactor_stop(reactor);
}

static int sm(unsigned n)
{
	struct mad_agent a = { .mgmt_class = MAD_CLASS_SUBN_LID,
		               .class_version = MAD_CLASS_VERSION,
		               .receive = serve };
	int err;

	left_to_answer = n;
	mad_agent_take(&a, MAD_TRAP);
	mad_agent_take(&a, MAD_GET);
	err = mad_port_attach(port, &a);
	if (!err)
		err = mad_port_set_is_sm(port, true);
	if (err) {
		failed("sm", err);
		mad_port_detach(&a);
		return 1;
	}
	puts("ready");
	fflush(stdout);
	reactor_run(reactor);
	mad_port_detach(&a);
	return status;
}

/* -- main ------------------------------------------------------------------ */

static int usage(void)
{
	fputs("mad_probe walk | get ATTR MOD LID | rate WINDOW N | sm N\n",
	      stderr);
	return 2;
}

static unsigned number(const char *text)
{
	return (unsigned)strtoul(text, NULL, 0);
}

static int run(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "walk"))
		return walk();
	if (argc == 5 && !strcmp(argv[1], "get"))
		return get((uint16_t)number(argv[2]), number(argv[3]),
		           (uint16_t)number(argv[4]));
	if (argc == 4 && !strcmp(argv[1], "rate"))
		return rate(number(argv[2]), number(argv[3]));
	if (argc == 3 && !strcmp(argv[1], "sm"))
		return sm(number(argv[2]));
	return usage();
}

int main(int argc, char **argv)
{
	struct reactor_opts ro = { .name = "probe", .spin_max_us = 100 };
	struct transact_opts to = { .window = 64,
		                    .tries = 3,
		                    .timeout_ms = 500,
		                    .mgmt_class = MAD_CLASS_SUBN_LID };
	struct err e = { 0 };
	int code;

	if (argc == 4)
		to.window = number(argv[2]);
	if (reactor_create(&ro, &reactor, &e) ||
	    port_umad_open(reactor, NULL, 0, &port, &e) ||
	    transact_create(port, &to, &transact)) {
		fprintf(stderr, "mad_probe: %s\n", e.text);
		return 1;
	}
	code = run(argc, argv);
	transact_destroy(transact);
	mad_port_close(port);
	reactor_poll(reactor);
	reactor_destroy(reactor);
	return code;
}
