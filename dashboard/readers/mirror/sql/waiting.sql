-- The newest of the windows that wait and begin before $closed.
SELECT DISTINCT window_start
FROM to_judge
WHERE window_start < $closed
ORDER BY window_start DESC
LIMIT $most;
