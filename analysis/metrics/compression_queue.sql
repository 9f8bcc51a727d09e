-- Offers to the queue of the compression thread and pages that it finished, in the whole trace.
INCLUDE PERFETTO MODULE reclaim.queue;

SELECT
  ts, done, depth, accepted, wait_ns, compress_ns, same_filled, mapped_at_start, mapped_meanwhile, error
FROM reclaim_queue_event
