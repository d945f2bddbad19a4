/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A fabric under test and the simplest possible subnet manager: it sits at
 * every node at once, so it needs no route to bring the fabric up, but tells
 * nodes everything by SMPs as any other would.
 */
#ifndef TESTS_UNIT_SWITCH_NET_RIG_H
#define TESTS_UNIT_SWITCH_NET_RIG_H

#include "../test.h"

#include "mad/lag.h"
#include "mad/smp.h"
#include "switch/ibnet.h"
#include "switch/ibnet_data.h"
#include "switch/ibnet_make.h"

struct rig {
	struct ibnet_topo *topo;
	struct ibnet *net;
	uint16_t next_lid;
	uint64_t m_key; /* in every SMP that rig_smp() makes */
};

/* "clos:..." and so on; `reactor` may be NULL. */
void rig_init(struct rig *r, const char *spec, struct reactor *reactor);
void rig_fini(struct rig *r);

struct ibnet_node *rig_node(const struct rig *r, const char *name);
struct ibnet_port *rig_port(const struct rig *r, const char *name);

/* -- asking
 * -------------------------------------------------------------------- */

/* An endpoint that keeps what it receives. */
struct asker {
	struct ibnet_endpoint ep;
	struct ibnet_mad got[64];
	unsigned n;
	bool takes_all;
};
void asker_init(struct asker *a, struct rig *r, struct ibnet_port *p);
void asker_fini(struct asker *a);

/*
 * An SMP to the agent of p's node, come in at p.  `m` is made by mad_init()
 * and holds the attribute; the response takes its place.
 * @return MAD status; 0xffff: no answer.
 */
#define RIG_SILENCE 0xffffu
unsigned rig_smp(struct rig *r, struct ibnet_port *p, struct mad *m);

unsigned rig_get(struct rig *r, struct ibnet_port *p, uint16_t attr,
                 uint32_t mod, const struct field_table *t, void *out);
/* `io` comes back as it is in the response. */
unsigned rig_set(struct rig *r, struct ibnet_port *p, uint16_t attr,
                 uint32_t mod, const struct field_table *t, void *io);

/* -- bringing up
 * ----------------------------------------------------------------- */

/* LIDs for all ports that lack one, every link active, every table filled
 * with shortest ways. */
void rig_bring_up(struct rig *r);
/* Every link that is up but not active. */
void rig_activate(struct rig *r);
/* The ways to one LID, which `n` ports hold, in all forwarding tables: to the
 * nearest of these that is up; out of whose several cables turns with LID. */
void rig_route(struct rig *r, uint16_t lid, struct ibnet_port *const *at,
               unsigned n);

uint16_t rig_lid(const struct ibnet_port *p);
uint8_t rig_state(const struct ibnet_port *p);

/* -- aggregation
 * ----------------------------------------------------------------- */

/* Host h's first `n` ports share virtual LID `vlid`; tells the host, and
 * every switch that is on: groups of all nearest ways, and plain tables. */
void rig_aggregate(struct rig *r, const char *host, uint16_t vlid, unsigned n,
                   uint32_t generation);
/* The host alone.  @return enum lag_result. */
unsigned rig_lag_host(struct rig *r, struct ibnet_port *at, uint16_t vlid,
                      unsigned n, uint32_t generation, uint8_t mode);

/* Let all that is in flight arrive. */
void rig_drain(struct rig *r);

#endif /* TESTS_UNIT_SWITCH_NET_RIG_H */
