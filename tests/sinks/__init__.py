"""What tests of sinks share: the contract of every sink, a sink that runs, and a writer without Kafka."""
