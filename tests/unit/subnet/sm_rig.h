/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Subnet managers on a software fabric, in simulated time: a millisecond
 * passes when nobody has anything to do.
 */
#ifndef TESTS_UNIT_SUBNET_SM_RIG_H
#define TESTS_UNIT_SUBNET_SM_RIG_H

#include "subnet/query.h"
#include "subnet/subnet.h"
#include "switch/ibnet.h"
#include "switch/ibnet_data.h"
#include "switch/ibnet_mad.h"
#include "switch/ibnet_make.h"

#include "core/reactor.h"

#define SM_RIG_MANAGERS 4

struct sm_rig {
	struct clock clock;
	uint64_t now_ns;
	struct reactor *reactor;
	struct ibnet *net;
	struct sm_rig_manager {
		struct sm_rig *rig;
		struct mad_port *port;
		struct subnet *s;
		struct subnet_opts opts;
		bool stopped;
		bool loud; /* print events */
		/* Set before sm_rig_start(): it has a reactor of its own, so
		 * that it can be frozen, as by SIGSTOP. */
		bool apart;
		bool frozen;
		struct reactor *reactor;
	} sm[SM_RIG_MANAGERS];
};

/* `spec` as for ibnet_make(). */
void sm_rig_init(struct sm_rig *r, const char *spec);
/* A fabric of the caller's; it is destroyed. */
void sm_rig_init_topo(struct sm_rig *r, struct ibnet_topo *t);
void sm_rig_fini(struct sm_rig *r);

/* Start manager `i` at a port ("H00000:1"); options in r->sm[i].opts. */
void sm_rig_start(struct sm_rig *r, unsigned i, const char *where);
void sm_rig_stop(struct sm_rig *r, unsigned i);

/* Let everybody do what is due.  @return whether there was anything. */
bool sm_rig_poll(struct sm_rig *r);
/* Let time pass. */
void sm_rig_run(struct sm_rig *r, unsigned ms);
/* The same, with `ticks` of data for each turn of the reactor. */
void sm_rig_run_data(struct sm_rig *r, unsigned ms, unsigned ticks);
/* Until manager `i` is settled; at most `ms`.  @return how long it took, or
 * -1. */
int sm_rig_settle(struct sm_rig *r, unsigned i, unsigned ms);

/* The first event of a kind that has this text in it, or NULL. */
const struct subnet_event *sm_rig_event(struct sm_rig *r, unsigned i,
                                        enum subnet_event_kind kind,
                                        const char *text);

#endif /* TESTS_UNIT_SUBNET_SM_RIG_H */
