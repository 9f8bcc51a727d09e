-- Time that kswapd was awake in the window, summed over nodes.
INCLUDE PERFETTO MODULE reclaim.kswapd;

SELECT COALESCE(SUM(MIN(ts + dur, {end}) - MAX(ts, {begin})), 0) AS ns
FROM reclaim_kswapd_awake
WHERE ts < {end} AND ts + dur > {begin}
