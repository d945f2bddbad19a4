/* SPDX-License-Identifier: BSD-2-Clause */
#include "rpc/schema.h"

#include "base/base.h"

#include <ctype.h>
#include <string.h>

#define WORD_MAX 48 /* longer words have no neighbours */

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

/*
 * Edits between two words (optimal string alignment), three rows of the
 * classic table at a time.
 */
static unsigned distance(const char *a, size_t n, const char *b, size_t m)
{
	unsigned rows[3][WORD_MAX + 1];
	unsigned *before = rows[0], *above = rows[1], *row = rows[2];

	for (size_t j = 0; j <= m; j++)
		above[j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		unsigned *spare = before;

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			bool same = tolower((unsigned char)a[i - 1]) ==
			            tolower((unsigned char)b[j - 1]);

			row[j] = min3(above[j] + 1, row[j - 1] + 1,
			              above[j - 1] + !same);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1])
				row[j] =
					min3(row[j], before[j - 2] + 1, row[j]);
		}
		before = above;
		above = row;
		row = spare;
	}
	return above[m];
}

const char *rpc_closest(const char *text, const char *const *candidates,
                        size_t n)
{
	size_t length = strlen(text);
	unsigned best = (unsigned)(length + 2) / 3 + 1;
	const char *found = NULL;

	if (length == 0 || length > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t other = strlen(candidates[i]);
		unsigned d;

		if (other > WORD_MAX)
			continue;
		d = distance(text, length, candidates[i], other);
		/* All letters changed is no likeness. */
		if (d < best && d < length && d < other) {
			best = d;
			found = candidates[i];
		}
	}
	return found;
}
