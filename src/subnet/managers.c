/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Talking to other subnet managers (election.h decides), and what arrives for
 * us unasked: their SMInfo, and traps.
 */
#include "base/base.h"
#include "subnet/subnet_priv.h"

#include "subnet/admin.h"

#include <errno.h>
#include <string.h>

#define QUIET_NS (100 * NS_PER_MS) /* between events of one kind */
#define LOOK_MS 3000u              /* between looks for managers */
#define LOOK_SOON_MS 200u          /* when there was none lately */
#define YIELD_MS 2000u             /* then the handover is tried again */
#define PEERS_MS 1000u             /* a master shows itself to the others */

static void fill_info(const struct subnet *s, struct smp_sm_info *i)
{
	*i = (struct smp_sm_info){
		.guid = s->election.guid,
		.act_count = (uint32_t)s->stats.smps_sent + s->poll_count,
		.priority = s->election.priority,
		.state = (uint8_t)s->election.state,
	};
}

static void to_peer(struct election_peer *p, const struct smp_sm_info *i)
{
	*p = (struct election_peer){
		.guid = i->guid,
		.priority = i->priority,
		.state = i->state,
	};
}

static void refuse_stranger(struct subnet *s, uint64_t guid, const char *what)
{
	subnet_say(s, SUBNET_EVENT_SECURITY,
	           "the manager with GUID 0x%016lx is not on the allow-list: "
	           "%s",
	           (unsigned long)guid, what);
}

/* Another manager has to be looked for at once instead of at the next sweep;
 * but not again and again. */
static void look(struct subnet *s)
{
	uint64_t now = reactor_now_ns(s->reactor);
	uint64_t wait_ms = LOOK_SOON_MS;

	if (s->look_after_ns > now)
		wait_ms = (s->look_after_ns - now) / NS_PER_MS + 1;
	if (wait_ms > LOOK_MS)
		return; /* a look is coming */
	s->look_after_ns = now + (wait_ms + LOOK_MS) * NS_PER_MS;
	subnet_add_work(s, WORK_ALL, 0, wait_ms);
}

/* -- asking others --------------------------------------------------------- */

/* `p` NULL: no answer. */
static void polled(struct subnet *s, const struct election_peer *p)
{
	const struct election *e = &s->election;
	uint64_t master =
		e->master < e->n_peers ? e->peer[e->master].port_guid : 0;

	if (election_polled(&s->election, p) != ELECTION_DISCOVER)
		return;
	subnet_say(s, SUBNET_EVENT_STATE, "the master is silent; taking over");
	s->silent_manager = master;
	subnet_forget_tables(s);
	subnet_add_work(s, WORK_ALL, 0, 0);
}

static void told(struct transact_request *q, int err, const struct mad *m)
{
	struct subnet *s = container_of(q, struct subnet, manager_q);
	bool ok = !err && !mad_status(m);
	bool poll = s->manager_busy == MANAGER_POLL;
	struct smp_sm_info i;
	struct election_peer p;

	s->manager_busy = MANAGER_IDLE;
	if (poll && ok) {
		smp_get(m, &smp_sm_info_table, &i);
		to_peer(&p, &i);
	}
	if (poll && err != -ECANCELED)
		polled(s, ok ? &p : NULL);
	if (s->stopping)
		subnet_step(s);
}

/* Polls go by LID and by directed route in turn: a link on one way may be
 * cut while the master is alive. */
static bool set_way(struct subnet *s, const struct election_peer *p,
                    struct mad *m, bool directed)
{
	struct smp_route route = { 0 };
	uint32_t port = graph_find_port(&s->graph, p->port_guid);
	int hops = port == GRAPH_NONE
	                   ? -ENOENT
	                   : graph_path(&s->graph, s->graph.port[port].node,
	                                route.out);

	if (hops < 0 || !directed) {
		s->manager_q.to = mad_address_smi(p->lid);
		m->header.mgmt_class = MAD_CLASS_SUBN_LID;
		return p->lid != 0;
	}
	route.n_hops = (uint8_t)hops;
	smp_set_route(m, &route);
	s->manager_q.to = mad_address_directed();
	return true;
}

