"""Mutation testing: which changes of the code no test notices (CONTRIBUTING.md). `bin/mutants` starts it."""
