/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SUBNET_AGGREGATE_PRIV_H
#define SUBNET_AGGREGATE_PRIV_H

#include "subnet/aggregate.h"

/* The switch is there and has groups. */
bool aggregate_has_groups(const struct aggregate *a, unsigned sw);

/* Bind a host's virtual LID to `n` ports at a switch that has groups; a single
 * port needs none.  @return 0; -ENOMEM. */
int aggregate_bind(struct aggregate *a, unsigned sw,
                   const struct aggregate_host *h, unsigned n,
                   const uint8_t mask[32]);
void aggregate_unbind(struct aggregate *a, unsigned sw, uint16_t vlid);

#endif /* SUBNET_AGGREGATE_PRIV_H */
