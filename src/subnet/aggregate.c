/* SPDX-License-Identifier: BSD-2-Clause */
/* Hosts with several ports: who they are, and what is to be done for them. */
#include "subnet/aggregate.h"

#include "subnet/aggregate_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define GROUP_BLOCKS (AGGREGATE_GROUPS_MAX / 2)
#define LID_BLOCKS (LIDMAP_LIDS / 32)

void aggregate_init(struct aggregate *a)
{
	*a = (struct aggregate){ 0 };
	blocks_init(&a->groups, GROUP_BLOCKS, 0);
	blocks_init(&a->lids, LID_BLOCKS, 0xff);
}

void aggregate_fini(struct aggregate *a)
{
	for (unsigned s = 0; s < a->n_switches; s++)
		free(a->sw[s].group);
	free(a->sw);
	free(a->host);
	blocks_fini(&a->groups);
	blocks_fini(&a->lids);
	aggregate_init(a);
}

/* Hosts are sorted by GUID. */
static uint32_t position(const struct aggregate *a, uint64_t sys_guid)
{
	uint32_t low = 0, high = a->n;

	while (low < high) {
		uint32_t mid = (low + high) / 2;

		if (a->host[mid].sys_guid < sys_guid)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct aggregate_host *aggregate_find(const struct aggregate *a,
                                      uint64_t sys_guid)
{
	uint32_t at = position(a, sys_guid);

	return at < a->n && a->host[at].sys_guid == sys_guid ? &a->host[at]
	                                                     : NULL;
}

static struct aggregate_host *add_host(struct aggregate *a, uint64_t sys_guid)
{
	uint32_t at = position(a, sys_guid);

	if (a->n == a->room) {
		uint32_t room = a->room ? a->room * 2 : 64;
		struct aggregate_host *host =
			realloc(a->host, room * sizeof(*host));

		if (!host)
			return NULL;
		a->host = host;
		a->room = room;
	}
	memmove(&a->host[at + 1], &a->host[at], (a->n - at) * sizeof(*a->host));
	a->n++;
	a->host[at] =
		(struct aggregate_host){ .sys_guid = sys_guid, .ask = true };
	return &a->host[at];
}

/* -- collecting ------------------------------------------------------------ */

struct candidate {
	uint64_t sys_guid;
	uint64_t node_guid;
	uint32_t port;
	uint16_t lid;
	uint8_t number;
	uint8_t up;
	uint8_t n_ports; /* of its node */
};

static int by_host(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->sys_guid != y->sys_guid)
		return x->sys_guid < y->sys_guid ? -1 : 1;
	if (x->node_guid != y->node_guid)
		return x->node_guid < y->node_guid ? -1 : 1;
	return (int)x->number - (int)y->number;
}

/* Two HCAs behind each other's cables are no way into a host. */
static bool has_link(const struct graph *g, const struct graph_port *p)
{
	return p->peer != GRAPH_NONE && !p->isolated &&
	       !g->port[p->peer].isolated &&
	       g->node[g->port[p->peer].node].kind == GRAPH_SWITCH;
}

static bool same_members(const struct aggregate_host *h,
                         const struct candidate *c, unsigned n)
{
	if (h->n_members != n)
		return false;
	for (unsigned i = 0; i < n; i++)
		if (h->port[i] != c[i].port || h->lid[i] != c[i].lid)
			return false;
	return true;
}

static void update_host(struct aggregate_host *h, const struct candidate *c,
                        unsigned n, uint32_t pass)
{
	bool same;

	if (h->members_max && n > h->members_max)
		n = h->members_max;
	same = same_members(h, c, n);

	h->seen = pass;
	if (!same && h->n_members > 0) {
		h->generation++;
		h->tell = true;
		h->ask = h->state == AGGREGATE_UNKNOWN ||
		         h->state == AGGREGATE_INCAPABLE ||
		         h->state == AGGREGATE_REFUSED;
	}
	for (unsigned i = 0; i < n; i++) {
		if (!same || h->up[i] != c[i].up)
			h->reroute = true;
		h->port[i] = c[i].port;
		h->lid[i] = c[i].lid;
		h->up[i] = c[i].up;
	}
	h->n_members = (uint8_t)n;
}

static int take_host(struct aggregate *a, const struct candidate *c, unsigned n,
                     uint32_t pass)
{
	struct aggregate_host *h = aggregate_find(a, c->sys_guid);
	unsigned up = 0;

	if (n > AGGREGATE_MEMBERS)
		n = AGGREGATE_MEMBERS;
	for (unsigned i = 0; i < n; i++)
		up += c[i].up;
	/* A port that has been down since before our time is not seen; but
	 * the host may have a virtual LID, and knows. */
	if (up < 2 && !h && !(up == 1 && c[0].n_ports > 1))
		return 0;
	if (!h)
		h = add_host(a, c->sys_guid);
	if (!h)
		return -ENOMEM;
	update_host(h, c, n, pass);
	return 0;
}

int aggregate_collect(struct aggregate *a, const struct graph *g,
                      uint16_t (*lid_of)(void *arg, uint32_t port,
                                         uint8_t *lmc),
                      void *arg, uint32_t pass)
{
	struct candidate *c = malloc((g->n_ports + 1) * sizeof(*c));
	uint32_t n = 0, next;
	int err = 0;

	if (!c)
		return -ENOMEM;
	a->pass = pass;
	for (uint32_t i = 0; i < g->n_ports; i++) {
		const struct graph_port *p = &g->port[i];
		const struct graph_node *node = &g->node[p->node];
		uint8_t lmc;

		if (!node->present || node->kind != GRAPH_CA || !p->guid ||
		    !node->sys_guid || p->number == 0)
			continue;
		c[n] = (struct candidate){
			.sys_guid = node->sys_guid,
			.node_guid = node->guid,
			.port = i,
			.number = p->number,
			.lid = lid_of(arg, i, &lmc),
			.up = has_link(g, p),
			.n_ports = node->n_ports,
		};
		n += c[n].lid != 0;
	}
	qsort(c, n, sizeof(*c), by_host);
	for (uint32_t i = 0; i < n && !err; i = next) {
		next = i + 1;
		while (next < n && c[next].sys_guid == c[i].sys_guid)
			next++;
		err = take_host(a, &c[i], next - i, pass);
	}
	for (uint32_t i = 0; i < a->n; i++)
		if (a->host[i].seen != pass)
			memset(a->host[i].up, 0, sizeof(a->host[i].up));
	free(c);
	return err;
}

uint16_t aggregate_vlid(const struct aggregate *a, uint64_t sys_guid)
{
	const struct aggregate_host *h = aggregate_find(a, sys_guid);

	return h && h->state == AGGREGATE_IN_FORCE ? h->vlid : 0;
}

/* -- groups ---------------------------------------------------------------- */

static int grow_switches(struct aggregate *a, unsigned n)
{
	struct aggregate_switch *sw;

	if (n <= a->n_switches)
		return 0;
	sw = realloc(a->sw, n * sizeof(*sw));
	if (!sw)
		return -ENOMEM;
	memset(&sw[a->n_switches], 0, (n - a->n_switches) * sizeof(*sw));
	a->sw = sw;
	a->n_switches = n;
	return 0;
}

int aggregate_switch_can(struct aggregate *a, unsigned sw, unsigned cap,
                         unsigned members)
{
	int err = grow_switches(a, sw + 1);

	if (err)
		return err;
	if (cap > AGGREGATE_GROUPS_MAX)
		cap = AGGREGATE_GROUPS_MAX;
	if (members < 2)
		cap = 0;
	a->sw[sw].cap = (uint16_t)cap;
	a->sw[sw].members_cap = (uint16_t)members;
	if (!cap)
		return 0;
	err = blocks_resize(&a->groups, sw + 1);
	return err ? err : blocks_resize(&a->lids, sw + 1);
}

void aggregate_switch_reset(struct aggregate *a, unsigned sw)
{
	if (sw >= a->n_switches || !a->sw[sw].cap)
		return;
	blocks_empty_switch(&a->groups, sw);
	blocks_empty_switch(&a->lids, sw);
	for (unsigned i = 0; i < a->sw[sw].n; i++)
		a->sw[sw].group[i] = (struct aggregate_group){ 0 };
}

/*
 * The lower half of a switch's groups belong to the first hosts, one each: when
 * a member comes or goes, the group's ports change and the LID stays bound to
 * it, so the switch knows which flows move.  Hosts beyond share the upper half,
 * a group for each set of ports.
 */
static unsigned own_groups(const struct aggregate_switch *w)
{
	return w->cap / 2u;
}

static int grow_groups(struct aggregate *a, unsigned sw, unsigned n)
{
	struct aggregate_switch *w = &a->sw[sw];
	struct aggregate_group *group;

	if (n <= w->n)
		return 0;
	group = realloc(w->group, n * sizeof(*group));
	if (!group)
		return -ENOMEM;
	memset(group + w->n, 0, (n - w->n) * sizeof(*group));
	w->group = group;
	w->n = (uint16_t)n;
	return 0;
}

static int write_group(struct aggregate *a, unsigned sw, unsigned number,
                       const uint8_t mask[32])
{
	uint8_t bytes[BLOCKS_SIZE];

	if (grow_groups(a, sw, number + 1) ||
	    blocks_need(&a->groups, number / 2))
		return -ENOMEM;
	memcpy(a->sw[sw].group[number].mask, mask, 32);
	memcpy(bytes, blocks_at(&a->groups, sw, number / 2), sizeof(bytes));
	memcpy(bytes + number % 2 * 32, mask, 32);
	blocks_put(&a->groups, sw, number / 2, bytes);
	return 0;
}

/* The number of a shared set of ports; AGGREGATE_NO_GROUP: no room. */
static unsigned share_group(struct aggregate *a, unsigned sw,
                            const uint8_t mask[32])
{
	struct aggregate_switch *w = &a->sw[sw];
	unsigned unused = AGGREGATE_NO_GROUP, i;

	for (i = own_groups(w); i < w->n; i++) {
		if (memcmp(w->group[i].mask, mask, 32) == 0)
			return i;
		if (!w->group[i].uses && w->group[i].freed != a->pass &&
		    unused == AGGREGATE_NO_GROUP)
			unused = i;
	}
	if (unused == AGGREGATE_NO_GROUP)
		unused = i < w->cap ? i : AGGREGATE_NO_GROUP;
	if (unused != AGGREGATE_NO_GROUP && write_group(a, sw, unused, mask))
		return AGGREGATE_NO_GROUP;
	return unused;
}

static void set_group(struct aggregate *a, unsigned sw, uint16_t vlid,
                      unsigned number)
{
	struct aggregate_switch *w = &a->sw[sw];
	uint8_t bytes[BLOCKS_SIZE];
	unsigned had;

	memcpy(bytes, blocks_at(&a->lids, sw, vlid / 32u), sizeof(bytes));
	had = (unsigned)(bytes[vlid % 32 * 2] << 8 | bytes[vlid % 32 * 2 + 1]);
	if (had == number)
		return;
	if (number < w->n)
		w->group[number].uses++;
	if (had < w->n && w->group[had].uses && --w->group[had].uses == 0)
		w->group[had].freed = a->pass;
	bytes[vlid % 32 * 2] = (uint8_t)(number >> 8);
	bytes[vlid % 32 * 2 + 1] = (uint8_t)number;
	blocks_put(&a->lids, sw, vlid / 32u, bytes);
}

bool aggregate_has_groups(const struct aggregate *a, unsigned sw)
{
	return sw < a->n_switches && a->sw[sw].cap > 0;
}

int aggregate_bind(struct aggregate *a, unsigned sw,
                   const struct aggregate_host *h, unsigned n,
                   const uint8_t mask[32])
{
	unsigned number = AGGREGATE_NO_GROUP;

	if (!aggregate_has_groups(a, sw))
		return 0;
	if (blocks_need(&a->lids, h->vlid / 32u))
		return -ENOMEM;
	if (n > a->sw[sw].members_cap) {
		number = AGGREGATE_NO_GROUP;
	} else if (h->slot < own_groups(&a->sw[sw])) {
		bool had = h->slot < a->sw[sw].n &&
		           a->sw[sw].group[h->slot].uses > 0;

		if (n > 1 || had) {
			number = h->slot;
			if (write_group(a, sw, number, mask))
				return -ENOMEM;
		}
	} else if (n > 1) {
		number = share_group(a, sw, mask);
	}
	set_group(a, sw, h->vlid, number);
	return 0;
}

void aggregate_unbind(struct aggregate *a, unsigned sw, uint16_t vlid)
{
	if (aggregate_has_groups(a, sw) && blocks_has(&a->lids, vlid / 32u))
		set_group(a, sw, vlid, AGGREGATE_NO_GROUP);
}

/* -- what a switch has already --------------------------------------------- */

bool aggregate_adopt_lid(struct aggregate *a, unsigned sw, uint16_t lid,
                         unsigned number)
{
	const struct aggregate_switch *w = &a->sw[sw];
	bool known;

	if (number >= w->cap || blocks_need(&a->lids, lid / 32u) ||
	    grow_groups(a, sw, (number | 1) + 1))
		return false;
	known = w->group[number].uses || w->group[number ^ 1].uses;
	set_group(a, sw, lid, number);
	blocks_sent(&a->lids, sw, lid / 32u);
	return !known;
}

int aggregate_adopt_groups(struct aggregate *a, unsigned sw, unsigned block,
                           const uint8_t bytes[BLOCKS_SIZE])
{
	if (block >= a->sw[sw].cap / 2u || grow_groups(a, sw, block * 2 + 2) ||
	    blocks_need(&a->groups, block))
		return -ENOMEM;
	for (unsigned i = 0; i < 2; i++)
		memcpy(a->sw[sw].group[block * 2 + i].mask, bytes + i * 32, 32);
	blocks_put(&a->groups, sw, block, bytes);
	blocks_sent(&a->groups, sw, block);
	return 0;
}
