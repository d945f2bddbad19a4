/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control/methods - every call that a node answers, as tables.
 *
 * The fast side (the daemon's first process) serves methods_fast itself and
 * forwards methods_slow to the slow stack's process, which binds handlers to
 * them.  What each returns is described in docs/control.md.
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

extern const struct rpc_method methods_fast[];
extern const size_t methods_fast_count;
extern const struct rpc_method methods_slow[];
extern const size_t methods_slow_count;

/* Look a method up in both tables; NULL: there is none. */
const struct rpc_method *methods_find(const char *name);

/* -- names ---------------------------------------------------------------- */

extern const struct rpc_syntax methods_name_syntax;   /* "tank" */
extern const struct rpc_syntax methods_volume_syntax; /* "tank/vm1" */
extern const struct rpc_syntax methods_tcp_syntax;    /* "127.0.0.1:10809" */
extern const struct rpc_syntax methods_path_syntax;   /* absolute, for unix */

/*
 * Cut "POOL/VOL" in two.  @return 0; -EINVAL, the buffers untouched.
 */
int methods_split_volume(const char *text, char pool[METHODS_NAME_MAX + 1],
                         char volume[METHODS_NAME_MAX + 1]);

#endif /* CONTROL_METHODS_H */
