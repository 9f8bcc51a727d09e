/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Compression of swapped pages in threads of their own, apart from kswapd.
 *
 * zram_drv.c calls kcompressd_queue() for each page write; what it refuses
 * takes the unmodified synchronous path.
 */
#ifndef _ZRAM_KCOMPRESSD_H_
#define _ZRAM_KCOMPRESSD_H_

#include <linux/types.h>

struct page;
struct zram;

int kcompressd_init(void);
void kcompressd_exit(void);

/*
 * True: the page stays under writeback and a thread will end that.
 * False: not taken, the caller writes the page itself.
 */
bool kcompressd_queue(struct zram *zram, struct page *page, u32 index);

/* Wait until no thread touches @zram any more; nobody may write to it. */
void kcompressd_drain(struct zram *zram);

/* The delay that kcompressd_delay_us asks for; 0 returns at once. */
void kcompressd_delay(void);

/* In zram_drv.c: one synchronous page write, as zram_rw_page() does it. */
int zram_kcompressd_store(struct zram *zram, struct page *page, u32 index,
			  bool *same_filled);

#endif /* _ZRAM_KCOMPRESSD_H_ */
