/* SPDX-License-Identifier: BSD-2-Clause */
/* core/watch - a descriptor that a reactor waits on; see core/reactor.h. */
#ifndef CORE_WATCH_H
#define CORE_WATCH_H

#include "base/list.h"

#include <stdint.h>

struct reactor;

struct watch {
	int fd;
	uint32_t events; /* EPOLLIN, EPOLLOUT, ...; level-triggered */
	void (*ready)(struct watch *w, uint32_t events);
	struct list ready_link; /* reactor's */
	uint32_t ready_events;  /* reactor's */
};

/* @return 0; -EMFILE, -ENOMEM, -ENOSPC, -EPERM (a regular file). */
int watch_start(struct reactor *r, struct watch *w);

/* Events that were already fetched and are not in `events` are dropped. */
void watch_modify(struct reactor *r, struct watch *w, uint32_t events);

/* Before the descriptor is closed. */
void watch_stop(struct reactor *r, struct watch *w);

#endif /* CORE_WATCH_H */
