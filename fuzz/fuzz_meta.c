/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Feed a metadata block of a hostile or rotten drive to the decoder.
 * Property: what decodes, re-encodes to the same bytes; nothing outside the
 * block is read.
 */
#include "volume/slow/record.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_records(const uint8_t *block)
{
	uint8_t *again = calloc(1, META_BLOCK);
	struct record_reader reader;
	struct record r;
	uint32_t used = 0;

	if (!again || record_open(&reader, block) < 0) {
		free(again);
		return;
	}
	while (record_next(&reader, &r) > 0)
		used = record_put(again, used, &r);
	if (memcmp(block + sizeof(struct meta_header),
	           again + sizeof(struct meta_header), used) != 0)
		abort();
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t pool[16] = { 1 };
	const struct record_place place = { .kind = META_LOG, .pool = pool };
	struct meta_root root;
	uint8_t *block;
	uint32_t used;

	if (size > META_BLOCK)
		return 0;
	block = calloc(1, META_BLOCK); /* exact: ASan sees one byte too many */
	if (!block)
		return 0;
	memcpy(block, data, size);
	record_verify(block, &place);
	check_records(block);

	/* The input as content: deeper than random headers get. */
	used = size < META_CONTENT ? (uint32_t)size : (uint32_t)META_CONTENT;
	memcpy(block + sizeof(struct meta_header), data, used);
	record_seal(block, &place, used);
	if (record_verify(block, &place) != 0)
		abort();
	check_records(block);
	if (record_get_root(block, &root) == 0 && le32_get(root.image) > 1)
		abort();
	free(block);
	return 0;
}
