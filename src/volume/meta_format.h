/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A pool's metadata on its drives, format 1.  Normative text:
 * docs/format-meta.md.  Little-endian.  Every 4096-byte block starts with:
 *
 *   offset  size  field
 *        0     4  crc     CRC32C of bytes 4..4095
 *        4     2  kind    enum meta_kind
 *        6     2  format  1
 *        8     8  where   byte offset on the drive
 *       16     8  epoch   of the checkpoint that it belongs to
 *       24     8  seq     LOG: number in the log; IMAGE: number in the image
 *       32    16  pool    uuid
 *       48     4  used    bytes of content after the header
 *       52     8  first   LOG: seq of the first block of its commit
 *       60     4  zero
 *       64        content
 *
 * `crc` finds rot, `where` misdirected writes, `pool` a drive that came from
 * elsewhere, `epoch` and `seq` a write that was acknowledged and lost.  `first`
 * tells the torn end of the log from rot in its middle: a commit begins only
 * when the one before is durable.
 *
 * LOG and IMAGE blocks hold whole records, one after the other; each is a
 * struct meta_record followed by the struct of its type.  An image is a log
 * that makes the pool's state from nothing, so both have one decoder.
 */
#ifndef VOLUME_META_FORMAT_H
#define VOLUME_META_FORMAT_H

#include "base/wire.h"

#include <stddef.h>

#define META_BLOCK 4096u
#define META_FORMAT 1u

enum meta_kind {
	META_ROOT = 1,
	META_LOG = 2,
	META_IMAGE = 3,
};

struct meta_header {
	le32 crc;
	le16 kind;
	le16 format;
	le64 where;
	le64 epoch;
	le64 seq;
	uint8_t pool[16];
	le32 used;
	le64 first;
	uint8_t zero[4];
};
static_assert(sizeof(struct meta_header) == 64, "metadata header is 64 bytes");

#define META_CONTENT (META_BLOCK - sizeof(struct meta_header))

/* The newer of the two roots (by epoch) that is whole is the pool's state:
 * its image, then the log from log_seq to the first block that is not next. */
struct meta_root {
	le64 log_seq;      /* first block to replay */
	le64 image_blocks; /* length of the image */
	le32 image;        /* 0 or 1: which area it is in */
	le32 n_drives;
	le64 generation; /* of the membership, as in the labels */
};
static_assert(sizeof(struct meta_root) == 32, "root is 32 bytes");

enum meta_record_type {
	META_POOL = 1,
	META_DRIVE = 2,
	META_ROW = 3,
	META_ROW_FREE = 4,
	META_VOLUME = 5,
	META_VOLUME_DELETE = 6,
	META_MAP = 7,
	META_SPARSE = 8,
	META_RECORD_TYPES
};

struct meta_record {
	uint8_t type;
	uint8_t flags; /* 0 */
	le16 length;   /* bytes that follow this header */
};
static_assert(sizeof(struct meta_record) == 4, "record header is 4 bytes");

struct meta_pool {
	le64 generation;
	le64 next_volume_id;
};

struct meta_drive {
	le16 index;
	uint8_t state; /* enum handoff_drive_role */
	uint8_t zero[5];
	le64 size;
	le32 extents;
	le32 zero2;
	uint8_t uuid[16];
};
static_assert(sizeof(struct meta_drive) == 40, "drive record is 40 bytes");

struct meta_member {
	le16 drive; /* index in the pool */
	le16 zero;
	le32 extent;
};

struct meta_row {
	le32 row;
	uint8_t profile;
	uint8_t width;
	uint8_t data;
	uint8_t strip_shift;
	/* struct meta_member members[width] */
};
static_assert(sizeof(struct meta_row) == 8, "row record is 8 bytes");

struct meta_row_free {
	le32 row;
};

struct meta_volume {
	le64 id;
	le64 size;
	uint8_t profile;
	uint8_t name_length; /* 1..63 */
	uint8_t zero[6];
	uint8_t uuid[16];
	/* char name[name_length] */
};
static_assert(sizeof(struct meta_volume) == 40, "volume record is 40 bytes");

struct meta_volume_delete {
	le64 id;
};

/* Entries as in the table (volume/handoff_format.h), MAPPED or 0. */
struct meta_map {
	le64 volume;
	le64 first; /* chunk */
	le16 count; /* >= 1 */
	uint8_t zero[6];
	/* le64 entries[count] */
};
static_assert(sizeof(struct meta_map) == 24, "map record is 24 bytes");

struct meta_pair {
	le32 chunk; /* base + this */
	le64 entry;
};

/* The same for chunks that are not neighbours. */
struct meta_sparse {
	le64 volume;
	le64 base;  /* chunk; a multiple of 2^32 */
	le16 count; /* >= 1 */
	uint8_t zero[6];
	/* struct meta_pair pairs[count] */
};
static_assert(sizeof(struct meta_sparse) == 24, "sparse record is 24 bytes");

#endif /* VOLUME_META_FORMAT_H */
