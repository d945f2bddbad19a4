/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * subnet/balance - how evenly a set of tables uses the links.
 *
 * The load of a link (one direction, between switches) is the number of
 * (sending host port, receiving host port) pairs that go over it.
 */
#ifndef SUBNET_BALANCE_H
#define SUBNET_BALANCE_H

#include "subnet/lft.h"
#include "subnet/topo.h"

struct balance {
	uint64_t links; /* directions */
	uint64_t max;
	double mean;
	/* Mean, over random permutations of hosts, of the share of a link that
	 * a flow gets on its most crowded link: effective bisection. */
	double permutation;
};

/* All pairs; `permutations` random ones from `seed`.  @return 0; -ENOMEM. */
int balance_measure(const struct topo *t, const struct blocks *l,
                    unsigned permutations, uint64_t seed, struct balance *out);

#endif /* SUBNET_BALANCE_H */
