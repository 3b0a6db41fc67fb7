-- name:    completed-orders-materializer
-- makes:   each unique payment whose order was placed at most 96 hours before it
-- params:  none
-- grain:   one row per order_id
-- columns: amount in the shop's currency, not rounded; ts is when it was paid
-- reads:   unique_payments, shiftleft.public.orders
INSERT INTO completed_orders
SELECT
    pymt.order_id,
    pymt.amount,
    pymt.confirmation_code,
    pymt.ts
FROM unique_payments AS pymt, `shiftleft.public.orders` AS ord
WHERE
    pymt.order_id = ord.orderid
    AND ord.orderdate BETWEEN pymt.ts - INTERVAL '96' HOUR AND pymt.ts;
