/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A packet from a link.
 * Property: what decodes agrees with the brief view of it, encodes to as many
 * bytes, which have good CRCs and decode to the same.
 *
 * Input: a byte of choices, then the packet.
 */
#include "mad/packet.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Nobody guesses a length; take the right one. */
static void mend(uint8_t *bytes, size_t size)
{
	size_t words = (size - 2) / 4;

	if (size < PACKET_MIN)
		return;
	bytes[0] &= 0xf0;
	bytes[1] |= 2;
	bytes[4] = (uint8_t)(words >> 8 & 7);
	bytes[5] = (uint8_t)words;
	if ((bytes[1] & 3) != PACKET_GLOBAL || size < 48)
		return;
	bytes[8] = (uint8_t)(0x60 | (bytes[8] & 15));
	bytes[12] = (uint8_t)((size - 50) >> 8);
	bytes[13] = (uint8_t)(size - 50);
	bytes[14] = 0x1b;
}

static void again(const struct packet *p, size_t size)
{
	uint8_t *bytes = malloc(PACKET_MAX);
	int n = packet_encode(p, bytes, PACKET_MAX);
	struct packet second;

	if (n < 0 || (size_t)n > size || packet_check(bytes, (size_t)n) ||
	    packet_decode(bytes, (size_t)n, &second))
		abort();
	if (second.payload_length != p->payload_length ||
	    second.dest_qp != p->dest_qp || second.src_qp != p->src_qp ||
	    second.psn != p->psn || second.flow_label != p->flow_label ||
	    memcmp(second.payload, p->payload, p->payload_length) != 0)
		abort();
	packet_set_vl(bytes, (size_t)n, 3);
	if (packet_check(bytes, (size_t)n))
		abort();
	free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct packet_brief brief;
	struct packet p;
	uint8_t *bytes;

	if (size < 1)
		return 0;
	bytes = malloc(size > 1 ? size - 1 : 1);
	memcpy(bytes, data + 1, size - 1);
	if (data[0] & 1)
		mend(bytes, size - 1);
	packet_check(bytes, size - 1);
	if (packet_decode(bytes, size - 1, &p) == 0) {
		if (!packet_brief(bytes, size - 1, &brief) ||
		    brief.dlid != p.dlid || brief.dest_qp != p.dest_qp ||
		    brief.src_qp != p.src_qp)
			abort();
		again(&p, size - 1);
	} else {
		packet_brief(bytes, size - 1, &brief);
	}
	free(bytes);
	return 0;
}
