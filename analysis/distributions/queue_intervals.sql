-- Offer and end of compression of each page that the compression thread was done with, ns.
SELECT ts - extract_arg(arg_set_id, 'wait_ns') - extract_arg(arg_set_id, 'compress_ns') AS offer, ts
FROM ftrace_event
WHERE name = 'kcompressd_done'
