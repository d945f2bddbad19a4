/* SPDX-License-Identifier: BSD-2-Clause */
#include "kswap/procfs_decode.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define KIB_MAX (UINT64_MAX >> 10)

bool procfs_decode_swap(const char *line, struct procfs_decode_swap *out)
{
	struct procfs_decode_swap s;
	uint64_t size, used;

	if (line[0] != '/' ||
	    sscanf(line, "%127s %*[a-z] %20" SCNu64 " %20" SCNu64 " %10d",
	           s.path, &size, &used, &s.priority) != 4 ||
	    size > KIB_MAX || used > size)
		return false;
	s.size = size << 10;
	s.used = used << 10;
	*out = s;
	return true;
}

bool procfs_decode_memory(const char *line, const char *key, uint64_t *bytes)
{
	size_t n = strlen(key);
	uint64_t kib;

	if (strncmp(line, key, n) != 0 || line[n] != ':' ||
	    sscanf(line + n + 1, "%20" SCNu64 " kB", &kib) != 1 ||
	    kib > KIB_MAX)
		return false;
	*bytes = kib << 10;
	return true;
}
