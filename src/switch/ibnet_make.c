/* SPDX-License-Identifier: BSD-2-Clause */
#include "switch/ibnet_make.h"

#include "base/base.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NUMBER_MAX 100000u /* of anything in a specification */

static unsigned ceil_div(unsigned a, unsigned b)
{
	return (a + b - 1) / b;
}

/* Add `n` nodes, `letter` and a number; the first one's is *first. */
static int add_nodes(struct ibnet_topo *t, enum ibnet_kind kind, char letter,
                     unsigned n, unsigned n_ports, uint32_t *first,
                     struct err *e)
{
	char name[IBNET_NAME_MAX + 1];
	uint32_t number;

	for (unsigned i = 0; i < n; i++) {
		int err;

		snprintf(name, sizeof(name), "%c%0*u", letter,
		         kind == IBNET_HOST ? 5 : 4, i);
		err = ibnet_topo_add(t, kind, name, n_ports, &number, e);
		if (err)
			return err;
		if (!i)
			*first = number;
	}
	return 0;
}

static int cable(struct ibnet_topo *t, uint32_t a, unsigned a_port, uint32_t b,
                 unsigned b_port, struct err *e)
{
	return ibnet_topo_link(t, (struct ibnet_topo_end){ a, (uint8_t)a_port },
	                       (struct ibnet_topo_end){ b, (uint8_t)b_port },
	                       e);
}

/* -- folded Clos ---------------------------------------------------------- */

/*
 * Below `n_upper` switches are `n_lower`, each with `links` cables up.  How
 * few upper ones, as a divisor of `links`, have the ports for them all.
 */
static unsigned fewest_upper(unsigned n_lower, unsigned links, unsigned radix)
{
	for (unsigned n = 1; n < links; n++)
		if (links % n == 0 && n_lower * (links / n) <= radix)
			return n;
	return links;
}

/* Spread each lower switch's uplinks over the upper ones: its link k goes to
 * upper k / (links / n_upper), at ports that follow each other. */
static int cable_levels(struct ibnet_topo *t, uint32_t lower, unsigned n_lower,
                        unsigned links, unsigned first_up, uint32_t upper,
                        unsigned n_upper, struct err *e)
{
	unsigned each = links / n_upper;

	for (unsigned i = 0; i < n_lower; i++)
		for (unsigned k = 0; k < links; k++) {
			int err = cable(t, lower + i, first_up + k,
			                upper + k / each,
			                i * each + k % each + 1, e);

			if (err)
				return err;
		}
	return 0;
}

static int clos_hosts(struct ibnet_topo *t, const struct ibnet_make_clos *s,
                      uint32_t leaf, struct err *e)
{
	unsigned down = s->radix / 2;
	uint32_t host = 0;
	int err = add_nodes(t, IBNET_HOST, 'H', s->hosts, s->ports, &host, e);

	for (unsigned h = 0; !err && h < s->hosts; h++)
		for (unsigned p = 0; !err && p < s->ports; p++)
			err = cable(t, host + h, p + 1,
			            leaf + h / down * s->ports + p,
			            h % down + 1, e);
	return err;
}

static int clos2(struct ibnet_topo *t, const struct ibnet_make_clos *s,
                 unsigned leaves, struct err *e)
{
	unsigned half = s->radix / 2;
	unsigned spines = fewest_upper(leaves, half, s->radix);
	uint32_t leaf = 0, spine = 0;
	int err;

	if (leaves * (half / spines) > s->radix)
		return err_set(e, -EINVAL,
		               "%u leaves do not fit below spines of %u ports",
		               leaves, s->radix);
	err = add_nodes(t, IBNET_SWITCH, 'L', leaves, s->radix, &leaf, e);
	if (!err)
		err = add_nodes(t, IBNET_SWITCH, 'S', spines, s->radix, &spine,
		                e);
	if (!err)
		err = cable_levels(t, leaf, leaves, half, half + 1, spine,
		                   spines, e);
	return err ? err : clos_hosts(t, s, leaf, e);
}

