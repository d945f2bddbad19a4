/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A channel's number is sender * stride + port.  Its successors are the set
 * bits of the row of its receiver's port, so rows are numbered the same way
 * with receiver * stride + port.
 */
#include "subnet/cdg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int cdg_init(struct cdg *c, const struct topo *t)
{
	size_t n = (size_t)t->n_switches * t->stride + 1;

	*c = (struct cdg){ .topo = t };
	c->words = (t->stride + 63) / 64;
	c->n_channels = t->n_switches * t->stride;
	c->row = calloc(n * c->words, sizeof(*c->row));
	c->order = malloc(n * sizeof(*c->order));
	c->mark = calloc(n, sizeof(*c->mark));
	c->stack = malloc(n * sizeof(*c->stack));
	if (!c->row || !c->order || !c->mark || !c->stack) {
		cdg_fini(c);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < c->n_channels; i++)
		c->order[i] = i;
	return 0;
}

void cdg_fini(struct cdg *c)
{
	free(c->row);
	free(c->order);
	free(c->mark);
	free(c->stack);
	free(c->added);
	*c = (struct cdg){ 0 };
}

static uint32_t row_of_channel(const struct cdg *c, uint32_t ch)
{
	uint32_t at = c->topo->by_port[ch];

	if (at == GRAPH_NONE)
		return GRAPH_NONE;
	return c->topo->edge[at].to * c->topo->stride + c->topo->edge[at].back;
}

/* The first channel at or after port `from` that depends on the row. */
static uint32_t next_out(const struct cdg *c, uint32_t row, unsigned from)
{
	const uint64_t *bits = &c->row[(size_t)row * c->words];
	uint32_t base = row - row % c->topo->stride;

	for (unsigned w = from / 64; w < c->words; w++) {
		uint64_t left = bits[w];

		if (w == from / 64)
			left &= ~UINT64_C(0) << from % 64;
		if (left)
			return base + w * 64 + (unsigned)__builtin_ctzll(left);
	}
	return GRAPH_NONE;
}

enum { NEW, OPEN, CLOSED };

/* Depth first from `root`; mark[] is the state, order[] the position of the
 * walk while a channel is OPEN and its place afterwards. */
static int walk(struct cdg *c, uint32_t root, uint32_t *last, uint32_t *cycle)
{
	uint32_t depth = 0;

	c->stack[depth++] = root;
	c->mark[root] = OPEN;
	c->order[root] = 0;
	while (depth > 0) {
		uint32_t ch = c->stack[depth - 1];
		uint32_t row = row_of_channel(c, ch);
		uint32_t to = row == GRAPH_NONE
		                      ? GRAPH_NONE
		                      : next_out(c, row, c->order[ch]);

		if (to == GRAPH_NONE) {
			c->mark[ch] = CLOSED;
			c->order[ch] = (*last)--;
			depth--;
			continue;
		}
		c->order[ch] = to % c->topo->stride + 1;
		if (c->mark[to] == OPEN) {
			*cycle = to;
			return -ELOOP;
		}
		if (c->mark[to] == NEW) {
			c->mark[to] = OPEN;
			c->order[to] = 0;
			c->stack[depth++] = to;
		}
	}
	return 0;
}

int cdg_sort(struct cdg *c, unsigned *sw, unsigned *port)
{
	uint32_t last = c->n_channels - 1;
	uint32_t cycle;
	int err = 0;

	memset(c->mark, 0, c->n_channels * sizeof(*c->mark));
	for (uint32_t ch = 0; ch < c->n_channels && !err; ch++)
		if (c->mark[ch] == NEW)
			err = walk(c, ch, &last, &cycle);
	memset(c->mark, 0, c->n_channels * sizeof(*c->mark));
	c->epoch = 0;
	if (err) {
		*sw = cycle / c->topo->stride;
		*port = cycle % c->topo->stride;
	}
	return err;
}

/* Mark what `from` reaches among channels ordered below `limit`; the list
 * starts at stack[*n].  @return -ELOOP if that includes `avoid`. */
