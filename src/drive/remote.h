/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * drive/remote - a drive that is a window of another node (or of this one):
 *
 *     remote:NODE/WINDOW
 *
 * Concept.  READ and WRITE become operations on the window, by any link that
 * works; that a link dies in the middle is the session's business and is not
 * seen here.  What a session cannot hide is an error of the drive: the node
 * was lost for longer than the session waits, it was restarted, the grant was
 * revoked or ended.  The volume above then takes the drive out, as it does
 * with a disk.
 *
 * Durability  FLUSH asks the owner.  A window with a file is synced there
 *             (fdatasync); a window in memory is as durable as the process
 *             that owns it, and FLUSH says so by doing nothing.  FUA is a
 *             write and a FLUSH.
 * Restart     Keys end with the process that made them.  When the owner was
 *             restarted every later request is -ENXIO, and the drive must be
 *             opened again: memory would have come back as zeroes.
 * Sharing     A window says who may write it, not how many: grant it to one
 *             node.  Labels (drive/label.h) find a drive of another pool.
 * Limits      A grant's quota slows requests down; one that waits longer than
 *             REMOTE_PATIENCE_MS is -ETIMEDOUT.
 * Contract    As block/block.h, but for B4: a write that ends with an error
 *             may have left one sector half old and half new.
 *
 * Threads     Opened on the reactor of the window host, its home; used on
 *             every reactor; closed on any thread that has one.  Elsewhere
 *             than at home each request costs two tasks.
 */
#ifndef DRIVE_REMOTE_H
#define DRIVE_REMOTE_H

#include "base/err.h"
#include "block/block.h"
#include "core/task.h"

#define REMOTE_PATIENCE_MS 30000u

struct reactor;
struct remote;
struct window_host;

/* Whether `spec` begins like one. */
bool remote_named(const char *spec);

/* An opening that is under way; embedded in its issuer's struct. */
struct remote_open {
	/* Set by the issuer.  Runs once on the home reactor, never inside
	 * remote_open(): with a device, or NULL and words. */
	void (*opened)(struct remote_open *o, struct block_device *dev,
	               const struct err *e);
	/* the drive's own */
	struct remote *remote;
	struct task task;
	struct err err;
};

/* On the home reactor `r`, which is the window host's. */
void remote_open(struct window_host *host, struct reactor *r, const char *spec,
                 struct remote_open *o);

#endif /* DRIVE_REMOTE_H */
