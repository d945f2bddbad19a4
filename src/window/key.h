/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * window/key - the values of keys: 128 random bits.
 *
 * A value is drawn anew for each key and never given out twice: with 2^64
 * keys made, the chance of one pair alike is below one half.  All zeroes is
 * no key.
 */
#ifndef WINDOW_KEY_H
#define WINDOW_KEY_H

#include "fabric/op.h"

#define KEY_TEXT 33u /* bytes: 32 hex digits and the NUL */

/* @return 0, or the errno of getrandom(). */
int key_mint(struct fabric_key *out);

/* In a time that says nothing about where they differ. */
bool key_equal(const struct fabric_key *a, const struct fabric_key *b);

bool key_is_none(const struct fabric_key *key);

/* Where to look for it in a table: bits of the key, as random as they are. */
static inline uint64_t key_hash(const struct fabric_key *key)
{
	uint64_t bits;

	__builtin_memcpy(&bits, key->byte, sizeof(bits));
	return bits;
}

void key_format(const struct fabric_key *key, char out[KEY_TEXT]);

#endif /* WINDOW_KEY_H */
