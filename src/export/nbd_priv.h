/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the NBD server share.  Which thread owns what:
 *
 *   home reactor    nbd_server, nbd_listener, nbd_handshake, nbd_export
 *   data reactor    nbd_worker, nbd_conn, nbd_request, nbd_slot
 *
 * Between them go tasks only: `adopt` hands a connection to a worker,
 * `closed` brings it home, a sweep visits a worker and returns.  Home posts
 * a connection before any sweep that concerns it (R2), so a sweep finds it.
 */
#ifndef EXPORT_NBD_PRIV_H
#define EXPORT_NBD_PRIV_H

#include "core/listener.h"
#include "core/slab.h"
#include "export/nbd.h"
#include "export/nbd_codec.h"
#include "export/nbd_pool.h"

#define NBD_SCRATCH (128u << 10)    /* bytes a worker receives at once */
#define NBD_WORKER_REQUESTS 65536u  /* in flight on one data reactor */
#define NBD_IOV_MAX 256u            /* entries of one sendmsg */
#define NBD_SOCKET_ROOM (256 << 10) /* bytes of replies in a Unix socket */
#define NBD_LINGER_MS 2000u         /* waiting for a client to hang up */

/* -- home ----------------------------------------------------------------- */

struct nbd_server {
	struct reactor *home;
	unsigned connections_max;
	unsigned handshake_ms;
	unsigned n_data;
	unsigned next_worker;
	unsigned n_exports;
	uint64_t next_id;
	struct list listeners;
	struct list exports;
	struct list handshakes;
	struct nbd_server_stats stats;
	bool stopping;
	unsigned workers_out; /* told to finish, not back yet */
	nbd_done_fn done;
	void *arg;
	struct nbd_worker *worker[]; /* n_data */
};

struct nbd_listener {
	struct nbd_server *server;
	struct list link;
	struct list exports;
	enum nbd_kind kind;
	char *text;
	struct listener socket; /* NBD_ADOPT: never open */
};

/* One visit to one worker: drain or cut an export's connections there. */
struct nbd_sweep {
	struct task task;
	struct nbd_worker *worker;
	struct nbd_export *export;
	bool cut;
};

/* One worker's part of an export's statistics. */
struct nbd_slot {
	struct nbd_op_stats op[NBD_OPS];
};

struct nbd_export {
	struct nbd_server *server;
	struct nbd_listener *listener; /* NULL when removed */
	struct list link;              /* listener's */
	struct list server_link;
	uint64_t id; /* never used twice, ascending within a listener */
	struct nbd_export_info info; /* its strings are ours */
	unsigned n_connections;      /* and handshakes about to be some */
	uint64_t connected;
	bool removing;
	bool cut_due; /* the deadline has passed, the sweeps are still out */
	unsigned sweeps_out;
	struct timer deadline;
	nbd_done_fn done;
	void *arg;
	struct nbd_sweep *sweeps; /* n_data */
	struct nbd_slot **slots;  /* n_data; NULL until needed */
};

/* nbd_server.c */
struct nbd_export *nbd_export_get(struct nbd_export *x);
void nbd_export_put(struct nbd_export *x);
/* Take the connection on `fd` to a worker; the export was got. */
void nbd_server_hand_over(struct nbd_export *x, int fd, bool structured,
                          bool context);
void nbd_terms_of(const struct nbd_export *x, struct nbd_terms *out);

/* nbd_listener.c */
int nbd_listener_open(struct nbd_server *s, const struct nbd_address *at,
                      struct nbd_listener **out, struct err *e);
void nbd_listener_close(struct nbd_listener *l);
struct nbd_listener *nbd_listener_find(struct nbd_server *s,
                                       const struct nbd_address *at);
/* Empty name: the only export. */
struct nbd_export *nbd_listener_lookup(struct nbd_listener *l,
                                       struct nbd_view name);

/* nbd_handshake.c; `fd` is taken, also on failure.  0, -EMFILE, -ENOMEM. */
int nbd_handshake_start(struct nbd_listener *l, int fd);
/* Cut those of a listener or of an export; NULL: whatever it is. */
void nbd_handshake_cut(struct nbd_server *s, const struct nbd_listener *l,
                       const struct nbd_export *x);

/* -- data ----------------------------------------------------------------- */

struct nbd_worker {
	struct nbd_server *server;
	struct reactor *reactor;
	unsigned index;
	struct list connections;
	struct list dirty;   /* to send, or to close */
	struct list blocked; /* waiting for memory */
	struct task flush;
	bool flush_armed;
	bool released; /* something since the blocked were last tried */
	bool trim_armed;
	uint64_t n_requests; /* ever */
	uint64_t trim_seen;  /* n_requests when the trim timer was armed */
	struct timer trim;   /* every second while buffers exist */
	struct task finish;
	struct slab requests;
	struct nbd_pool pool;
	uint64_t buffers; /* pool's bytes, for home to read */
	struct iovec iov[NBD_IOV_MAX];
	uint8_t scratch[NBD_SCRATCH];
};

