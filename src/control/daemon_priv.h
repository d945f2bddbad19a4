/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of control/daemon share. */
#ifndef CONTROL_DAEMON_PRIV_H
#define CONTROL_DAEMON_PRIV_H

#include "control/daemon.h"

#include "control/apply.h"
#include "control/config.h"
#include "control/methods.h"
#include "control/state.h"
#include "core/child.h"
#include "core/reactor.h"
#include "drive/remote.h"
#include "export/nbd.h"
#include "fabric/auth_key.h"
#include "rpc/client.h"
#include "rpc/server.h"
#include "volume/fast/fast.h"

#include <json-c/json.h>
#include <pthread.h>

#define DAEMON_SPEC_MAX 1024u
#define DAEMON_ADDRESS_MAX 272u
#define DAEMON_EXPORTS_MAX 1024u
#define DAEMON_SLOW_TIMEOUT_NS (60 * NS_PER_S) /* of a forwarded call */

/* A drive that the state file lists; its index is its slot. */
struct daemon_drive {
	bool used;
	bool adding;  /* by a call that is not answered yet */
	bool open;    /* the fast stack has it */
	bool closing; /* being removed */
	char name[METHODS_NAME_MAX + 1];
	char spec[DAEMON_SPEC_MAX + 1];
	char why[384]; /* it could not be opened */
};

struct daemon_export {
	struct list link;
	struct daemon *node;
	char name[METHODS_NAME_MAX + 1];
	char volume[2 * METHODS_NAME_MAX + 2];
	enum nbd_kind kind;
	char address[DAEMON_ADDRESS_MAX];
	struct block_device *device; /* NULL: not served now */
	struct nbd_export *nbd;
	char why[384];             /* it is not served */
	struct rpc_call *removing; /* call to answer when it is gone */
	bool gone;                 /* being removed */
};

enum daemon_slow_step {
	DAEMON_SLOW_STOPPED,
	DAEMON_SLOW_DETACHING, /* died: its rings are being cleared */
	DAEMON_SLOW_READY,     /* may be started */
	DAEMON_SLOW_RUNNING,
};

struct daemon_slow {
	struct child child;
	enum daemon_slow_step step;
	int call_fd; /* the child's end, between prepare and start */
	struct rpc_client *client;
	struct task detached;
	struct task attached;
	struct timer look; /* until it serves */
	bool served;       /* it does, and exports have been looked after */
};

enum daemon_subnet_step {
	DAEMON_SUBNET_OFF,
	DAEMON_SUBNET_OPENING, /* its process starts, or will again */
	DAEMON_SUBNET_UP,
	DAEMON_SUBNET_LEAVING,
};

struct daemon_subnet {
	struct child child;
	char *argv[4];
	enum daemon_subnet_step step;
	struct json_object *params; /* of subnet.up; NULL: there is none */
	struct rpc_call *call;      /* of up or down, until it is done */
	int call_fd;                /* the child's end, until it has it */
	struct rpc_client *client;
	struct rpc_request opening, leaving, asking;
	bool is_asking;
	struct json_object *status; /* as it was lately; NULL */
	struct timer timer;
	char why[512]; /* it could not be opened */
};

/* Its other files are daemon_fabric.c, daemon_peers.c and daemon_windows.c. */
struct daemon_fabric {
	uint8_t id[STATE_ID];
	uint64_t boot;
	struct list peers;         /* struct state_peer */
	struct list windows;       /* struct state_window; live: it is served */
	struct json_object *offer; /* params of donor.offer, ours; NULL: none */
	struct auth_key key;
	bool has_key;
	/* on data[0] */
	struct window_host *host;
	struct node *node; /* NULL: talks to nobody */
	struct transport *transports[3];
	unsigned n_transports;
	struct transport *tls;   /* of these; or NULL */
	struct transport *verbs; /* the same */
};

/* A program with far memory, as its `causeway run` last said. */
struct daemon_program {
	struct json_object *report; /* params of far.report; NULL: free */
	uint64_t heard_ns;
};
#define DAEMON_PROGRAMS_MAX 64u

