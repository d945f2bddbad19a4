/* SPDX-License-Identifier: BSD-2-Clause */
/* SwitchInfo and forwarding tables (IBA 14.2.5.4, 14.2.5.10, 14.2.5.12). */
#include "base/base.h"
#include "switch/sma_priv.h"

#include <string.h>

/* -- SwitchInfo ----------------------------------------------------------- */

uint16_t sma_get_switch_info(struct sma_call *c)
{
	smp_put(c->mad, &smp_switch_info_table, &c->node->sw->info);
	return 0;
}

uint16_t sma_set_switch_info(struct sma_call *c)
{
	struct smp_switch_info *i = &c->node->sw->info, w;

	smp_get(c->mad, &smp_switch_info_table, &w);
	if (w.linear_top >= IBNET_LFT_CAP)
		return MAD_STATUS_BAD_VALUE;
	i->linear_top = w.linear_top;
	i->multicast_top = w.multicast_top;
	i->default_port = w.default_port;
	i->default_multicast_primary = w.default_multicast_primary;
	i->default_multicast_other = w.default_multicast_other;
	i->life_time = w.life_time;
	if (w.port_state_change) /* a one clears it */
		i->port_state_change = 0;
	return sma_get_switch_info(c);
}

/* -- linear --------------------------------------------------------------- */

uint16_t sma_get_lft(struct sma_call *c)
{
	struct switch_part *sw = c->node->sw;
	unsigned first = c->mod * SMP_LFT_BLOCK;
	struct smp_lft t;

	if (c->mod >= IBNET_LFT_CAP / SMP_LFT_BLOCK)
		return MAD_STATUS_BAD_VALUE;
	memset(t.port, SMP_LFT_NO_PORT, sizeof(t.port));
	if (first < sw->lft_room)
		memcpy(t.port, sw->lft + first, sizeof(t.port));
	smp_put(c->mad, &smp_lft_table, &t);
	return 0;
}

/* Room for a block, by halves more than needed, as tables are set in order. */
static int grow_lft(struct switch_part *sw, unsigned end)
{
	unsigned room = end + end / 2;
	uint8_t *more;

	if (end <= sw->lft_room)
		return 0;
	room -= room % SMP_LFT_BLOCK;
	room = room < end ? end : room;
	room = room > IBNET_LFT_CAP ? IBNET_LFT_CAP : room;
	more = realloc(sw->lft, room);
	if (!more)
		return -1;
	memset(more + sw->lft_room, SMP_LFT_NO_PORT, room - sw->lft_room);
	sw->lft = more;
	sw->lft_room = room;
	return 0;
}

uint16_t sma_set_lft(struct sma_call *c)
{
	struct switch_part *sw = c->node->sw;
	unsigned first = c->mod * SMP_LFT_BLOCK;
	struct smp_lft t;

	if (c->mod >= IBNET_LFT_CAP / SMP_LFT_BLOCK)
		return MAD_STATUS_BAD_VALUE;
	if (c->node->faults & IBNET_FAULT_LFT_LIES)
		return 0;
	if (grow_lft(sw, first + SMP_LFT_BLOCK))
		return MAD_STATUS_BUSY;
	smp_get(c->mad, &smp_lft_table, &t);
	memcpy(sw->lft + first, t.port, sizeof(t.port));
	ibnet_skip_lids(c->node, first, SMP_LFT_BLOCK);
	return 0;
}

/* -- multicast ------------------------------------------------------------ */

/* Modifier: position << 28 | block. */
static bool mft_block(const struct sma_call *c, unsigned *first,
                      unsigned *position)
{
	*first = (c->mod & 0x1ff) * SMP_MFT_BLOCK;
	*position = c->mod >> 28;
	return !(c->mod & 0x0ffffe00) && *first < IBNET_MFT_CAP &&
	       *position < c->node->sw->positions;
}

uint16_t sma_get_mft(struct sma_call *c)
{
	struct switch_part *sw = c->node->sw;
	struct smp_mft t = { 0 };
	unsigned first, position;

	if (!mft_block(c, &first, &position))
		return MAD_STATUS_BAD_VALUE;
	for (unsigned i = 0; i < SMP_MFT_BLOCK && first + i < sw->mft_room; i++)
		t.mask[i] = sw->mft[(first + i) * sw->positions + position];
	smp_put(c->mad, &smp_mft_table, &t);
	return 0;
}

static int grow_mft(struct switch_part *sw, unsigned end)
{
	size_t row = sw->positions * sizeof(*sw->mft);
	uint16_t *more;

	if (end <= sw->mft_room)
		return 0;
	more = realloc(sw->mft, end * row);
	if (!more)
		return -1;
	memset((char *)more + sw->mft_room * row, 0,
	       (end - sw->mft_room) * row);
	sw->mft = more;
	sw->mft_room = end;
	return 0;
}

uint16_t sma_set_mft(struct sma_call *c)
{
	struct switch_part *sw = c->node->sw;
	unsigned first, position;
	struct smp_mft t;

	if (!mft_block(c, &first, &position))
		return MAD_STATUS_BAD_VALUE;
	if (grow_mft(sw, first + SMP_MFT_BLOCK))
		return MAD_STATUS_BUSY;
	smp_get(c->mad, &smp_mft_table, &t);
	for (unsigned i = 0; i < SMP_MFT_BLOCK; i++)
		sw->mft[(first + i) * sw->positions + position] = t.mask[i];
	return 0;
}
