"""Parts of the bench of mutations: which mutants a module has, which tests are near, and which mutants they miss."""
