/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/realtime.h"

#include <errno.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

static int32_t status(int result)
{
	return result ? -errno : 0;
}

static int32_t pin(void)
{
	cpu_set_t may, one;
	size_t cpu = CPU_SETSIZE - 1;

	if (sched_getaffinity(0, sizeof(may), &may))
		return -errno;
	while (cpu > 0 && !CPU_ISSET(cpu, &may))
		cpu--;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	return status(sched_setaffinity(0, sizeof(one), &one));
}

void realtime_enter(struct realtime_got *got)
{
	const struct sched_param first = { .sched_priority = 1 };
	struct rlimit no_limit = { RLIM_INFINITY, RLIM_INFINITY };

	(void)setrlimit(RLIMIT_MEMLOCK, &no_limit);
	got->locked = status(mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT));
	got->pinned = pin();
	got->fifo = got->pinned
	                    ? got->pinned
	                    : status(sched_setscheduler(0, SCHED_FIFO, &first));
	got->io_flusher = status(prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0));
}
