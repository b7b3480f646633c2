"""How every sink runs: one thread reads records from Kafka, another decodes and writes them, and positions are kept."""
