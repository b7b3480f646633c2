"""The balance domain: reads what the equations compare, from Kafka and PostgreSQL."""