static void send_info(struct subnet *s, const struct election_peer *p,
                      unsigned method, uint32_t modifier)
{
	struct smp_sm_info i;
	struct mad *m = &s->manager_q.mad;
	bool poll = method == MAD_GET;

	if (s->manager_busy != MANAGER_IDLE || s->stopping)
		return;
	mad_init(m, MAD_CLASS_SUBN_DIRECTED, method, MAD_ATTR_SM_INFO,
	         modifier);
	fill_info(s, &i);
	i.sm_key = poll && s->opts.sm_key != SUBNET_SM_KEY_DEFAULT
	                   ? 0
	                   : s->opts.sm_key;
	/* Who resigns does so as the master. */
	if (!poll && modifier == ELECTION_HANDOVER)
		i.state = SMP_SM_MASTER;
	smp_put(m, &smp_sm_info_table, &i);
	mad_smp(m)->m_key = be64_put(s->opts.m_key);
	if (!set_way(s, p, m, !poll || s->poll_directed))
		return;
	s->manager_busy = poll ? MANAGER_POLL : MANAGER_TELL;
	s->manager_q.done = told;
	transact_submit(s->poller, &s->manager_q);
}

void subnet_poll(struct timer *t)
{
	struct subnet *s = container_of(t, struct subnet, poll);
	const struct election *e = &s->election;
	bool master = e->state == ELECTION_MASTER;
	unsigned whom = e->master, n = 1;

	if ((e->state != ELECTION_STANDBY && !master) || s->stopping)
		return;
	if (master && e->n_peers > 0) {
		n = e->n_peers;
		whom = s->poll_count % n;
	}
	s->poll_directed = s->poll_count++ / n % 2;
	if (whom < e->n_peers)
		send_info(s, &e->peer[whom], MAD_GET, 0);
	timer_start(s->reactor, &s->poll,
	            (master ? PEERS_MS : s->opts.poll_ms) * NS_PER_MS);
}

/* -- decisions ------------------------------------------------------------- */

static void act(struct subnet *s, enum election_action action)
{
	struct election *e = &s->election;
	const struct election_peer *other = &e->peer[e->other];

	switch (action) {
	case ELECTION_BECAME_MASTER:
		subnet_say(s, SUBNET_EVENT_STATE, "master");
		s->reregister = true;
		timer_start(s->reactor, &s->poll, PEERS_MS * NS_PER_MS);
		subnet_add_work(s, WORK_LIGHT, 0, s->opts.light_sweep_ms);
		break;
	case ELECTION_RESIGN:
	case ELECTION_BECAME_STANDBY:
		if (action == ELECTION_RESIGN)
			send_info(s, other, MAD_SET, ELECTION_HANDOVER);
		subnet_say(s, SUBNET_EVENT_STATE,
		           "standby of the manager with GUID 0x%016lx",
		           (unsigned long)(e->master < e->n_peers
		                                   ? e->peer[e->master].guid
		                                   : 0));
		timer_start(s->reactor, &s->poll, s->opts.poll_ms * NS_PER_MS);
		break;
	case ELECTION_HAND_OVER:
		send_info(s, other, MAD_SET, ELECTION_HANDOVER);
		subnet_add_work(s, WORK_ALL, 0, YIELD_MS);
		break;
	case ELECTION_ACKNOWLEDGE:
		send_info(s, other, MAD_SET, ELECTION_ACK);
		if (e->state == ELECTION_DISCOVERING)
			subnet_forget_tables(s);
		subnet_add_work(s, WORK_ALL, 0, 0);
		break;
	case ELECTION_DISCOVER:
		subnet_forget_tables(s);
		subnet_add_work(s, WORK_ALL, 0, 0);
		break;
	case ELECTION_NOTHING:
		break;
	}
}

void subnet_got_manager(struct subnet *s, const struct todo *t, int err,
                        const struct mad *m)
{
	const struct graph_port *port = &s->graph.port[t->at];
	const struct graph *g = &s->graph;
	struct smp_sm_info i;
	struct election_peer p;

	if (err || mad_status(m))
		return;
	smp_get(m, &smp_sm_info_table, &i);
	to_peer(&p, &i);
	p.port_guid = port->guid;
	p.seen = s->pass;
	p.lid = port->lid;
	/* It is who its port is, whatever it says. */
	if (g->node[port->node].kind == GRAPH_CA && p.guid != port->guid) {
		refuse_stranger(s, p.guid, "its port has another GUID");
		return;
	}
	if (!election_saw(&s->election, &p))
		refuse_stranger(s, p.guid, "ignored");
}

