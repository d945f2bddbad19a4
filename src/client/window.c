/* SPDX-License-Identifier: BSD-2-Clause */
#include "client/client_priv.h"

#include "base/base.h"
#include "base/clock.h"

#include <errno.h>
#include <string.h>

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int client_parse_descriptor(const char *text, char node[BRIDGE_NAME],
                            struct causeway_key *key)
{
	const char *name = text + 4, *slash;
	struct causeway_key k;

	if (strncmp(text, "cw1:", 4) != 0)
		return -EINVAL;
	slash = strchr(name, '/');
	if (!slash || !base_is_name(name, (size_t)(slash - name)) ||
	    strlen(slash + 1) != 2 * sizeof(k.byte))
		return -EINVAL;
	for (unsigned i = 0; i < sizeof(k.byte); i++) {
		int high = hex(slash[1 + 2 * i]);
		int low = hex(slash[2 + 2 * i]);

		if (high < 0 || low < 0)
			return -EINVAL;
		k.byte[i] = (uint8_t)(high << 4 | low);
	}
	memset(node, 0, BRIDGE_NAME);
	memcpy(node, name, (size_t)(slash - name));
	*key = k;
	return 0;
}

/* `free` as of causeway_borrow(). */
static int open_window(struct causeway *c, const struct bridge_request *q,
                       uint64_t *free_there, struct causeway_window **out)
{
	struct causeway_window *w = calloc(1, sizeof(*w));
	struct bridge_reply reply = { 0 };
	int err;

	if (!w)
		return client_fail(c, -ENOMEM, "no memory");
	err = client_call(c, q, -1, &reply, NULL);
	if (err == -ENOSPC && free_there)
		*free_there = reply.length;
	if (err) {
		free(w);
		return err;
	}
	w->context = c;
	memcpy(w->node, q->node, sizeof(w->node));
	memcpy(w->key.byte, reply.key, sizeof(w->key.byte));
	w->length = reply.length;
	w->rights = reply.rights;
	list_append(&c->windows, &w->link);
	*out = w;
	return 0;
}

int causeway_import(struct causeway *c, const char *descriptor,
                    struct causeway_window **out)
{
	struct bridge_request q = { .type = BRIDGE_IMPORT };
	struct causeway_key key;

	if (client_parse_descriptor(descriptor, q.node, &key))
		return client_fail(c, -EINVAL, "not a descriptor");
	memcpy(q.key, key.byte, sizeof(q.key));
	return open_window(c, &q, NULL, out);
}

int causeway_window_open(struct causeway *c, const char *name, unsigned rights,
                         struct causeway_window **out)
{
	struct bridge_request q = { .type = BRIDGE_OPEN, .rights = rights };
	const char *slash = strchr(name, '/');

	if (!slash || !base_is_name(name, (size_t)(slash - name)) ||
	    !base_is_name(slash + 1, strlen(slash + 1)))
		return client_fail(c, -EINVAL, "a window's name is NODE/NAME");
	memcpy(q.node, name, (size_t)(slash - name));
	memcpy(q.name, slash + 1, strlen(slash + 1));
	return open_window(c, &q, NULL, out);
}

int causeway_borrow(struct causeway *c, const char *node, uint64_t length,
                    uint64_t *free, struct causeway_window **out)
{
	struct bridge_request q = { .type = BRIDGE_BORROW, .length = length };

	if (!base_is_name(node, strlen(node)) || length == 0 ||
	    length > BRIDGE_LENGTH_MAX)
		return client_fail(c, -EINVAL, "a node and a length");
	memcpy(q.node, node, strlen(node));
	return open_window(c, &q, free, out);
}

int causeway_window_recalled(struct causeway_window *w, unsigned *left_ms)
{
	uint64_t now;

	if (client_take_notices(w->context))
		return -EPIPE;
	if (!w->due_ns)
		return 0;
	now = clock_now_ns();
	*left_ms =
		w->due_ns > now ? (unsigned)((w->due_ns - now) / NS_PER_MS) : 0;
	return 1;
}

void causeway_window_descriptor(const struct causeway_window *w,
                                char descriptor[CAUSEWAY_DESCRIPTOR_MAX])
{
	client_write_descriptor(w->node, &w->key, descriptor);
}

void client_free_window(struct list *link)
{
	struct causeway_window *w =
		list_entry(link, struct causeway_window, link);

	list_remove(&w->link);
	free(w);
}

void causeway_window_close(struct causeway_window *w)
{
	struct bridge_request q = { .type = BRIDGE_CLOSE };
	struct bridge_reply reply;

	if (!w)
		return;
	memcpy(q.key, w->key.byte, sizeof(q.key));
	(void)client_call(w->context, &q, -1, &reply, NULL);
	client_free_window(&w->link);
}

uint64_t causeway_window_length(const struct causeway_window *w)
{
	return w->length;
}

unsigned causeway_window_rights(const struct causeway_window *w)
{
	return w->rights;
}

const struct causeway_key *causeway_window_key(const struct causeway_window *w)
{
	return &w->key;
}
