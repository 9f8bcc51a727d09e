// SPDX-License-Identifier: GPL-2.0-only
/*
 * Compression of swapped pages in threads of their own, apart from kswapd.
 *
 * kswapd unmaps a page, starts its writeback and calls zram_rw_page(), which
 * hands the page to kcompressd_queue(). A thread stores it later and ends the
 * writeback. Why nothing can go away or change in between:
 *
 * - The page: the swap cache holds a reference, and a page is not taken out
 *   of the swap cache while it is under writeback.
 * - The slot: the swap cache pins it. It is neither freed nor given to another
 *   page, and the same page is not written again before writeback has ended.
 *   So a slot is in the queue once at most.
 * - The content: kswapd has unmapped the page, and zram asks for stable
 *   writes, so a write fault meanwhile gets a copy. A read fault finds the
 *   page in the swap cache and never looks at the slot.
 * - The device: swapoff waits for the writeback of every page, and zram is
 *   reset only when nobody has it open. A thread may still be leaving then;
 *   kcompressd_drain() waits for that.
 *
 * The threads are not freezable: during hibernation memory is reclaimed after
 * kernel threads have been frozen, and that waits for writeback to end.
 */

#define pr_fmt(fmt) "zram: kcompressd: " fmt

#include <linux/blkdev.h>
#include <linux/delay.h>
#include <linux/highmem.h>
#include <linux/kernel.h>
#include <linux/kobject.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/prio.h>
#include <linux/spinlock.h>
#include <linux/swap.h>
#include <linux/sysfs.h>
#include <linux/timer.h>
#include <linux/vmalloc.h>
#include <linux/wait.h>

#include "zram_drv.h"
#include "kcompressd.h"

#define CREATE_TRACE_POINTS
#include "kcompressd_trace.h"

#define KCOMPRESSD_MAX_THREADS	4
#define KCOMPRESSD_MAX_DEPTH	4096
#define KCOMPRESSD_MAX_DELAY_US	10000
#define KCOMPRESSD_DELAY_STEP_NS	(10 * NSEC_PER_USEC)
#define KCOMPRESSD_MEMORY_WAITS	200
#define KCOMPRESSD_MEMORY_WAIT_US	500
#define KCOMPRESSD_MEMORY_PAUSE		(HZ / 10)

struct kcompressd_item {
	struct zram *zram;
	struct page *page;
	u64 queued_ns;
	u32 index;
};

static unsigned int kcompressd_threads = 1;
static unsigned int kcompressd_depth = 256;
static unsigned int kcompressd_delay_us;
static unsigned int kcompressd_fail_every;
static unsigned int kcompressd_wake_batch = 1;
static unsigned int kcompressd_same_filled_direct;
static int kcompressd_nice;

/*
 * Users are kswapd and our threads, all in process context, so the lock needs
 * no irq protection. It guards the ring, its indices and ring_open.
 */
static DEFINE_SPINLOCK(ring_lock);
static struct kcompressd_item *ring;
static unsigned int ring_head;
static unsigned int ring_count;
static bool ring_open;

static DECLARE_WAIT_QUEUE_HEAD(work_wait);
static DECLARE_WAIT_QUEUE_HEAD(drain_wait);

/* Guards the threads and the state of the module against parameter writes. */
static DEFINE_MUTEX(control_lock);
static struct task_struct *threads[KCOMPRESSD_MAX_THREADS];
static bool running;

static atomic_t writes_until_failure = ATOMIC_INIT(0);

/* In jiffies: until then kswapd writes synchronously, see kcompressd_store(). */
static unsigned long memory_short_until = INITIAL_JIFFIES;

enum kcompressd_counter {
	KC_QUEUED,
	KC_DONE,
	KC_FALLBACK_FULL,
	KC_SAME_FILLED,
	KC_MAPPED_MEANWHILE,
	KC_ERRORS,
	KC_MEMORY_WAITS,
	KC_FALLBACK_MEMORY,
	KC_DEPTH_MAX,
	KC_WAKEUPS,
	KC_SAME_FILLED_DIRECT,
	KC_NR_COUNTERS,
};

static atomic64_t counters[KC_NR_COUNTERS];

static inline void count(enum kcompressd_counter which)
{
	atomic64_inc(&counters[which]);
}

