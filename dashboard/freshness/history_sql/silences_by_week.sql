-- By source, week, weekday (Monday is 0) and hour: for how long it was silent at most.
SELECT
    source,
    (minute / 1440 + 3) % 7 AS weekday,
    minute / 60 % 24 AS hour,
    MAX(longest_ms) AS longest_ms
FROM silences
GROUP BY source, (minute / 1440 + 3) / 7, weekday, hour;
