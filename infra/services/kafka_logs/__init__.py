"""Whether Kafka's logs are those that the data folder knew, and how they outlive a start that fails."""
