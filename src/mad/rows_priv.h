/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows of attribute tables.  A file defines T as the C struct before a table;
 * each row is
 *
 *     KIND(member, bit, width, component)
 *
 * with the bit counted from the attribute's start, as IBA's tables do.
 */
#ifndef MAD_ROWS_PRIV_H
#define MAD_ROWS_PRIV_H

#include "base/base.h"
#include "mad/field.h"

#define NONE FIELD_NO_COMPONENT

#define MEMBER(member) (((T *)0)->member)

/* A number, or `stride` bits apart as many as the member has elements. */
#define NUMBER_(as, member, position, bits, component_bit)                     \
	{                                                                      \
		.name = #member, .bit = (position), .width = (bits),           \
		.count = 1, .at = offsetof(T, member),                         \
		.size = sizeof(MEMBER(member)), .kind = (as),                  \
		.component = (component_bit)                                   \
	}
#define NUMBERS_(as, member, position, bits, apart, component_bit)             \
	{                                                                      \
		.name = #member, .bit = (position), .width = (bits),           \
		.count = ARRAY_LEN(MEMBER(member)), .stride = (apart),         \
		.at = offsetof(T, member), .size = sizeof(MEMBER(member)[0]),  \
		.kind = (as), .component = (component_bit)                     \
	}
#define DEC(member, bit, width, component)                                     \
	NUMBER_(FIELD_DEC, member, bit, width, component)
#define HEX(member, bit, width, component)                                     \
	NUMBER_(FIELD_HEX, member, bit, width, component)
#define DECS(member, bit, width, stride, component)                            \
	NUMBERS_(FIELD_DEC, member, bit, width, stride, component)
#define HEXES(member, bit, width, stride, component)                           \
	NUMBERS_(FIELD_HEX, member, bit, width, stride, component)

/* Whole bytes, as many as the member has; or rows of them. */
#define WHOLE_(as, member, position, component_bit)                            \
	{                                                                      \
		.name = #member, .bit = (position),                            \
		.width = 8 * sizeof(MEMBER(member)), .count = 1,               \
		.at = offsetof(T, member), .kind = (as),                       \
		.component = (component_bit)                                   \
	}
#define WHOLES_(as, member, position, component_bit)                           \
	{                                                                      \
		.name = #member, .bit = (position),                            \
		.width = 8 * sizeof(MEMBER(member)[0]),                        \
		.count = ARRAY_LEN(MEMBER(member)),                            \
		.stride = 8 * sizeof(MEMBER(member)[0]),                       \
		.at = offsetof(T, member), .kind = (as),                       \
		.component = (component_bit)                                   \
	}
#define BYTES(member, bit, component)                                          \
	WHOLE_(FIELD_BYTES, member, bit, component)
#define GID(member, bit, component) WHOLE_(FIELD_GID, member, bit, component)
#define TEXT(member, bit, component) WHOLE_(FIELD_TEXT, member, bit, component)
#define GIDS(member, bit, component) WHOLES_(FIELD_GID, member, bit, component)
#define BYTE_ROWS(member, bit, component)                                      \
	WHOLES_(FIELD_BYTES, member, bit, component)

/* Another attribute; its rows' components count from this one's. */
#define NESTED(member, position, table, component_bit)                         \
	{                                                                      \
		.name = #member, .bit = (position), .count = 1,                \
		.at = offsetof(T, member), .kind = FIELD_NESTED,               \
		.component = (component_bit), .nested = (table)                \
	}

#define TABLE(words, wire_length, rows)                                        \
	{                                                                      \
		(words), (wire_length), sizeof(T), ARRAY_LEN(rows), (rows)     \
	}

#endif /* MAD_ROWS_PRIV_H */
