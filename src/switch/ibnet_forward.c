/* SPDX-License-Identifier: BSD-2-Clause */
#include "switch/ibnet_priv.h"

/* -- groups (docs/wire-lag.md) -------------------------------------------- */

struct switch_group *ibnet_group_of(struct switch_part *sw, uint16_t lid)
{
	/* A group that is not used has no port, and then nor has the LID. */
	static struct switch_group none;
	unsigned g = lid < sw->lids_room ? sw->lids[lid] : LAG_NO_GROUP;

	if (g == LAG_NO_GROUP)
		return NULL;
	return g < sw->n_groups ? &sw->groups[g] : &none;
}

/* What a packet may choose from: ports that lead to the host itself if one of
 * them lives, else ways to other switches.  What came from a switch to a host's
 * port does not turn back: that can close a credit loop. */
static bool choices(const struct ibnet_node *n, const struct switch_group *g,
                    const struct forward_key *key, uint8_t out[32])
{
	const struct switch_part *sw = n->sw;
	bool ends = false, live = false;

	for (unsigned p = 1; p <= n->n_ports; p++) {
		if (!mask_has(g->mask, p) || mask_has(sw->ways, p))
			continue;
		ends = true;
		live |= p != key->in_port && port_is_active(&n->ports[p]);
	}
	if (ends && !live && mask_has(sw->ways, key->in_port))
		return false;
	for (unsigned i = 0; i < 32; i++) {
		uint8_t ways = ends && live ? sw->ways[i] : 0;

		out[i] = g->mask[i] & (uint8_t)~ways;
		if (ends && !live)
			out[i] &= sw->ways[i];
	}
	return true;
}

static int pick_member(struct ibnet_node *n, const struct switch_group *g,
                       const struct forward_key *key)
{
	uint8_t members[256], mask[32];
	uint64_t live[256 / 64] = { 0 };
	unsigned n_members = 0;
	bool skipped = false;
	bool any = choices(n, g, key, mask);
	int at = -1;

	for (unsigned p = 1; any && p <= n->n_ports; p++) {
		if (!mask_has(mask, p))
			continue;
		if (p != key->in_port && port_is_active(&n->ports[p]) &&
		    !ibnet_skips(n->sw, key->flow.dlid, p))
			live[n_members / 64] |= UINT64_C(1) << n_members % 64;
		members[n_members++] = (uint8_t)p;
	}
	if (n_members)
		at = lag_pick(lag_hash(n->sw->seed, &key->flow), n_members,
		              live, &skipped);
	if (at < 0) {
		n->sw->dropped++;
		return -1;
	}
	n->sw->rerouted += skipped;
	return members[at];
}

/* -- tables --------------------------------------------------------------- */

static bool is_port0(const struct ibnet_node *n, uint16_t lid)
{
	const struct smp_port_info *i = &n->ports[0].info;

	return i->lid && lid >= i->lid && lid < i->lid + (1u << i->lmc);
}

int ibnet_forward(struct ibnet_node *n, const struct forward_key *key)
{
	struct switch_part *sw = n->sw;
	uint16_t lid = key->flow.dlid;
	const struct switch_group *g;
	unsigned out;

	if (is_port0(n, lid))
		return 0;
	g = ibnet_group_of(sw, lid);
	if (g) {
		int port = pick_member(n, g, key);

		if (port < 0)
			n->ports[key->in_port].counters.xmit_discards++;
		return port;
	}
	out = lid < sw->lft_room && lid <= sw->info.linear_top
	              ? sw->lft[lid]
	              : SMP_LFT_NO_PORT;
	if (!out || out > n->n_ports) {
		n->ports[key->in_port].counters.rcv_switch_relay_errors++;
		return -1;
	}
	return (int)out;
}

bool ibnet_forward_multicast(const struct ibnet_node *n, uint16_t mlid,
                             uint8_t port)
{
	const struct switch_part *sw = n->sw;
	unsigned at = mlid - MAD_LID_MULTICAST_MIN;

	if (at >= sw->mft_room)
		return false;
	return sw->mft[at * sw->positions + port / SMP_MFT_PORTS] >>
	               port % SMP_MFT_PORTS &
	       1;
}
