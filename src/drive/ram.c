/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A drive in anonymous memory.  submit copies at once; the request ends in
 * the thread's next batch (block/finish.h).
 */
#include "drive/drive_priv.h"

#include "base/base.h"
#include "block/finish.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/*
 * Memory is given back, and remembered as never written, in pieces of this
 * size: a 64 KiB chunk over four data drives is 16 KiB on each.
 */
#define PIECE_SHIFT 14
#define PIECE (UINT64_C(1) << PIECE_SHIFT)

/* Zeroing less than this costs less than madvise() and the page faults that
 * follow. */
#define DROP_MIN (UINT64_C(256) << 10)

/* From here on the kernel is asked for huge pages: random 4 KiB requests
 * over more memory than this miss the TLB on each. */
#define HUGE_FROM (UINT64_C(64) << 20)

struct ram {
	struct block_device dev;
	uint8_t *memory;
	_Atomic uint8_t *written; /* one per piece */
	uint64_t n_pieces;
};

/* Data of at least this length go round the caches, unless the place is in
 * them (BLOCK_WARM): a store that need not read the line first takes little
 * more than half the time.  Less is likely to be metadata, and read again. */
#define STREAM_MIN 4096u

static struct ram *ram_of(struct block_device *dev)
{
	return container_of(dev, struct ram, dev);
}

static void read_out(struct ram *d, const struct block_request *q)
{
	const uint8_t *from = d->memory + q->offset;

	for (unsigned i = 0; i < q->iov_count; i++) {
		if (!q->iov[i].iov_len)
			continue;
		memcpy(q->iov[i].iov_base, from, q->iov[i].iov_len);
		from += q->iov[i].iov_len;
	}
}

/*
 * After the data: drop() forgets first and drops the memory then, so
 * that, however the two meet, no data stay in a piece that counts as never
 * written.
 */
static void mark_written(struct ram *d, uint64_t offset, uint64_t length)
{
	uint64_t last = (offset + length - 1) >> PIECE_SHIFT;

	for (uint64_t i = offset >> PIECE_SHIFT; i <= last; i++)
		if (!atomic_load_explicit(&d->written[i], memory_order_relaxed))
			atomic_store_explicit(&d->written[i], 1,
			                      memory_order_release);
}

/* Stream `length` bytes, or copy them; @return how many were streamed. */
static size_t stream(uint8_t *to, const uint8_t *from, size_t length)
{
	size_t n = 0;

#ifdef __SSE2__
	if (length < STREAM_MIN || (uintptr_t)to % sizeof(__m128i))
		return 0;
	for (; n + 4 * sizeof(__m128i) <= length; n += 4 * sizeof(__m128i)) {
		const __m128i *in = (const __m128i *)(const void *)(from + n);
		__m128i *out = (__m128i *)(void *)(to + n);
		__m128i a = _mm_loadu_si128(&in[0]);
		__m128i b = _mm_loadu_si128(&in[1]);
		__m128i c = _mm_loadu_si128(&in[2]);
		__m128i d = _mm_loadu_si128(&in[3]);

		_mm_stream_si128(&out[0], a);
		_mm_stream_si128(&out[1], b);
		_mm_stream_si128(&out[2], c);
		_mm_stream_si128(&out[3], d);
	}
#else
	(void)to;
	(void)from;
	(void)length;
#endif
	return n;
}

/* No order holds between streamed stores and others without this. */
static void stream_ends(void)
{
#ifdef __SSE2__
	_mm_sfence();
#endif
}

static void write_in(struct ram *d, const struct block_request *q)
{
	bool cold = !(q->flags & BLOCK_WARM);
	uint8_t *to = d->memory + q->offset;

	for (unsigned i = 0; i < q->iov_count; i++) {
		size_t done = 0;

		if (!q->iov[i].iov_len)
			continue;
		if (cold)
			done = stream(to, q->iov[i].iov_base,
			              q->iov[i].iov_len);
		memcpy(to + done, (uint8_t *)q->iov[i].iov_base + done,
		       q->iov[i].iov_len - done);
		to += q->iov[i].iov_len;
	}
	stream_ends();
	mark_written(d, q->offset, q->length);
}

static bool was_written(const struct ram *d, uint64_t piece)
{
	return atomic_load_explicit(&d->written[piece], memory_order_acquire);
}