static void kcompressd_wake(void)
{
	if (wq_has_sleeper(&work_wait)) {
		count(KC_WAKEUPS);
		wake_up(&work_wait);
	}
}

/* Wakes for a batch that did not fill up, so that no page waits for the next one. */
static void kcompressd_wake_late(struct timer_list *unused)
{
	kcompressd_wake();
}

static DEFINE_TIMER(late_wake, kcompressd_wake_late);

/* As zram tells them: one word, over and over. The last word rules most others out. */
static bool kcompressd_is_same_filled(struct page *page)
{
	const unsigned long *words = kmap_local_page(page);
	const size_t last = PAGE_SIZE / sizeof(*words) - 1;
	bool same;

	same = words[0] == words[last] &&
	       !memcmp(words, words + 1, last * sizeof(*words));
	kunmap_local(words);
	return same;
}

bool kcompressd_queue(struct zram *zram, struct page *page, u32 index)
{
	struct kcompressd_item *item;
	bool accepted = false;
	unsigned int depth;

	if (!READ_ONCE(ring_open))
		return false;
	/*
	 * Direct reclaim stays synchronous: it may use all CPUs at once, and
	 * waiting is what slows an allocating task down. Pages that are not
	 * swap have no swap cache to pin them.
	 */
	if (!current_is_kswapd() || !PageSwapCache(page))
		return false;
	if (time_before(jiffies, READ_ONCE(memory_short_until))) {
		count(KC_FALLBACK_MEMORY);
		return false;
	}
	if (READ_ONCE(kcompressd_same_filled_direct) &&
	    kcompressd_is_same_filled(page)) {
		count(KC_SAME_FILLED_DIRECT);
		return false;
	}

	spin_lock(&ring_lock);
	/* Again under the lock: after ring_open falls nothing is added. */
	if (!ring_open) {
		spin_unlock(&ring_lock);
		return false;
	}
	if (ring_count < READ_ONCE(kcompressd_depth)) {
		item = &ring[(ring_head + ring_count) % KCOMPRESSD_MAX_DEPTH];
		item->zram = zram;
		item->page = page;
		item->index = index;
		item->queued_ns = ktime_get_ns();
		atomic_inc(&zram->kcompressd_inflight);
		ring_count++;
		accepted = true;
		if (ring_count > atomic64_read(&counters[KC_DEPTH_MAX]))
			atomic64_set(&counters[KC_DEPTH_MAX], ring_count);
	}
	depth = ring_count;
	spin_unlock(&ring_lock);

	/* From here on the page belongs to the threads. */
	trace_kcompressd_queue(index, depth, accepted);
	if (!accepted) {
		count(KC_FALLBACK_FULL);
		return false;
	}
	count(KC_QUEUED);
	if (depth >= READ_ONCE(kcompressd_wake_batch))
		kcompressd_wake();
	else if (!timer_pending(&late_wake))
		mod_timer(&late_wake, jiffies + 1);
	return true;
}

static bool kcompressd_pop(struct kcompressd_item *item)
{
	bool found = false;

	spin_lock(&ring_lock);
	if (ring_count) {
		*item = ring[ring_head];
		ring_head = (ring_head + 1) % KCOMPRESSD_MAX_DEPTH;
		ring_count--;
		found = true;
	}
	spin_unlock(&ring_lock);
	return found;
}

static bool kcompressd_injects_failure(void)
{
	unsigned int every = READ_ONCE(kcompressd_fail_every);

	if (!every)
		return false;
	return (unsigned int)atomic_inc_return(&writes_until_failure) % every == 0;
}

/*
 * The page is whole and only its copy in zram failed, so it becomes dirty
 * again and reclaim may come back to it later: what the swap code does when
 * the bio of a swapped page fails.
 */
static void kcompressd_write_error(struct kcompressd_item *item, bool injected)
{
	struct gendisk *disk = item->zram->disk;
	struct page *page = item->page;

	SetPageError(page);
	set_page_dirty(page);
	pr_alert_ratelimited("Write-error on swap-device (%u:%u:%llu)%s\n",
			     disk->major, disk->first_minor,
			     (unsigned long long)item->index << SECTORS_PER_PAGE_SHIFT,
			     injected ? " (injected)" : "");
	/* Not to the tail of the LRU, from where it would be retried at once. */
	ClearPageReclaim(page);
}

