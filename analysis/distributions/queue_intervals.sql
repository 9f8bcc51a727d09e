-- When each finished page was queued, and when its compression ended, ns.
INCLUDE PERFETTO MODULE reclaim.queue;

SELECT offer_ts, end_ts FROM reclaim_queue_page
