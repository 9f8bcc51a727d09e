-- Energy of each rail since boot, in uWs (uJ), at the times when the hardware measured it.
SELECT track.id, track.name, counter.ts, counter.value
FROM counter
JOIN track ON track.id = counter.track_id
WHERE track.type = 'power_rails'
ORDER BY track.id, counter.ts
