/* SPDX-License-Identifier: BSD-2-Clause */
#include "switch/console.h"

#include "base/base.h"
#include "mad/smp.h"
#include "switch/ibnet_data.h"
#include "switch/ibnet_file.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#define WORDS_MAX 4

struct call {
	const struct console *console;
	struct ibnet *net;
	char *words[WORDS_MAX]; /* without the command */
	FILE *out;
	struct err *e;
};

/* -- words ---------------------------------------------------------------- */

static int number(const struct call *c, unsigned i, uint64_t max,
                  uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(c->words[i], &end, 0);
	if (errno || *end || end == c->words[i] || *value > max ||
	    c->words[i][0] == '-')
		return err_set(c->e, -EINVAL, "%s: a number up to %ju is meant",
		               c->words[i], (uintmax_t)max);
	return 0;
}

static struct ibnet_port *port(const struct call *c, unsigned i)
{
	struct ibnet_port *p = ibnet_find(c->net, c->words[i]);

	if (!p)
		err_set(c->e, -ENOENT,
		        "there is no port %s; a host's is NODE:PORT, a "
		        "switch's NODE[PORT]",
		        c->words[i]);
	return p;
}

static struct ibnet_node *node(const struct call *c, unsigned i)
{
	struct ibnet_node *n = ibnet_node(c->net, c->words[i]);

	if (!n)
		err_set(c->e, -ENOENT, "there is no node %s", c->words[i]);
	return n;
}

/* -- commands ------------------------------------------------------------- */

static int do_cut(struct call *c)
{
	struct ibnet_port *p = port(c, 0);

	if (!p)
		return -ENOENT;
	ibnet_cut(p);
	return 0;
}

static int do_restore(struct call *c)
{
	struct ibnet_port *p = port(c, 0);

	if (!p)
		return -ENOENT;
	ibnet_restore(p);
	return 0;
}

static int do_off(struct call *c)
{
	struct ibnet_node *n = node(c, 0);

	if (!n)
		return -ENOENT;
	ibnet_set_power(n, false);
	return 0;
}

static int do_on(struct call *c)
{
	struct ibnet_node *n = node(c, 0);

	if (!n)
		return -ENOENT;
	ibnet_set_power(n, true);
	return 0;
}

static int do_loss(struct call *c)
{
	uint64_t lost, twice = 0;
	int err = number(c, 0, IBNET_MILLION, &lost);

	if (!err && c->words[1])
		err = number(c, 1, IBNET_MILLION, &twice);
	if (!err)
		ibnet_set_loss(c->net, (unsigned)lost, (unsigned)twice);
	return err;
}

static const struct {
	const char *name;
	unsigned fault;
} faults[] = {
	{ "none", 0 },
	{ "deaf", IBNET_FAULT_DEAF },
	{ "lft-lies", IBNET_FAULT_LFT_LIES },
	{ "own-lanes", IBNET_FAULT_OWN_LANES },
	{ "no-lag", IBNET_FAULT_NO_LAG },
	{ "lag-policy", IBNET_FAULT_LAG_POLICY },
};

static int do_fault(struct call *c)
{
	struct ibnet_node *n = node(c, 0);

	if (!n)
		return -ENOENT;
	for (unsigned i = 0; i < ARRAY_LEN(faults); i++)
		if (!strcmp(faults[i].name, c->words[1])) {
			ibnet_set_faults(n, faults[i].fault);
			return 0;
		}
	return err_set(c->e, -EINVAL,
	               "%s: none, deaf, lft-lies, no-lag or lag-policy is "
	               "meant",
	               c->words[1]);
}

static int do_guid(struct call *c)
{
	struct ibnet_node *n = node(c, 0);
	uint64_t guid;
	int err = n ? number(c, 1, UINT64_MAX, &guid) : -ENOENT;

	if (!err)
		ibnet_set_guid(n, guid);
	return err;
}

