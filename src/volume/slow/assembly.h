/* SPDX-License-Identifier: BSD-2-Clause */
/* volume/slow/assembly - from drives (or shared memory) to pools: at start, and
 * when a drive appears. */
#ifndef VOLUME_SLOW_ASSEMBLY_H
#define VOLUME_SLOW_ASSEMBLY_H

#include "base/err.h"

struct slow;

int assembly_start(struct slow *s, struct err *e);
void assembly_free(struct slow *s);

#endif /* VOLUME_SLOW_ASSEMBLY_H */
