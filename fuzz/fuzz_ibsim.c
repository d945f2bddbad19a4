/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages of a client that only looks like ibsim's preload.  Property: what
 * decodes encodes to something that decodes to the same.
 *
 * Input: one message.
 */
#include "switch/sim_proto.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void control(const uint8_t *data, size_t size)
{
	struct sim_proto_ctl ctl, ctl2;
	struct sim_proto_connect c, c2;
	uint8_t bytes[SIM_PROTO_CTL];

	if (sim_proto_decode_ctl(data, size, &ctl))
		return;
	if (ctl.type == SIM_PROTO_ERROR || ctl.length > SIM_PROTO_CTL_DATA)
		abort();
	sim_proto_encode_ctl(&ctl, bytes);
	if (sim_proto_decode_ctl(bytes, sizeof(bytes), &ctl2) ||
	    memcmp(&ctl, &ctl2, sizeof(ctl)) != 0)
		abort();
	if (sim_proto_decode_connect(&ctl, &c))
		return;
	if (strnlen(c.node, sizeof(c.node)) == sizeof(c.node))
		abort();
	sim_proto_encode_connect(&c, &ctl2);
	if (sim_proto_decode_connect(&ctl2, &c2) || c2.id != c.id)
		abort();
}

static void datagram(const uint8_t *data, size_t size)
{
	struct sim_proto_mad m, m2;
	uint8_t bytes[SIM_PROTO_MAD];

	memset(&m, 0, sizeof(m));
	memset(&m2, 0, sizeof(m2));
	if (sim_proto_decode_mad(data, size, &m))
		return;
	sim_proto_encode_mad(&m, bytes);
	if (sim_proto_decode_mad(bytes, sizeof(bytes), &m2) ||
	    memcmp(&m, &m2, sizeof(m)) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1); /* ASan sees its end */

	memcpy(copy, data, size);
	control(copy, size);
	datagram(copy, size);
	free(copy);
	return 0;
}
