/* SPDX-License-Identifier: BSD-2-Clause */
#include "subnet/subnet.h"

#include "base/base.h"
#include "subnet/admin.h"
#include "subnet/subnet_priv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* -- words ----------------------------------------------------------------- */

const char *subnet_state_name(enum subnet_state state)
{
	static const char *const names[] = { "not active", "discovering",
		                             "standby", "master" };

	return (unsigned)state < ARRAY_LEN(names) ? names[state] : "?";
}

const char *subnet_event_name(enum subnet_event_kind kind)
{
	static const char *const names[SUBNET_EVENT_KINDS] = {
		[SUBNET_EVENT_STATE] = "state",
		[SUBNET_EVENT_SWEEP] = "sweep",
		[SUBNET_EVENT_NODE_UP] = "node-up",
		[SUBNET_EVENT_NODE_DOWN] = "node-down",
		[SUBNET_EVENT_LINK_UP] = "link-up",
		[SUBNET_EVENT_LINK_DOWN] = "link-down",
		[SUBNET_EVENT_ROUTING] = "routing",
		[SUBNET_EVENT_LAG] = "lag",
		[SUBNET_EVENT_FAULT] = "fault",
		[SUBNET_EVENT_SECURITY] = "security",
		[SUBNET_EVENT_NO_ANSWER] = "no-answer",
		[SUBNET_EVENT_POLICY] = "policy",
	};

	return kind < SUBNET_EVENT_KINDS ? names[kind] : "?";
}

