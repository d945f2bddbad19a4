/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control/subnet_service - the process of the subnet manager, and the calls of
 * methods_subnet that it answers over the socket that the daemon gave it.
 *
 * The first call is subnet.up, with its parameters: it opens the port, and is
 * answered when the manager has begun.  Until then all others are told to try
 * again.  subnet.down lets go of the fabric in good order and ends the process.
 */
#ifndef CONTROL_SUBNET_SERVICE_H
#define CONTROL_SUBNET_SERVICE_H

/*
 * `fd`: the socket; `dir`: where DIR/subnet-lids is kept.  Returns when the
 * daemon has closed the socket, or asked for it, with the exit status.
 */
int subnet_service_run(int fd, const char *dir);

#endif /* CONTROL_SUBNET_SERVICE_H */
