/* SPDX-License-Identifier: BSD-2-Clause */
/* Volumes as block devices. */
#include "volume/fast/fast_priv.h"

#include "base/base.h"

#include <errno.h>
#include <string.h>

static void volume_close(struct block_device *dev)
{
	free(container_of(dev, struct fast_volume, device));
}

static const struct block_ops volume_ops = {
	.type = "volume",
	.submit = thin_submit,
	.close = volume_close,
};

static bool named(const struct handoff *h, const struct handoff_volume *v,
                  const char *pool, size_t pool_length, const char *volume)
{
	const char *name;

	if (v->pool >= HANDOFF_POOLS)
		return false;
	name = h->pools[v->pool].name;
	return strnlen(name, HANDOFF_NAME) == pool_length &&
	       !memcmp(name, pool, pool_length) &&
	       !strncmp(v->name, volume, HANDOFF_NAME);
}

/* Slot of an ACTIVE volume, or -ENOENT. */
static int find(const struct handoff *h, const char *name)
{
	const char *slash = strchr(name, '/');

	for (int i = 0; slash && i < (int)HANDOFF_VOLUMES; i++) {
		const struct handoff_volume *v = &h->volumes[i];

		if (__atomic_load_n(&v->state, __ATOMIC_ACQUIRE) ==
		            HANDOFF_VOLUME_ACTIVE &&
		    named(h, v, name, (size_t)(slash - name), slash + 1))
			return i;
	}
	return -ENOENT;
}

/* The coarsest grain of the pool's drives is the volume's. */
static uint32_t pool_grain(const struct fast *f, uint16_t pool)
{
	const struct handoff_drive *drives = f->handoff->drives;
	uint32_t grain = BLOCK_SECTOR;

	for (unsigned i = 0; i < HANDOFF_DRIVES; i++)
		if (f->device[i] && drives[i].pool == pool &&
		    drives[i].role == HANDOFF_ONLINE &&
		    f->device[i]->grain > grain)
			grain = f->device[i]->grain;
	return grain;
}

/* Whether what the slow stack wrote keeps lookups inside the table (F4). */
static bool sane(const struct handoff *h, const struct fast_volume *v)
{
	uint64_t size = v->device.size;
	uint64_t chunks = (size >> CHUNK_SHIFT) + (size % CHUNK_BYTES != 0);

	return size && size % v->device.grain == 0 && v->pool < HANDOFF_POOLS &&
	       v->table_base <= h->table_entries &&
	       chunks <= h->table_entries - v->table_base &&
	       v->row_base <= (HANDOFF_POOLS - 1) * HANDOFF_POOL_ROWS;
}

int fast_volume_open(struct fast *f, const char *name,
                     struct block_device **out, struct err *e)
{
	const struct handoff *h = f->handoff;
	const struct handoff_volume *shared;
	struct fast_volume *v;
	uint16_t pool;
	int slot = find(h, name);

	if (slot < 0)
		return err_set(e, -ENOENT,
		               "there is no volume %s in service; 'causeway "
		               "volume list' shows those there are",
		               name);
	shared = &h->volumes[slot];
	pool = shared->pool;
	v = calloc(1, sizeof(*v));
	if (!v)
		return err_set(e, -ENOMEM, "no memory for volume %s", name);
	*v = (struct fast_volume){
		.device = { .ops = &volume_ops,
		            .size = shared->size,
		            .grain = pool_grain(f, pool) },
		.fast = f,
		.shared = shared,
		.slot = (uint32_t)slot,
		.generation = shared->generation,
		.table_base = shared->table_base,
		.row_base = shared->row_base,
		.pool = pool,
	};
	/* The copies are checked: what they were made of may have changed. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (!sane(h, v)) {
		free(v);
		return err_set(e, -EIO, "volume %s makes no sense in memory",
		               name);
	}
	*out = &v->device;
	return 0;
}

unsigned fast_volume_extents(struct block_device *volume, uint64_t offset,
                             uint64_t length, struct fast_extent *out,
                             unsigned max)
{
	struct fast_volume *v =
		container_of(volume, struct fast_volume, device);
	const struct handoff *h = v->fast->handoff;
	uint64_t end = offset + length;
	unsigned n = 0;

	while (offset < end) {
		uint64_t chunk = offset >> CHUNK_SHIFT;
		uint64_t next = (chunk + 1) << CHUNK_SHIFT;
		uint64_t entry = handoff_entry(h, v->table_base + chunk);
		bool hole = entry_state(entry) != ENTRY_MAPPED;

		if (next > end)
			next = end;
		if (n > 0 && out[n - 1].hole == hole) {
			out[n - 1].length += next - offset;
		} else if (n == max) {
			break;
		} else {
			out[n++] = (struct fast_extent){ next - offset, hole };
		}
		offset = next;
	}
	return n;
}
