/* SPDX-License-Identifier: BSD-2-Clause */
/* The inside of the subnet manager, for the files that share it. */
#ifndef SUBNET_SUBNET_PRIV_H
#define SUBNET_SUBNET_PRIV_H

#include "core/reactor.h"
#include "mad/lag.h"
#include "mad/notice.h"
#include "mad/smp.h"
#include "mad/transact.h"
#include "subnet/aggregate.h"
#include "subnet/election.h"
#include "subnet/lidmap.h"
#include "subnet/mcast.h"
#include "subnet/policy.h"
#include "subnet/subnet.h"
#include "subnet/work.h"

/*
 * An SMP to send.  `at` is a node, a port or a switch, as the kind says; the
 * kinds are the rows of a table in ask.c.
 */
enum ask_kind {
	ASK_WAIT,       /* no SMP: what is before it comes first */
	ASK_NODE,       /* NodeInfo through a port; GRAPH_NONE: our own */
	ASK_DESC,       /* node */
	ASK_SWITCH,     /* node: SwitchInfo, and clear its change bit */
	ASK_LIGHT,      /* node: SwitchInfo; its ports if that has changed */
	ASK_PORT,       /* port */
	ASK_MANAGER,    /* port: SMInfo */
	ASK_LFT,        /* switch, block */
	CHECK_LFT,      /* switch, block: is it what was set? */
	ASK_LAG_HOST,   /* port */
	ASK_LAG_SWITCH, /* node */
	ASK_GROUP_LIDS, /* switch, block; ASK_GROUPS too */
	ASK_GROUPS,
	SET_SWITCH,     /* node: tops of tables */
	SET_PORT,       /* port */
	SET_LAG_SWITCH, /* node: its ways to others that skip */
	SET_LFT,        /* switch, block; the same for the next three */
	SET_MFT,
	SET_GROUPS,
	SET_GROUP_LIDS,
	SET_PKEYS,    /* port, block */
	SET_SL2VL,    /* port; out port << 8 | in port */
	SET_VLARB,    /* port, block */
	SET_LAG_HOST, /* port */
	ASK_KINDS
};

struct todo {
	uint32_t at;
	uint32_t arg;
	uint8_t kind; /* enum ask_kind */
};

struct todo_list {
	struct todo *item;
	uint32_t head, n, room;
};

struct ask {
	struct transact_request q;
	struct subnet *s;
	struct ask *next_free;
	struct todo todo;
};

enum subnet_phase {
	PHASE_IDLE,
	PHASE_DISCOVER,
	PHASE_MANAGERS, /* who else is there, and are we master? */
	PHASE_LAGS,     /* what hosts and switches can aggregate */
	PHASE_ADOPT,    /* tables that switches have */
	PHASE_PORTS,    /* after planning: LIDs, MTU, lanes, armed */
	PHASE_TABLES,
	PHASE_ACTIVATE,
	PHASE_HOSTS, /* tell hosts of their virtual LIDs */
	PHASES
};

/* What a switch has beside its forwarding table, as far as we know. */
struct subnet_switch {
	struct smp_switch_info info;
	uint16_t lft_top;    /* that it has */
	uint16_t adopt_top;  /* blocks to read, when it is new to us */
	uint16_t groups_cap; /* 0: no groups */
	uint16_t members_cap;
	uint32_t lag_seed, lag_generation;
	uint8_t ways[32]; /* LagSwitch.ways that it has */
	bool asked_lag;
	bool adopt_groups; /* it has some, from another manager */
	bool fresh;        /* nothing is known of its tables */
	bool refuses; /* a Set was refused; try again at the next full pass */
	bool doubted; /* a block was not what had been confirmed */
	uint32_t doubted_block;
	bool lies;          /* twice: isolated */
	bool own_lanes;     /* it has others than it was told, which was said */
	uint32_t confirmed; /* blocks of its forwarding table */
};

struct admin;

struct subnet {
	struct reactor *reactor;
	struct mad_port *port;
	struct subnet_opts opts;
	char *lid_file, *policy_file;
	struct transact *smp;
	struct transact *poller; /* to other managers */
	struct mad_agent agent;  /* SMInfo and traps of others */
	struct admin *admin;

