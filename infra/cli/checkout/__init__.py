"""Commands of a checkout of this repository: tests, checks, generated code, benches."""