/* Whom switches call their master has set them. */
static void prove_by_ports(struct subnet *s)
{
	struct election *e = &s->election;
	const struct graph *g = &s->graph;

	for (uint32_t i = 0; i < g->n_ports && e->has_key; i++)
		for (unsigned k = 0; k < e->n_peers; k++)
			if (g->port[i].sm_lid == e->peer[k].lid &&
			    g->node[g->port[i].node].kind == GRAPH_SWITCH)
				election_prove(e, e->peer[k].guid);
}

bool subnet_decide(struct subnet *s)
{
	struct mad_port_info me;

	s->own_guid = s->graph.self == GRAPH_NONE
	                      ? 0
	                      : s->graph.port[s->graph.self].guid;
	if (s->own_guid == 0 && mad_port_query(s->port, &me) == 0)
		s->own_guid = me.port_guid;
	s->election.guid = s->own_guid;
	prove_by_ports(s);
	if (s->full)
		act(s, election_decide(&s->election, s->pass));
	return subnet_is_master(s) && s->graph.self != GRAPH_NONE;
}

/* -- what arrives ---------------------------------------------------------- */

static bool is_better(const struct subnet *s, uint8_t priority, uint64_t guid)
{
	return priority > s->opts.priority ||
	       (priority == s->opts.priority && guid < s->own_guid);
}

/*
 * Somebody asks how we are: a manager that stands by for us.  One that we have
 * not met, that is better, or that says that it is master (two took over at
 * the same time) is looked for.  Its M_Key is right, or this would not have
 * come here.
 */
static void notice_poller(struct subnet *s, uint16_t lid,
                          const struct smp_sm_info *i)
{
	const struct election *e = &s->election;
	bool known = false;

	for (unsigned k = 0; k < e->n_peers; k++) {
		const struct election_peer *p = &e->peer[k];

		if (p->lid == lid || p->guid == i->guid)
			known |= !is_better(s, p->priority, p->guid);
	}
	known &= !i->guid || i->state != SMP_SM_MASTER;
	if (!known && subnet_is_master(s) &&
	    (!i->guid || election_allows(e, i->guid)))
		look(s);
}

static void got_info(struct subnet *s, const struct mad_datagram *d)
{
	struct mad m = d->mad;
	struct smp_sm_info i, mine;
	struct election_peer p;
	enum election_action action = ELECTION_NOTHING;
	bool ok = true;

	smp_get(&m, &smp_sm_info_table, &i);
	if (i.guid && be64_get(mad_smp(&m)->m_key) == s->opts.m_key)
		election_prove(&s->election, i.guid);
	if (m.header.method == MAD_SET) {
		to_peer(&p, &i);
		p.seen = s->pass;
		p.lid = d->peer.lid;
		p.port_guid = i.guid;
		if (i.sm_key != s->opts.sm_key) {
			subnet_say(s, SUBNET_EVENT_SECURITY,
			           "Set(SMInfo) with a wrong SM_Key from LID "
			           "%u refused",
			           d->peer.lid);
			return;
		}
		action = election_told(&s->election, &p, mad_attr_mod(&m), &ok);
		if (!ok && !election_allows(&s->election, i.guid))
			refuse_stranger(s, i.guid, "its orders are refused");
	}
	fill_info(s, &mine);
	/* A secret is told only to who knows it. */
	if (s->opts.sm_key == SUBNET_SM_KEY_DEFAULT ||
	    i.sm_key == s->opts.sm_key)
		mine.sm_key = s->opts.sm_key;
	smp_put(&m, &smp_sm_info_table, &mine);
	mad_port_reply(&s->agent, d, &m, ok ? 0 : MAD_STATUS_BAD_VALUE);
	act(s, action);
	if (d->mad.header.method == MAD_GET)
		notice_poller(s, d->peer.lid, &i);
}