static int reach_forward(struct cdg *c, uint32_t from, uint32_t avoid,
                         uint32_t *n)
{
	uint32_t limit = c->order[avoid];
	uint32_t start = *n;

	c->mark[from] = c->epoch;
	c->stack[(*n)++] = from;
	for (uint32_t i = start; i < *n; i++) {
		uint32_t row = row_of_channel(c, c->stack[i]);
		uint32_t to =
			row == GRAPH_NONE ? GRAPH_NONE : next_out(c, row, 0);

		for (; to != GRAPH_NONE;
		     to = next_out(c, row, to % c->topo->stride + 1)) {
			if (to == avoid)
				return -ELOOP;
			if (c->order[to] > limit || c->mark[to] == c->epoch)
				continue;
			c->mark[to] = c->epoch;
			c->stack[(*n)++] = to;
		}
	}
	return 0;
}

/* The same against the direction, down to order `limit`. */
static void reach_backward(struct cdg *c, uint32_t from, uint32_t limit,
                           uint32_t *n)
{
	const struct topo *t = c->topo;
	uint32_t start = *n;

	c->mark[from] = c->epoch;
	c->stack[(*n)++] = from;
	for (uint32_t i = start; i < *n; i++) {
		uint32_t ch = c->stack[i];
		uint32_t sw = ch / t->stride, out = ch % t->stride;

		for (uint32_t e = t->first[sw]; e < t->first[sw + 1]; e++) {
			const struct topo_edge *in = &t->edge[e];
			uint32_t row = sw * t->stride + in->port;
			uint32_t before = in->to * t->stride + in->back;

			if (!(c->row[(size_t)row * c->words + out / 64] >>
			              out % 64 &
			      1))
				continue;
			if (c->order[before] < limit ||
			    c->mark[before] == c->epoch)
				continue;
			c->mark[before] = c->epoch;
			c->stack[(*n)++] = before;
		}
	}
}

static _Thread_local const uint32_t *sort_key;

static int by_order(const void *a, const void *b)
{
	uint32_t x = sort_key[*(const uint32_t *)a];
	uint32_t y = sort_key[*(const uint32_t *)b];

	return x < y ? -1 : x > y;
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* stack[0..n_back) go before stack[n_back..n), in the places they all have. */
static int reorder(struct cdg *c, uint32_t n_back, uint32_t n)
{
	uint32_t *place = malloc(n * sizeof(*place));

	if (!place)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		place[i] = c->order[c->stack[i]];
	qsort(place, n, sizeof(*place), by_value);
	sort_key = c->order;
	qsort(c->stack, n_back, sizeof(*c->stack), by_order);
	qsort(c->stack + n_back, n - n_back, sizeof(*c->stack), by_order);
	for (uint32_t i = 0; i < n; i++)
		c->order[c->stack[i]] = place[i];
	free(place);
	return 0;
}

static int remember(struct cdg *c, uint32_t row, unsigned out)
{
	if (c->n_added + 2 > c->room_added) {
		uint32_t room = c->room_added * 2 + 256;
		uint32_t *added = realloc(c->added, room * sizeof(*added));

		if (!added)
			return -ENOMEM;
		c->added = added;
		c->room_added = room;
	}
	c->added[c->n_added++] = row;
	c->added[c->n_added++] = out;
	return 0;
}

int cdg_try(struct cdg *c, unsigned sw, unsigned in, unsigned out)
{
	const struct topo_edge *back = topo_edge_at(c->topo, sw, in);
	uint32_t row = sw * c->topo->stride + in;
	uint32_t from = back->to * c->topo->stride + back->back;
	uint32_t to = sw * c->topo->stride + out;
	uint32_t n = 0, n_back;
	int err;

	if (c->row[(size_t)row * c->words + out / 64] >> out % 64 & 1)
		return 0;
	if (from == to)
		return -ELOOP;
	if (c->order[from] > c->order[to]) {
		c->epoch++;
		err = reach_forward(c, to, from, &n);
		if (err)
			return err;
		/* Those behind first, so that both lists lie in order. */
		n = 0;
		c->epoch++;
		reach_backward(c, from, c->order[to], &n);
		n_back = n;
		c->epoch++;
		err = reach_forward(c, to, from, &n);
		if (!err)
			err = reorder(c, n_back, n);
		if (err)
			return err;
	}
	err = remember(c, row, out);
	if (!err)
		cdg_add(c, sw, in, out);
	return err;
}

void cdg_commit(struct cdg *c)
{
	c->n_added = 0;
}

void cdg_undo(struct cdg *c)
{
	while (c->n_added > 0) {
		uint32_t out = c->added[--c->n_added];
		uint32_t row = c->added[--c->n_added];

		c->row[(size_t)row * c->words + out / 64] &=
			~(UINT64_C(1) << out % 64);
	}
}
