"""All I/O: feeds, sinks, Kafka clients, settings."""
