/* SPDX-License-Identifier: BSD-2-Clause */
/* One pass over what is due: from phase to phase. */
#include "base/base.h"
#include "subnet/subnet_priv.h"

#include "subnet/admin.h"

#include <string.h>

static void run_step(struct task *t)
{
	struct subnet *s = container_of(t, struct subnet, step);

	s->stepping = false;
	if (s->stopping) {
		if (s->in_flight == 0 && s->manager_busy == MANAGER_IDLE &&
		    admin_is_idle(s->admin) && s->opts.stopped)
			s->opts.stopped(s->opts.arg);
		return;
	}
	if (s->phase == PHASE_IDLE) {
		subnet_pass_begin(s);
		return;
	}
	subnet_pump(s);
	if (s->in_flight == 0)
		subnet_pass_advance(s);
}

void subnet_step(struct subnet *s)
{
	if (s->stepping)
		return;
	s->stepping = true;
	s->step.run = run_step;
	task_defer(s->reactor, &s->step);
}

/* -- the start ------------------------------------------------------------- */

static void begin_all(struct subnet *s)
{
	s->full = true;
	lidmap_tick(&s->lids);
	for (uint32_t i = 0; i < s->graph.n_nodes; i++)
		s->graph.node[i].hops = UINT16_MAX;
	election_begin(&s->election, s->pass);
	subnet_todo(s, ASK_NODE, GRAPH_NONE, 0);
}

static void begin_light(struct subnet *s)
{
	const struct graph *g = &s->graph;

	for (uint32_t i = 0; i < g->n_switches; i++)
		if (g->node[g->switch_node[i]].present)
			subnet_todo(s, ASK_LIGHT, g->switch_node[i], 0);
	/* A host hears nothing of its own link. */
	if (g->self != GRAPH_NONE)
		subnet_todo(s, ASK_PORT, g->self, 0);
	subnet_add_work(s, WORK_LIGHT, 0, s->opts.light_sweep_ms);
}

/* The link that leads there may be the one that was cut: its near end says so,
 * and another way is found, before anything is asked of the far one. */
static void begin_switch(struct subnet *s, uint32_t node)
{
	const struct graph *g = &s->graph;
	uint32_t way = g->node[node].way;

	subnet_todo(s, ASK_WAIT, 0, 0);
	if (way != GRAPH_NONE && g->port[way].peer != GRAPH_NONE) {
		subnet_todo(s, ASK_PORT, g->port[way].peer, 0);
		subnet_todo(s, ASK_WAIT, 0, 0);
	}
	subnet_todo(s, ASK_SWITCH, node, 1);
}

static void begin_work(struct subnet *s, const struct work *w)
{
	struct graph_port *p;

	switch (w->what) {
	case WORK_ALL:
		subnet_add_work(s, WORK_ALL, 0, s->opts.heavy_sweep_ms);
		if (!s->full)
			begin_all(s);
		break;
	case WORK_LIGHT:
		if (subnet_is_master(s))
			begin_light(s);
		break;
	case WORK_SWITCH:
		begin_switch(s, w->scope);
		break;
	case WORK_PORT:
		subnet_todo(s, ASK_PORT, w->scope, 0);
		break;
	case WORK_CALM:
		p = &s->graph.port[w->scope];
		p->flaps = 0;
		if (p->isolated)
			s->changed = true;
		p->isolated = false;
		subnet_todo(s, ASK_PORT, w->scope, 0);
		break;
	case WORK_POLICY:
	case WORK_KINDS:
		s->plan_again = true;
		break;
	}
}

static int nearer(const struct subnet *s, const struct work *w)
{
	return w->what == WORK_SWITCH ? s->graph.node[w->scope].hops : 0;
}

void subnet_pass_begin(struct subnet *s)
{
	struct work due[64];
	struct work w;
	unsigned n = 0;
	uint64_t now = reactor_now_ns(s->reactor);
	struct transact_stats st;

	while (n < 64 && work_take(&s->work, now, &w)) {
		unsigned at = n++;

		for (; at > 0 && nearer(s, &due[at - 1]) > nearer(s, &w); at--)
			due[at] = due[at - 1];
		due[at] = w;
	}
	if (n == 0) {
		uint64_t next = work_next_ns(&s->work);

		if (next != UINT64_MAX)
			timer_start(s->reactor, &s->timer,
			            next > now ? next - now : 1);
		return;
	}
	timer_stop(s->reactor, &s->timer);
	s->pass++;
	s->full = false;
	s->began_ns = clock_now_ns();
	transact_get_stats(s->smp, &st);
	s->began_smps = st.sent;
	s->phase = PHASE_DISCOVER;
	for (unsigned i = 0; i < n; i++)
		begin_work(s, &due[i]);
	subnet_step(s);
}