static int do_nodes(struct call *c)
{
	for (uint32_t i = 0; i < ibnet_node_count(c->net); i++) {
		struct ibnet_node_view n;

		ibnet_view_node(ibnet_node_at(c->net, i), &n);
		fprintf(c->out, "%s %s 0x%016" PRIx64 " ports %u%s\n",
		        n.kind == IBNET_SWITCH ? "switch" : "host", n.name,
		        n.guid, n.n_ports, n.on ? "" : " off");
	}
	return 0;
}

static int do_ports(struct call *c)
{
	struct ibnet_node *n = node(c, 0);
	struct ibnet_node_view nv, peer;
	struct ibnet_port_view v;

	if (!n)
		return -ENOENT;
	ibnet_view_node(n, &nv);
	for (unsigned i = nv.kind == IBNET_SWITCH ? 0 : 1; i <= nv.n_ports;
	     i++) {
		ibnet_view_port(ibnet_port(n, i), &v);
		fprintf(c->out, "%s[%u] %s %s lid %u", nv.name, i,
		        smp_port_state_name(v.state),
		        smp_phys_state_name(v.phys_state), v.lid);
		if (v.peer) {
			ibnet_view_port(v.peer, &v);
			ibnet_view_node(v.node, &peer);
			fprintf(c->out, " to %s[%u]", peer.name, v.number);
		}
		fputc('\n', c->out);
	}
	return 0;
}

static int do_clients(struct call *c)
{
	struct sim_server_client v;

	for (unsigned i = 0; c->console->server && i < SIM_SERVER_CLIENTS;
	     i++) {
		struct ibnet_node_view n;
		struct ibnet_port_view p;

		if (!sim_server_client(c->console->server, i, &v))
			continue;
		ibnet_view_port(v.port, &p);
		ibnet_view_node(p.node, &n);
		fprintf(c->out, "%u pid %d at %s:%u%s in %ju out %ju\n",
		        v.number, (int)v.pid, n.name, p.number,
		        v.is_sm ? " SM" : "", (uintmax_t)v.received,
		        (uintmax_t)v.sent);
	}
	return 0;
}

static int do_drop(struct call *c)
{
	uint64_t n;
	int err = number(c, 0, SIM_SERVER_CLIENTS, &n);

	if (err)
		return err;
	if (!c->console->server ||
	    !sim_server_drop(c->console->server, (unsigned)n))
		return err_set(c->e, -ENOENT, "there is no client %ju",
		               (uintmax_t)n);
	return 0;
}

/* One name and value a line. */
static void put(FILE *f, const char *name, uint64_t value)
{
	fprintf(f, "%s %ju\n", name, (uintmax_t)value);
}

static int do_stats(struct call *c)
{
	struct ibnet_stats s;
	struct sim_server_stats v = { 0 };

	ibnet_get_stats(c->net, &s);
	if (c->console->server)
		sim_server_get_stats(c->console->server, &v);
	put(c->out, "mads_sent", s.mads_sent);
	put(c->out, "mads_delivered", s.mads_delivered);
	put(c->out, "mads_answered", s.mads_answered);
	put(c->out, "mads_lost", s.mads_lost);
	put(c->out, "mads_twice", s.mads_twice);
	put(c->out, "mads_no_route", s.mads_no_route);
	put(c->out, "mads_unclaimed", s.mads_unclaimed);
	put(c->out, "mads_bad_m_key", s.mads_bad_m_key);
	put(c->out, "traps_sent", s.traps_sent);
	put(c->out, "traps_repressed", s.traps_repressed);
	put(c->out, "links_lost", s.links_lost);
	put(c->out, "links_up", s.links_up);
	put(c->out, "clients", v.clients);
	put(c->out, "clients_connected", v.connected);
	put(c->out, "clients_refused", v.refused);
	put(c->out, "clients_died", v.died);
	put(c->out, "client_messages_bad", v.bad);
	put(c->out, "client_mads_dropped", v.dropped);
	put(c->out, "client_mads_retried", v.retried);
	put(c->out, "client_mads_timed_out", v.timed_out);
	put(c->out, "client_mads_stray", v.stray);
	return 0;
}

/* -- flows ---------------------------------------------------------------- */