/* Aggregation switch j of every pod goes up to cores j * n .. j * n + n - 1. */
static int cable_cores(struct ibnet_topo *t, uint32_t agg, unsigned pods,
                       unsigned half, uint32_t core, unsigned n, struct err *e)
{
	unsigned each = half / n;
	int err = 0;

	for (unsigned pod = 0; pod < pods; pod++)
		for (unsigned j = 0; j < half; j++)
			for (unsigned k = 0; !err && k < half; k++)
				err = cable(t, agg + pod * half + j,
				            half + k + 1,
				            core + j * n + k / each,
				            pod * each + k % each + 1, e);
	return err;
}

static int clos3(struct ibnet_topo *t, const struct ibnet_make_clos *s,
                 unsigned leaves, struct err *e)
{
	unsigned half = s->radix / 2;
	unsigned pods = ceil_div(leaves, half);
	unsigned n = fewest_upper(pods, half, s->radix); /* cores of a group */
	uint32_t leaf = 0, agg = 0, core = 0;
	int err;

	if (pods * (half / n) > s->radix)
		return err_set(e, -EINVAL,
		               "%u pods do not fit below cores of %u ports",
		               pods, s->radix);
	err = add_nodes(t, IBNET_SWITCH, 'L', leaves, s->radix, &leaf, e);
	if (!err)
		err = add_nodes(t, IBNET_SWITCH, 'A', pods * half, s->radix,
		                &agg, e);
	if (!err)
		err = add_nodes(t, IBNET_SWITCH, 'C', half * n, s->radix, &core,
		                e);
	for (unsigned pod = 0; !err && pod < pods; pod++) {
		unsigned first = pod * half;
		unsigned here = leaves - first < half ? leaves - first : half;

		err = cable_levels(t, leaf + first, here, half, half + 1,
		                   agg + first, half, e);
	}
	if (!err)
		err = cable_cores(t, agg, pods, half, core, n, e);
	return err ? err : clos_hosts(t, s, leaf, e);
}

static int finish(struct ibnet_topo *t, int err, struct ibnet_topo **out)
{
	if (err)
		ibnet_topo_destroy(t);
	else
		*out = t;
	return err;
}

int ibnet_make_clos(const struct ibnet_make_clos *s, struct ibnet_topo **out,
                    struct err *e)
{
	struct ibnet_topo *t;
	unsigned leaves;
	bool two;

	if (!s->hosts || !s->ports || s->ports > IBNET_HOST_PORTS_MAX)
		return err_set(e, -EINVAL, "clos: hosts=N, ports=1 to %u",
		               IBNET_HOST_PORTS_MAX);
	if (s->radix < 4 || s->radix % 2 || s->radix > IBNET_SWITCH_PORTS_MAX)
		return err_set(e, -EINVAL, "clos: radix is even, 4 to %u",
		               IBNET_SWITCH_PORTS_MAX);
	if (s->levels && s->levels != 2 && s->levels != 3)
		return err_set(e, -EINVAL, "clos: levels is 2 or 3");
	if (s->hosts > IBNET_NODES_MAX)
		return err_set(e, -ENOSPC, "over %u nodes", IBNET_NODES_MAX);
	t = ibnet_topo_create();
	if (!t)
		return err_set(e, -ENOMEM, "no memory for a network");
	leaves = ceil_div(s->hosts, s->radix / 2) * s->ports;
	two = s->levels ? s->levels == 2 : leaves <= s->radix;
	return finish(t, two ? clos2(t, s, leaves, e) : clos3(t, s, leaves, e),
	              out);
}

/* -- dragonfly ------------------------------------------------------------ */

/*
 * Of a group's switches * global cables, number k goes to group
 * (own + 1 + k % (groups - 1)); the other end is the one of that group that
 * leads back, in the same round.
 */
static int cable_global(struct ibnet_topo *t,
                        const struct ibnet_make_dragonfly *s, struct err *e)
{
	unsigned n = s->switches * s->global, others = s->groups - 1;
	unsigned first = s->hosts + s->switches; /* port after the local ones */

	for (unsigned g = 0; others && g < s->groups; g++)
		for (unsigned k = 0; k < n; k++) {
			unsigned to = (g + 1 + k % others) % s->groups;
			unsigned back = k / others * others +
			                (g + s->groups - to - 1) % s->groups;
			int err;

			if (to < g || back >= n)
				continue; /* cabled, or a round cut short */
			err = cable(t, g * s->switches + k / s->global,
			            first + k % s->global,
			            to * s->switches + back / s->global,
			            first + back % s->global, e);
			if (err)
				return err;
		}
	return 0;
}

