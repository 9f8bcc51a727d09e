-- One end of the recorded calls of a function, in the whole trace.
SELECT ts, utid, {value} AS value
FROM ftrace_event
WHERE name = '{event}'
