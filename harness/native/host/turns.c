/*
 * Preloaded into QEMU by the instruction clock: its main loop takes its turn only while the guest's
 * CPU is halted.
 *
 * When all CPUs are idle, QEMU's main loop sets the guest's clock forward to the next timer
 * (icount_start_warp_timer in softmmu/icount.c, called by main_loop_wait in util/main-loop.c). A CPU
 * is marked as halted by its own thread, a moment before that thread adds the instructions that it
 * has just executed to the clock. If the main loop looks in between, woken by a timer that the guest
 * set before it halted, it sets a clock forward that is behind: the next timer fires too late, by
 * the instructions of the last run. Here the main loop waits until the thread of the CPU waits to be
 * woken, which it does with its instructions added.
 */
#include <dlfcn.h>
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* A CPU that does not halt for so long is no reader of timers; the main loop has signals to handle. */
static const struct timespec longest_turn = { .tv_sec = 2 };

static int (*plain_ppoll)(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);
static int (*plain_wait)(pthread_cond_t *, pthread_mutex_t *);
static int (*plain_signal)(pthread_cond_t *);
static int (*plain_broadcast)(pthread_cond_t *);

/* What the CPU's thread waits on, and whether it waits: 1 from the wait's begin to its wake-up. */
static _Atomic(pthread_cond_t *) halt;
static atomic_int halted;

__attribute__((constructor)) static void find_plain(void)
{
	plain_ppoll = dlsym(RTLD_NEXT, "ppoll");
	plain_wait = dlsym(RTLD_NEXT, "pthread_cond_wait");
	plain_signal = dlsym(RTLD_NEXT, "pthread_cond_signal");
	plain_broadcast = dlsym(RTLD_NEXT, "pthread_cond_broadcast");
}

static int in_main_thread(void)
{
	return syscall(SYS_gettid) == getpid();
}

/* QEMU's other threads wait on semaphores and with deadlines: the first one here is the CPU's. */
static int is_halt(pthread_cond_t *cond)
{
	pthread_cond_t *none = NULL;

	if (!in_main_thread())
		atomic_compare_exchange_strong(&halt, &none, cond);
	return atomic_load(&halt) == cond;
}

int pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
	int result;

	if (in_main_thread() || !is_halt(cond))
		return plain_wait(cond, mutex);
	atomic_store(&halted, 1);
	syscall(SYS_futex, &halted, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	result = plain_wait(cond, mutex);
	atomic_store(&halted, 0);
	return result;
}

/* The waker says so at once: the thread itself would only when it has run. */
int pthread_cond_signal(pthread_cond_t *cond)
{
	if (atomic_load(&halt) == cond)
		atomic_store(&halted, 0);
	return plain_signal(cond);
}

int pthread_cond_broadcast(pthread_cond_t *cond)
{
	if (atomic_load(&halt) == cond)
		atomic_store(&halted, 0);
	return plain_broadcast(cond);
}

int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
	int ready = plain_ppoll(fds, count, timeout, mask);
	int error = errno;

	if (in_main_thread() && atomic_load(&halt)) {
		/* Ends when the CPU halts, after the longest turn, or by a signal. */
		while (!atomic_load(&halted))
			if (syscall(SYS_futex, &halted, FUTEX_WAIT_PRIVATE, 0, &longest_turn, NULL, 0) &&
			    errno != EAGAIN)
				break;
	}
	errno = error;
	return ready;
}
