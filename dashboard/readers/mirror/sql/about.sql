-- What the table of windows has of the stretch [$window_start, $window_end): $before is earlier by the longest window.
SELECT
    COUNT(*) AS windows,
    COUNT(*) FILTER (WHERE window_start = $window_start AND window_end = $window_end) AS the_same,
    ANY_VALUE(CAST(CAST(total_revenue AS DECIMAL(38, 2)) * 100 AS HUGEINT)) AS revenue_cents
FROM windows
WHERE
    window_start > $before
    AND window_start < $window_end
    AND window_end > $window_start;
