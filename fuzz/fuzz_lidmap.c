/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file of LIDs that somebody edited or a disk damaged.  Property: what is
 * accepted, formats to a file that is accepted and says the same.
 */
#include "subnet/lidmap.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lidmap a, b;
	size_t n, m;
	char *text, *again;

	if (size > 65536 || lidmap_init(&a, LIDMAP_LIDS))
		return 0;
	if (lidmap_parse(&a, (const char *)data, size, NULL) == 0) {
		text = lidmap_format(&a, &n);
		if (!text || lidmap_init(&b, 4096) ||
		    lidmap_parse(&b, text, n, NULL))
			abort();
		again = lidmap_format(&b, &m);
		if (!again || n != m || memcmp(text, again, n) != 0)
			abort();
		free(again);
		free(text);
		lidmap_fini(&b);
	}
	lidmap_fini(&a);
	return 0;
}
