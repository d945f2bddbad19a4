/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * switch/ibnet_make - topologies from a few numbers.
 *
 *     clos:hosts=36,ports=2,radix=36
 *     dragonfly:groups=9,switches=4,hosts=2,global=2
 *     torus:x=4,y=4,z=4,hosts=1
 *
 * clos       A folded Clos.  Half of a leaf's ports go down to hosts, half
 *            up.  A host of P ports is on P neighbouring leaves, on the same
 *            port of each: losing a leaf costs it one port.  Two levels while
 *            the leaves fit below spines of this radix, else three (pods of
 *            radix/2 leaves and as many aggregation switches, cores above);
 *            as few spines or cores as carry every uplink, spread evenly.
 *            levels=2 or 3 forces it.
 * dragonfly  `groups` of `switches`, each with `hosts` and `global` cables to
 *            other groups; a group is fully connected within, and so are the
 *            groups where switches * global >= groups - 1.
 * torus      x by y by z switches, `hosts` on each; two cables between
 *            neighbours of a ring of two become one.
 *
 * Nodes are called H00000.. (hosts), L0000.. (leaves), A.., C.., S..
 * (aggregation, core, spine), G00S00 and T00-00-00; switches come first.
 */
#ifndef SWITCH_IBNET_MAKE_H
#define SWITCH_IBNET_MAKE_H

#include "switch/ibnet_topo.h"

struct ibnet_make_clos {
	unsigned hosts;
	unsigned ports;  /* of a host, 1 to IBNET_HOST_PORTS_MAX */
	unsigned radix;  /* even, 4 to IBNET_SWITCH_PORTS_MAX */
	unsigned levels; /* 2, 3; 0: as needed */
};

struct ibnet_make_dragonfly {
	unsigned groups;
	unsigned switches; /* of a group */
	unsigned hosts;    /* of a switch */
	unsigned global;   /* cables of a switch to other groups */
};

struct ibnet_make_torus {
	unsigned x, y, z;
	unsigned hosts; /* of a switch */
};

/*
 * All: @return 0 and *out, the caller's; -EINVAL, -ENOSPC (too large),
 * -ENOMEM with words.
 */
int ibnet_make_clos(const struct ibnet_make_clos *spec, struct ibnet_topo **out,
                    struct err *e);
int ibnet_make_dragonfly(const struct ibnet_make_dragonfly *spec,
                         struct ibnet_topo **out, struct err *e);
int ibnet_make_torus(const struct ibnet_make_torus *spec,
                     struct ibnet_topo **out, struct err *e);

/* From text, as above. */
int ibnet_make(const char *spec, struct ibnet_topo **out, struct err *e);

#endif /* SWITCH_IBNET_MAKE_H */
