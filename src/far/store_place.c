/* SPDX-License-Identifier: BSD-2-Clause */
/* See far/store_priv.h. */
#include "far/store_priv.h"

#include <stdlib.h>

enum store_donor_state store_state_of(const struct store *s, uint16_t slot)
{
	return slot < STORE_DONORS_MAX ? s->device[slot].state
	                               : STORE_DONOR_NONE;
}

bool store_has_data(const struct store *s, uint16_t slot)
{
	enum store_donor_state state = store_state_of(s, slot);

	return state == STORE_DONOR_ONLINE || state == STORE_DONOR_LEAVING;
}

bool store_can_spare(const struct store *s, const struct handoff_row *row,
                     unsigned member)
{
	unsigned n = 0;

	for (unsigned m = 0; m < row->width; m++)
		n += m != member &&
		     store_state_of(s, row->drive[m]) == STORE_DONOR_ONLINE;
	return n >= row->data;
}

bool store_can_read(const struct store *s, const struct handoff_row *row)
{
	unsigned n = 0;

	for (unsigned m = 0; m < row->width; m++)
		n += store_has_data(s, row->drive[m]);
	return n >= row->data;
}

uint64_t store_other_domains(const struct store *s,
                             const struct handoff_row *row, unsigned member)
{
	uint64_t domains = 0;

	for (unsigned m = 0; m < row->width; m++)
		if (m != member && store_has_data(s, row->drive[m]))
			domains |= store_domain_bit(
				s->device[row->drive[m]].domain);
	return domains;
}

static unsigned extents_left(const struct store_device *d)
{
	return d->extents - d->used;
}

unsigned store_find_target(const struct store *s, const struct handoff_row *row,
                           unsigned member, bool is_spare)
{
	unsigned best = STORE_DONORS_MAX;

	for (unsigned i = 0; i < STORE_DONORS_MAX; i++) {
		const struct store_device *d = &s->device[i];
		bool fits = d->state == STORE_DONOR_ONLINE &&
		            d->is_spare == is_spare && extents_left(d) > 0;

		for (unsigned m = 0; m < row->width; m++)
			fits &= m == member ||
			        !store_has_data(s, row->drive[m]) ||
			        s->device[row->drive[m]].domain != d->domain;
		if (fits && (best == STORE_DONORS_MAX ||
		             extents_left(d) > extents_left(&s->device[best])))
			best = i;
	}
	if (best == STORE_DONORS_MAX && !is_spare &&
	    !store_can_spare(s, row, member))
		return store_find_target(s, row, member, true);
	return best;
}

/* -- in the beginning ------------------------------------------------------ */

/* The donor with the most extents left, in a domain that is not in the row
 * yet. */
static unsigned roomiest(const struct store *s, const struct handoff_row *row,
                         unsigned width)
{
	unsigned best = STORE_DONORS_MAX;

	for (unsigned i = 0; i < STORE_DONORS_MAX; i++) {
		const struct store_device *d = &s->device[i];
		bool taken = extents_left(d) == 0;

		for (unsigned k = 0; k < width; k++)
			taken |= s->device[row->drive[k]].domain == d->domain;
		if (!taken &&
		    (best == STORE_DONORS_MAX ||
		     extents_left(d) > extents_left(&s->device[best])))
			best = i;
	}
	return best;
}

/* @return whether there was room for one more. */
static bool make_row(struct store *s, struct handoff_row *row)
{
	const struct geometry *g = &s->geometry;

	*row = (struct handoff_row){
		.state = 1,
		.profile = (uint8_t)g->profile,
		.width = g->width,
		.data = g->data,
		.strip_shift = g->strip_shift,
		.extent_bytes = s->extent,
	};
	for (unsigned m = 0; m < g->width; m++) {
		unsigned i = roomiest(s, row, m);

		if (i == STORE_DONORS_MAX)
			return false;
		row->drive[m] = (uint16_t)i;
		row->extent[m] = s->device[i].used++;
	}
	return true;
}

/* An extent of a row that was not finished may be used again. */
static void count_used(struct store *s)
{
	for (unsigned i = 0; i < STORE_DONORS_MAX; i++)
		s->device[i].used = 0;
	for (uint32_t r = 0; r < s->n_rows; r++)
		for (unsigned m = 0; m < s->row[r].map.width; m++)
			s->device[s->row[r].map.drive[m]].used++;
}

void store_make_rows(struct store *s)
{
	uint64_t most = 0;

	for (unsigned i = 0; i < STORE_DONORS_MAX; i++)
		most += s->device[i].extents;
	s->row = calloc(most, sizeof(*s->row));
	while (s->row && s->n_rows < most &&
	       make_row(s, &s->row[s->n_rows].map))
		s->n_rows++;
	count_used(s);
}
