"""What platforms send, by protocol: bodies in the documented shapes with values of our own, and tables of traps."""
