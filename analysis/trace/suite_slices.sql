INCLUDE PERFETTO MODULE reclaim.window;

SELECT ts, dur, track, name, arg_set_id FROM reclaim_suite_slice