/* -- the phases ------------------------------------------------------------ */

static bool scan_ports(struct subnet *s, struct todo *out, bool active)
{
	while (s->cursor < s->graph.n_ports) {
		uint32_t at = (uint32_t)s->cursor++;

		if (!subnet_port_wants(s, at, active, NULL))
			continue;
		*out = (struct todo){ at, active, SET_PORT };
		return true;
	}
	return false;
}

static bool next_in_list(struct subnet *s, struct todo *out)
{
	while (subnet_todo_take(s, out)) {
		if (out->kind != ASK_WAIT)
			return true;
		if (s->in_flight == 0)
			continue;
		s->todo.head--;
		return false;
	}
	return false;
}

bool subnet_pass_next(struct subnet *s, struct todo *out)
{
	if (s->phase == PHASE_PORTS || s->phase == PHASE_ACTIVATE)
		return scan_ports(s, out, s->phase == PHASE_ACTIVATE);
	return next_in_list(s, out) ||
	       (s->phase == PHASE_TABLES && subnet_next_table(s, out));
}

/* One whose silence is why we are here is not waited for once more; if it lives
 * again, it shows itself. */
static void list_managers(struct subnet *s)
{
	const struct graph *g = &s->graph;

	for (uint32_t i = 0; i < g->n_ports; i++) {
		const struct graph_port *p = &g->port[i];

		if (p->known && (p->cap_mask & SMP_CAP_IS_SM) && i != g->self &&
		    (!p->guid || p->guid != s->silent_manager) &&
		    g->node[p->node].present &&
		    g->node[p->node].hops != UINT16_MAX &&
		    (p->peer != GRAPH_NONE || p->number == 0))
			subnet_todo(s, ASK_MANAGER, i, 0);
	}
}

/* LIDs that somebody has, as far as anybody says. */
static void find_used(const struct subnet *s, uint8_t used[LFT_BLOCKS])
{
	memset(used, 0, LFT_BLOCKS);
	for (uint32_t i = 0; i < s->graph.n_ports; i++)
		used[s->graph.port[i].lid / LFT_BLOCK % LFT_BLOCKS] = 1;
	for (uint32_t i = 0; i < s->lag.n; i++)
		used[s->lag.host[i].had_vlid / LFT_BLOCK % LFT_BLOCKS] = 1;
	for (unsigned lid = 1; lid < LIDMAP_LIDS; lid++)
		if (lidmap_owner(&s->lids, (uint16_t)lid))
			used[lid / LFT_BLOCK] = 1;
}

/* Blocks of LagLids in which hosts have virtual LIDs. */
static void list_groups(struct subnet *s, uint32_t sw)
{
	uint8_t used[LIDMAP_LIDS / LAG_LIDS_BLOCK] = { 0 };

	if (!s->sw[sw].adopt_groups)
		return;
	s->sw[sw].adopt_groups = false;
	for (uint32_t i = 0; i < s->lag.n; i++)
		used[s->lag.host[i].had_vlid / LAG_LIDS_BLOCK] = 1;
	for (unsigned b = 1; b < ARRAY_LEN(used); b++)
		if (used[b])
			subnet_todo(s, ASK_GROUP_LIDS, sw, b);
}

static void list_adoption(struct subnet *s)
{
	const struct graph *g = &s->graph;
	uint8_t used[LFT_BLOCKS];

	find_used(s, used);
	for (uint32_t i = 0; i < g->n_switches; i++) {
		struct subnet_switch *w = &s->sw[i];

		if (!g->node[g->switch_node[i]].present)
			continue;
		list_groups(s, i);
		if (!w->adopt_top)
			continue;
		for (unsigned b = 0; b <= w->adopt_top / LFT_BLOCK; b++)
			if (used[b])
				subnet_todo(s, ASK_LFT, i, b);
	}
}

