"""What calls to AI providers cost the caller, and the agent that decides about them."""
