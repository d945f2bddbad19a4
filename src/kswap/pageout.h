/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kswap/pageout - have pages of another process swapped out.
 *
 * By process_madvise(MADV_PAGEOUT): the kernel lets them go however hot they
 * are, so whoever asks goes through the memory in turn.
 */
#ifndef KSWAP_PAGEOUT_H
#define KSWAP_PAGEOUT_H

#include <stdint.h>
#include <sys/types.h>

/*
 * Have some `want` bytes of private anonymous memory leave, from *cursor on,
 * an address (0: the beginning), which moves on; it is 0 again when the end
 * was reached.
 *
 * @return bytes that were there to leave; 0 also if the process has gone.
 */
uint64_t pageout_some(pid_t pid, uint64_t *cursor, uint64_t want);

#endif /* KSWAP_PAGEOUT_H */
