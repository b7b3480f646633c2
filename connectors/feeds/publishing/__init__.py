"""How any feed is published: at its pace, exactly once, from where it stopped."""
