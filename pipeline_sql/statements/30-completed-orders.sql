-- name:    completed-orders
-- makes:   the table of orders that were paid in time
-- params:  none
-- grain:   one row per order_id
-- columns: amount in the shop's currency, not rounded; ts is when it was paid
-- reads:   none
CREATE TABLE completed_orders (
    order_id INT,
    amount DOUBLE,
    confirmation_code STRING,
    ts TIMESTAMP_LTZ(3),
    WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
);
