/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines of /proc/swaps and /proc/meminfo; a device's name may be anything. */
#include "kswap/procfs_decode.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct procfs_decode_swap s;
	char line[512];
	uint64_t bytes;

	if (size >= sizeof(line))
		return 0;
	memcpy(line, data, size);
	line[size] = '\0';
	if (procfs_decode_swap(line, &s))
		assert(s.used <= s.size && strlen(s.path) < sizeof(s.path));
	(void)procfs_decode_memory(line, "SwapFree", &bytes);
	return 0;
}
