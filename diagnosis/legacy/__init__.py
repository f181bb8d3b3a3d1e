"""Import of diagnoses from an SQLite export of another system, tolerant of its variations."""
