/* SPDX-License-Identifier: BSD-2-Clause */
/* kswap/procfs_decode - lines of /proc/swaps and /proc/meminfo; pure. */
#ifndef KSWAP_PROCFS_DECODE_H
#define KSWAP_PROCFS_DECODE_H

#include <stdbool.h>
#include <stdint.h>

struct procfs_decode_swap {
	char path[128]; /* a device; blanks in it are escaped */
	uint64_t size;  /* bytes */
	uint64_t used;  /* bytes */
	int priority;
};

/* @return whether the line is one of an area, and not the heading. */
bool procfs_decode_swap(const char *line, struct procfs_decode_swap *out);

/* "MemAvailable:   1024 kB": whether it is `key`'s line; bytes. */
bool procfs_decode_memory(const char *line, const char *key, uint64_t *bytes);

#endif /* KSWAP_PROCFS_DECODE_H */
