"""Processes that tests start: the fork server, the whole pipeline, `up`, feeds; and how a test looks at them."""
