"""What grows, where it stops, and whether the model that says so agrees with what runs: `make bench-scale`."""
