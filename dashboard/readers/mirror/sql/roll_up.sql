-- Sums the windows of [$first, $last) to quarter hours of UTC; $first is where one begins.
INSERT INTO quarter_hours
SELECT
    $first + place * INTERVAL '15 minutes' AS bucket_start,
    EPOCH_US($first) // 1000000 + 900 * place AS bucket_second,
    windows,
    revenue,
    orders,
    uncounted,
    faults
FROM (
    SELECT
        -- counted in whole numbers: TIME_BUCKET of each window would take as long as all the rest
        (EPOCH_US(window_start) - EPOCH_US($first)) // 900000000 AS place,
        COUNT(*) AS windows,
        SUM(total_revenue) AS revenue,
        SUM(orders) AS orders,
        COUNT(*) - COUNT(orders) AS uncounted,
        COUNT(*) FILTER (WHERE total_revenue IS NULL OR is_doubled) AS faults
    FROM windows
    WHERE
        window_start >= $first
        AND window_start < $last
    GROUP BY place
) AS summed_up
ORDER BY place;
