-- Times that kswapd stood still, still runnable, because a compression thread took its CPU.
SELECT MIN(IIF(wait.dur < 0, {trace_end}, wait.ts + wait.dur), {end}) - wait.ts AS ns
FROM sched AS gone
JOIN sched AS next ON next.cpu = gone.cpu AND next.ts = gone.ts + gone.dur
JOIN thread_state AS wait ON wait.utid = gone.utid AND wait.ts = gone.ts + gone.dur
WHERE
  gone.utid IN ({kswapd}) AND next.utid IN ({compression})
  AND gone.end_state IN ('R', 'R+') AND wait.state IN ('R', 'R+')
  AND wait.ts >= {begin} AND wait.ts < {end}
