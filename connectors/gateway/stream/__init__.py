"""The WebSocket: one hub of frames, and a connection for each client."""
