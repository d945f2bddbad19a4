/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What cannot be delivered, between neighbouring switches (docs/wire-lag.md,
 * "LagSkip"): a switch tells its neighbours of virtual LIDs that end with it,
 * and keeps a mark for each that a neighbour has told it.
 */
#include "base/base.h"
#include "mad/lag.h"
#include "switch/ibnet_priv.h"

#include <stdlib.h>
#include <string.h>

/* -- marks ---------------------------------------------------------------- */

static unsigned place(const struct switch_part *sw, uint16_t lid)
{
	unsigned low = 0, high = sw->n_skips;

	while (low < high) {
		unsigned mid = (low + high) / 2;

		if (sw->skips[mid].lid < lid)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct switch_skip *find(const struct switch_part *sw, uint16_t lid)
{
	unsigned at = place(sw, lid);

	return at < sw->n_skips && sw->skips[at].lid == lid ? &sw->skips[at]
	                                                    : NULL;
}

/* @return NULL: no room; the SM will see to it. */
static struct switch_skip *need(struct switch_part *sw, uint16_t lid)
{
	unsigned at = place(sw, lid), room = sw->skips_room * 2 + 16;
	struct switch_skip *more;

	if (at < sw->n_skips && sw->skips[at].lid == lid)
		return &sw->skips[at];
	if (sw->n_skips == IBNET_LAG_SKIPS)
		return NULL;
	if (sw->n_skips == sw->skips_room) {
		more = realloc(sw->skips, room * sizeof(*more));
		if (!more)
			return NULL;
		sw->skips = more;
		sw->skips_room = room;
	}
	memmove(&sw->skips[at + 1], &sw->skips[at],
	        (sw->n_skips++ - at) * sizeof(*sw->skips));
	sw->skips[at] = (struct switch_skip){ .lid = lid };
	return &sw->skips[at];
}

static bool is_idle(const struct switch_skip *k)
{
	static const uint8_t none[32];

	return !k->told && !memcmp(k->mask, none, sizeof(none));
}

/* Marks that say nothing any more. */
static void tidy(struct switch_part *sw)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < sw->n_skips; i++)
		if (!is_idle(&sw->skips[i]))
			sw->skips[kept++] = sw->skips[i];
	sw->n_skips = kept;
}

bool ibnet_skips(const struct switch_part *sw, uint16_t lid, unsigned port)
{
	const struct switch_skip *k = sw->n_skips ? find(sw, lid) : NULL;

	return k && mask_has(k->mask, port);
}

/* -- what we can deliver --------------------------------------------------- */

enum delivery {
	NOTHING, /* no group and no entry: nobody sends it to us */
	BY_END,  /* to a port of the host */
	BY_WAY,  /* to other switches */
};

/* How a LID goes on from here, and whether it does; `alive`: a port that is
 * taken to be live, 0: none.  Of a group with ports to the host itself only
 * these count: what comes from a neighbour takes no other. */
static enum delivery deliver(const struct ibnet_node *n, uint16_t lid,
                             unsigned alive, bool *works)
{
	const struct switch_part *sw = n->sw;
	const struct switch_group *g = ibnet_group_of(n->sw, lid);
	uint8_t out = lid < sw->lft_room ? sw->lft[lid] : SMP_LFT_NO_PORT;
	enum delivery how = NOTHING;

	*works = false;
	for (unsigned p = 1; p <= n->n_ports; p++) {
		bool way = mask_has(sw->ways, p);

		if (g ? !mask_has(g->mask, p) : p != out)
			continue;
		if (!way && how != BY_END)
			*works = false;
		if (!way || how == NOTHING)
			how = way ? BY_WAY : BY_END;
		if (way == (how == BY_WAY))
			*works |= p == alive || (port_is_active(&n->ports[p]) &&
			                         !ibnet_skips(sw, lid, p));
	}
	return how;
}

/* -- telling --------------------------------------------------------------- */

/* To one neighbour, or to all of them (port 0). */
struct telling {
	struct ibnet_node *node;
	unsigned port;
	struct lag_skip skip;
};

static void send(struct ibnet_node *n, unsigned port, const struct lag_skip *k)
{
	struct smp_route route = { .n_hops = 1, .out = { 0, (uint8_t)port } };
	struct ibnet_mad m = { .slid = n->ports[0].info.lid,
		               .dlid = MAD_LID_PERMISSIVE };

	mad_init(&m.mad, MAD_CLASS_SUBN_DIRECTED, MAD_SET, MAD_ATTR_LAG_SKIP,
	         0);
	m.mad.header.tid = be64_put(++n->net->trap_tid);
	mad_smp(&m.mad)->m_key = be64_put(n->ports[0].info.m_key);
	smp_put(&m.mad, &lag_skip_table, k);
	smp_set_route(&m.mad, &route);
	ibnet_transmit(n->net, &n->ports[0], &m);
}

