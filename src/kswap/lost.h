/* SPDX-License-Identifier: BSD-2-Clause */
/* kswap/lost - a device that is not there: every request fails with -ENXIO. */
#ifndef KSWAP_LOST_H
#define KSWAP_LOST_H

#include "block/block.h"

/* @return a device of `size` bytes; NULL: out of memory. */
struct block_device *lost_create(uint64_t size);

#endif /* KSWAP_LOST_H */
