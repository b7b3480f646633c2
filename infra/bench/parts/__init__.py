"""Parts that benches share: services, a filled topic, and figures read from outside the process that is measured."""
