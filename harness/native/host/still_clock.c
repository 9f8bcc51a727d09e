/*
 * Preloaded into QEMU by the instruction clock: the host's wall clock stands still for it.
 *
 * QEMU shrinks its table of address translations by the wall clock (accel/tcg/cputlb.c,
 * tlb_mmu_resize_locked). A translation that it has dropped is looked up again in the guest's
 * page tables, which marks the page as accessed: so the host's time would have a say in which
 * pages the guest's reclaim takes for old.
 */
#include <sys/time.h>

/* 2026-01-01, as the guest's clock begins; 0, for the time is always known. */
int gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
	(void)tz;
	tv->tv_sec = 1767225600;
	tv->tv_usec = 0;
	return 0;
}
