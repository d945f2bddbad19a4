/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rpc/frame - where a message ends in a stream of bytes.
 *
 * A message is one JSON object or array.  Messages may follow each other
 * directly or with blanks and newlines between.  The scanner looks at
 * brackets and strings alone and holds no bytes: it says how many belong to
 * the message, and refuses what a parser would pay too much for, before the
 * parser sees it.  Whether the brackets match is the parser's business.
 *
 *   F1  the result does not depend on how the bytes are cut into pieces;
 *   F2  a byte is looked at once.
 */
#ifndef RPC_FRAME_H
#define RPC_FRAME_H

#include <stdbool.h>
#include <stddef.h>

#define RPC_MESSAGE_MAX (1u << 20) /* bytes */
#define RPC_DEPTH_MAX 32u          /* nested objects and arrays */
/*
 * Values in one message: json-c pays up to 1 KiB for the three bytes "{},".
 * Requests are small; replies list what there is.
 */
#define RPC_REQUEST_VALUES 4096u
#define RPC_REPLY_VALUES 65536u

struct rpc_frame {
	unsigned max_values; /* set before the first byte; 0: no limit */
	/* the scanner's own; zero at the start of a message */
	size_t length; /* bytes of the message so far */
	unsigned depth;
	unsigned values;
	bool in_string;
	bool escaped;
};

/*
 * Look at `n` more bytes.
 *
 * @param skip  leading bytes that belong to no message (blanks)
 * @param used  bytes consumed, the skipped ones included
 * @return 1: the message ends with data[*used - 1] and has f->length bytes;
 *            call rpc_frame_next() before the next byte;
 *         0: more are needed, *used is n;
 *         -EPROTO: neither object nor array, or a character JSON lacks;
 *         -EMSGSIZE: over RPC_MESSAGE_MAX;
 *         -ELOOP: deeper than RPC_DEPTH_MAX; -E2BIG: over max_values.
 */
int rpc_frame_scan(struct rpc_frame *f, const char *data, size_t n,
                   size_t *skip, size_t *used);

/* Ready for the next message. */
void rpc_frame_next(struct rpc_frame *f);

#endif /* RPC_FRAME_H */
