-- Lengths (ns) of the direct reclaims that start in the window and end in the trace, without those of
-- compression threads.
INCLUDE PERFETTO MODULE reclaim.direct;

SELECT dur
FROM reclaim_direct
WHERE COALESCE(role, '') != 'compression' AND dur >= 0 AND ts >= {begin} AND ts < {end}