static void list_lags(struct subnet *s)
{
	const struct graph *g = &s->graph;

	if (s->opts.no_lag)
		return;
	for (uint32_t i = 0; i < s->lag.n; i++) {
		struct aggregate_host *h = &s->lag.host[i];

		if (h->ask && !subnet_lag_wanted(s, h->sys_guid))
			subnet_lag_leave(s, h);
		for (unsigned k = 0; h->ask && k < h->n_members; k++) {
			if (!h->up[k])
				continue;
			subnet_todo(s, ASK_LAG_HOST, h->port[k], 0);
			h->ask = false;
		}
	}
	for (uint32_t i = 0; i < g->n_switches && s->lag.n > 0; i++) {
		uint32_t node = g->switch_node[i];

		if (g->node[node].present && !s->sw[i].asked_lag)
			subnet_todo(s, ASK_LAG_SWITCH, node, 0);
	}
}

static void list_hosts(struct subnet *s)
{
	for (uint32_t i = 0; i < s->lag.n; i++) {
		struct aggregate_host *h = &s->lag.host[i];

		if (!h->tell)
			continue;
		for (unsigned k = 0; k < h->n_members; k++)
			if (h->up[k])
				subnet_todo(s, SET_LAG_HOST, h->port[k], 0);
	}
}

static bool has_work(const struct subnet *s)
{
	return s->full || s->changed || s->plan_again;
}

static void end_pass(struct subnet *s)
{
	struct transact_stats st;
	struct err e = { 0 };

	transact_get_stats(s->smp, &st);
	s->stats.passes++;
	s->stats.last_pass_ns = clock_now_ns() - s->began_ns;
	s->stats.last_pass_smps = st.sent - s->began_smps;
	if (!s->stats.first_pass_ns && subnet_is_master(s))
		s->stats.first_pass_ns = s->stats.last_pass_ns;
	if (subnet_is_master(s) && (s->full || s->stats.last_pass_smps > 0) &&
	    has_work(s))
		subnet_say(s, SUBNET_EVENT_SWEEP,
		           "pass %u: %lu SMPs in %lu.%03lu ms, %u entries "
		           "changed",
		           s->pass, (unsigned long)s->stats.last_pass_smps,
		           (unsigned long)(s->stats.last_pass_ns / 1000000),
		           (unsigned long)(s->stats.last_pass_ns / 1000 % 1000),
		           s->route.stats.changed);
	if (s->lid_file && s->lids.changed &&
	    lidmap_save(&s->lids, s->lid_file, &e))
		subnet_say(s, SUBNET_EVENT_FAULT, "%s", e.text);
	if (subnet_is_master(s) && s->full) {
		s->reregister = false;
		s->saw_all = true;
	}
	if (s->full)
		s->silent_manager = 0;
	if (subnet_is_master(s) && has_work(s))
		admin_ports(s->admin);
	s->changed = s->plan_again = false;
	s->phase = PHASE_IDLE;
	subnet_step(s);
}

/* What is under way is over; begin the next phase that has something. */
static void enter(struct subnet *s, enum subnet_phase phase)
{
	s->phase = phase;
	s->cursor = 0;
	if (phase == PHASE_MANAGERS) {
		subnet_discovered(s);
		if (s->full)
			list_managers(s);
	} else if (phase == PHASE_ADOPT) {
		list_adoption(s);
	} else if (phase == PHASE_LAGS) {
		subnet_assign_lids(s);
		if (s->full || s->changed)
			aggregate_collect(&s->lag, &s->graph, subnet_lid_of, s,
			                  s->pass);
		list_lags(s);
	} else if (phase == PHASE_TABLES) {
		subnet_list_tables(s);
	} else if (phase == PHASE_HOSTS) {
		list_hosts(s);
	}
	subnet_step(s);
}

void subnet_pass_advance(struct subnet *s)
{
	enum subnet_phase next = s->phase + 1;

	if (s->todo.head != s->todo.n)
		return;
	if (s->phase == PHASE_MANAGERS && !subnet_decide(s)) {
		end_pass(s);
		return;
	}
	if (s->phase == PHASE_ADOPT && has_work(s) && subnet_plan(s)) {
		end_pass(s);
		return;
	}
	if (next == PHASES)
		end_pass(s);
	else
		enter(s, next);
}
