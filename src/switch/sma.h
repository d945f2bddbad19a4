/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * switch/sma - the subnet management agent of a switch or host (IBA 14.2).
 *
 *     attribute          switch    host      our notes
 *     NodeDescription    G         G
 *     NodeInfo           G         G
 *     SwitchInfo         GS        -
 *     GUIDInfo           G         GS        entry 0 is fixed
 *     PortInfo           GS        GS        of any port of the node
 *     P_KeyTable         GS        GS
 *     SLtoVLMapping      GS        GS
 *     VLArbitration      GS        GS
 *     LFT, MFT           GS        -
 *     Notice             repress   repress
 *     LagHost            -         GS        docs/wire-lag.md
 *     LagSwitch, LagGroups, LagLids   GS  -
 *
 * Any other attribute or method is answered with its MAD status; so is a
 * value that the specification forbids, and then nothing has changed.  An SMP
 * whose M_Key is wrong gets no answer (IBA 14.2.4).
 */
#ifndef SWITCH_SMA_H
#define SWITCH_SMA_H

#include "switch/ibnet.h"

/*
 * An SMP for the node's agent, come in at `at` (a switch's own come in at
 * port 0).  @return whether m->mad has become a response to send.
 */
bool sma_handle(struct ibnet_port *at, struct ibnet_mad *m);

/* Whether its M_Key allows it; counts, and starts the lease, where not. */
bool sma_admit(struct ibnet_port *at, const struct ibnet_mad *m);

/* What an SMP that comes in at `at` is told about the node. */
struct smp_node_info;
void sma_node_info(const struct ibnet_port *at, struct smp_node_info *out);

#endif /* SWITCH_SMA_H */
