"""Whether streams flow: the picture of who reads what, how far readers are behind, and what that means."""
