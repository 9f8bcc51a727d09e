-- When each thread was woken. A runnable stretch that a waking starts has a waker.
SELECT utid, ts
FROM thread_state
WHERE state = 'R' AND waker_utid IS NOT NULL AND ts >= {begin} AND ts < {end}
ORDER BY ts