void subnet_say(struct subnet *s, enum subnet_event_kind kind, const char *fmt,
                ...)
{
	struct subnet_event *e = &s->event[s->n_events % SUBNET_EVENTS];
	struct timespec t;
	va_list ap;

	clock_gettime(CLOCK_REALTIME, &t);
	e->number = ++s->n_events;
	e->when_ns = (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
	e->kind = kind;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	if (s->opts.event)
		s->opts.event(s->opts.arg, e);
}

const char *subnet_node_name(const struct subnet *s, uint32_t node)
{
	static _Thread_local char text[4][GRAPH_DESC + 24];
	static _Thread_local unsigned turn;
	const struct graph_node *n = &s->graph.node[node];
	char *out = text[turn++ % 4];

	if (n->desc[0])
		snprintf(out, sizeof(text[0]), "%s", n->desc);
	else
		snprintf(out, sizeof(text[0]), "0x%016lx",
		         (unsigned long)n->guid);
	return out;
}

const char *subnet_name(const struct subnet *s, uint32_t port)
{
	static _Thread_local char text[4][GRAPH_DESC + 40];
	static _Thread_local unsigned turn;
	char *out = text[turn++ % 4];

	snprintf(out, sizeof(text[0]), "%s port %u",
	         subnet_node_name(s, s->graph.port[port].node),
	         s->graph.port[port].number);
	return out;
}

/* -- work ------------------------------------------------------------------ */

void subnet_add_work(struct subnet *s, enum work_what what, uint32_t scope,
                     uint64_t delay_ms)
{
	work_add(&s->work, what, scope,
	         reactor_now_ns(s->reactor) + delay_ms * NS_PER_MS);
	if (s->phase == PHASE_IDLE && !s->stopping)
		subnet_step(s);
}

static void work_due(struct timer *t)
{
	subnet_step(container_of(t, struct subnet, timer));
}

bool subnet_is_master(const struct subnet *s)
{
	return s->election.state == ELECTION_MASTER;
}

void subnet_sweep(struct subnet *s)
{
	subnet_add_work(s, WORK_ALL, 0, 0);
}

int subnet_reload(struct subnet *s, struct err *e)
{
	struct err why = { 0 };
	int err;

	if (!s->policy_file)
		return 0;
	err = policy_load(&s->policy, s->policy_file, &why);
	if (err) {
		subnet_say(s, SUBNET_EVENT_POLICY, "refused: %s", why.text);
		return err_set(e, err, "%s", why.text);
	}
	subnet_say(s, SUBNET_EVENT_POLICY, "%u partitions are in force",
	           s->policy.n_partitions);
	admin_policy(s->admin);
	subnet_add_work(s, WORK_POLICY, 0, 0);
	return 0;
}

/* -- life ------------------------------------------------------------------ */

static void or_default(unsigned *value, unsigned otherwise)
{
	if (!*value)
		*value = otherwise;
}

static int copy_opts(struct subnet *s, const struct subnet_opts *o)
{
	s->opts = *o;
	if (o->lid_file && !(s->lid_file = strdup(o->lid_file)))
		return -ENOMEM;
	if (o->policy_file && !(s->policy_file = strdup(o->policy_file)))
		return -ENOMEM;
	if (!s->opts.subnet_prefix)
		s->opts.subnet_prefix = UINT64_C(0xfe80000000000000);
	if (!s->opts.sm_key)
		s->opts.sm_key = SUBNET_SM_KEY_DEFAULT;
	or_default(&s->opts.window, 64);
	or_default(&s->opts.timeout_ms, 200);
	or_default(&s->opts.tries, 4);
	or_default(&s->opts.light_sweep_ms, 2000);
	or_default(&s->opts.heavy_sweep_ms, 300000);
	or_default(&s->opts.poll_ms, 300);
	or_default(&s->opts.poll_tries, 3);
	or_default(&s->opts.virtual_cap, 30720);
	return 0;
}

static int make_asks(struct subnet *s)
{
	s->ask = calloc(s->opts.window, sizeof(*s->ask));
	for (unsigned i = 0; s->ask && i < s->opts.window; i++) {
		s->ask[i].s = s;
		s->ask[i].next_free = s->free_ask;
		s->free_ask = &s->ask[i];
	}
	return s->ask ? 0 : -ENOMEM;
}

static int start_parts(struct subnet *s, struct err *e)
{
	struct transact_opts t = {
		.window = s->opts.window,
		.tries = s->opts.tries,
		.timeout_ms = s->opts.timeout_ms,
		.mgmt_class = MAD_CLASS_SUBN_LID,
	};
	int err = lidmap_init(&s->lids, s->opts.virtual_cap);

	if (!err && s->lid_file)
		err = lidmap_load(&s->lids, s->lid_file, e);
	if (!err && s->policy_file)
		err = policy_load(&s->policy, s->policy_file, e);
	if (!err)
		err = mcast_init(&s->mcast);
	if (!err)
		err = make_asks(s);
	if (!err)
		err = transact_create(s->port, &t, &s->smp);
	/* Polls of the master must be quick, and never wait in a queue. */
	t.window = 1;
	t.tries = 1;
	if (!err)
		err = transact_create(s->port, &t, &s->poller);
	if (!err)
		err = subnet_managers_start(s);
	if (!err)
		err = admin_create(s, s->port, &s->admin);
	return err;
}

int subnet_create(struct reactor *r, struct mad_port *p,
                  const struct subnet_opts *o, struct subnet **out,
                  struct err *e)
{
	struct subnet *s = calloc(1, sizeof(*s));
	struct mad_port_info me = { 0 };
	int err;

	if (!s)
		return err_set(e, -ENOMEM, "out of memory");
	s->reactor = r;
	s->port = p;
	s->focus = GRAPH_NONE;
	s->timer.fire = work_due;
	s->poll.fire = subnet_poll;
	graph_init(&s->graph);
	route_init(&s->route);
	aggregate_init(&s->lag);
	policy_init(&s->policy);
	mad_port_query(p, &me);
	err = copy_opts(s, o);
	s->own_guid = me.port_guid;
	s->election = (struct election){
		.has_key = s->opts.m_key != 0,
		.guid = me.port_guid,
		.priority = s->opts.priority,
		.state = ELECTION_DISCOVERING,
		.allow = s->opts.allow,
		.n_allow = s->opts.n_allow,
		.poll_tries = s->opts.poll_tries,
	};
	if (!err)
		err = start_parts(s, e);
	if (err) {
		subnet_destroy(s);
		return err_set(e, err,
		               "cannot start the subnet manager on %s: %s",
		               p->name, strerror(-err));
	}
	subnet_say(s, SUBNET_EVENT_STATE, "discovering");
	subnet_add_work(s, WORK_ALL, 0, 0);
	*out = s;
	return 0;
}

void subnet_stop(struct subnet *s)
{
	s->stopping = true;
	timer_stop(s->reactor, &s->timer);
	timer_stop(s->reactor, &s->poll);
	mad_port_set_is_sm(s->port, false);
	transact_cancel_all(s->smp);
	transact_cancel_all(s->poller);
	admin_stop(s->admin);
	subnet_step(s);
}

void subnet_destroy(struct subnet *s)
{
	if (!s)
		return;
	admin_destroy(s->admin);
	mad_port_detach(&s->agent);
	transact_destroy(s->smp);
	transact_destroy(s->poller);
	free(s->ask);
	free(s->todo.item);
	free(s->sw);
	free(s->silent);
	topo_fini(&s->topo);
	route_fini(&s->route);
	aggregate_fini(&s->lag);
	mcast_fini(&s->mcast);
	policy_fini(&s->policy);
	lidmap_fini(&s->lids);
	graph_fini(&s->graph);
	free(s->lid_file);
	free(s->policy_file);
	free(s);
}

/* -- looking --------------------------------------------------------------- */

static unsigned count_lags(const struct subnet *s)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < s->lag.n; i++)
		n += s->lag.host[i].state == AGGREGATE_IN_FORCE;
	return n;
}

