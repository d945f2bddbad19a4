/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * switch/pma - the performance agent (IBA 16.1): ClassPortInfo, PortCounters
 * and PortCountersExtended of one port, or of all ports of a switch.
 *
 * There is one set of counters, 64 bits wide; PortCounters shows what of it
 * fits and sticks at its maximum.  Set clears what CounterSelect says.
 */
#ifndef SWITCH_PMA_H
#define SWITCH_PMA_H

#include "switch/ibnet.h"

/* @return whether `m` has become a response to send. */
bool pma_handle(struct ibnet_port *at, struct mad *m);

#endif /* SWITCH_PMA_H */
