/* SPDX-License-Identifier: BSD-2-Clause */
#include "mad/lag.h"

#include "base/base.h"

bool lag_is_ours(uint32_t magic, uint8_t version)
{
	return magic == LAG_MAGIC && version == LAG_VERSION;
}

static const char *const result_words[] = {
	[LAG_NOTHING_ASKED] = "nothing was asked yet",
	[LAG_ACCEPTED] = "accepted",
	[LAG_REFUSED_INCAPABLE] = "refused: it has no link aggregation",
	[LAG_REFUSED_MODE] = "refused: not a mode that it has",
	[LAG_REFUSED_LID] = "refused: not a LID that can be virtual",
	[LAG_REFUSED_MEMBER] = "refused: a member is not a port of this host",
	[LAG_REFUSED_COUNT] = "refused: no member, or too many",
	[LAG_REFUSED_STALE] = "refused: a later mapping is in force",
	[LAG_REFUSED_POLICY] = "refused: its administrator switched it off",
	[LAG_REFUSED_BUSY] = "refused: a change is under way",
	[LAG_REFUSED_FORMAT] = "refused: not this version",
};

static const char *const mode_names[] = {
	[LAG_OFF] = "off",
	[LAG_ACTIVE_ACTIVE] = "active-active",
	[LAG_ACTIVE_BACKUP] = "active-backup",
};

static const char *const state_names[] = {
	[LAG_MEMBER_NONE] = "none",
	[LAG_MEMBER_DOWN] = "down",
	[LAG_MEMBER_STANDBY] = "standby",
	[LAG_MEMBER_CARRYING] = "carrying",
};

#define NAME_IN(names, i) ((i) < ARRAY_LEN(names) ? (names)[i] : "?")

const char *lag_result_words(uint8_t result)
{
	return NAME_IN(result_words, result);
}

const char *lag_mode_name(uint8_t mode)
{
	return NAME_IN(mode_names, mode);
}

const char *lag_member_state_name(uint8_t state)
{
	return NAME_IN(state_names, state);
}

/* -- the choice of a member ------------------------------------------------ */

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 33) * UINT64_C(0xff51afd7ed558ccd);
	x = (x ^ x >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return x ^ x >> 33;
}

uint64_t lag_hash(uint32_t seed, const struct lag_flow *f)
{
	uint64_t qps = (uint64_t)(f->src_qp & 0xffffff) << 24 |
	               (f->dest_qp & 0xffffff);
	uint64_t lids =
		(uint64_t)f->slid << 48 | (uint64_t)f->dlid << 32 | seed;

	return mix(mix(qps) ^ lids);
}

static bool is_live(const uint64_t *live, unsigned i)
{
	return live[i / 64] >> (i % 64) & 1;
}

static unsigned count_live(const uint64_t *live, unsigned n_members)
{
	unsigned n = 0;

	for (unsigned i = 0; i < n_members; i++)
		n += is_live(live, i);
	return n;
}

int lag_pick(uint64_t hash, unsigned n_members, const uint64_t *live,
             bool *skipped)
{
	unsigned own = (unsigned)((hash >> 32) * n_members >> 32);
	unsigned n_live, rank, i;

	*skipped = false;
	if (is_live(live, own))
		return (int)own;
	n_live = count_live(live, n_members);
	if (!n_live)
		return -1;
	*skipped = true;
	rank = (unsigned)((hash & UINT32_MAX) * n_live >> 32);
	for (i = 0; rank || !is_live(live, i); i++)
		rank -= is_live(live, i);
	return (int)i;
}
