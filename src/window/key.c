/* SPDX-License-Identifier: BSD-2-Clause */
#include "window/key.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

int key_mint(struct fabric_key *out)
{
	struct fabric_key key;

	do {
		ssize_t n = getrandom(key.byte, sizeof(key.byte), 0);

		if (n != (ssize_t)sizeof(key.byte))
			return n < 0 ? -errno : -EIO;
	} while (key_is_none(&key));
	*out = key;
	return 0;
}

bool key_equal(const struct fabric_key *a, const struct fabric_key *b)
{
	uint64_t x[2], y[2];

	static_assert(sizeof(x) == sizeof(a->byte), "two words");
	memcpy(x, a->byte, sizeof(x));
	memcpy(y, b->byte, sizeof(y));
	return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}

bool key_is_none(const struct fabric_key *key)
{
	static const struct fabric_key none;

	return key_equal(key, &none);
}

void key_format(const struct fabric_key *key, char out[KEY_TEXT])
{
	for (unsigned i = 0; i < sizeof(key->byte); i++)
		snprintf(out + 2 * i, 3, "%02x", key->byte[i]);
}
