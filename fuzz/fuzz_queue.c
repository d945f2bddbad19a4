/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A command queue whose memory a hostile process writes as it likes.
 * Properties: the bridge touches no memory but what the keys name (ASan); what
 * it finishes it has taken; it never waits; when the process has gone nothing
 * of it is left.
 *
 * Input: steps of 11 bytes: what, where (2), value (8).
 */
#include "bridge/queue_format.h"
#include "bridge_fuzz.h"
#include "window/queue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DEPTH 8u
#define REGION 8192u
#define STEP 11u

static void put(uint8_t *shared, uint64_t total, size_t at, const void *value,
                size_t n)
{
	if (at <= total - n)
		memcpy(shared + at, value, n);
}

/* A command that is good, but for what the next steps do to it. */
static void good_command(uint8_t *shared, unsigned place, const uint8_t *key,
                         unsigned opcode)
{
	struct queue_command c = { .opcode = opcode,
		                   .id = place,
		                   .length = 64,
		                   .slot = place % DEPTH };

	memcpy(c.local, key, sizeof(c.local));
	memcpy(c.remote, key + BRIDGE_KEY, sizeof(c.remote));
	memcpy(shared + queue_commands_offset(DEPTH) +
	               place % DEPTH * sizeof(c),
	       &c, sizeof(c));
}

static void check(const struct queue_header *shared)
{
	struct process *p =
		list_entry(host->processes.next, struct process, link);
	const struct queue *q = list_entry(p->queues.next, struct queue, link);

	if (q->finished > q->taken || q->n_outstanding > DEPTH ||
	    q->counter > q->taken || q->depth != DEPTH ||
	    (const void *)q->shared == (const void *)shared)
		abort();
}

static void steps(uint8_t *shared, uint64_t total, const uint8_t *keys,
                  const uint8_t *data, size_t size)
{
	struct queue_header *h = (struct queue_header *)(void *)shared;

	for (; size >= STEP; data += STEP, size -= STEP) {
		size_t where = (size_t)(data[1] << 8 | data[2]);

		switch (data[0] % 6) {
		case 0: /* anywhere */
			put(shared, total, where % total, data + 3, 8);
			break;
		case 1: /* a field of a command */
			put(shared, total,
			    queue_commands_offset(DEPTH) +
			            where % (DEPTH *
			                     sizeof(struct queue_command)),
			    data + 3, 4);
			break;
		case 2:
			good_command(shared, data[1], keys, data[2] % 5);
			break;
		case 3: /* some more are there */
			h->submit_tail += data[1] % (DEPTH + 2);
			break;
		case 4:
			h->armed = data[1];
			break;
		case 5:
			spin();
			check(h);
			break;
		}
	}
	spin();
	check(h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bridge_request r = { .type = BRIDGE_HELLO };
	struct bridge_reply reply;
	uint8_t keys[2 * BRIDGE_KEY];
	uint8_t *shared;
	int fd, memory, fds[2];
	uint64_t total;

	prepare();
	fd = join();
	request(fd, &r, -1, &reply, NULL);
	memory = sealed_memory(REGION);
	r = (struct bridge_request){ .type = BRIDGE_REGISTER,
		                     .rights = BRIDGE_RIGHTS,
		                     .length = REGION };
	request(fd, &r, memory, &reply, NULL);
	memcpy(keys, reply.key, BRIDGE_KEY);
	r = (struct bridge_request){ .type = BRIDGE_OPEN,
		                     .node = "here",
		                     .name = "w" };
	request(fd, &r, -1, &reply, NULL);
	memcpy(keys + BRIDGE_KEY, reply.key, BRIDGE_KEY);
	r = (struct bridge_request){ .type = BRIDGE_QUEUE, .number = DEPTH };
	request(fd, &r, -1, &reply, fds);
	total = reply.length;
	shared = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0],
	              0);
	if (shared == MAP_FAILED || ftruncate(fds[0], 0) == 0)
		abort(); /* it is sealed */
	steps(shared, total, keys, data, size);
	munmap(shared, total);
	close(fds[0]);
	close(fds[1]);
	close(memory);
	leave(fd);
	return 0;
}
