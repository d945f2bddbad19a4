/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SUBNET_AGGREGATE_PRIV_H
#define SUBNET_AGGREGATE_PRIV_H

#include "subnet/aggregate.h"

/* Bind a virtual LID to a set of ports at a switch that has groups; NULL: to
 * none.  @return 0; -ENOMEM. */
int aggregate_bind(struct aggregate *a, unsigned sw, uint16_t vlid,
                   const uint8_t *mask);

#endif /* SUBNET_AGGREGATE_PRIV_H */
