/* SPDX-License-Identifier: BSD-2-Clause */
#include "window/key.h"

#include <errno.h>
#include <stdio.h>
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
	volatile uint8_t differ = 0;

	for (unsigned i = 0; i < sizeof(a->byte); i++)
		differ = (uint8_t)(differ | (a->byte[i] ^ b->byte[i]));
	return differ == 0;
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
