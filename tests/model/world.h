/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Both stacks in one thread over devices of the test's choice: a life of a
 * daemon from power-on to power cut, in milliseconds.
 */
#ifndef TESTS_MODEL_WORLD_H
#define TESTS_MODEL_WORLD_H

#include "volume/fast/fast.h"
#include "volume/slow/slow.h"

#define WORLD_DRIVES 6u
#define WORLD_VOLUMES 4u

struct world {
	struct reactor *reactor;
	struct handoff handoff;
	struct fast *fast;
	struct slow *slow;
	unsigned n_drives;
	struct block_device *volume[WORLD_VOLUMES];
};

/*
 * Power on: the devices (which become the world's) are opened as d0, d1, ...
 * and the slow stack looks at them.  A NULL device is a drive that is missing.
 */
void world_start(struct world *w, struct block_device *const *drives,
                 unsigned n_drives);
/* Gone without a word: nothing is flushed, nothing in flight is answered.
 * The devices are closed. */
void world_end(struct world *w);

/* The slow stack's process dies and a new one comes. */
void world_replace_slow(struct world *w);

void world_poll(struct world *w);

int world_create_pool(struct world *w, const char *name);
int world_create_volume(struct world *w, const char *name, uint64_t size,
                        enum raid_profile profile);
int world_delete_volume(struct world *w, const char *name);
int world_fail_drive(struct world *w, uint16_t drive);
/* Open "pool/NAME" as volume[i]. @return 0; -ENOENT. */
int world_open(struct world *w, unsigned i, const char *name);

/* A blocking request to volume[i]. */
int world_io(struct world *w, unsigned i, enum block_op op, unsigned flags,
             uint64_t offset, uint64_t length, void *buffer);

#endif /* TESTS_MODEL_WORLD_H */
