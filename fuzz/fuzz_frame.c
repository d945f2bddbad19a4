/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fabric's frames, from anybody who can reach a port; and addresses.
 * Property: what decodes encodes to the same bytes.
 *
 * Input: one byte that chooses the decoder, then its bytes.
 */
#include "base/crc.h"
#include "fabric/address.h"
#include "fabric/frame.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void header(const uint8_t *data, size_t size)
{
	struct fabric_wire_header h = { 0 }, again;
	struct frame f;

	memcpy(&h, data, size < sizeof(h) ? size : sizeof(h));
	/* Random input guesses no checksum: mend it. */
	h.crc = le32_put(
		base_crc32c(0, &h, offsetof(struct fabric_wire_header, crc)));
	if (frame_decode(&h, &f))
		return;
	frame_encode(&f, &again);
	if (memcmp(&h, &again, sizeof(h)) != 0)
		abort();
}

/* Bodies lie alone in memory, so that ASan sees one byte too many. */
static uint8_t *alone(const uint8_t *data, size_t size)
{
	uint8_t *p = malloc(size ? size : 1);

	if (!p)
		abort();
	if (size)
		memcpy(p, data, size);
	return p;
}

static void join(const uint8_t *data, size_t size)
{
	uint8_t *body = alone(data, size), again[FABRIC_WIRE_CONTROL_MAX];
	struct frame_join j;

	if (size <= sizeof(again) && !frame_decode_join(body, size, &j) &&
	    (frame_encode_join(&j, again) != size ||
	     memcmp(body, again, size) != 0))
		abort();
	free(body);
}

static void fence(const uint8_t *data, size_t size)
{
	uint8_t *body = alone(data, size), again[FABRIC_WIRE_CONTROL_MAX];
	uint64_t lanes[FABRIC_WIRE_FENCES];
	int n = frame_decode_fence(body, size, lanes);

	if (n > 0 && (frame_encode_fence(lanes, (unsigned)n, again) != size ||
	              memcmp(body, again, size) != 0))
		abort();
	free(body);
}

static void address(const uint8_t *data, size_t size)
{
	char text[FABRIC_ADDRESS_TEXT], in[128] = { 0 };
	struct fabric_address a, b;

	memcpy(in, data, size < sizeof(in) - 1 ? size : sizeof(in) - 1);
	if (address_parse(in, &a, NULL))
		return;
	if (address_parse(address_format(&a, text), &b, NULL) ||
	    !address_equal(&a, &b))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const decoders[])(
		const uint8_t *, size_t) = { header, join, fence, address };

	if (size > 0)
		decoders[data[0] % 4](data + 1, size - 1);
	return 0;
}
