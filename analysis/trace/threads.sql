INCLUDE PERFETTO MODULE reclaim.threads;

SELECT utid, tid, comm, kernel FROM reclaim_thread
