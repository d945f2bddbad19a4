/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets of a process at STATE/window.sock.
 * Properties: every packet has one well-formed reply or ends the connection;
 * after the process has gone nothing of it is left.
 *
 * Input: packets, each as a byte of choices, a type, and 30 bytes that are
 * spread over the request; what it leaves out is what a request needs.
 */
#include "bridge/bridge_decode.h"
#include "bridge_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BYTES 30u

/* Keys that came back, so that later packets can name them. */
struct memory {
	uint8_t key[8][BRIDGE_KEY];
	unsigned n;
};

static void fill(const uint8_t *from, struct bridge_request *r,
                 const struct memory *known)
{
	const uint8_t *key = known->key[from[1] % 8];

	*r = (struct bridge_request){ .type = (enum bridge_type)from[0],
		                      .rights = from[2],
		                      .number = from[3],
		                      .offset = (uint64_t)from[4] * 512,
		                      .length = (uint64_t)from[5] * 512,
		                      .lease_ms = from[6],
		                      .bytes_per_s = from[7],
		                      .ops_per_s = from[8] };
	memcpy(r->key, key, BRIDGE_KEY);
	r->key[0] ^= from[9] & 1; /* mostly right */
	r->process[0] = from[10];
	strcpy(r->node, from[11] & 1 ? "here" : from[11] & 2 ? "away" : "");
	strcpy(r->name, from[12] & 1 ? "w" : from[12] & 2 ? "x" : "");
	for (unsigned i = 0; i < BRIDGE_RANGES; i++) {
		memcpy(r->range[i].key, known->key[from[13 + i] % 8],
		       BRIDGE_KEY);
		r->range[i].offset = from[13 + i] / 8;
		r->range[i].length = from[29];
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memory known = { 0 };
	struct bridge_reply reply;
	int memory, fd;

	prepare();
	memory = sealed_memory(65536);
	fd = join();
	request(fd, &(struct bridge_request){ .type = BRIDGE_HELLO }, -1,
	        &reply, NULL);
	for (; size >= BYTES + 1; data += BYTES + 1, size -= BYTES + 1) {
		unsigned choices = data[0], n = 0;
		struct bridge_request_wire wire;
		struct bridge_request r;
		size_t length = sizeof(wire);

		fill(data + 1, &r, &known);
		bridge_encode_request(&r, &wire);
		if (choices & 1) { /* a stray byte anywhere */
			size_t at = (size_t)(data[2] << 8 | data[3]);

			((uint8_t *)&wire)[at % sizeof(wire)] ^= data[4];
		}
		if (choices & 2)
			length = (size_t)(data[5] << 2) % (sizeof(wire) + 1);
		send_packet(fd, &wire, length, choices & 4 ? memory : -1);
		while (take_reply(fd, &reply, NULL)) {
			n++;
			if (reply.status == BRIDGE_OK)
				memcpy(known.key[known.n++ % 8], reply.key,
				       BRIDGE_KEY);
		}
		if (n > 1)
			abort();
		if (n == 0)
			break; /* the connection is over */
	}
	close(memory);
	leave(fd);
	return 0;
}