static uint32_t node_of_lid(const struct subnet *s, uint16_t lid,
                            uint32_t *port)
{
	const struct lidmap_entry *en = lidmap_owner(&s->lids, lid);

	*port = en && en->kind == LIDMAP_PORT
	                ? graph_find_port(&s->graph, en->guid)
	                : GRAPH_NONE;
	return *port == GRAPH_NONE ? GRAPH_NONE : s->graph.port[*port].node;
}

static void got_change(struct subnet *s, const struct notice *n)
{
	struct notice_capability c;
	uint32_t node, port;

	node = node_of_lid(s, n->issuer_lid, &port);
	if (node == GRAPH_NONE)
		return;
	if (n->trap == NOTICE_LINK_STATE &&
	    s->graph.node[node].kind == GRAPH_SWITCH) {
		subnet_add_work(s, WORK_SWITCH, node, 0);
		return;
	}
	field_decode(&notice_capability_table, n->details, &c);
	if ((c.capability_mask ^ s->graph.port[port].cap_mask) & SMP_CAP_IS_SM)
		subnet_add_work(s, WORK_ALL, 0, 100);
	subnet_add_work(s, WORK_PORT, port, 0);
}

static void got_trap(struct subnet *s, const struct mad_datagram *d)
{
	struct mad m = d->mad;
	struct notice n;
	uint32_t port;

	if (!subnet_is_master(s))
		return;
	s->stats.traps++;
	smp_get(&m, &notice_table, &n);
	/* One whose M_Key is not ours takes the repression itself for another
	 * attack: it is left to repeat its trap. */
	if (n.trap == NOTICE_BAD_M_KEY &&
	    reactor_now_ns(s->reactor) < s->quiet_until_ns)
		return;
	if (n.trap == NOTICE_BAD_M_KEY)
		s->quiet_until_ns = reactor_now_ns(s->reactor) + QUIET_NS;
	mad_smp(&m)->m_key = be64_put(s->opts.m_key);
	mad_port_reply(&s->agent, d, &m, 0);
	if (!n.generic)
		return;
	switch (n.trap) {
	case NOTICE_LINK_STATE:
	case NOTICE_CAPABILITY:
	case NOTICE_SYSTEM_GUID:
		got_change(s, &n);
		break;
	case NOTICE_BAD_M_KEY:
	case NOTICE_BAD_P_KEY:
	case NOTICE_BAD_Q_KEY:
	case NOTICE_BAD_P_KEY_SWITCH:
		port = GRAPH_NONE;
		node_of_lid(s, n.issuer_lid, &port);
		subnet_say(s, SUBNET_EVENT_SECURITY,
		           "trap %u (a wrong key) from %s", n.trap,
		           port == GRAPH_NONE ? "a node unknown"
		                              : subnet_name(s, port));
		break;
	default:
		port = GRAPH_NONE;
		node_of_lid(s, n.issuer_lid, &port);
		subnet_say(s, SUBNET_EVENT_FAULT, "trap %u from %s", n.trap,
		           port == GRAPH_NONE ? "a node unknown"
		                              : subnet_name(s, port));
		break;
	}
	admin_notice(s->admin, &n);
}

void subnet_receive(struct mad_agent *a, const struct mad_datagram *d)
{
	struct subnet *s = container_of(a, struct subnet, agent);

	if (d->error || mad_is_response(&d->mad) || s->stopping)
		return;
	if (d->mad.header.method == MAD_TRAP) {
		if (mad_attr_id(&d->mad) == MAD_ATTR_NOTICE)
			got_trap(s, d);
	} else if (mad_attr_id(&d->mad) == MAD_ATTR_SM_INFO) {
		got_info(s, d);
	}
}

int subnet_managers_start(struct subnet *s)
{
	int err;

	s->agent.mgmt_class = MAD_CLASS_SUBN_LID;
	s->agent.class_version = MAD_CLASS_VERSION;
	s->agent.receive = subnet_receive;
	mad_agent_take(&s->agent, MAD_GET);
	mad_agent_take(&s->agent, MAD_SET);
	mad_agent_take(&s->agent, MAD_TRAP);
	err = mad_port_attach(s->port, &s->agent);
	if (!err)
		mad_port_set_is_sm(s->port, true);
	return err;
}
