"""The claims loop: calls to the outside, each claimed under a lease before it is sent, and never sent twice."""
