/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mad/port_umad - ports behind libibumad: real ones, and those of ibsim and
 * of our own fabric when the process was started with ibsim's preload.
 *
 * A real umad descriptor is watched by the reactor.  The preload's is only a
 * number, so a thread waits for it in poll(2) while the reactor sleeps; MADs
 * are read on the reactor's thread in either case.
 */
#ifndef MAD_PORT_UMAD_H
#define MAD_PORT_UMAD_H

#include "base/err.h"
#include "mad/port.h"

/*
 * `device` as in "mlx5_0", NULL: the first that has an active port; `number`
 * from 1, 0: the first.  Blocks for as long as sysfs does; with ibsim's
 * preload and no ibsim, for ever.
 *
 * @return 0; -ENODEV (no such port), -EACCES, -EMFILE, -ENOMEM, with words.
 */
int port_umad_open(struct reactor *r, const char *device, unsigned number,
                   struct mad_port **out, struct err *e);

#endif /* MAD_PORT_UMAD_H */
