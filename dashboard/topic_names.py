"""The topics that the pipeline is given, by their names in Kafka and in pipeline_sql/."""

ORDERS_TOPIC = "shiftleft.public.orders"
"""Orders, as a connector copies them from the shop's database."""
PAYMENTS_TOPIC = "payments"
"""Payments, of the payment app and of who sends dead letters again."""