	struct graph graph;
	struct topo topo;
	struct lidmap lids;
	struct route route;
	struct subnet_switch *sw; /* [switch] */
	unsigned room_sw;
	struct aggregate lag;
	uint64_t lag_off[SUBNET_LAG_OFF_MAX]; /* hosts not to aggregate */
	unsigned n_lag_off;
	struct mcast mcast;
	struct policy policy;
	struct election election;
	uint64_t own_guid; /* port */

	struct work_list work;
	struct timer timer; /* the next work */
	struct timer poll;  /* standby's */
	struct task step;
	bool stepping, stopping, planned;

	/* the pass under way */
	enum subnet_phase phase;
	uint32_t pass;
	bool full;       /* over everything */
	bool changed;    /* the graph is not what was planned for */
	bool plan_again; /* inputs of the plan changed in some other way */
	bool reregister; /* hosts must tell a new SA what they want */
	bool saw_all;    /* one full pass was completed */
	uint64_t began_ns;
	uint64_t began_smps;
	struct todo_list todo;
	uint64_t cursor; /* of phases that scan */

	uint32_t *silent; /* [node]: the pass in which it did not answer */
	uint32_t room_silent;
	uint32_t focus; /* a switch near what changed; GRAPH_NONE */
	/* A host was joined to it, or cut off from it: it comes first, so that
	 * it knows what the others will send, or last, so that it sends
	 * nothing back to them. */
	enum { FOCUS_NEAREST, FOCUS_FIRST, FOCUS_LAST } focus_how;

	struct ask *ask; /* [window] */
	struct ask *free_ask;
	unsigned in_flight;
	struct transact_request manager_q; /* handover, acknowledge, poll */
	enum { MANAGER_IDLE, MANAGER_POLL, MANAGER_TELL } manager_busy;
	unsigned poll_count;
	bool poll_directed;
	uint64_t silent_manager; /* port GUID of the master that we replace */
	uint64_t quiet_until_ns;
	uint64_t look_after_ns;
	uint64_t mcast_unique;

	struct subnet_event event[SUBNET_EVENTS];
	uint64_t n_events;
	struct subnet_status stats; /* counters only */
};

/* -- subnet.c -------------------------------------------------------------- */

void subnet_say(struct subnet *s, enum subnet_event_kind kind, const char *fmt,
                ...) __attribute__((format(printf, 3, 4)));
/* "name port N", in a rotating buffer. */
const char *subnet_name(const struct subnet *s, uint32_t port);
const char *subnet_node_name(const struct subnet *s, uint32_t node);
void subnet_add_work(struct subnet *s, enum work_what what, uint32_t scope,
                     uint64_t delay_ms);
bool subnet_is_master(const struct subnet *s);

/* -- todo.c ---------------------------------------------------------------- */

void subnet_todo(struct subnet *s, enum ask_kind kind, uint32_t at,
                 uint32_t arg);
bool subnet_todo_take(struct subnet *s, struct todo *out);

/* -- ask.c ----------------------------------------------------------------- */

/* Send until the window is full or the phase has nothing more. */
void subnet_pump(struct subnet *s);
/* The node that an SMP for this todo goes to. */
uint32_t subnet_target(const struct subnet *s, const struct todo *t);

/* -- pass.c ---------------------------------------------------------------- */

void subnet_step(struct subnet *s); /* soon */
void subnet_pass_begin(struct subnet *s);
/* What the phase sends next.  @return false: nothing more for now. */
bool subnet_pass_next(struct subnet *s, struct todo *out);
/* The phase is over when this is called: nothing is in flight. */
void subnet_pass_advance(struct subnet *s);

/* -- tables.c -------------------------------------------------------------- */

/* The data of a table's SMP, and its modifier. */
uint32_t subnet_table_data(const struct subnet *s, const struct todo *t,
                           uint8_t data[64]);
void subnet_set_table(struct subnet *s, const struct todo *t, int err,
                      const struct mad *m);
void subnet_got_lft(struct subnet *s, const struct todo *t, int err,
                    const struct mad *m);
void subnet_got_group_lids(struct subnet *s, const struct todo *t, int err,
                           const struct mad *m);
void subnet_got_groups(struct subnet *s, const struct todo *t, int err,
                       const struct mad *m);
