/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Feed bytes from a hostile client to the real handshake and, if they get
 * that far, to the transmission phase behind it.
 * Property: when the client is gone, so is all that was held for it.
 */
#include "nbd_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The decoders alone, on a copy of exactly the size: ASan sees an overrun. */
static void decode(const uint8_t *data, size_t size)
{
	struct nbd_info_query info;
	struct nbd_meta_query meta;
	uint8_t *copy = malloc(size + !size);

	memcpy(copy, data, size);
	if (nbd_decode_info(copy, size, &info) == 0 &&
	    info.name.length + 6 > size)
		abort();
	if (nbd_decode_meta(copy, size, size & 1, &meta) == 0 &&
	    meta.name.length + 8 + meta.n_queries * 4 > size)
		abort();
	free(copy);
}

/*
 * No fuzzer guesses the magic number before each option often: take options
 * as {option, length, data} and put it there.
 */
static size_t make(const uint8_t *data, size_t size, uint8_t *out, size_t room)
{
	size_t n = sizeof(be32);

	memcpy(out, "\0\0\0\3", n);
	while (size >= 2 &&
	       room - n >= sizeof(struct nbd_option_header) + 255) {
		struct nbd_option_header h = {
			.magic = be64_put(NBD_OPTION_MAGIC),
			.option = be32_put(data[0] % 16),
			.length = be32_put(data[1]),
		};
		size_t length = data[1] < size - 2 ? data[1] : size - 2;

		memcpy(out + n, &h, sizeof(h));
		memcpy(out + n + sizeof(h), data + 2, length);
		n += sizeof(h) + length;
		data += 2 + length;
		size -= 2 + length;
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t made[1 << 16];
	int fd;

	nbd_fuzz_start();
	decode(data, size);
	fd = nbd_fuzz_dial();
	/* A client's flags begin with a zero. */
	if (size && data[0] == 0)
		nbd_fuzz_session(fd, data, size);
	else
		nbd_fuzz_session(fd, made,
		                 make(data, size, made, sizeof(made)));
	return 0;
}
