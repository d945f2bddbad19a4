/* SPDX-License-Identifier: BSD-2-Clause */
#include "mad/sa.h"

#include "base/base.h"

void sa_put(struct mad *m, const struct field_table *t, const void *in)
{
	struct sa_mad *s = mad_sa(m);

	field_encode(t, in, s->data);
	s->attr_offset = be16_put((uint16_t)(sa_record_pitch(t) / 8));
}

bool sa_selector_fits(uint8_t selector, uint8_t wanted, uint8_t have)
{
	switch (selector) {
	case SA_GREATER:
		return have > wanted;
	case SA_LESS:
		return have < wanted;
	case SA_EXACTLY:
		return have == wanted;
	case SA_BEST:
		return true;
	default:
		return false;
	}
}

unsigned sa_rate_speed(uint8_t rate)
{
	static const unsigned short speeds[] = {
		[2] = 25,    [3] = 100,   [4] = 300,    [5] = 50,
		[6] = 200,   [7] = 400,   [8] = 600,    [9] = 800,
		[10] = 1200, [11] = 140,  [12] = 560,   [13] = 1120,
		[14] = 1680, [15] = 250,  [16] = 1000,  [17] = 2000,
		[18] = 3000, [19] = 280,  [20] = 500,   [21] = 4000,
		[22] = 6000, [23] = 8000, [24] = 12000,
	};

	return rate < ARRAY_LEN(speeds) ? speeds[rate] : 0;
}

static bool is_any(const uint8_t gid[16])
{
	for (unsigned i = 0; i < 16; i++)
		if (gid[i])
			return false;
	return true;
}

bool sa_inform_fits(const struct sa_inform_info *s, const struct notice *n)
{
	if ((s->generic != 0) != (n->generic != 0))
		return false;
	if (s->type != 0xffff && s->type != n->type)
		return false;
	if (s->trap != 0xffff && s->trap != n->trap)
		return false;
	if (s->producer != 0xffffff && s->producer != n->producer)
		return false;
	/* A GID takes the place of the LIDs. */
	if (!is_any(s->gid))
		return memcmp(s->gid, n->issuer_gid, 16) == 0;
	if (s->lid_begin == 0xffff)
		return true;
	return n->issuer_lid >= s->lid_begin &&
	       n->issuer_lid <= (s->lid_end ? s->lid_end : s->lid_begin);
}
