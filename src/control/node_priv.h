/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of control/node share. */
#ifndef CONTROL_NODE_PRIV_H
#define CONTROL_NODE_PRIV_H

#include "control/node.h"

#include "control/apply.h"
#include "control/config.h"
#include "control/methods.h"
#include "core/child.h"
#include "core/reactor.h"
#include "export/nbd.h"
#include "rpc/client.h"
#include "rpc/server.h"
#include "volume/fast/fast.h"

#include <json-c/json.h>
#include <pthread.h>

#define NODE_SPEC_MAX 1024u
#define NODE_ADDRESS_MAX 272u
#define NODE_EXPORTS_MAX 1024u
#define NODE_SLOW_TIMEOUT_NS (60 * NS_PER_S) /* of a forwarded call */

/* A drive that the state file lists; its index is its slot. */
struct node_drive {
	bool used;
	bool open;    /* the fast stack has it */
	bool closing; /* being removed */
	char name[METHODS_NAME_MAX + 1];
	char spec[NODE_SPEC_MAX + 1];
	char why[384]; /* it could not be opened */
};

struct node_export {
	struct list link;
	struct node *node;
	char name[METHODS_NAME_MAX + 1];
	char volume[2 * METHODS_NAME_MAX + 2];
	enum nbd_kind kind;
	char address[NODE_ADDRESS_MAX];
	struct block_device *device; /* NULL: not served now */
	struct nbd_export *nbd;
	char why[384];             /* it is not served */
	struct rpc_call *removing; /* call to answer when it is gone */
	bool gone;                 /* being removed */
};

enum node_slow_step {
	NODE_SLOW_STOPPED,
	NODE_SLOW_DETACHING, /* died: its rings are being cleared */
	NODE_SLOW_READY,     /* may be started */
	NODE_SLOW_RUNNING,
};

struct node_slow {
	struct child child;
	enum node_slow_step step;
	int call_fd; /* the child's end, between prepare and start */
	struct rpc_client *client;
	struct task detached;
	struct task attached;
	struct timer look; /* until it serves */
	bool served;       /* it does, and exports have been looked after */
};

struct node {
	const struct node_opts *opts;
	char name[METHODS_NAME_MAX + 1];
	int dir_fd; /* the locked state folder */
	unsigned cores;
	struct reactor *reactor;
	struct reactor *data[NODE_CORES_MAX];
	pthread_t thread[NODE_CORES_MAX];
	unsigned n_threads;
	struct handoff handoff;
	struct fast *fast;
	struct nbd_server *nbd;
	struct rpc_server *rpc;
	struct node_slow slow;
	struct node_drive drive[HANDOFF_DRIVES];
	unsigned opening; /* drives at start */
	struct list exports;
	unsigned n_exports;
	struct watch signals;
	struct config config;
	bool has_config;
	struct apply *apply; /* the configuration, while it is applied */
	bool ready;
	bool stopping;
	int exit_code;
	struct err exit_err;
};

/* Reply with one of the failures that need only words. */
void node_fail(struct rpc_call *call, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* -- node_state.c --------------------------------------------------------- */

/* Read DIR/state.json and the configuration.  @return 0; words in *e. */
int node_load(struct node *n, struct err *e);
void node_unload(void *n);
/* Write DIR/state.json.  @return 0; a negative errno with words. */
int node_save(struct node *n, struct err *e);
/* Apply the configuration, if it has not been; node_ready() follows. */
void node_configure(struct node *n);

/* -- node.c --------------------------------------------------------------- */

/* Everything is served for the first time, or again. */
void node_ready(struct node *n);
/* Begin to end; node_run() returns some time later. */
void node_stop(struct node *n);

/* -- node_slow.c ---------------------------------------------------------- */

void node_slow_init(struct node *n);
/* node_ready() follows when it serves. */
void node_slow_start(struct node *n);
/* Commit, then end the process; node_slow_stopped() follows. */
void node_slow_stop(struct node *n);
void node_slow_stopped(struct node *n);
bool node_slow_serves(const struct node *n);
const char *node_slow_state(const struct node *n);

/* -- node_drives.c -------------------------------------------------------- */

/* Open what the state file lists; drives_opened() follows. */
void node_drives_open(struct node *n);
void node_drives_opened(struct node *n);
/* `words`: what slow.describe says; NULL: it does not answer. */
struct json_object *node_drives_json(struct node *n, struct json_object *words);
void node_drive_add(struct rpc_call *call, struct json_object *params);
void node_drive_list(struct rpc_call *call, struct json_object *params);
void node_drive_remove(struct rpc_call *call, struct json_object *params);
void node_drive_fail(struct rpc_call *call, struct json_object *params);

/* -- node_exports.c ------------------------------------------------------- */

/* Serve those that the state file lists and that are not served. */
void node_exports_start(struct node *n);
/* The NBD server is about to stop: calls find no exports from now on. */
void node_exports_leave(struct node *n);
struct json_object *node_exports_json(struct node *n);
/* Name of an export of the volume, or NULL. */
const char *node_export_of(struct node *n, const char *volume);
void node_export_create(struct rpc_call *call, struct json_object *params);
void node_export_list(struct rpc_call *call, struct json_object *params);
void node_export_remove(struct rpc_call *call, struct json_object *params);

/* -- node_status.c -------------------------------------------------------- */

void node_status(struct rpc_call *call, struct json_object *params);

#endif /* CONTROL_NODE_PRIV_H */
