/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * subnet/query - what an operator asks a subnet manager: plain data, borrowed
 * until the next turn of the reactor.
 *
 * Lists are walked by number: call with *at = 0 and again until false.
 */
#ifndef SUBNET_QUERY_H
#define SUBNET_QUERY_H

#include "subnet/subnet.h"

struct query_node {
	uint64_t guid, sys_guid;
	const char *desc;
	enum graph_kind kind;
	unsigned n_ports;
	unsigned links;
	uint16_t lid; /* of port 0, or of the first port with a link */
	bool present;
};
bool query_node(const struct subnet *s, uint32_t *at, struct query_node *out);

struct query_link {
	uint64_t a_guid, b_guid;
	const char *a_desc, *b_desc;
	unsigned a_port, b_port;
	enum graph_kind a_kind, b_kind;
	unsigned width, speed; /* LinkWidthActive, LinkSpeedActive */
	unsigned state;        /* enum graph_state, of end a */
	bool isolated;
};
/* Each link once. */
bool query_link(const struct subnet *s, uint32_t *at, struct query_link *out);

/* A switch's entry for a LID; *at counts LIDs.  `sw_guid` names the switch. */
struct query_route {
	uint16_t lid;
	uint8_t port;
	uint8_t lane;
	bool pending; /* the switch does not have it yet */
};
bool query_route(const struct subnet *s, uint64_t sw_guid, uint32_t *at,
                 struct query_route *out);

#define QUERY_MEMBERS 8u
struct query_lag {
	uint64_t sys_guid;
	const char *desc;
	uint16_t virtual_lid; /* 0: none, see result */
	uint8_t mode;         /* enum lag_mode in force */
	uint8_t result;       /* enum lag_result of the last Set */
	uint32_t generation;
	unsigned n_members;
	struct {
		uint64_t port_guid;
		const char *switch_desc; /* "": no link */
		uint16_t lid;
		uint8_t port;
		uint8_t state; /* enum lag_member_state, as the host says */
		unsigned sw_port;
		unsigned switches; /* that send to it, by their plain table */
	} member[QUERY_MEMBERS];
};
bool query_lag(const struct subnet *s, uint32_t *at, struct query_lag *out);

/* One line of an explanation: a node, and why the packet goes on as it does. */
struct query_hop {
	const char *desc;
	uint64_t guid;
	unsigned in_port, out_port;
	char why[SUBNET_TEXT];
};
#define QUERY_HOPS 66u

/*
 * Follow packets from one end to the other.  `from` and `to` are a LID, a
 * GUID (0x...) of a port, node or host, or a node description.
 *
 * @return hops; -ENOENT: no such end; -EHOSTUNREACH, -ELOOP: the hops so far
 *         are there, the last says what is wrong (out of `n` given).
 */
int query_explain(const struct subnet *s, const char *from, const char *to,
                  struct query_hop hop[QUERY_HOPS], unsigned *n, struct err *e);

/* What a pass would change, were it run now: nothing is sent. */
struct query_plan {
	unsigned lids;     /* ports that would get another LID */
	unsigned ports;    /* PortInfo to set */
	unsigned switches; /* with blocks to write */
	unsigned blocks;   /* of forwarding tables */
	unsigned entries;  /* that differ in them */
	unsigned lags;     /* hosts to tell */
	enum route_engine engine;
	char why[SUBNET_TEXT];
};

/* `without`: as if this link were cut (a node and port), GUID 0: none; `anew`:
 * forget what is there and route from nothing.  @return 0; -ENOENT, -ENOMEM. */
int query_plan(const struct subnet *s, uint64_t without_guid,
               unsigned without_port, bool anew, struct query_plan *out,
               struct err *e);

/* A block that the last completed plan wrote and a switch has not yet:
 * `diff`.  *at as above. */
struct query_diff {
	uint64_t sw_guid;
	const char *desc;
	const char *table; /* "lft", "mft", "groups", "group-lids" */
	unsigned block;
};
bool query_diff(const struct subnet *s, uint64_t *at, struct query_diff *out);

/* The graph itself, for pictures. */
const struct graph *query_graph(const struct subnet *s);

#endif /* SUBNET_QUERY_H */
