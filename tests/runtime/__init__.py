"""What tests of the runtime share: agents, workers, a namespace on Kafka, and what stands in for Faust and Kafka."""
