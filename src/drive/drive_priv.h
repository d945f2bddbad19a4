/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVE_DRIVE_PRIV_H
#define DRIVE_DRIVE_PRIV_H

#include "drive/drive.h"
#include "drive/drive_spec.h"

#define DRIVE_PAGE 4096u

extern const struct block_ops drive_file_ops;
extern const struct block_ops drive_ram_ops;
extern const struct block_ops drive_remote_ops;

int drive_file_open(const struct drive_spec *s, struct block_device **out,
                    struct err *e);
void drive_file_info(const struct block_device *dev, struct drive_info *out);

const char *drive_remote_name(const struct block_device *dev);

int drive_ram_open(uint64_t size, struct block_device **out, struct err *e);

#endif /* DRIVE_DRIVE_PRIV_H */
