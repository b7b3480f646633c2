"""The door for people and programs: HTTP and WebSocket on one port, behind a login. Only its process imports it."""
