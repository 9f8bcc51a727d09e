/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM zram_kcompressd

#if !defined(_ZRAM_KCOMPRESSD_TRACE_H_) || defined(TRACE_HEADER_MULTI_READ)
#define _ZRAM_KCOMPRESSD_TRACE_H_

#include <linux/tracepoint.h>

/* kswapd offered a page; depth counts the queue after the offer. */
TRACE_EVENT(kcompressd_queue,

	TP_PROTO(u32 index, unsigned int depth, bool accepted),

	TP_ARGS(index, depth, accepted),

	TP_STRUCT__entry(
		__field(u32, index)
		__field(unsigned int, depth)
		__field(bool, accepted)
	),

	TP_fast_assign(
		__entry->index = index;
		__entry->depth = depth;
		__entry->accepted = accepted;
	),

	TP_printk("index=%u depth=%u accepted=%d",
		  __entry->index, __entry->depth, __entry->accepted)
);

/*
 * A thread has stored a page, or failed to; error is a negative errno or 0. A
 * page that was mapped at the start was faulted in while it waited.
 */
TRACE_EVENT(kcompressd_done,

	TP_PROTO(u32 index, u64 wait_ns, u64 compress_ns, bool same_filled,
		 bool mapped_at_start, bool mapped_meanwhile, int error),

	TP_ARGS(index, wait_ns, compress_ns, same_filled, mapped_at_start,
		mapped_meanwhile, error),

	TP_STRUCT__entry(
		__field(u64, wait_ns)
		__field(u64, compress_ns)
		__field(u32, index)
		__field(int, error)
		__field(bool, same_filled)
		__field(bool, mapped_at_start)
		__field(bool, mapped_meanwhile)
	),

	TP_fast_assign(
		__entry->wait_ns = wait_ns;
		__entry->compress_ns = compress_ns;
		__entry->index = index;
		__entry->error = error;
		__entry->same_filled = same_filled;
		__entry->mapped_at_start = mapped_at_start;
		__entry->mapped_meanwhile = mapped_meanwhile;
	),

	TP_printk("index=%u wait_ns=%llu compress_ns=%llu same_filled=%d mapped_at_start=%d mapped_meanwhile=%d error=%d",
		  __entry->index, __entry->wait_ns, __entry->compress_ns,
		  __entry->same_filled, __entry->mapped_at_start,
		  __entry->mapped_meanwhile, __entry->error)
);

#endif /* _ZRAM_KCOMPRESSD_TRACE_H_ */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE kcompressd_trace
#include <trace/define_trace.h>