/*
 * Synchronous kswapd frees a page as soon as it is stored. Here a page that is
 * stored before kswapd has put its batch back on the LRU is not rotated to the
 * tail, so kswapd meets it again only after the rest of the list, and with
 * several threads memory can run out on the way. Then kswapd is left to itself
 * for a while, and the write is tried again before it is failed. Not under a
 * mem_limit, which may be the reason and does not pass.
 */
static int kcompressd_store(struct kcompressd_item *item, bool *same_filled)
{
	unsigned int waits;
	int error;

	for (waits = 0; ; waits++) {
		error = zram_kcompressd_store(item->zram, item->page,
					      item->index, same_filled);
		if (error != -ENOMEM || item->zram->limit_pages ||
		    waits == KCOMPRESSD_MEMORY_WAITS)
			return error;
		count(KC_MEMORY_WAITS);
		WRITE_ONCE(memory_short_until, jiffies + KCOMPRESSD_MEMORY_PAUSE);
		usleep_range(KCOMPRESSD_MEMORY_WAIT_US / 2,
			     KCOMPRESSD_MEMORY_WAIT_US);
	}
}

static void kcompressd_write(struct kcompressd_item *item)
{
	u64 begin_ns = ktime_get_ns(), end_ns;
	bool same_filled = false, mapped_at_start, mapped, injected;
	struct zram *zram = item->zram;
	int error;

	mapped_at_start = page_mapped(item->page);
	injected = kcompressd_injects_failure();
	if (injected) {
		atomic64_inc(&zram->stats.num_writes);
		atomic64_inc(&zram->stats.failed_writes);
		error = -EIO;
	} else {
		error = kcompressd_store(item, &same_filled);
	}
	end_ns = ktime_get_ns();

	if (error)
		kcompressd_write_error(item, injected);
	/* Somebody faulted it in while it was queued: the store was for nothing. */
	mapped = page_mapped(item->page);

	end_page_writeback(item->page);
	/* The page may be freed now. */

	count(KC_DONE);
	if (same_filled)
		count(KC_SAME_FILLED);
	if (mapped)
		count(KC_MAPPED_MEANWHILE);
	if (error)
		count(KC_ERRORS);
	trace_kcompressd_done(item->index, begin_ns - item->queued_ns,
			      end_ns - begin_ns, same_filled,
			      mapped_at_start, mapped, error);

	/* The device may go away after this. */
	if (atomic_dec_and_test(&zram->kcompressd_inflight)) {
		/* Ordered after the decrement, which is a full barrier. */
		if (waitqueue_active(&drain_wait))
			wake_up_all(&drain_wait);
	}
}

/* A peek without the lock: only for the decision to sleep. */
static bool kcompressd_has_work(void)
{
	return READ_ONCE(ring_count) || kthread_should_stop();
}

static int kcompressd_main(void *unused)
{
	/*
	 * The store frees memory in the end, so like kswapd it may use the
	 * reserves, and it must not enter reclaim, which may wait for us.
	 */
	unsigned int noreclaim = memalloc_noreclaim_save();
	struct kcompressd_item item;

	for (;;) {
		wait_event_idle_exclusive(work_wait, kcompressd_has_work());
		while (kcompressd_pop(&item)) {
			kcompressd_write(&item);
			cond_resched();
		}
		/*
		 * Only with an empty ring: the wake-up that brought us here
		 * may have been the only one for an item.
		 */
		if (kthread_should_stop())
			break;
	}
	memalloc_noreclaim_restore(noreclaim);
	return 0;
}

void kcompressd_drain(struct zram *zram)
{
	wait_event(drain_wait, !atomic_read(&zram->kcompressd_inflight));
}

void kcompressd_delay(void)
{
	u64 left_ns = (u64)READ_ONCE(kcompressd_delay_us) * NSEC_PER_USEC;

	/*
	 * CPU time is asked for, not elapsed time: preemption is off during a
	 * step, and open between steps.
	 */
	while (left_ns) {
		u64 step_ns = min_t(u64, left_ns, KCOMPRESSD_DELAY_STEP_NS);
		u64 begin_ns;

		preempt_disable();
		begin_ns = ktime_get_ns();
		while (ktime_get_ns() - begin_ns < step_ns)
			cpu_relax();
		preempt_enable();
		left_ns -= step_ns;
	}
}