/* Fill the list with what the tables' phase sends. */
void subnet_list_tables(struct subnet *s);
/* For nets too large for a list: the next block in order. */
bool subnet_next_table(struct subnet *s, struct todo *out);

/* -- discover.c ------------------------------------------------------------ */

void subnet_got_node(struct subnet *s, const struct todo *t, int err,
                     const struct mad *m);
void subnet_got_desc(struct subnet *s, const struct todo *t, int err,
                     const struct mad *m);
void subnet_got_switch(struct subnet *s, const struct todo *t, int err,
                       const struct mad *m);
void subnet_got_port(struct subnet *s, const struct todo *t, int err,
                     const struct mad *m);
void subnet_fill_port(struct graph_port *p, const struct smp_port_info *i);
/* All of a switch's ports. */
void subnet_read_ports(struct subnet *s, uint32_t node);
/* Drop what is not there any more; find ways. */
void subnet_discovered(struct subnet *s);
void subnet_suspect(struct subnet *s, uint32_t node, bool was_way);
void subnet_link_lost(struct subnet *s, uint32_t port);

/* -- ports.c --------------------------------------------------------------- */

/* Whether a port needs a Set, and its attribute.  `active`: the second one. */
bool subnet_port_wants(const struct subnet *s, uint32_t port, bool active,
                       struct smp_port_info *out);
void subnet_set_port(struct subnet *s, const struct todo *t, int err,
                     const struct mad *m);

/* -- partitions.c ---------------------------------------------------------- */

/* P_Keys that the port lacks. */
void subnet_list_keys(struct subnet *s, uint32_t port);
/* One block of them.  @return the attribute's modifier. */
uint32_t subnet_keys_data(const struct subnet *s, const struct todo *t,
                          uint8_t data[64]);
void subnet_set_keys(struct subnet *s, uint32_t port, bool accepted);
/* Bits GRAPH_ENFORCES_*: what a port enforces, and what that of a switch
 * should. */
uint8_t subnet_enforces(const struct smp_port_info *i);
uint8_t subnet_enforcement(const struct subnet *s, uint32_t port);

/* -- readback.c ------------------------------------------------------------ */

/* A block was confirmed; perhaps it is read back. */
void subnet_check_lft(struct subnet *s, uint32_t sw, uint32_t block);
void subnet_checked_lft(struct subnet *s, const struct todo *t, int err,
                        const struct mad *m);
/* The switch begins anew. */
void subnet_believe(struct subnet *s, uint32_t node);

/* -- plan.c ---------------------------------------------------------------- */

/* Base LID and LMC meant for a port; for topo_build(). */
uint16_t subnet_lid_of(void *subnet, uint32_t port, uint8_t *lmc);
/* Data VLs that every link between switches has. */
unsigned subnet_lanes(const struct graph *g);
void subnet_assign_lids(struct subnet *s);
int subnet_plan(struct subnet *s);
/* Whatever switches have is to be read again: another master was here. */
void subnet_forget_tables(struct subnet *s);

/* -- managers.c ------------------------------------------------------------ */

int subnet_managers_start(struct subnet *s);
void subnet_got_manager(struct subnet *s, const struct todo *t, int err,
                        const struct mad *m);
/* Whether the pass goes on: we are master. */
bool subnet_decide(struct subnet *s);
void subnet_poll(struct timer *t);
void subnet_receive(struct mad_agent *a, const struct mad_datagram *d);

/* -- lag.c ----------------------------------------------------------------- */

void subnet_got_lag_host(struct subnet *s, const struct todo *t, int err,
                         const struct mad *m);
void subnet_got_lag_switch(struct subnet *s, const struct todo *t, int err,
                           const struct mad *m);
void subnet_set_lag_host(struct subnet *s, const struct todo *t, int err,
                         const struct mad *m);
void subnet_set_lag_switch(struct subnet *s, const struct todo *t, int err,
                           const struct mad *m);
/* What a switch should be told. */
void subnet_lag_switch(const struct subnet *s, uint32_t node,
                       struct lag_switch *out);
bool subnet_lag_switch_differs(const struct subnet *s, uint32_t node);
/* The operator does not want this host aggregated: to be told so. */
void subnet_lag_leave(struct subnet *s, struct aggregate_host *h);

#endif /* SUBNET_SUBNET_PRIV_H */
