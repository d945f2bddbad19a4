/* SPDX-License-Identifier: BSD-2-Clause */
#include "far/prefetch.h"

#include "far/page_map.h"

#include <stdbool.h>
#include <stddef.h>

#define FIRST_WINDOW 4u
#define RIGHT 4 /* accidents that a walk makes up for */
#define RARELY 16u

static int64_t distance(uint64_t from, uint64_t to)
{
	return (int64_t)(to - from);
}

static bool is_near(int64_t pages)
{
	return pages != 0 && pages >= -PREFETCH_STRIDE &&
	       pages <= PREFETCH_STRIDE;
}

/* Whether `number` lies where the stream goes next: a stride on, or among or
 * just behind the pages that it has had fetched. */
static bool continues(const struct prefetch_stream *s, uint64_t number)
{
	int64_t ahead = distance(s->last, number);
	int64_t reach = distance(s->last, s->edge);

	if (s->stride == 0 || ahead == 0 || ahead % s->stride)
		return false;
	return s->stride > 0 ? ahead > 0 && ahead <= reach
	                     : ahead < 0 && ahead >= reach;
}

static struct prefetch_stream *find(struct prefetch *p, uint64_t number)
{
	for (size_t i = 0; i < PREFETCH_STREAMS; i++)
		if (continues(&p->stream[i], number))
			return &p->stream[i];
	return NULL;
}

/* One fault is known of it: this is the second, which gives the stride. */
static struct prefetch_stream *find_young(struct prefetch *p, uint64_t number)
{
	for (size_t i = 0; i < PREFETCH_STREAMS; i++) {
		struct prefetch_stream *s = &p->stream[i];

		if (s->used && s->stride == 0 &&
		    is_near(distance(s->last, number)))
			return s;
	}
	return NULL;
}

static struct prefetch_stream *oldest(struct prefetch *p)
{
	struct prefetch_stream *old = &p->stream[0];

	for (size_t i = 1; i < PREFETCH_STREAMS; i++)
		if (p->stream[i].used < old->used)
			old = &p->stream[i];
	return old;
}

static struct prefetch_plan plan(struct prefetch_stream *s)
{
	struct prefetch_plan out = { s->edge, s->stride, s->window };
	int64_t ahead = distance(s->last, s->edge) / s->stride;
	uint64_t room = s->stride > 0 ? FAR_PAGES_MAX - 1 - s->edge : s->edge;
	uint64_t step = (uint64_t)(s->stride > 0 ? s->stride : -s->stride);

	if (s->edge >= FAR_PAGES_MAX || /* over either end */
	    ahead > (int64_t)PREFETCH_MAX + 1)
		return (struct prefetch_plan){ 0 };
	if (out.count > room / step)
		out.count = (uint32_t)(room / step);
	s->edge += (uint64_t)((int64_t)out.count * s->stride);
	return out;
}

/* One window for neighbours: is it likely enough to be used? */
static bool is_worth_trying(struct prefetch *p)
{
	if (p->trust == -PREFETCH_TRUST)
		return p->faults % RARELY == 0;
	p->trust--;
	return true;
}

static void was_right(struct prefetch *p, int64_t steps)
{
	p->used += (uint64_t)(steps - 1);
	p->trust += RIGHT;
	if (p->trust > PREFETCH_TRUST)
		p->trust = PREFETCH_TRUST;
}

struct prefetch_plan prefetch_fault(struct prefetch *p, uint64_t number)
{
	struct prefetch_stream *s = find(p, number);

	p->faults++;
	if (s) {
		was_right(p, distance(s->last, number) / s->stride);
		s->last = number;
		s->used = p->faults;
		if (s->window == 0)
			s->window = FIRST_WINDOW;
		else if (s->window < PREFETCH_MAX)
			s->window *= 2;
		if (distance(number, s->edge) * s->stride <= 0)
			s->edge = number + (uint64_t)(int64_t)s->stride;
		return plan(s);
	}
	s = find_young(p, number);
	if (s) {
		s->stride = (int32_t)distance(s->last, number);
		s->last = number;
		s->used = p->faults;
		/* Other distances than that of neighbours must come twice. */
		s->window =
			s->stride == 1 && is_worth_trying(p) ? FIRST_WINDOW : 0;
		s->edge = number + (uint64_t)(int64_t)s->stride;
		return plan(s);
	}
	*oldest(p) = (struct prefetch_stream){ .last = number,
		                               .edge = number,
		                               .used = p->faults };
	return (struct prefetch_plan){ 0 };
}
