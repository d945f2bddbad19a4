/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * switch/ibnet_file - a topology as text, in the format of ibsim's net files,
 * which is also what ibnetdiscover prints.
 *
 *     # anything                          comment
 *     switchguid=0x200000(200000)         GUID of the next switch
 *     caguid=0x100000                     of the next host (also hcaguids=)
 *     sysimgguid=0x100003                 of the next node
 *     vendid=0x2c9  devid=0x1003          of the nodes that follow
 *     width=3  speed=7                    enabled on ports that follow, bits
 *     Switch  8 "L0000"   # "description"
 *     [1](guid) "H00000"[2](guid)  w=2 s=4   # port 1's cable; rest optional
 *     Hca  2 "H00000"                     (also Ca)
 *     [2] "L0000"[1]
 *
 * A record ends with a line that is not a port.  Each cable is listed at both
 * ends, and these must agree; "[1]" is meant where the far port is missing.
 * After `switchguid=A+B` and `caguid=+B` the GUID counts from the last
 * absolute one.
 *
 * Not understood, and refused by name: include, module, aliases (@), do,
 * routers (Rt).
 */
#ifndef SWITCH_IBNET_FILE_H
#define SWITCH_IBNET_FILE_H

#include "switch/ibnet_topo.h"

#include <stddef.h>
#include <stdio.h>

#define IBNET_FILE_MAX (64u << 20) /* bytes */
#define IBNET_FILE_LINE_MAX 1023u

/*
 * Pure; `text` need not end with a NUL.
 *
 * @return 0 and *out, the caller's to destroy; -EINVAL, -EEXIST, -EBUSY,
 *         -ENOSPC, -EFBIG, -ENOMEM with words that name the line.
 */
int ibnet_file_decode(const char *text, size_t length, struct ibnet_topo **out,
                      struct err *e);

/* The same from a file.  @return also open's and read's own errors. */
int ibnet_file_read(const char *path, struct ibnet_topo **out, struct err *e);

/* What ibnet_file_decode(), and ibsim, read back as the same topology. */
void ibnet_file_write(const struct ibnet_topo *t, FILE *f);

#endif /* SWITCH_IBNET_FILE_H */
