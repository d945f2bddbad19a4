/* SPDX-License-Identifier: BSD-2-Clause */
/* The inside of libcauseway, for the files that share it. */
#ifndef CLIENT_CLIENT_PRIV_H
#define CLIENT_CLIENT_PRIV_H

#include "base/list.h"
#include "bridge/bridge_decode.h"
#include <causeway/causeway.h>

#define CLIENT_FDS 2

struct causeway {
	int fd;
	struct causeway_key identity;
	char node[BRIDGE_NAME];
	char error[BRIDGE_WORDS + 64];
	/* what was made from it, to go with it */
	struct list regions;
	struct list windows;
	struct list queues;
};

struct causeway_region {
	struct list link;
	struct causeway *context;
	struct causeway_key key;
	void *data;
	size_t length;
};

struct causeway_window {
	struct list link;
	struct causeway *context;
	char node[BRIDGE_NAME];
	struct causeway_key key;
	uint64_t length;
	unsigned rights;
	uint64_t due_ns; /* its owner takes it back; 0: not that we know */
};

/*
 * Ask the bridge and wait.  `send_fd` -1: none.  `fds`, if not NULL, gets the
 * CLIENT_FDS descriptors that come with a reply.
 *
 * @return 0, or a negative errno with words for causeway_error().
 */
int client_call(struct causeway *c, const struct bridge_request *request,
                int send_fd, struct bridge_reply *reply, int *fds);

/* Take what came unasked.  @return 0; -EPIPE: the bridge is gone. */
int client_take_notices(struct causeway *c);

/* "cw1:NODE/32 hex digits". */
void client_write_descriptor(const char *node, const struct causeway_key *key,
                             char out[CAUSEWAY_DESCRIPTOR_MAX]);

/* Forget the one at `link`, here alone: the bridge knows. */
void client_free_region(struct list *link);
void client_free_window(struct list *link);
void client_free_queue(struct list *link);

/* Record the words and return `err`. */
int client_fail(struct causeway *c, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Cut "cw1:NODE/32 hex digits" in two.  @return 0; -EINVAL. */
int client_parse_descriptor(const char *text, char node[BRIDGE_NAME],
                            struct causeway_key *key);

#endif /* CLIENT_CLIENT_PRIV_H */
