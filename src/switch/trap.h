/* SPDX-License-Identifier: BSD-2-Clause */
/* switch/trap - what an SMA says without being asked (IBA 13.4.9, 14.2.5.1). */
#ifndef SWITCH_TRAP_H
#define SWITCH_TRAP_H

#include <stdint.h>

struct ibnet;
struct ibnet_node;
struct ibnet_port;
struct mad;

void trap_init(struct ibnet *net);

/* 128: a switch's port changed its link's state. */
void trap_link_state(struct ibnet_node *sw);

/* 144: the port's capability mask changed. */
void trap_capability(struct ibnet_port *p);

/* 256: an SMP with a wrong M_Key came in; sent once, not repeated. */
void trap_bad_m_key(struct ibnet_port *p, const struct mad *offender,
                    uint16_t slid);

/* SubnTrapRepress for one of the node's own. */
void trap_repress(struct ibnet_node *n, const struct mad *m);

/* The node lost power. */
void trap_forget(struct ibnet_node *n);

#endif /* SWITCH_TRAP_H */