/* Switch i's local port to switch j of its group skips i itself. */
static int cable_group(struct ibnet_topo *t,
                       const struct ibnet_make_dragonfly *s, uint32_t first,
                       struct err *e)
{
	int err = 0;

	for (unsigned i = 0; i < s->switches; i++)
		for (unsigned j = i + 1; !err && j < s->switches; j++)
			err = cable(t, first + i, s->hosts + j, first + j,
			            s->hosts + i + 1, e);
	return err;
}

/* `hosts` single-port hosts on ports 1.. of each of `n` switches. */
static int add_hosts(struct ibnet_topo *t, unsigned n, unsigned hosts,
                     struct err *e)
{
	uint32_t host = 0;
	int err = add_nodes(t, IBNET_HOST, 'H', n * hosts, 1, &host, e);

	for (unsigned i = 0; !err && i < n * hosts; i++)
		err = cable(t, host + i, 1, i / hosts, i % hosts + 1, e);
	return err;
}

int ibnet_make_dragonfly(const struct ibnet_make_dragonfly *s,
                         struct ibnet_topo **out, struct err *e)
{
	unsigned ports = s->hosts + s->switches - 1 + s->global;
	char name[IBNET_NAME_MAX + 1];
	struct ibnet_topo *t;
	int err = 0;

	if (!s->groups || !s->switches || !s->hosts || !s->global ||
	    s->groups > 99 || s->switches > 99 || s->hosts > 99 ||
	    s->global > 50)
		return err_set(e, -EINVAL,
		               "dragonfly: groups, switches and hosts are 1 to "
		               "99, global is 1 to 50");
	if (s->groups > 1 && s->switches * s->global < s->groups - 1)
		return err_set(e, -EINVAL,
		               "dragonfly: %u groups need switches * global to "
		               "be at least %u",
		               s->groups, s->groups - 1);
	t = ibnet_topo_create();
	if (!t)
		return err_set(e, -ENOMEM, "no memory for a network");
	for (unsigned i = 0; !err && i < s->groups * s->switches; i++) {
		uint32_t number;

		snprintf(name, sizeof(name), "G%02uS%02u", i / s->switches,
		         i % s->switches);
		err = ibnet_topo_add(t, IBNET_SWITCH, name, ports, &number, e);
	}
	for (unsigned g = 0; !err && g < s->groups; g++)
		err = cable_group(t, s, g * s->switches, e);
	if (!err)
		err = cable_global(t, s, e);
	if (!err)
		err = add_hosts(t, s->groups * s->switches, s->hosts, e);
	return finish(t, err, out);
}

/* -- torus ---------------------------------------------------------------- */

/* Ports after the hosts': +x, -x, +y, -y, +z, -z. */
static int cable_torus(struct ibnet_topo *t, const struct ibnet_make_torus *s,
                       struct err *e)
{
	const unsigned size[3] = { s->x, s->y, s->z };
	const unsigned step[3] = { 1, s->x, s->x * s->y };
	unsigned n = s->x * s->y * s->z;

	for (unsigned i = 0; i < n; i++)
		for (unsigned d = 0; d < 3; d++) {
			unsigned at = i / step[d] % size[d];
			unsigned next = (at + 1) % size[d];
			int err;

			if (size[d] == 1 || (size[d] == 2 && at == 1))
				continue;
			err = cable(t, i, s->hosts + 2 * d + 1,
			            i + next * step[d] - at * step[d],
			            s->hosts + 2 * d + 2, e);
			if (err)
				return err;
		}
	return 0;
}

int ibnet_make_torus(const struct ibnet_make_torus *s, struct ibnet_topo **out,
                     struct err *e)
{
	char name[IBNET_NAME_MAX + 1];
	struct ibnet_topo *t;
	int err = 0;

