/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines of /proc/PID/maps; a name may hold anything but a newline. */
#include "far/maps.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char line[512];
	struct maps_line m;

	if (size >= sizeof(line))
		return 0;
	memcpy(line, data, size);
	line[size] = '\0';
	if (!maps_decode(line, &m))
		return 0;
	assert(m.start < m.end && strlen(m.name) < sizeof(m.name));
	if (maps_is_capturable(&m))
		assert(m.writable && !m.shared && m.inode == 0);
	return 0;
}
