/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kswap/area - swap areas of the kernel: made, begun, looked at, ended.
 *
 * Units      Bytes.
 * Errors     0 or a negative errno with words.
 */
#ifndef KSWAP_AREA_H
#define KSWAP_AREA_H

#include "base/err.h"
#include "kswap/loop.h"

#include <stdbool.h>
#include <stdint.h>

#define AREA_MIN (UINT64_C(1) << 20) /* bytes */
#define AREAS_MAX 32u                /* the kernel takes fewer */

/* Write a swap header over the first page of the device (mkswap(8), version
 * 1) and read it back. */
int area_format(int fd, uint64_t size, struct err *e);

/* Begin to swap there, before devices of lower priority; the kernel then says
 * which pages it needs no more (discard), if the device takes that. */
int area_on(const char *path, int priority, struct err *e);

struct area {
	char path[LOOP_PATH];
	int owner; /* the keeper's process id */
	uint64_t size;
	uint64_t used;
};

/* @return whether the keeper is alive; if not, what is in it is lost. */
bool area_is_served(const struct area *a);

/* The areas of ours that are on.  @return how many, at most `max`. */
unsigned area_list(struct area *out, unsigned max);

/*
 * What the kernel keeps back for packets that bring pages home, KiB
 * (vm.min_free_kbytes): with less than this it may stop when no page is free
 * (docs/far.md).
 */
#define AREA_RESERVE_KIB 32768u

/* @return whether it keeps back less; *kib is how much. */
bool area_reserve_is_small(unsigned *kib);

/* What it takes to bring back what is in `a`. */
struct area_room {
	uint64_t needed;    /* in use there, and a reserve */
	uint64_t available; /* memory that programs could have */
	uint64_t elsewhere; /* free in other swap areas */
};

/* @return whether it fits. */
bool area_room(const struct area *a, struct area_room *out);

/* Bring everything back and end it; waits as long as that takes.
 * @return -ENOMEM: it did not fit, the area is still on; -EINTR. */
int area_off(const char *path, struct err *e);

#endif /* KSWAP_AREA_H */
