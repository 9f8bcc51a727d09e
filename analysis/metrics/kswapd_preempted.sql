-- Times that kswapd stood still because a compression thread took its CPU, begun in the window.
INCLUDE PERFETTO MODULE reclaim.kswapd;

SELECT MIN(IIF(dur < 0, {trace_end}, ts + dur), {end}) - ts AS ns
FROM reclaim_kswapd_preempted
WHERE ts >= {begin} AND ts < {end}
