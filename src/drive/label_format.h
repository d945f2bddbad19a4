/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A drive's label, format 1.  Normative text: docs/format-label.md.
 * Little-endian, one 4096-byte block, two copies on each drive:
 *
 *   offset  size  field
 *        0     4  crc         CRC32C of bytes 4..4095
 *        4     2  kind        16: a label; metadata blocks have others
 *        6     2  format      1
 *        8     8  where       byte offset of this copy on the drive
 *       16     8  magic       "CAUSEWAY"
 *       24     8  generation  of the pool's membership, from 1
 *       32    16  pool_uuid
 *       48    16  drive_uuid
 *       64    64  pool_name   NUL-padded
 *      128     8  created     seconds since 1970
 *      136     8  drive_size  bytes
 *      144     8  extent_size bytes
 *      152     8  data_offset bytes; the first extent
 *      160     8  extents
 *      168     8  roots       byte offset of two root blocks; 0: none here
 *      176    16  log         byte offset and length
 *      192    32  image[2]    byte offset and length of each
 *      224     2  index       this drive's number in the pool
 *      226     2  drives      numbers that the pool has given
 *      228  3868  zero
 */
#ifndef DRIVE_LABEL_FORMAT_H
#define DRIVE_LABEL_FORMAT_H

#include "base/wire.h"

#include <stddef.h>

#define LABEL_BLOCK 4096u
#define LABEL_KIND 16u
#define LABEL_FORMAT 1u
#define LABEL_MAGIC "CAUSEWAY"
#define LABEL_NAME 64u /* with the NUL */
#define LABEL_ROOTS_LENGTH (2u * LABEL_BLOCK)

struct label_area_wire {
	le64 offset;
	le64 length;
};

struct label_wire {
	le32 crc;
	le16 kind;
	le16 format;
	le64 where;
	uint8_t magic[8];
	le64 generation;
	uint8_t pool_uuid[16];
	uint8_t drive_uuid[16];
	uint8_t pool_name[LABEL_NAME];
	le64 created;
	le64 drive_size;
	le64 extent_size;
	le64 data_offset;
	le64 extents;
	le64 roots;
	struct label_area_wire log;
	struct label_area_wire image[2];
	le16 index;
	le16 drives;
	uint8_t zero[3868];
};
static_assert(sizeof(struct label_wire) == LABEL_BLOCK, "a label is a block");
static_assert(offsetof(struct label_wire, pool_name) == 64, "name at 64");
static_assert(offsetof(struct label_wire, roots) == 168, "roots at 168");
static_assert(offsetof(struct label_wire, zero) == 228, "228 bytes are used");

#endif /* DRIVE_LABEL_FORMAT_H */
