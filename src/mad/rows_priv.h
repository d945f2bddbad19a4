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

#define NUMBER_(kind, member, bit, width, component)                           \
	{                                                                      \
#member, (bit), (width), 1, 0, offsetof(T, member),            \
			sizeof(MEMBER(member)), (kind), (component), NULL      \
	}
#define DEC(member, bit, width, component)                                     \
	NUMBER_(FIELD_DEC, member, bit, width, component)
#define HEX(member, bit, width, component)                                     \
	NUMBER_(FIELD_HEX, member, bit, width, component)

/* An array of numbers, `stride` bits from one to the next. */
#define NUMBERS_(kind, member, bit, width, stride, component)                  \
	{                                                                      \
#member, (bit), (width), ARRAY_LEN(MEMBER(member)), (stride),  \
			offsetof(T, member), sizeof(MEMBER(member)[0]),        \
			(kind), (component), NULL                              \
	}
#define DECS(member, bit, width, stride, component)                            \
	NUMBERS_(FIELD_DEC, member, bit, width, stride, component)
#define HEXES(member, bit, width, stride, component)                           \
	NUMBERS_(FIELD_HEX, member, bit, width, stride, component)

/* Whole bytes, as many as the member has. */
#define WHOLE_(kind, member, bit, component)                                   \
	{                                                                      \
#member, (bit), 8 * sizeof(MEMBER(member)), 1, 0,              \
			offsetof(T, member), 0, (kind), (component), NULL      \
	}
#define BYTES(member, bit, component)                                          \
	WHOLE_(FIELD_BYTES, member, bit, component)
#define GID(member, bit, component) WHOLE_(FIELD_GID, member, bit, component)
#define TEXT(member, bit, component) WHOLE_(FIELD_TEXT, member, bit, component)

/* An array of byte strings, one behind the other. */
#define WHOLES_(kind, member, bit, component)                                  \
	{                                                                      \
#member, (bit), 8 * sizeof(MEMBER(member)[0]),                 \
			ARRAY_LEN(MEMBER(member)),                             \
			8 * sizeof(MEMBER(member)[0]), offsetof(T, member), 0, \
			(kind), (component), NULL                              \
	}
#define GIDS(member, bit, component) WHOLES_(FIELD_GID, member, bit, component)
#define BYTE_ROWS(member, bit, component)                                      \
	WHOLES_(FIELD_BYTES, member, bit, component)

/* Another attribute; its rows' components count from this one's. */
#define NESTED(member, bit, table, component)                                  \
	{                                                                      \
#member, (bit), 0, 1, 0, offsetof(T, member), 0, FIELD_NESTED, \
			(component), (table)                                   \
	}

#define TABLE(words, wire_length, rows)                                        \
	{                                                                      \
		(words), (wire_length), sizeof(T), ARRAY_LEN(rows), (rows)     \
	}

#endif /* MAD_ROWS_PRIV_H */
