/* SPDX-License-Identifier: BSD-2-Clause */
#include "rpc/frame.h"

#include <errno.h>

static bool blank(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* One byte of a message.  @return 1 at its end, 0, or an error. */
static int step(struct rpc_frame *f, char c)
{
	if (++f->length > RPC_MESSAGE_MAX)
		return -EMSGSIZE;
	if (f->in_string) {
		if (f->escaped)
			f->escaped = false;
		else if (c == '\\')
			f->escaped = true;
		else if (c == '"')
			f->in_string = false;
		return 0;
	}

	switch (c) {
	case '"':
		f->in_string = true;
		return 0;
	case '{':
	case '[':
		if (++f->depth > RPC_DEPTH_MAX)
			return -ELOOP;
		f->values++;
		break;
	case ',':
		f->values++;
		break;
	case '}':
	case ']':
		return --f->depth == 0;
	case '\'':
	case '/':
	case 'N':
	case 'I':
		/* json-c knows such strings, comments, NaN and Infinity; JSON
		 * does not. */
		return -EPROTO;
	default:
		return 0;
	}
	return f->max_values && f->values > f->max_values ? -E2BIG : 0;
}

int rpc_frame_scan(struct rpc_frame *f, const char *data, size_t n,
                   size_t *skip, size_t *used)
{
	size_t i = 0;
	int got;

	if (f->length == 0)
		while (i < n && blank(data[i]))
			i++;
	*skip = i;
	*used = n;
	if (f->length == 0 && i < n && data[i] != '{' && data[i] != '[')
		return -EPROTO;

	for (; i < n; i++) {
		got = step(f, data[i]);
		if (got < 0)
			return got;
		if (got > 0) {
			*used = i + 1;
			return 1;
		}
	}
	return 0;
}

void rpc_frame_next(struct rpc_frame *f)
{
	*f = (struct rpc_frame){ .max_values = f->max_values };
}