static int do_flow(struct call *c)
{
	struct ibnet_node *n = node(c, 0);
	uint64_t lid, count = 1;
	uint32_t id;
	int err = n ? number(c, 1, UINT16_MAX, &lid) : -ENOENT;

	if (!err && c->words[2])
		err = number(c, 2, IBNET_DATA_FLOWS, &count);
	for (uint64_t i = 0; !err && i < count; i++)
		err = ibnet_flow_add(n, (uint16_t)lid, &id, c->e);
	return err;
}

static int do_clear(struct call *c)
{
	ibnet_flow_clear(c->net);
	return 0;
}

static int do_run(struct call *c)
{
	uint64_t ticks;
	int err = number(c, 0, CONSOLE_TICKS_MAX, &ticks);

	if (!err)
		ibnet_tick(c->net, (unsigned)ticks);
	return err;
}

static int do_start(struct call *c)
{
	uint64_t per_ms;
	int err = number(c, 0, IBNET_DATA_PER_MS, &per_ms);

	if (!err)
		err = ibnet_tick_start(c->net, (unsigned)per_ms);
	return err ? err_set(c->e, err,
	                     "packets cannot move by themselves here")
	           : 0;
}

static int do_silent(struct call *c)
{
	put(c->out, "silent", ibnet_flow_silent(c->net));
	return 0;
}

static int do_pause(struct call *c)
{
	ibnet_flow_run(c->net, false);
	return 0;
}

static int do_resume(struct call *c)
{
	ibnet_flow_run(c->net, true);
	return 0;
}

static int do_flows(struct call *c)
{
	struct ibnet_data_stats s;

	ibnet_data_get(c->net, &s);
	put(c->out, "ticks", s.ticks);
	put(c->out, "flows", s.n_flows);
	put(c->out, "sent", s.flows.sent);
	put(c->out, "received", s.flows.received);
	put(c->out, "reordered", s.flows.reordered);
	put(c->out, "duplicated", s.flows.duplicated);
	put(c->out, "in_flight", s.in_flight);
	put(c->out, "lost_link", s.lost_link);
	put(c->out, "lost_no_route", s.lost_no_route);
	put(c->out, "lost_group", s.lost_group);
	put(c->out, "lost_stalled", s.lost_stalled);
	put(c->out, "lost_hops", s.lost_hops);
	put(c->out, "lost_refused", s.lost_refused);
	put(c->out, "no_port", s.no_port);
	return 0;
}

static int do_each(struct call *c)
{
	struct ibnet_data_stats all;

	ibnet_data_get(c->net, &all);
	for (uint32_t i = 0; i < all.n_flows; i++) {
		struct ibnet_flow_stats s;

		ibnet_flow_get(c->net, i, &s);
		fprintf(c->out, "%u sent %ju received %ju reordered %ju\n", i,
		        (uintmax_t)s.sent, (uintmax_t)s.received,
		        (uintmax_t)s.reordered);
	}
	return 0;
}

static int do_share(struct call *c)
{
	struct ibnet_node *n = node(c, 0);
	struct ibnet_node_view v;

	if (!n)
		return -ENOENT;
	ibnet_view_node(n, &v);
	for (unsigned i = 1; i <= v.n_ports; i++) {
		uint64_t sent, received;

		ibnet_data_port(ibnet_port(n, i), &sent, &received);
		fprintf(c->out, "%s:%u sent %ju received %ju\n", v.name, i,
		        (uintmax_t)sent, (uintmax_t)received);
	}
	return 0;
}

static int do_net(struct call *c)
{
	if (!c->console->topo)
		return err_set(c->e, -ENOENT, "the topology was not kept");
	ibnet_file_write(c->console->topo, c->out);
	return 0;
}

static int do_help(struct call *c);

