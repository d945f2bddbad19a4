/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/realtime.h"

#include <errno.h>
#include <link.h>
#include <sched.h>
#include <stddef.h>
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

/* What was never run is not here yet, and may have to come from the swap that
 * this process serves: a program's file can lie in a tmpfs. */
static int lock_program(struct dl_phdr_info *program, size_t size, void *err)
{
	int32_t *first = err;

	(void)size;
	for (size_t i = 0; i < program->dlpi_phnum && !*first; i++) {
		const ElfW(Phdr) *part = &program->dlpi_phdr[i];
		uintptr_t at = program->dlpi_addr + part->p_vaddr;

		if (part->p_type == PT_LOAD)
			*first = status(mlock((void *)at, part->p_memsz));
	}
	return *first;
}

int realtime_lock(void)
{
	struct rlimit no_limit = { RLIM_INFINITY, RLIM_INFINITY };
	int32_t err;

	(void)setrlimit(RLIMIT_MEMLOCK, &no_limit);
	err = status(mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT));
	return err ? err : dl_iterate_phdr(lock_program, &err);
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

	got->locked = realtime_lock();
	got->pinned = pin();
	got->fifo = got->pinned
	                    ? got->pinned
	                    : status(sched_setscheduler(0, SCHED_FIFO, &first));
	got->io_flusher = status(prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0));
}
