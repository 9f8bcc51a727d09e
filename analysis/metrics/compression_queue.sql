-- Offers to the queue of the compression thread and pages that it is done with, in the whole trace.
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
ORDER BY ts