static const struct command {
	const char *name;
	unsigned min, max; /* words */
	int (*run)(struct call *c);
	const char *words;
	const char *doc; /* NULL: another name for the row above */
} commands[] = {
	{ "cut", 1, 1, do_cut, "PORT", "take the port's cable out" },
	{ "unlink", 1, 1, do_cut, "PORT", NULL },
	{ "restore", 1, 1, do_restore, "PORT", "put it in again" },
	{ "relink", 1, 1, do_restore, "PORT", NULL },
	{ "off", 1, 1, do_off, "NODE", "switch a node off; it forgets all" },
	{ "on", 1, 1, do_on, "NODE", "and on" },
	{ "loss", 1, 2, do_loss, "N [TWICE]",
	  "lose N of a million MADs, double TWICE" },
	{ "fault", 2, 2, do_fault, "NODE KIND",
	  "none, deaf, lft-lies, no-lag, lag-policy" },
	{ "guid", 2, 2, do_guid, "NODE GUID", "give it another GUID" },
	{ "nodes", 0, 0, do_nodes, "", "all of them" },
	{ "ports", 1, 1, do_ports, "NODE", "states and cables" },
	{ "clients", 0, 0, do_clients, "", "programs at the fabric's ports" },
	{ "x", 1, 1, do_drop, "CLIENT", "forget a client" },
	{ "stats", 0, 0, do_stats, "", "counters of management datagrams" },
	{ "flow", 2, 3, do_flow, "HOST LID [N]", "N more flows of packets" },
	{ "run", 1, 1, do_run, "TICKS", "let packets move" },
	{ "start", 1, 1, do_start, "N", "let N ticks pass each ms; 0: stop" },
	{ "silent", 0, 0, do_silent, "", "flows without arrivals since last" },
	{ "pause", 0, 0, do_pause, "", "send no new ones" },
	{ "resume", 0, 0, do_resume, "", "send again" },
	{ "flows", 0, 0, do_flows, "", "what became of them" },
	{ "each", 0, 0, do_each, "", "the same, flow by flow" },
	{ "share", 1, 1, do_share, "HOST", "packets of each of its ports" },
	{ "clear", 0, 0, do_clear, "", "forget all flows" },
	{ "net", 0, 0, do_net, "", "the topology, as a net file" },
	{ "help", 0, 0, do_help, "", "this" },
	{ "?", 0, 0, do_help, "", NULL },
};

static int do_help(struct call *c)
{
	for (unsigned i = 0; i < ARRAY_LEN(commands); i++)
		if (commands[i].doc)
			fprintf(c->out, "%-8s %-14s %s\n", commands[i].name,
			        commands[i].words, commands[i].doc);
	return 0;
}

/* -- a line --------------------------------------------------------------- */

/* Cut at blanks; quotes, which ibsim wants around names, go.
 * @return how many words; over WORDS_MAX: too many. */
static unsigned split(char *line, char *words[WORDS_MAX + 1])
{
	unsigned n = 0;
	char *to = line;

	for (char *from = line; *from; from++)
		if (*from != '"')
			*to++ = *from;
	*to = '\0';
	for (char *w = strtok_r(line, " \t\r\n", &to); w && n <= WORDS_MAX;
	     w = strtok_r(NULL, " \t\r\n", &to))
		words[n++] = w;
	return n;
}

int console_run(const struct console *c, const char *line, FILE *out,
                struct err *e)
{
	char copy[CONSOLE_LINE_MAX + 1], *words[WORDS_MAX + 1] = { 0 };
	struct call call = { .console = c, .net = c->net, .out = out, .e = e };
	unsigned n;

	if (strlen(line) > CONSOLE_LINE_MAX)
		return err_set(e, -EINVAL, "a line has at most %u bytes",
		               CONSOLE_LINE_MAX);
	memcpy(copy, line, strlen(line) + 1);
	n = split(copy, words);
	if (!n || words[0][0] == '#')
		return 0;
	for (unsigned i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcasecmp(commands[i].name, words[0]) != 0)
			continue;
		if (n - 1 < commands[i].min || n - 1 > commands[i].max)
			return err_set(e, -EINVAL, "%s %s", commands[i].name,
			               commands[i].words);
		memcpy(call.words, words + 1, (n - 1) * sizeof(call.words[0]));
		return commands[i].run(&call);
	}
	return err_set(e, -EINVAL, "no command %s; help lists all", words[0]);
}
