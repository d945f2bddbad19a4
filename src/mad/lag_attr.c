/* SPDX-License-Identifier: BSD-2-Clause */
/* Link aggregation attributes: docs/wire-lag.md. */
#include "mad/lag.h"

#include "mad/rows_priv.h"

#define T struct lag_host
static const struct field host[] = {
	HEX(magic, 0, 32, NONE),        DEC(version, 32, 8, NONE),
	HEX(capabilities, 40, 8, NONE), DEC(mode, 48, 8, NONE),
	DEC(result, 56, 8, NONE),       DEC(generation, 64, 32, NONE),
	DEC(virtual_lid, 96, 16, NONE), DEC(n_members, 112, 8, NONE),
	DEC(self, 120, 8, NONE),        HEX(system_guid, 128, 64, NONE),
	DEC(members_max, 192, 8, NONE), DECS(lid, 256, 16, 32, NONE),
	DECS(port, 272, 8, 32, NONE),   DECS(node, 280, 4, 32, NONE),
	DECS(state, 284, 4, 32, NONE),
};
const struct field_table lag_host_table = TABLE("LagHost", 64, host);
#undef T

#define T struct lag_switch
static const struct field lag_switch[] = {
	HEX(magic, 0, 32, NONE),         DEC(version, 32, 8, NONE),
	DEC(skips_dead, 40, 8, NONE),    DEC(result, 56, 8, NONE),
	DEC(generation, 64, 32, NONE),   HEX(seed, 96, 32, NONE),
	DEC(groups_cap, 128, 16, NONE),  DEC(groups_used, 144, 16, NONE),
	DEC(members_cap, 160, 16, NONE), DEC(dropped, 192, 32, NONE),
	DEC(rerouted, 224, 32, NONE),    BYTES(ways, 256, NONE),
};
const struct field_table lag_switch_table = TABLE("LagSwitch", 64, lag_switch);
#undef T

#define T struct lag_groups
static const struct field groups[] = {
	BYTE_ROWS(mask, 0, NONE),
};
const struct field_table lag_groups_table = TABLE("LagGroups", 64, groups);
#undef T

#define T struct lag_lids
static const struct field lids[] = {
	DECS(group, 0, 16, 16, NONE),
};
const struct field_table lag_lids_table = TABLE("LagLids", 64, lids);
#undef T

#define T struct lag_skip
static const struct field skip[] = {
	HEX(magic, 0, 32, NONE),     DEC(version, 32, 8, NONE),
	DEC(dead, 40, 8, NONE),      DEC(n, 48, 8, NONE),
	DECS(lid, 64, 16, 16, NONE),
};
const struct field_table lag_skip_table = TABLE("LagSkip", 64, skip);
#undef T
