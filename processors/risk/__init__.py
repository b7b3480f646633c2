"""Every order request gets one decision."""
