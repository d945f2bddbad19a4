/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control/state - what a node must remember that no drive does: which drives
 * it has, what it exports, which other nodes it knows and what of its memory
 * they may reach or borrow, and whether it manages an InfiniBand subnet.  Pools
 * and volumes are on the drives.
 *
 * DIR/state.json holds it, with a checksum, and is replaced as a whole: a new
 * file is written, flushed, renamed over the old one, and the folder flushed.
 *
 *   T1  when state_save() has returned 0 the new state survives a power cut;
 *   T2  a crash at any point before leaves the old state or the new one;
 *   T3  a file that is damaged or of a newer version is refused and left as it
 *       is: nothing is ever guessed.
 */
#ifndef CONTROL_STATE_H
#define CONTROL_STATE_H

#include "base/err.h"
#include "base/list.h"
#include "control/methods.h"

#include <stddef.h>

/* 1 had no peers and no windows, 2 no subnet, 3 no offer; all are read. */
#define STATE_VERSION 4
#define STATE_DRIVES_MAX 1024u
#define STATE_EXPORTS_MAX 1024u
#define STATE_SIZE_MAX (1u << 20) /* bytes of the file */
#define STATE_SPEC_MAX 1024
#define STATE_PEERS_MAX 256u
#define STATE_WINDOWS_MAX 1024u
#define STATE_FILE_MAX 1023

struct state_drive {
	struct list link;
	char name[METHODS_NAME_MAX + 1];
	char spec[STATE_SPEC_MAX + 1];
	bool failed; /* by drive.fail */
};

struct state_export {
	struct list link;
	char name[METHODS_NAME_MAX + 1];
	char type[16]; /* "nbd" */
	char volume[2 * METHODS_NAME_MAX + 2];
	char address[270]; /* "unix:PATH" or "tcp:ADDRESS:PORT" as asked for */
};

struct state_peer {
	struct list link;
	char name[METHODS_NAME_MAX + 1];
	char address[METHODS_LINKS_MAX][METHODS_LINK_MAX + 1];
	unsigned n_addresses;
	void *live; /* whoever keeps the state: what it has of this peer */
};

struct state_grant {
	struct list link;
	char node[METHODS_NAME_MAX + 1];
	unsigned rights;      /* index of methods_rights */
	uint64_t expires_s;   /* since 1970; 0: never */
	uint64_t bytes_per_s; /* 0: no limit */
	uint64_t ops_per_s;   /* 0: no limit */
	void *live;
};

struct state_window {
	struct list link;
	char name[METHODS_NAME_MAX + 1];
	uint64_t size;
	char file[STATE_FILE_MAX + 1]; /* "": memory */
	struct list grants;
	unsigned n_grants;
	void *live;
};

#define STATE_ID 16 /* bytes */

struct state {
	char node[METHODS_NAME_MAX + 1]; /* "" until it has a name */
	uint8_t id[STATE_ID];            /* zeroes until it has one */
	uint64_t boot;                   /* starts so far */
	struct list drives;
	struct list exports;
	struct list peers;
	struct list windows;
	unsigned n_drives;
	unsigned n_exports;
	/* The parameters of subnet.up, ours; NULL: no subnet manager. */
	struct json_object *subnet;
	/* Those of donor.offer; NULL: no memory is offered. */
	struct json_object *offer;
};

void state_init(struct state *s);
void state_fini(struct state *s);

/* The strings are as their method's table allows.
 * @return 0; -EEXIST, -ENOSPC (the limits above), -ENOMEM with words. */
int state_add_drive(struct state *s, const char *name, const char *spec,
                    struct err *e);
/* `address` as in struct state_export. */
int state_add_export(struct state *s, const char *name, const char *type,
                     const char *volume, const char *address, struct err *e);

struct state_drive *state_find_drive(const struct state *s, const char *name);
struct state_export *state_find_export(const struct state *s, const char *name);
void state_remove_drive(struct state *s, struct state_drive *d);
void state_remove_export(struct state *s, struct state_export *x);

/* "nbd1", "nbd2", ...: the first that no export has. */
void state_free_name(const struct state *s, const char *type,
                     char name[METHODS_NAME_MAX + 1]);

/* -- peers and windows ----------------------------------------------------- */

/* Each makes an entry, which the caller fills in, on the list that it is
 * given.  NULL with words: -EEXIST, -ENOSPC, -ENOMEM. */
struct state_peer *state_add_peer(struct list *peers, const char *name,
                                  struct err *e);
struct state_window *state_add_window(struct list *windows, const char *name,
                                      struct err *e);
struct state_grant *state_add_grant(struct state_window *w, const char *node,
                                    struct err *e);

/* NULL: there is none. */
struct state_peer *state_find_peer(const struct list *peers, const char *name);
struct state_window *state_find_window(const struct list *windows,
                                       const char *name);
struct state_grant *state_find_grant(const struct state_window *w,
                                     const char *node);

/* Off the list, and freed. */
void state_remove_peer(struct state_peer *p);
void state_remove_window(struct state_window *w);
void state_remove_grant(struct state_window *w, struct state_grant *g);

/* -- text and file --------------------------------------------------------- */

/*
 * Read a state file's text into an initialised, empty state.
 *
 * @return 0; -EBADMSG: damaged; -EPROTONOSUPPORT: a newer version; with
 *         words, and *s is empty.
 */
int state_parse(const char *text, size_t n, struct state *s, struct err *e);

/* The text, the caller's to free.  NULL: out of memory. */
char *state_format(const struct state *s);

/* Read DIR/state.json; no file is an empty state.
 * @return as state_parse(), or an error of open or read. */
int state_load(const char *dir, struct state *s, struct err *e);

/* @return 0 (T1); -ENOSPC: over STATE_SIZE_MAX, or the file system is full;
 *         another error of the file system; with words. */
int state_save(const char *dir, const struct state *s, struct err *e);

/*
 * Make DIR (0750) if it is missing and claim it for this process until the
 * descriptor is closed.
 *
 * @return 0 and *fd; -EBUSY: another daemon has it; with words.
 */
int state_lock(const char *dir, int *fd, struct err *e);

#endif /* CONTROL_STATE_H */
