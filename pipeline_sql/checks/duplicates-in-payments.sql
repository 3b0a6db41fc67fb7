-- name:    duplicates-in-payments
-- asks:    which payments were sent more than once
-- params:  none
-- grain:   one row per order_id and amount that occurs more than once
-- columns: times, how often it was sent
-- reads:   payments
SELECT
    order_id,
    amount,
    COUNT(*) AS times
FROM payments
GROUP BY order_id, amount
HAVING COUNT(*) > 1;