static void kcompressd_open_ring(bool open)
{
	spin_lock(&ring_lock);
	WRITE_ONCE(ring_open, open);
	spin_unlock(&ring_lock);
}

/*
 * Have exactly @wanted threads. Pages are written synchronously while the
 * number changes: so a thread that stops finds an end of its work, and the
 * last one leaves an empty ring.
 */
static int kcompressd_set_threads(unsigned int wanted)
{
	unsigned int i, have = 0;
	int err = 0;

	lockdep_assert_held(&control_lock);

	kcompressd_open_ring(false);
	for (i = wanted; i < KCOMPRESSD_MAX_THREADS; i++) {
		if (!threads[i])
			continue;
		kthread_stop(threads[i]);
		threads[i] = NULL;
	}
	for (i = 0; i < wanted; i++) {
		if (!threads[i]) {
			struct task_struct *task;

			task = kthread_run(kcompressd_main, NULL,
					   "kcompressd:%u", i);
			if (IS_ERR(task)) {
				err = PTR_ERR(task);
				break;
			}
			set_user_nice(task, kcompressd_nice);
			threads[i] = task;
		}
		have++;
	}
	if (have)
		kcompressd_open_ring(true);
	WRITE_ONCE(kcompressd_threads, have);
	return err;
}

static int threads_param_set(const char *val, const struct kernel_param *kp)
{
	unsigned int wanted;
	int err;

	err = kstrtouint(val, 0, &wanted);
	if (err)
		return err;
	if (wanted > KCOMPRESSD_MAX_THREADS)
		return -EINVAL;

	mutex_lock(&control_lock);
	/* On the command line of the module: the threads come with the init. */
	if (running)
		err = kcompressd_set_threads(wanted);
	else
		kcompressd_threads = wanted;
	mutex_unlock(&control_lock);
	return err;
}

static int depth_param_set(const char *val, const struct kernel_param *kp)
{
	/* A smaller depth takes effect as the ring drains. */
	return param_set_uint_minmax(val, kp, 1, KCOMPRESSD_MAX_DEPTH);
}

static int delay_param_set(const char *val, const struct kernel_param *kp)
{
	return param_set_uint_minmax(val, kp, 0, KCOMPRESSD_MAX_DELAY_US);
}

static int batch_param_set(const char *val, const struct kernel_param *kp)
{
	return param_set_uint_minmax(val, kp, 1, KCOMPRESSD_MAX_DEPTH);
}

static int nice_param_set(const char *val, const struct kernel_param *kp)
{
	int wanted, err;

	err = kstrtoint(val, 0, &wanted);
	if (err)
		return err;
	if (wanted < MIN_NICE || wanted > MAX_NICE)
		return -EINVAL;
	return param_set_int(val, kp);
}

static const struct kernel_param_ops nice_param_ops = {
	.set = nice_param_set,
	.get = param_get_int,
};

static const struct kernel_param_ops threads_param_ops = {
	.set = threads_param_set,
	.get = param_get_uint,
};

static const struct kernel_param_ops depth_param_ops = {
	.set = depth_param_set,
	.get = param_get_uint,
};

static const struct kernel_param_ops delay_param_ops = {
	.set = delay_param_set,
	.get = param_get_uint,
};

static const struct kernel_param_ops batch_param_ops = {
	.set = batch_param_set,
	.get = param_get_uint,
};

module_param_cb(kcompressd_threads, &threads_param_ops, &kcompressd_threads,
		0644);
MODULE_PARM_DESC(kcompressd_threads,
		 "Threads that compress for kswapd, 0 to 4; 0 is off (default 1)");
module_param_cb(kcompressd_depth, &depth_param_ops, &kcompressd_depth, 0644);
MODULE_PARM_DESC(kcompressd_depth,
		 "Pages that may wait, 1 to 4096; when full kswapd compresses itself (default 256)");
module_param_cb(kcompressd_delay_us, &delay_param_ops, &kcompressd_delay_us,
		0644);
MODULE_PARM_DESC(kcompressd_delay_us,
		 "CPU time to waste in each page write, whoever makes it, 0 to 10000 us: a known regression for tests (default 0)");
module_param(kcompressd_fail_every, uint, 0644);
MODULE_PARM_DESC(kcompressd_fail_every,
		 "Fail the write of each Nth queued page, 0 is never: for tests of the error path (default 0)");