static void flush(struct telling *t)
{
	struct lag_skip k = t->skip;

	t->skip.n = 0;
	if (!k.n)
		return;
	for (unsigned p = 1; p <= t->node->n_ports; p++)
		if (mask_has(t->node->sw->ways, p) &&
		    (!t->port || t->port == p))
			send(t->node, p, &k);
}

static void say(struct telling *t, uint16_t lid, bool dead)
{
	if (t->skip.n == LAG_SKIP_LIDS || t->skip.dead != dead)
		flush(t);
	t->skip.magic = LAG_MAGIC;
	t->skip.version = LAG_VERSION;
	t->skip.dead = dead;
	t->skip.lid[t->skip.n++] = lid;
}

/*
 * Say what has changed since.  Where a member ends, whatever cannot be
 * delivered is said; elsewhere what could be as long as port `lost` was live,
 * which saves us from saying of everything that it is not there yet.
 */
static void check(struct telling *t, uint16_t lid, unsigned lost)
{
	struct switch_part *sw = t->node->sw;
	struct switch_skip *k = find(sw, lid);
	bool told = k && k->told, works, worked = false;
	enum delivery how = deliver(t->node, lid, 0, &works);
	bool dead;

	if (how == BY_WAY && lost)
		deliver(t->node, lid, lost, &worked);
	dead = how == BY_END ? !works
	                     : how == BY_WAY && !works && (told || worked);
	if (dead == told)
		return;
	k = need(sw, lid);
	if (!k)
		return;
	k->told = dead;
	say(t, lid, dead);
}

static bool tells(const struct ibnet_node *n)
{
	static const uint8_t none[32];

	return n->on && memcmp(n->sw->ways, none, sizeof(none)) != 0;
}

/* -- what has changed ------------------------------------------------------ */

/* Which LIDs may have changed: those that are bound to a group, of it or of
 * any that has a port; and those of which anything was said. */
struct which {
	unsigned first, end;
	const struct switch_group *group; /* NULL: any */
	unsigned port;                    /* 0: any */
	unsigned lost;                    /* a port that was live before */
};

static void check_some(struct ibnet_node *n, const struct which *w)
{
	struct telling t = { .node = n };
	struct switch_part *sw = n->sw;
	unsigned lid = w->first > sw->lids_first ? w->first : sw->lids_first;

	if (!tells(n))
		return;
	for (; lid < w->end && lid < sw->lids_room; lid++) {
		const struct switch_group *g =
			ibnet_group_of(sw, (uint16_t)lid);

		if (g && (!w->group || g == w->group) &&
		    (!w->port || mask_has(g->mask, w->port)))
			check(&t, (uint16_t)lid, w->lost);
	}
	for (unsigned i = place(sw, (uint16_t)w->first);
	     i < sw->n_skips && sw->skips[i].lid < w->end; i++)
		check(&t, sw->skips[i].lid, w->lost);
	flush(&t);
	tidy(sw);
}

void ibnet_skip_group(struct ibnet_node *n, const struct switch_group *g)
{
	if (g->uses)
		check_some(n, &(struct which){ .end = UINT16_MAX, .group = g });
}

void ibnet_skip_lids(struct ibnet_node *n, unsigned first, unsigned count)
{
	check_some(n, &(struct which){ .first = first, .end = first + count });
}

/* To whoever is new at the port, or to all (port 0). */
static void tell_again(struct ibnet_node *n, unsigned port)
{
	struct telling t = { .node = n, .port = port };

	for (unsigned i = 0; i < n->sw->n_skips; i++)
		if (n->sw->skips[i].told)
			say(&t, n->sw->skips[i].lid, true);
	flush(&t);
}

void ibnet_skip_ways(struct ibnet_node *n)
{
	check_some(n, &(struct which){ .end = UINT16_MAX });
	tell_again(n, 0);
}

void ibnet_skip_port(struct ibnet_port *p)
{
	struct ibnet_node *n = p->node;
	bool active = port_is_active(p);

	check_some(n, &(struct which){ .end = UINT16_MAX,
	                               .port = p->number,
	                               .lost = active ? 0 : p->number });
	/* What a neighbour said is gone with it. */
	for (unsigned i = 0; !active && i < n->sw->n_skips; i++)
		n->sw->skips[i].mask[p->number / 8] &=
			(uint8_t) ~(1u << p->number % 8);
	if (active && mask_has(n->sw->ways, p->number))
		tell_again(n, p->number);
}

void ibnet_skip_mark(struct ibnet_port *from, uint16_t lid, bool dead)
{
	struct ibnet_node *n = from->node;
	struct switch_skip *k = dead ? need(n->sw, lid) : find(n->sw, lid);
	struct switch_group *g = ibnet_group_of(n->sw, lid);
	struct telling t = { .node = n };

	if (!k || dead == mask_has(k->mask, from->number))
		return;
	k->mask[from->number / 8] ^= (uint8_t)(1u << from->number % 8);
	/* Flows come back to it; what left it has arrived or is lost. */
	if (!dead && g)
		ibnet_settle_group(n, g);
	if (tells(n))
		check(&t, lid, dead && port_is_active(from) ? from->number : 0);
	flush(&t);
}