	if (!s->x || !s->y || !s->z || !s->hosts || s->x > 99 || s->y > 99 ||
	    s->z > 99 || s->hosts > 99)
		return err_set(e, -EINVAL,
		               "torus: x, y, z and hosts are 1 to 99");
	t = ibnet_topo_create();
	if (!t)
		return err_set(e, -ENOMEM, "no memory for a network");
	for (unsigned i = 0; !err && i < s->x * s->y * s->z; i++) {
		uint32_t number;

		snprintf(name, sizeof(name), "T%02u-%02u-%02u", i % s->x,
		         i / s->x % s->y, i / s->x / s->y);
		err = ibnet_topo_add(t, IBNET_SWITCH, name, s->hosts + 6,
		                     &number, e);
	}
	if (!err)
		err = cable_torus(t, s, e);
	if (!err)
		err = add_hosts(t, s->x * s->y * s->z, s->hosts, e);
	return finish(t, err, out);
}

/* -- from text ------------------------------------------------------------ */

union any_spec {
	struct ibnet_make_clos clos;
	struct ibnet_make_dragonfly dragonfly;
	struct ibnet_make_torus torus;
};

#define ROW(kind, member)                                                      \
	{                                                                      \
#member, offsetof(struct ibnet_make_##kind, member)            \
	}

struct spec_number {
	const char *name;
	size_t offset;
};

static const struct spec_number clos_numbers[] = {
	ROW(clos, hosts),  ROW(clos, ports), ROW(clos, radix),
	ROW(clos, levels), { NULL, 0 },
};
static const struct spec_number dragonfly_numbers[] = {
	ROW(dragonfly, groups),
	ROW(dragonfly, switches),
	ROW(dragonfly, hosts),
	ROW(dragonfly, global),
	{ NULL, 0 },
};
static const struct spec_number torus_numbers[] = {
	ROW(torus, x),     ROW(torus, y), ROW(torus, z),
	ROW(torus, hosts), { NULL, 0 },
};

static int parse_number(const char *spec, const char **at,
                        const struct spec_number *rows, void *out,
                        struct err *e)
{
	size_t n = strcspn(*at, "=");
	char *end;
	unsigned long value;

	for (; rows->name; rows++)
		if (strlen(rows->name) == n && !memcmp(rows->name, *at, n))
			break;
	if (!rows->name || (*at)[n] != '=')
		return err_set(e, -EINVAL, "%s: what is \"%s\"?", spec, *at);
	value = strtoul(*at + n + 1, &end, 10);
	if (end == *at + n + 1 || (*end && *end != ',') || value > NUMBER_MAX)
		return err_set(e, -EINVAL, "%s: %s is a number up to %u", spec,
		               rows->name, NUMBER_MAX);
	*(unsigned *)(void *)((char *)out + rows->offset) = (unsigned)value;
	*at = *end ? end + 1 : end;
	return 0;
}

int ibnet_make(const char *spec, struct ibnet_topo **out, struct err *e)
{
	union any_spec any = { 0 };
	const struct spec_number *rows;
	const char *at = strchr(spec, ':');
	size_t n = at ? (size_t)(at - spec) : strlen(spec);

	if (n == 4 && !memcmp(spec, "clos", 4)) {
		any.clos = (struct ibnet_make_clos){ .ports = 1, .radix = 36 };
		rows = clos_numbers;
	} else if (n == 9 && !memcmp(spec, "dragonfly", 9)) {
		rows = dragonfly_numbers;
	} else if (n == 5 && !memcmp(spec, "torus", 5)) {
		any.torus = (struct ibnet_make_torus){ 1, 1, 1, 1 };
		rows = torus_numbers;
	} else {
		return err_set(e, -EINVAL,
		               "%s: a network is clos:, dragonfly: or torus:, "
		               "as in clos:hosts=36,ports=2,radix=36",
		               spec);
	}
	for (at = at ? at + 1 : spec + n; *at;) {
		int err = parse_number(spec, &at, rows, &any, e);

		if (err)
			return err;
	}
	if (rows == clos_numbers)
		return ibnet_make_clos(&any.clos, out, e);
	return rows == dragonfly_numbers
	               ? ibnet_make_dragonfly(&any.dragonfly, out, e)
	               : ibnet_make_torus(&any.torus, out, e);
}