struct daemon {
	const struct daemon_opts *opts;
	char name[METHODS_NAME_MAX + 1];
	struct daemon_fabric fabric;
	struct metrics_http *metrics;
	int dir_fd; /* the locked state folder */
	unsigned cores;
	struct reactor *reactor;
	struct reactor *data[DAEMON_CORES_MAX];
	pthread_t thread[DAEMON_CORES_MAX];
	unsigned n_threads;
	struct handoff handoff;
	struct fast *fast;
	struct nbd_server *nbd;
	struct rpc_server *rpc;
	struct daemon_slow slow;
	struct daemon_subnet subnet;
	struct daemon_drive drive[HANDOFF_DRIVES];
	unsigned opening;    /* drives at start */
	unsigned n_openings; /* of drives, at start or by a call */
	bool ended;          /* all but these */
	struct list exports;
	unsigned n_exports;
	struct daemon_program program[DAEMON_PROGRAMS_MAX];
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
void daemon_fail(struct rpc_call *call, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* -- daemon_state.c ---------------------------------------------------------
 */

/* Read DIR/state.json and the configuration.  @return 0; words in *e. */
int daemon_load(struct daemon *n, struct err *e);
void daemon_unload(void *n);
/* Write DIR/state.json.  @return 0; a negative errno with words. */
int daemon_save(struct daemon *n, struct err *e);
/* Apply the configuration, if it has not been; daemon_ready() follows. */
void daemon_configure(struct daemon *n);

/* -- node.c --------------------------------------------------------------- */

/* Everything is served for the first time, or again. */
void daemon_ready(struct daemon *n);
/* Begin to end; daemon_run() returns some time later. */
void daemon_stop(struct daemon *n);
/* One of n_openings less. */
void daemon_opening_ended(struct daemon *n);

/* -- daemon_slow.c ----------------------------------------------------------
 */

void daemon_slow_init(struct daemon *n);
/* daemon_ready() follows when it serves. */
void daemon_slow_start(struct daemon *n);
/* Commit, then end the process; daemon_slow_stopped() follows. */
void daemon_slow_stop(struct daemon *n);
void daemon_slow_stopped(struct daemon *n);
bool daemon_slow_serves(const struct daemon *n);
const char *daemon_slow_state(const struct daemon *n);

/* -- daemon_drives.c --------------------------------------------------------
 */

/* Open what the state file lists; drives_opened() follows. */
void daemon_drives_open(struct daemon *n);
void daemon_drives_opened(struct daemon *n);
/* `words`: what slow.describe says; NULL: it does not answer. */
struct json_object *daemon_drives_json(struct daemon *n,
                                       struct json_object *words);
void daemon_drive_add(struct rpc_call *call, struct json_object *params);
void daemon_drive_list(struct rpc_call *call, struct json_object *params);
void daemon_drive_remove(struct rpc_call *call, struct json_object *params);
void daemon_drive_fail(struct rpc_call *call, struct json_object *params);

/* -- daemon_exports.c -------------------------------------------------------
 */

/* Serve those that the state file lists and that are not served. */
void daemon_exports_start(struct daemon *n);
/* The NBD server is about to stop: calls find no exports from now on. */
void daemon_exports_leave(struct daemon *n);
struct json_object *daemon_exports_json(struct daemon *n);
/* Name of an export of the volume, or NULL. */
const char *daemon_export_of(struct daemon *n, const char *volume);
void daemon_export_create(struct rpc_call *call, struct json_object *params);
void daemon_export_list(struct rpc_call *call, struct json_object *params);
void daemon_export_remove(struct rpc_call *call, struct json_object *params);

/* -- daemon_fabric.c --------------------------------------------------------
 */

/*
 * Run something on the reactor that windows and sessions live on, and wait:
 * for short things that wait for nothing.
 */
void daemon_on_fabric(struct daemon *n,
                      void (*run)(struct daemon *n, void *arg), void *arg);

/* The key, what is listened on, and whether they fit.  @return 0; words. */
int daemon_fabric_load(struct daemon *n, struct err *e);
/* Windows and peers as the state file has them; before the threads. */
int daemon_fabric_make(void *n);
void daemon_fabric_free(void *n);
/* While the threads run: windows reach other nodes, and sessions end. */
int daemon_fabric_join(void *n);
void daemon_fabric_leave(void *n);
/* Listen, for other nodes and for processes of this one. */
int daemon_fabric_listen(void *n);

/* -- daemon_peers.c ---------------------------------------------------------
 */

/* On the fabric's reactor, or before it runs. */
int daemon_peer_join(struct daemon *n, struct state_peer *p, struct err *e);
struct json_object *daemon_peers_json(struct daemon *n);
void daemon_node_add(struct rpc_call *call, struct json_object *params);
void daemon_node_list(struct rpc_call *call, struct json_object *params);
void daemon_node_show(struct rpc_call *call, struct json_object *params);
void daemon_node_remove(struct rpc_call *call, struct json_object *params);

/* -- daemon_windows.c -------------------------------------------------------
 */

/* Make the window and its grants; as daemon_peer_join(). */
void daemon_window_restore(struct daemon *n, struct state_window *w);
struct json_object *daemon_windows_json(struct daemon *n);
void daemon_window_create(struct rpc_call *call, struct json_object *params);
void daemon_window_grant(struct rpc_call *call, struct json_object *params);
void daemon_window_revoke(struct rpc_call *call, struct json_object *params);
void daemon_window_list(struct rpc_call *call, struct json_object *params);
void daemon_window_remove(struct rpc_call *call, struct json_object *params);

/* -- daemon_donor.c ----------------------------------------------------------
 */

/* Offer what the state file says; as daemon_peer_join(). */
void daemon_offer_restore(struct daemon *n);
void daemon_donor_offer(struct rpc_call *call, struct json_object *params);
void daemon_donor_list(struct rpc_call *call, struct json_object *params);
void daemon_donor_withdraw(struct rpc_call *call, struct json_object *params);

/* -- daemon_far.c -----------------------------------------------------------
 */

void daemon_far_report(struct rpc_call *call, struct json_object *params);
/* The programs that are there, each as docs/control.md says. */
struct json_object *daemon_far_json(const struct daemon *n);
void daemon_far_free(void *n);

/* -- daemon_doctor.c, daemon_metrics.c ----------------------------------------
 */

void daemon_doctor(struct rpc_call *call, struct json_object *params);

int daemon_metrics_open(void *n);
void daemon_metrics_close(void *n);

/* -- daemon_subnet.c --------------------------------------------------------
 */

void daemon_subnet_init(struct daemon *n);
/* If the state says so. */
void daemon_subnet_start(struct daemon *n);
/* daemon_subnet_ended() follows, perhaps from inside, unless it is off. */
void daemon_subnet_stop(struct daemon *n);
void daemon_subnet_ended(struct daemon *n);
bool daemon_subnet_is_off(const struct daemon *n);
struct rpc_service daemon_subnet_service(struct daemon *n);
/* NULL: there is none. */
struct json_object *daemon_subnet_process(const struct daemon *n);
/* Only if there is one. */
struct json_object *daemon_subnet_json(const struct daemon *n);

/* -- daemon_status.c --------------------------------------------------------
 */

void daemon_status(struct rpc_call *call, struct json_object *params);

#endif /* CONTROL_DAEMON_PRIV_H */
