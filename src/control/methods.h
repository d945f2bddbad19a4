/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control/methods - every call that a node answers, as tables.
 *
 * The fast side (the daemon's first process) serves methods_fast itself and
 * forwards methods_slow to the slow stack's process, which binds handlers to
 * them; of methods_subnet it forwards all but two to the subnet manager's.
 * What each returns is described in docs/control.md.
 *
 *     const struct rpc_service fast[] = {
 *         { methods_fast, methods_fast_count, bindings, n, NULL, node },
 *         { methods_slow, methods_slow_count, NULL, 0, forward, node },
 *     };
 */
#ifndef CONTROL_METHODS_H
#define CONTROL_METHODS_H

#include "rpc/schema.h"

/* Longest name of a drive, pool, node or export, and of either half of
 * POOL/VOL. */
#define METHODS_NAME_MAX 63

/* A pool has at most this many drives. */
#define METHODS_DRIVES_MAX 128

/* The largest volume. */
#define METHODS_VOLUME_MAX (UINT64_C(1) << 56)

/* Links to one peer, and listening addresses of a node. */
#define METHODS_LINKS_MAX 8

#define METHODS_LINK_MAX 79 /* bytes of its address */

/* Bytes of ADDRESS:PORT. */
#define METHODS_TCP_MAX 264

/* The largest window, and the grants of one. */
#define METHODS_WINDOW_MAX (UINT64_C(1) << 46)
#define METHODS_GRANTS_MAX 64

/* The longest lease: ten years. */
#define METHODS_LEASE_MAX INT64_C(315360000)

/* Seconds: leases of what is lent, and until it is taken back. */
#define METHODS_LOAN_MIN 2
#define METHODS_LOAN_MAX 86400

/* Bytes of what names an end of a path; of a file's name; of lists. */
#define METHODS_END_MAX 64
#define METHODS_FILE_MAX 1023
#define METHODS_MANAGERS_MAX 32
#define METHODS_LAG_OFF_MAX 256

extern const struct rpc_method methods_fast[];
extern const size_t methods_fast_count;
extern const struct rpc_method methods_slow[];
extern const size_t methods_slow_count;
extern const struct rpc_method methods_subnet[];
extern const size_t methods_subnet_count;

/* Look a method up in all tables; NULL: there is none. */
const struct rpc_method *methods_find(const char *name);

/* -- names ---------------------------------------------------------------- */

extern const struct rpc_syntax methods_name_syntax;   /* "tank" */
extern const struct rpc_syntax methods_volume_syntax; /* "tank/vm1" */
extern const struct rpc_syntax methods_tcp_syntax;    /* "127.0.0.1:10809" */
extern const struct rpc_syntax methods_path_syntax;   /* absolute, for unix */
extern const struct rpc_syntax methods_link_syntax;   /* "tls:192.0.2.1:7000" */
extern const struct rpc_syntax methods_allow_syntax;  /* "alpha:ro" */
extern const char *const methods_rights[];            /* "ro", "wo", "rw" */
extern const struct rpc_syntax methods_guid_syntax;   /* "0x2c903" */
extern const char *const methods_engines[];           /* enum route_engine's */

/* Cut "NODE:RIGHTS" in two; *rights is an index of methods_rights.
 * @return 0; -EINVAL, the outputs untouched. */
int methods_split_allow(const char *text, char node[METHODS_NAME_MAX + 1],
                        unsigned *rights);

/*
 * Cut "POOL/VOL" in two.  @return 0; -EINVAL, the buffers untouched.
 */
int methods_split_volume(const char *text, char pool[METHODS_NAME_MAX + 1],
                         char volume[METHODS_NAME_MAX + 1]);

#endif /* CONTROL_METHODS_H */
