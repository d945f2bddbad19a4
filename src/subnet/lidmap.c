/* SPDX-License-Identifier: BSD-2-Clause */
#include "subnet/lidmap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int lidmap_init(struct lidmap *m, unsigned cap)
{
	*m = (struct lidmap){ .tick = 1 };
	m->owner = calloc(LIDMAP_LIDS, sizeof(*m->owner));
	if (!m->owner)
		return -ENOMEM;
	if (cap > LIDMAP_LIDS)
		cap = LIDMAP_LIDS;
	m->virtual_first = (uint16_t)(cap / 3 * 2 / 64 * 64);
	m->virtual_last = (uint16_t)(cap - 1);
	m->next[LIDMAP_PORT] = 1;
	m->next[LIDMAP_HOST] = m->virtual_first;
	return 0;
}

void lidmap_fini(struct lidmap *m)
{
	free(m->entry);
	free(m->by_guid);
	free(m->owner);
	*m = (struct lidmap){ 0 };
}

static uint32_t *slot_of(const struct lidmap *m, enum lidmap_kind kind,
                         uint64_t guid)
{
	uint32_t i =
		(uint32_t)((guid * UINT64_C(0x9E3779B97F4A7C15)) >> 32) + kind;

	for (;; i++) {
		uint32_t *at = &m->by_guid[i & (m->hash_room - 1)];
		const struct lidmap_entry *en = &m->entry[*at - 1];

		if (*at == 0 || (en->guid == guid && en->kind == kind))
			return at;
	}
}

static struct lidmap_entry *find(const struct lidmap *m, enum lidmap_kind kind,
                                 uint64_t guid)
{
	uint32_t at = m->hash_room ? *slot_of(m, kind, guid) : 0;

	return at ? &m->entry[at - 1] : NULL;
}

static int rehash(struct lidmap *m, uint32_t room)
{
	uint32_t *table = calloc(room, sizeof(*table));

	if (!table)
		return -ENOMEM;
	free(m->by_guid);
	m->by_guid = table;
	m->hash_room = room;
	for (uint32_t i = 0; i < m->n; i++)
		*slot_of(m, m->entry[i].kind, m->entry[i].guid) = i + 1;
	return 0;
}

static struct lidmap_entry *add(struct lidmap *m, enum lidmap_kind kind,
                                uint64_t guid)
{
	if (m->n == m->room) {
		uint32_t room = m->room ? m->room * 2 : 64;
		struct lidmap_entry *entry =
			realloc(m->entry, room * sizeof(*entry));

		if (!entry)
			return NULL;
		m->entry = entry;
		m->room = room;
	}
	if (m->n * 2 >= m->hash_room &&
	    rehash(m, m->hash_room ? m->hash_room * 2 : 128))
		return NULL;
	m->entry[m->n] = (struct lidmap_entry){
		.guid = guid,
		.kind = (uint8_t)kind,
	};
	*slot_of(m, kind, guid) = m->n + 1;
	return &m->entry[m->n++];
}

static void set_owner(struct lidmap *m, const struct lidmap_entry *en,
                      uint32_t value)
{
	for (unsigned i = 0; en->lid && i < 1u << en->lmc; i++)
		m->owner[en->lid + i] = value;
}

static bool in_range(const struct lidmap *m, enum lidmap_kind kind,
                     unsigned first, unsigned n)
{
	unsigned last = first + n - 1;

	if (first == 0 || last >= LIDMAP_LIDS)
		return false;
	if (kind == LIDMAP_HOST)
		return first >= m->virtual_first && last <= m->virtual_last;
	return last < m->virtual_first || first > m->virtual_last;
}

static bool is_free(const struct lidmap *m, enum lidmap_kind kind,
                    unsigned first, unsigned n)
{
	if (first % n != 0 || !in_range(m, kind, first, n))
		return false;
	for (unsigned i = 0; i < n; i++)
		if (m->owner[first + i])
			return false;
	return true;
}

/* LIDs are given in ascending order, so that ports which are found together
 * lie in the same blocks of the tables. */
static uint16_t find_free(struct lidmap *m, enum lidmap_kind kind, unsigned n)
{
	unsigned start = (m->next[kind] + n - 1u) / n * n;

	for (unsigned i = 0; i < LIDMAP_LIDS; i += n) {
		unsigned lid = (start + i) % LIDMAP_LIDS / n * n;

		if (!is_free(m, kind, lid, n))
			continue;
		m->next[kind] = (uint16_t)(lid + n);
		return (uint16_t)lid;
	}
	return 0;
}

static void drop(struct lidmap *m, struct lidmap_entry *en)
{
	uint32_t at = (uint32_t)(en - m->entry);

	set_owner(m, en, 0);
	*en = m->entry[--m->n];
	if (at != m->n)
		set_owner(m, en, at + 1);
	memset(m->by_guid, 0, m->hash_room * sizeof(*m->by_guid));
	for (uint32_t i = 0; i < m->n; i++)
		*slot_of(m, m->entry[i].kind, m->entry[i].guid) = i + 1;
	m->changed = true;
}

/* Take the LIDs of an owner that has been away longest.  @return 0: none. */
static bool reclaim(struct lidmap *m, enum lidmap_kind kind)
{
	struct lidmap_entry *oldest = NULL;

	for (uint32_t i = 0; i < m->n; i++) {
		struct lidmap_entry *en = &m->entry[i];

		if (en->kind == kind && en->seen != m->tick &&
		    (!oldest || en->seen < oldest->seen))
			oldest = en;
	}
	if (oldest)
		drop(m, oldest);
	return oldest != NULL;
}

uint16_t lidmap_get(const struct lidmap *m, enum lidmap_kind kind,
                    uint64_t guid, uint8_t *lmc)
{
	const struct lidmap_entry *en = find(m, kind, guid);

	if (lmc)
		*lmc = en ? en->lmc : 0;
	return en ? en->lid : 0;
}

uint16_t lidmap_assign(struct lidmap *m, enum lidmap_kind kind, uint64_t guid,
                       uint8_t lmc, uint16_t wish)
{
	struct lidmap_entry *en = find(m, kind, guid);
	unsigned n = 1u << lmc;
	uint16_t lid;

	if (en && en->lmc == lmc) {
		en->seen = m->tick;
		return en->lid;
	}
	if (en)
		drop(m, en);
	lid = is_free(m, kind, wish, n) ? wish : find_free(m, kind, n);
	while (!lid && reclaim(m, kind))
		lid = find_free(m, kind, n);
	en = lid ? add(m, kind, guid) : NULL;
	if (!en)
		return 0;
	en->lid = lid;
	en->lmc = lmc;
	en->seen = m->tick;
	set_owner(m, en, (uint32_t)(en - m->entry) + 1);
	m->changed = true;
	return lid;
}

void lidmap_forget(struct lidmap *m, enum lidmap_kind kind, uint64_t guid)
{
	struct lidmap_entry *en = find(m, kind, guid);

	if (en)
		drop(m, en);
}

const struct lidmap_entry *lidmap_owner(const struct lidmap *m, uint16_t lid)
{
	return lid < LIDMAP_LIDS && m->owner[lid] ? &m->entry[m->owner[lid] - 1]
	                                          : NULL;
}

void lidmap_tick(struct lidmap *m)
{
	m->tick++;
}
