"""Sales Trends: revenue per window from Kafka, Flink and Iceberg, and the local stack to run it all."""

__version__ = "0.1.0"