void subnet_status(const struct subnet *s, struct subnet_status *out)
{
	const struct graph *g = &s->graph;
	const struct election *e = &s->election;
	struct transact_stats t;
	unsigned ends = 0;

	*out = s->stats;
	transact_get_stats(s->smp, &t);
	for (uint32_t i = 0; i < g->n_nodes; i++) {
		out->nodes += g->node[i].present;
		out->switches +=
			g->node[i].present && g->node[i].kind == GRAPH_SWITCH;
	}
	for (uint32_t i = 0; i < g->n_ports; i++)
		ends += g->port[i].peer != GRAPH_NONE;
	out->links = ends / 2;
	out->lags = count_lags(s);
	out->state = (enum subnet_state)e->state;
	out->guid = s->own_guid;
	out->master_guid = subnet_is_master(s)      ? s->own_guid
	                   : e->master < e->n_peers ? e->peer[e->master].guid
	                                            : 0;
	out->lid = subnet_lid_of((void *)s, g->self, NULL);
	out->priority = s->opts.priority;
	out->not_sent = s->route.lft.n_dirty + s->mcast.mft.n_dirty +
	                s->lag.groups.n_dirty + s->lag.lids.n_dirty;
	out->settled = subnet_is_master(s) && s->phase == PHASE_IDLE &&
	               s->saw_all &&
	               work_next_ns(&s->work) > reactor_now_ns(s->reactor);
	out->engine = s->route.used;
	out->lanes = s->route.n_layers;
	out->why = s->route.why;
	out->smps_sent = t.sent;
	out->smps_retried = t.retried;
	admin_count(s->admin, &out->sa_queries, &out->sa_refused);
}

unsigned subnet_events(const struct subnet *s, uint64_t after,
                       struct subnet_event *out, unsigned n)
{
	uint64_t first =
		s->n_events > SUBNET_EVENTS ? s->n_events - SUBNET_EVENTS : 0;
	unsigned count = 0;

	if (after > first)
		first = after;
	for (; first < s->n_events && count < n; first++)
		out[count++] = s->event[first % SUBNET_EVENTS];
	return count;
}