module_param_cb(kcompressd_wake_batch, &batch_param_ops, &kcompressd_wake_batch,
		0644);
MODULE_PARM_DESC(kcompressd_wake_batch,
		 "Wake a thread when so many pages wait, or after a tick, 1 to 4096 (default 1)");
module_param_cb(kcompressd_nice, &nice_param_ops, &kcompressd_nice, 0644);
MODULE_PARM_DESC(kcompressd_nice,
		 "Nice value of threads that start from now on, -20 to 19 (default 0)");
module_param(kcompressd_same_filled_direct, uint, 0644);
MODULE_PARM_DESC(kcompressd_same_filled_direct,
		 "1: let kswapd store same-filled pages itself (default 0)");

#define KCOMPRESSD_COUNTER_ATTR(_name, _which)				\
static ssize_t _name##_show(struct kobject *kobj,			\
			    struct kobj_attribute *attr, char *buf)	\
{									\
	return sysfs_emit(buf, "%lld\n",				\
			  (long long)atomic64_read(&counters[_which]));	\
}									\
static struct kobj_attribute _name##_attr = __ATTR_RO(_name)

KCOMPRESSD_COUNTER_ATTR(queued, KC_QUEUED);
KCOMPRESSD_COUNTER_ATTR(done, KC_DONE);
KCOMPRESSD_COUNTER_ATTR(fallback_full, KC_FALLBACK_FULL);
KCOMPRESSD_COUNTER_ATTR(same_filled, KC_SAME_FILLED);
KCOMPRESSD_COUNTER_ATTR(mapped_meanwhile, KC_MAPPED_MEANWHILE);
KCOMPRESSD_COUNTER_ATTR(errors, KC_ERRORS);
KCOMPRESSD_COUNTER_ATTR(memory_waits, KC_MEMORY_WAITS);
KCOMPRESSD_COUNTER_ATTR(fallback_memory, KC_FALLBACK_MEMORY);
KCOMPRESSD_COUNTER_ATTR(depth_max, KC_DEPTH_MAX);
KCOMPRESSD_COUNTER_ATTR(wakeups, KC_WAKEUPS);
KCOMPRESSD_COUNTER_ATTR(same_filled_direct, KC_SAME_FILLED_DIRECT);

static struct attribute *kcompressd_attrs[] = {
	&queued_attr.attr,
	&done_attr.attr,
	&fallback_full_attr.attr,
	&same_filled_attr.attr,
	&mapped_meanwhile_attr.attr,
	&errors_attr.attr,
	&memory_waits_attr.attr,
	&fallback_memory_attr.attr,
	&depth_max_attr.attr,
	&wakeups_attr.attr,
	&same_filled_direct_attr.attr,
	NULL,
};

static const struct attribute_group kcompressd_group = {
	.attrs = kcompressd_attrs,
};

static struct kobject *kcompressd_kobj;

int kcompressd_init(void)
{
	int err;

	ring = kvcalloc(KCOMPRESSD_MAX_DEPTH, sizeof(*ring), GFP_KERNEL);
	if (!ring)
		return -ENOMEM;

	kcompressd_kobj = kobject_create_and_add("zram_kcompressd", kernel_kobj);
	if (!kcompressd_kobj) {
		err = -ENOMEM;
		goto out_ring;
	}
	err = sysfs_create_group(kcompressd_kobj, &kcompressd_group);
	if (err)
		goto out_kobj;

	mutex_lock(&control_lock);
	running = true;
	err = kcompressd_set_threads(kcompressd_threads);
	if (err) {
		kcompressd_set_threads(0);
		running = false;
	}
	mutex_unlock(&control_lock);
	if (!err)
		return 0;

out_kobj:
	kobject_put(kcompressd_kobj);
out_ring:
	kvfree(ring);
	return err;
}

void kcompressd_exit(void)
{
	mutex_lock(&control_lock);
	if (!running) {
		/* The init failed and has cleaned up. */
		mutex_unlock(&control_lock);
		return;
	}
	kcompressd_set_threads(0);
	/* The parameter files outlive us by a moment: writes do nothing now. */
	running = false;
	mutex_unlock(&control_lock);

	/* Nothing is queued any more, so nobody arms it again. */
	del_timer_sync(&late_wake);
	kobject_put(kcompressd_kobj);
	kvfree(ring);
}
