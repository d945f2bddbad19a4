/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Feed requests from a hostile client to a real connection over a memory
 * device, which asserts that each request it gets is well-formed (N1).
 * The first byte chooses what was agreed and which device errors occur.
 */
#include "nbd_fuzz.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OPTION "IHAVEOPT\0\0\0"

static void agree(int fd, bool structured)
{
	static const char flags[] = "\0\0\0\3";
	static const char contexts[] =
		OPTION "\10\0\0\0\0" OPTION "\12\0\0\0\37"
		       "\0\0\0\4disk\0\0\0\1\0\0\0\17base:allocation";
	static const char go[] = OPTION "\7\0\0\0\12\0\0\0\4disk\0\0";

	static struct nbd_export_stats stats;
	static uint64_t before;

	if (send(fd, flags, 4, 0) != 4)
		abort();
	if (structured &&
	    send(fd, contexts, sizeof(contexts) - 1, 0) != sizeof(contexts) - 1)
		abort();
	if (send(fd, go, sizeof(go) - 1, 0) != sizeof(go) - 1)
		abort();
	nbd_fuzz_settle(fd);
	nbd_export_stats(nbd_fuzz.export, &stats);
	if (stats.connected == before)
		abort(); /* this file is wrong */
	before = stats.connected;
}

/*
 * A request has 28 bytes of which 4 are magic that no fuzzer guesses often:
 * take 12 bytes of input for one and give it small numbers.
 */
static size_t make(const uint8_t *data, size_t size, uint8_t *out, size_t room)
{
	size_t n = 0;

	for (; size >= 12 && room - n >= 28 + 8192; data += 12, size -= 12) {
		uint32_t length = (uint32_t)(data[8] << 8 | data[9]) << 4;
		struct nbd_request_header h = {
			.magic = be32_put(NBD_REQUEST_MAGIC),
			.flags = be16_put(data[0]),
			.type = be16_put(data[1] % 10),
			.cookie = be64_put(data[2]),
			.offset = be64_put((uint64_t)data[3] << 56 |
			                   (uint64_t)data[4] << 9 | data[5]),
			.length = be32_put(data[7] & 1 ? length << 12
			                               : length & ~511u),
		};

		memcpy(out + n, &h, sizeof(h));
		n += sizeof(h);
		/* Data of a write, or less than that, or more. */
		length = data[10] & 1 ? data[11] : be32_get(h.length);
		if (data[1] % 10 == NBD_CMD_WRITE && length <= 8192) {
			memset(out + n, data[11], length);
			n += length;
		}
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t made[1 << 16];
	unsigned how = size ? data[0] : 0;
	int fd;

	nbd_fuzz_start();
	nbd_fuzz.memory.fail[BLOCK_READ] = how & 2 ? -EIO : 0;
	nbd_fuzz.memory.fail[BLOCK_WRITE] = how & 4 ? -ENOSPC : 0;
	fd = nbd_fuzz_dial();
	agree(fd, how & 1);
	if (how & 8)
		nbd_fuzz_session(fd, data, size);
	else
		nbd_fuzz_session(fd, made,
		                 make(data, size, made, sizeof(made)));
	return 0;
}
