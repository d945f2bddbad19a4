/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A drive's first and last block, from a drive that anybody may have written.
 * Property: what decodes obeys the rules and encodes to the same bytes; what
 * is chosen can be identified, with words.
 *
 * Input: one byte of choices, then up to two blocks, short ones filled up
 * with zeroes.
 */
#include "base/crc.h"
#include "drive/label.h"

#include <stdlib.h>

#define DRIVE_SIZE (UINT64_C(1) << 30)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Exactly one block each, so that ASan sees one byte too many. */
static uint8_t *take(const uint8_t **data, size_t *size, uint64_t where,
                     unsigned choices)
{
	uint8_t *block = calloc(1, LABEL_BLOCK);
	struct label_wire *w = (struct label_wire *)block;
	size_t n = *size < LABEL_BLOCK ? *size : LABEL_BLOCK;

	memcpy(block, *data, n);
	*data += n;
	*size -= n;
	/* Random input guesses neither magic nor checksum: mend them. */
	if (choices & 1) {
		memcpy(w->magic, LABEL_MAGIC, sizeof(w->magic));
		w->kind = le16_put(LABEL_KIND);
		w->format = le16_put(LABEL_FORMAT);
		w->where = le64_put(where);
	}
	if (choices & 2)
		w->crc = le32_put(base_crc32c(0, block + 4, LABEL_BLOCK - 4));
	return block;
}

static void decode_one(const uint8_t *block, uint64_t where)
{
	uint8_t again[LABEL_BLOCK];
	struct label l;

	if (label_decode(block, where, &l))
		return;
	if (label_check(&l, NULL))
		abort();
	label_encode(&l, where, again);
	if (memcmp(again, block, LABEL_BLOCK) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t where = label_second(DRIVE_SIZE);
	unsigned choices = size ? *data++ : 0;
	char words[LABEL_WORDS] = "";
	uint8_t *first, *second;
	bool repair = false;
	struct label l;
	int err;

	size -= size > 0;
	first = take(&data, &size, 0, choices);
	second = take(&data, &size, where, choices >> 2);
	decode_one(first, 0);
	decode_one(second, where);
	err = label_choose(first, second, DRIVE_SIZE, &l, &repair);
	label_identify(NULL, err, &l, DRIVE_SIZE, words);
	if (!words[0] || strnlen(words, sizeof(words)) == sizeof(words))
		abort();
	free(first);
	free(second);
	return 0;
}