/*
 *              header of a WRITE               all of it
 *   HEADER ------------------------> PAYLOAD ------------+
 *   ^ | |    header of a bad WRITE             all of it |
 *   | | +--------------------------> SKIP ---------------+
 *   | |      no memory               memory              |
 *   | +----------> BLOCKED --------------+               |
 *   +------------------------------------+---------------+
 *
 *   any of these: end of stream, DISC, removed      -> DRAIN
 *   any state: broken socket or protocol, cut       -> DEAD
 *   DRAIN: answered -> CLOSED, or LINGER if the server began it -> CLOSED
 *   DEAD: nothing in the device any more            -> CLOSED
 */
enum nbd_state {
	NBD_HEADER,  /* expects the header of a request, or the rest of it */
	NBD_PAYLOAD, /* receives a WRITE's data into its buffer */
	NBD_SKIP,    /* discards the data of a WRITE that will be refused */
	NBD_BLOCKED, /* has a header for which there is no memory; reads not */
	NBD_DRAIN,   /* reads no more; answers what is in flight */
	NBD_LINGER,  /* all is answered; waits for the client to hang up */
	NBD_DEAD,    /* the socket is useless; waits for the device */
	NBD_CLOSED,  /* on its way home */
};

struct nbd_conn {
	struct watch watch;
	enum nbd_state state;
	uint32_t events; /* watched */
	struct nbd_worker *worker;
	struct nbd_export *export;
	struct nbd_slot *slot;
	struct nbd_terms terms;

	/* receiving */
	struct nbd_request *receiving; /* PAYLOAD, SKIP */
	uint32_t left;                 /* PAYLOAD, SKIP: bytes to come */
	uint32_t partial_length;
	uint8_t partial[sizeof(struct nbd_request_header)];
	bool large;     /* the last request was a large WRITE */
	uint8_t *stash; /* BLOCKED: received but not yet looked at */
	uint32_t stash_at, stash_length;

	/* in flight */
	unsigned n_requests; /* of this connection, until answered */
	unsigned n_device;   /* of those, in the device */
	size_t held;         /* bytes of buffers */

	/* sending */
	struct nbd_request *out, **out_end; /* answered, not sent */
	size_t out_sent;                    /* bytes of *out */
	size_t out_bytes;                   /* yet to be sent */
	unsigned n_out;                     /* replies */
	uint64_t hold_until_ns;             /* 0: not held back */
	int hold_unread;                    /* by the client, when that began */
	uint8_t hold_rest;                  /* chances to let go by */
	uint8_t hold_rest_after;            /* the last hold in vain; 0: none */

	/* progress, looked at every second */
	bool starving;       /* BLOCKED by others' use of memory */
	uint64_t moved;      /* bytes, both ways */
	uint64_t moved_seen; /* at the last look */
	unsigned stalled;    /* looks without progress */

	bool linger; /* the server began it: do not lose the last replies */
	struct timer timer;
	struct list link;       /* worker->connections */
	struct list dirty_link; /* worker->dirty */
	struct list block_link; /* worker->blocked */
	struct task task;       /* adopt, then closed */
};

struct nbd_request {
	struct block_request block;
	struct nbd_conn *conn;
	struct nbd_request *next; /* in conn->out */
	uint8_t *buffer;
	uint32_t capacity; /* bytes asked of the pool; 0: no buffer */
	uint32_t payload;  /* bytes of the buffer that are part of the reply */
	uint32_t left;     /* TRIM, WRITE_ZEROES: bytes not yet submitted */
	bool flush_after;  /* TRIM with FUA */
	uint8_t header_length;
	enum nbd_error error;
	enum nbd_op op;
	uint8_t header[NBD_REPLY_HEADER_MAX];
	uint64_t start_ns;
	struct nbd_command command;
	struct iovec iov;
};

/* nbd_worker.c */
struct nbd_worker *nbd_worker_create(struct nbd_server *s, struct reactor *r,
                                     unsigned index);
void nbd_worker_destroy(struct nbd_worker *w);
/* Have the flush task run soon. */
void nbd_worker_arm(struct nbd_worker *w);
void nbd_worker_adopt(struct task *t);  /* of a connection */
void nbd_worker_sweep(struct task *t);  /* of a sweep; posts it home */
void nbd_worker_finish(struct task *t); /* of a worker; posts it home */
/* Their ways home, in nbd_server.c. */
void nbd_server_closed(struct task *t);
void nbd_server_swept(struct task *t);
void nbd_server_finished(struct task *t);

/* nbd_conn.c */
void nbd_conn_start(struct nbd_conn *c);
void nbd_conn_mark(struct nbd_conn *c); /* have it looked at by the flush */
void nbd_conn_drain(struct nbd_conn *c, bool linger);
void nbd_conn_kill(struct nbd_conn *c);
void nbd_conn_events(struct nbd_conn *c, uint32_t events);
/* Send, then close if it is time to; the only place that closes. */
void nbd_conn_flush(struct nbd_conn *c);
void nbd_conn_resume(struct nbd_conn *c); /* a BLOCKED one */

/* nbd_receive.c */
void nbd_receive(struct nbd_conn *c);
void nbd_receive_stash(struct nbd_conn *c);

/* nbd_request.c */
/* @return false: no memory for it now; nothing has happened. */
bool nbd_request_start(struct nbd_conn *c, const struct nbd_command *command);
void nbd_request_received(struct nbd_request *q); /* its data, WRITE */
void nbd_request_answered(struct nbd_request *q, uint64_t now_ns);
void nbd_request_release(struct nbd_request *q);

#endif /* EXPORT_NBD_PRIV_H */
