/* SPDX-License-Identifier: BSD-2-Clause */
#include "kswap/shared.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static_assert(offsetof(struct shared_slot, request) + SHARED_HEAD == FAR_PAGE &&
                      sizeof(struct shared_slot) % FAR_PAGE == 0,
              "data lie on pages");

static uint64_t pages(uint64_t bytes)
{
	return (bytes + FAR_PAGE - 1) & ~(FAR_PAGE - 1);
}

/*
 *   0        pages(struct shared)    + SHARED_SLOTS slots
 *   | shared | slots                 | n_pages seals         | length
 */
static uint64_t seals_offset(void)
{
	return pages(sizeof(struct shared)) +
	       SHARED_SLOTS * sizeof(struct shared_slot);
}

static uint64_t length_of(uint64_t size)
{
	return seals_offset() +
	       pages(size / FAR_PAGE * sizeof(struct shared_seal));
}

struct shared_slot *shared_slots(struct shared *s)
{
	return (struct shared_slot *)(void *)((uint8_t *)s + pages(sizeof(*s)));
}

struct shared_seal *shared_seals(struct shared *s)
{
	return (struct shared_seal *)(void *)((uint8_t *)s + seals_offset());
}

static struct shared *map(int fd, uint64_t length)
{
	void *at =
		mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return at == MAP_FAILED ? NULL : at;
}

int shared_create(uint64_t size, bool encrypt, int *fd, struct shared **out,
                  struct err *e)
{
	uint64_t length = length_of(size);
	struct shared *s = NULL;
	int memory;

	if (size < 2 * FAR_PAGE || size % FAR_PAGE ||
	    size / FAR_PAGE > SHARED_PAGES_MAX)
		return err_set(e, -EINVAL,
		               "a swap device has 8K to 1T, in pages of 4K");
	memory = memfd_create("causeway-swap", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (memory >= 0 && ftruncate(memory, (off_t)length) == 0 &&
	    fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0)
		s = map(memory, length);
	if (!s) {
		int err = -errno;

		if (memory >= 0)
			close(memory);
		return err_set(e, err, "no memory to keep the books in: %s",
		               strerror(-err));
	}
	s->size = size;
	s->n_pages = size / FAR_PAGE;
	s->length = length;
	s->encrypt = encrypt;
	s->next_version = 1;
	if (getrandom(s->key, sizeof(s->key), 0) != sizeof(s->key)) {
		shared_detach(s);
		close(memory);
		return err_set(e, -EIO, "the kernel gives no random bytes");
	}
	*fd = memory;
	*out = s;
	return 0;
}

int shared_attach(int fd, struct shared **out, struct err *e)
{
	struct stat st;
	struct shared *s;

	if (fstat(fd, &st) || (uint64_t)st.st_size < seals_offset())
		return err_set(e, -EINVAL, "descriptor %d is no such memory",
		               fd);
	s = map(fd, (uint64_t)st.st_size);
	if (!s)
		return err_set(e, -errno, "cannot map the books: %s",
		               strerror(errno));
	if (s->length != (uint64_t)st.st_size ||
	    s->length != length_of(s->size)) {
		munmap(s, (size_t)st.st_size);
		return err_set(e, -EINVAL, "descriptor %d is no such memory",
		               fd);
	}
	*out = s;
	return 0;
}

void shared_detach(struct shared *s)
{
	if (s)
		munmap(s, s->length);
}

bool shared_is_mine(int fd, bool wait)
{
	struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int err;

	do
		err = fcntl(fd, wait ? F_SETLKW : F_SETLK, &all);
	while (err && errno == EINTR);
	return !err;
}

static void touch(void *from, uint64_t length)
{
	for (uint64_t at = 0; at < length; at += FAR_PAGE)
		__atomic_fetch_or((uint8_t *)from + at, 0, __ATOMIC_RELAXED);
}

void shared_populate(struct shared *s)
{
	struct shared_slot *slot = shared_slots(s);

	touch(s, sizeof(*s));
	touch(shared_seals(s), s->n_pages * sizeof(struct shared_seal));
	for (unsigned i = 0; i < SHARED_SLOTS; i++)
		touch(&slot[i], s->encrypt
		                        ? sizeof(*slot)
		                        : offsetof(struct shared_slot, sealed));
}

enum shared_state shared_state(const struct shared *s)
{
	return __atomic_load_n(&s->state, __ATOMIC_ACQUIRE);
}

void shared_set_state(struct shared *s, enum shared_state state)
{
	__atomic_store_n(&s->state, state, __ATOMIC_RELEASE);
}
