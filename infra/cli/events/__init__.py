"""Commands about topics and the events on them."""
