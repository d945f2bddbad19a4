/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls for code that may touch no page of the program's: no errno, no
 * stack protector, no call through the dynamic linker.
 */
#ifndef FAR_AGENT_RAW_H
#define FAR_AGENT_RAW_H

#include <stdint.h>
#include <sys/syscall.h>

#if defined(__x86_64__)

static inline long raw_syscall(long number, long a, long b, long c, long d,
                               long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
	                 : "=a"(result)
	                 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10),
	                   "r"(r8), "r"(r9)
	                 : "rcx", "r11", "memory");
	return result;
}

/*
 * clone(2) to `entry(arg)` on its own stack; `entry` never returns.
 * @return the thread's number, or a negative errno.
 */
static inline long raw_thread(unsigned long flags, void *stack_top,
                              void (*entry)(void *), void *arg)
{
	register void (*r12)(void *) __asm__("r12") = entry;
	register void *r13 __asm__("r13") = arg;
	register long r10 __asm__("r10") = 0;
	register long r8 __asm__("r8") = 0;
	long result;

	__asm__ volatile("syscall\n\t"
	                 "test %%rax, %%rax\n\t"
	                 "jnz 1f\n\t"
	                 "xor %%ebp, %%ebp\n\t"
	                 "mov %%r13, %%rdi\n\t"
	                 "call *%%r12\n\t"
	                 "ud2\n\t"
	                 "1:"
	                 : "=a"(result)
	                 : "a"(SYS_clone), "D"(flags), "S"(stack_top), "d"(0),
	                   "r"(r10), "r"(r8), "r"(r12), "r"(r13)
	                 : "rcx", "r11", "memory");
	return result;
}

#elif defined(__aarch64__)

static inline long raw_syscall(long number, long a, long b, long c, long d,
                               long e, long f)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
	                 : "+r"(x0)
	                 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
	                 : "memory");
	return x0;
}

static inline long raw_thread(unsigned long flags, void *stack_top,
                              void (*entry)(void *), void *arg)
{
	register long x8 __asm__("x8") = SYS_clone;
	register long x0 __asm__("x0") = (long)flags;
	register void *x1 __asm__("x1") = stack_top;
	register long x2 __asm__("x2") = 0;
	register long x3 __asm__("x3") = 0;
	register long x4 __asm__("x4") = 0;
	register void (*x20)(void *) __asm__("x20") = entry;
	register void *x21 __asm__("x21") = arg;

	__asm__ volatile("svc 0\n\t"
	                 "cbnz x0, 1f\n\t"
	                 "mov x0, x21\n\t"
	                 "blr x20\n\t"
	                 "brk 1\n\t"
	                 "1:"
	                 : "+r"(x0)
	                 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4),
	                   "r"(x20), "r"(x21)
	                 : "x30", "memory");
	return x0;
}

#else
#error "the agent knows no system calls of this processor"
#endif

#endif /* FAR_AGENT_RAW_H */
