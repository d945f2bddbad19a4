/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * switch/ibnet_mad - a port of the software fabric as a mad_port, for an SM
 * or a query in the same process.
 *
 * What arrives is kept in a queue of at most IBNET_MAD_QUEUE and handed on by
 * the reactor (M1 of mad/port.h); beyond that it is dropped and counted as
 * refused.  Several may be open on one port.
 */
#ifndef SWITCH_IBNET_MAD_H
#define SWITCH_IBNET_MAD_H

#include "base/err.h"
#include "mad/port.h"
#include "switch/ibnet.h"

#define IBNET_MAD_QUEUE 16384u

/*
 * The network has been made with `r`, or with none.  Close the port before
 * the network is destroyed.
 *
 * @return 0; -ENOSPC, -ENOMEM with words.
 */
int ibnet_mad_open(struct reactor *r, struct ibnet *net, struct ibnet_port *p,
                   struct mad_port **out, struct err *e);

#endif /* SWITCH_IBNET_MAD_H */
