/* SPDX-License-Identifier: BSD-2-Clause */
#include "volume/geometry.h"

#include "base/base.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define DATA_MAX 8u

static const struct {
	const char *name;
	unsigned profile;
	unsigned redundant; /* members beyond the data strips */
	unsigned data_min;
	unsigned data_max;
} profiles[] = {
	{ "raid0", RAID0, 0, 1, DATA_MAX },
	{ "raid1", RAID1, 1, 1, 1 },
	{ "raid5", RAID5, 1, 2, DATA_MAX },
};

static int find(unsigned profile)
{
	for (size_t i = 0; i < ARRAY_LEN(profiles); i++)
		if (profiles[i].profile == profile)
			return (int)i;
	return -1;
}

const char *geometry_profile_name(unsigned profile)
{
	int i = find(profile);

	return i < 0 ? NULL : profiles[i].name;
}

int geometry_profile_parse(const char *name, enum raid_profile *out)
{
	for (size_t i = 0; i < ARRAY_LEN(profiles); i++) {
		if (!strcmp(profiles[i].name, name)) {
			*out = (enum raid_profile)profiles[i].profile;
			return 0;
		}
	}
	return -EINVAL;
}

unsigned geometry_tolerance(enum raid_profile profile)
{
	return profiles[find(profile)].redundant;
}

unsigned geometry_min_drives(enum raid_profile profile)
{
	int i = find(profile);

	return profiles[i].data_min + profiles[i].redundant;
}

int geometry_choose(enum raid_profile profile, unsigned n_drives,
                    struct geometry *out)
{
	int i = find(profile);
	unsigned data;

	if (i < 0 || n_drives < geometry_min_drives(profile))
		return -EINVAL;
	data = profiles[i].data_min;
	while (data * 2 <= profiles[i].data_max &&
	       data * 2 + profiles[i].redundant <= n_drives)
		data *= 2;
	*out = (struct geometry){
		.profile = profile,
		.width = (uint8_t)(data + profiles[i].redundant),
		.data = (uint8_t)data,
		.strip_shift =
			(uint8_t)(CHUNK_SHIFT - (unsigned)__builtin_ctz(data)),
	};
	return 0;
}

bool geometry_valid(const struct geometry *g)
{
	int i = find(g->profile);

	return i >= 0 && g->data >= profiles[i].data_min &&
	       g->data <= profiles[i].data_max &&
	       (g->data & (g->data - 1)) == 0 &&
	       g->width == g->data + profiles[i].redundant &&
	       g->strip_shift == CHUNK_SHIFT - (unsigned)__builtin_ctz(g->data);
}

unsigned geometry_data_member(const struct geometry *g, uint32_t index,
                              unsigned strip)
{
	if (g->profile != RAID5)
		return strip;
	return (geometry_parity_member(g, index) + 1 + strip) % g->width;
}

unsigned geometry_parity_member(const struct geometry *g, uint32_t index)
{
	assert(g->profile == RAID5);
	return g->width - 1u - index % g->width;
}
