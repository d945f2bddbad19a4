/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests as the kernel sends them over /dev/fuse. */
#include "kswap/fuse_decode.h"

#include <assert.h>
#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuse_decode_call c = { 0 };
	int err = fuse_decode_request(data, size, &c);

	assert(err == -EPROTO || c.unique != 0);
	assert(c.offset + c.length >= c.offset);
	if (err || c.op != FUSE_DECODE_WRITE)
		return 0;
	assert((const uint8_t *)c.data >= data);
	assert((const uint8_t *)c.data + c.length == data + size);
	return 0;
}
