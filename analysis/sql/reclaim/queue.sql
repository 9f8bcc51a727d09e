-- The queue of the compression thread. Needs the tracepoints kcompressd_queue and
-- kcompressd_done of the suite's compression threads, recorded on request.

-- One row for each page offered to the queue, and one for each page that the thread finished.
CREATE PERFETTO TABLE reclaim_queue_event (
  -- When.
  ts TIMESTAMP,
  -- 0: a page was offered to the queue; 1: the thread finished a page.
  done LONG,
  -- Pages in the queue right after the offer; NULL for done.
  depth LONG,
  -- Whether the page was queued; NULL for done. If not, the offering thread compresses it itself.
  accepted LONG,
  -- From the offer to the start of the compression; NULL for offers.
  wait_ns LONG,
  -- From the start to the end of the compression; NULL for offers.
  compress_ns LONG,
  -- Whether the page is same-filled; NULL for offers.
  same_filled LONG,
  -- Whether the page was mapped again before its compression started; NULL for offers.
  mapped_at_start LONG,
  -- Whether the page was mapped again by the time it was stored; NULL for offers.
  mapped_meanwhile LONG,
  -- Not 0 if the page could not be stored; NULL for offers.
  error LONG
)
AS
SELECT
  ts,
  name = 'kcompressd_done' AS done,
  extract_arg(arg_set_id, 'depth') AS depth,
  extract_arg(arg_set_id, 'accepted') AS accepted,
  extract_arg(arg_set_id, 'wait_ns') AS wait_ns,
  extract_arg(arg_set_id, 'compress_ns') AS compress_ns,
  extract_arg(arg_set_id, 'same_filled') AS same_filled,
  extract_arg(arg_set_id, 'mapped_at_start') AS mapped_at_start,
  extract_arg(arg_set_id, 'mapped_meanwhile') AS mapped_meanwhile,
  extract_arg(arg_set_id, 'error') AS error
FROM ftrace_event
WHERE name IN ('kcompressd_queue', 'kcompressd_done')
ORDER BY ts;

-- Pages that went through the queue, with the three times of each.
CREATE PERFETTO VIEW reclaim_queue_page (
  -- When the page was offered.
  offer_ts TIMESTAMP,
  -- When its compression started.
  begin_ts TIMESTAMP,
  -- When it was stored.
  end_ts TIMESTAMP,
  -- Whether it is same-filled.
  same_filled LONG,
  -- Whether it was mapped again by the time it was stored.
  mapped_meanwhile LONG
)
AS
SELECT
  ts - compress_ns - wait_ns AS offer_ts,
  ts - compress_ns AS begin_ts,
  ts AS end_ts,
  same_filled,
  mapped_meanwhile
FROM reclaim_queue_event
WHERE done;

-- Pages waiting and in flight; a row for each change. Pages that are never finished in the trace
-- are not counted: their offer looks like a refused one.
CREATE PERFETTO VIEW reclaim_queue_depth (
  -- Start of these values.
  ts TIMESTAMP,
  -- Pages queued whose compression has not started.
  waiting LONG,
  -- Pages queued and not stored yet: unmapped, but still in memory.
  in_flight LONG
)
AS
WITH step AS (
  SELECT offer_ts AS ts, 1 AS waiting, 1 AS in_flight FROM reclaim_queue_page
  UNION ALL
  SELECT begin_ts, -1, 0 FROM reclaim_queue_page
  UNION ALL
  SELECT end_ts, 0, -1 FROM reclaim_queue_page
),
total AS (
  SELECT ts, SUM(waiting) AS waiting, SUM(in_flight) AS in_flight FROM step GROUP BY ts
)
SELECT
  ts,
  SUM(waiting) OVER (ORDER BY ts) AS waiting,
  SUM(in_flight) OVER (ORDER BY ts) AS in_flight
FROM total;
