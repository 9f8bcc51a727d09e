-- How long kswapd waits after each preemption by a compression thread in the window, ns.
INCLUDE PERFETTO MODULE reclaim.kswapd;

SELECT MIN(IIF(dur < 0, {trace_end}, ts + dur), {end}) - ts AS ns
FROM reclaim_kswapd_preempted
WHERE ts >= {begin} AND ts < {end}