static void drop(struct ram *d, uint64_t offset, uint64_t end)
{
	for (uint64_t i = offset >> PIECE_SHIFT; i < end >> PIECE_SHIFT; i++)
		atomic_store(&d->written[i], 0);
	if (madvise(d->memory + offset, end - offset, MADV_DONTNEED))
		memset(d->memory + offset, 0, end - offset);
}

/*
 * Zero [offset, end): whole pieces of at least `drop_min` bytes by giving
 * them back, the rest by writing; not what is zero already.
 */
static void zero_range(struct ram *d, uint64_t offset, uint64_t end,
                       uint64_t drop_min)
{
	while (offset < end) {
		uint64_t first = offset >> PIECE_SHIFT;
		uint64_t i = first;
		uint64_t stop;

		if (!was_written(d, first)) {
			offset = (first + 1) << PIECE_SHIFT;
			continue;
		}
		while (i << PIECE_SHIFT < end && was_written(d, i))
			i++;
		stop = i << PIECE_SHIFT < end ? i << PIECE_SHIFT : end;
		if (((offset | stop) & (PIECE - 1)) == 0 &&
		    stop - offset >= drop_min)
			drop(d, offset, stop);
		else
			memset(d->memory + offset, 0, stop - offset);
		offset = stop;
	}
}

static void zero(struct ram *d, const struct block_request *q)
{
	uint64_t end = q->offset + q->length;
	uint64_t first = (q->offset + PIECE - 1) & ~(PIECE - 1);
	uint64_t last = end & ~(PIECE - 1);

	if (first >= last) {
		zero_range(d, q->offset, end, DROP_MIN);
		return;
	}
	zero_range(d, q->offset, first, DROP_MIN);
	zero_range(d, first, last, DROP_MIN);
	zero_range(d, last, end, DROP_MIN);
}

static void discard(struct ram *d, const struct block_request *q)
{
	uint64_t first = (q->offset + PIECE - 1) & ~(PIECE - 1);
	uint64_t last = (q->offset + q->length) & ~(PIECE - 1);

	zero_range(d, first, last, PIECE);
}

static void ram_submit(struct block_device *dev, struct block_request *q)
{
	struct ram *d = ram_of(dev);
	int err = block_check(dev, q);

	if (!err) {
		switch (q->op) {
		case BLOCK_READ:
			read_out(d, q);
			break;
		case BLOCK_WRITE:
			write_in(d, q);
			break;
		case BLOCK_FLUSH:
			break;
		case BLOCK_DISCARD:
			discard(d, q);
			break;
		case BLOCK_WRITE_ZEROES:
			zero(d, q);
			break;
		}
	}
	block_finish(q, err);
}

static void ram_close(struct block_device *dev)
{
	struct ram *d = ram_of(dev);

	munmap(d->memory, d->n_pieces * PIECE);
	free((void *)d->written);
	free(d);
}

const struct block_ops drive_ram_ops = {
	.type = "ram",
	.submit = ram_submit,
	.close = ram_close,
};

int drive_ram_open(uint64_t size, struct block_device **out, struct err *e)
{
	struct ram *d = calloc(1, sizeof(*d));

	if (!d)
		return err_set(e, -ENOMEM, "no memory for a drive");
	d->dev.ops = &drive_ram_ops;
	d->dev.size = size;
	d->dev.grain = BLOCK_SECTOR;
	d->n_pieces = (size + PIECE - 1) >> PIECE_SHIFT;
	d->written = calloc(d->n_pieces, 1);
	d->memory = mmap(NULL, d->n_pieces * PIECE, PROT_READ | PROT_WRITE,
	                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (!d->written || d->memory == MAP_FAILED) {
		if (d->memory != MAP_FAILED)
			munmap(d->memory, d->n_pieces * PIECE);
		free((void *)d->written);
		free(d);
		return err_set(e, -ENOMEM,
		               "no address space for a RAM drive of %ju "
		               "bytes: make it smaller, or raise ulimit -v",
		               (uintmax_t)size);
	}
	if (size >= HUGE_FROM)
		madvise(d->memory, d->n_pieces * PIECE, MADV_HUGEPAGE);
	*out = &d->dev;
	return 0;
}
