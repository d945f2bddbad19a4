/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CORE_TIMER_PRIV_H
#define CORE_TIMER_PRIV_H

#include <stdbool.h>

struct reactor;

/* Fire what is due at the iteration's time.  @return whether any was. */
bool timer_expire(struct reactor *r);

#endif /* CORE_TIMER_PRIV_H */
