-- Times from a wake-up of these threads to their next run, for wake-ups in the window.
SELECT dur
FROM thread_state
WHERE utid IN ({utids}) AND state = 'R' AND ts >= {begin} AND ts < {end} AND dur >= 0
