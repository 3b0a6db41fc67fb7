-- Of the windows of [$first, $last) those with orders that are not what they summed up: more than that, or fewer though
-- some were called late, or of a window that is not there.
INSERT INTO to_judge
SELECT came.window_start
FROM (
    SELECT
        window_start,
        SUM(cents) AS cents
    FROM order_windows
    WHERE
        window_start >= $first
        AND window_start < $last
    GROUP BY window_start
) AS came
LEFT JOIN late_windows AS late ON came.window_start = late.window_start
LEFT JOIN windows AS summed ON came.window_start = summed.window_start
WHERE
    summed.window_start IS NULL
    OR (
        summed.orders IS NULL
        AND (late.window_start IS NOT NULL OR came.cents > CAST(summed.total_revenue AS DECIMAL(38, 2)) * 100)
    );
