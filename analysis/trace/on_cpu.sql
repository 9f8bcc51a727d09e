-- When a thread was on a CPU, in the whole trace.
SELECT ts, IIF(dur < 0, {trace_end}, ts + dur) AS until
FROM sched
WHERE utid = {utid}
ORDER BY ts
