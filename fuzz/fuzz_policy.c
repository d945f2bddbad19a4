/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A policy that somebody wrote.  Properties: a refused one leaves the last in
 * force; in an accepted one, membership is symmetric.
 */
#include "subnet/policy.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy p;
	uint16_t key[4];

	policy_init(&p);
	if (policy_parse(&p, (const char *)data, size, NULL)) {
		if (p.n_partitions || p.partition)
			abort();
	} else {
		uint16_t a = policy_common(&p, 1, false, 2, true, 0);
		uint16_t b = policy_common(&p, 2, true, 1, false, 0);

		if (!a != !b || policy_keys(&p, 1, false, key, 4) > 4)
			abort();
	}
	policy_fini(&p);
	return 0;
}
