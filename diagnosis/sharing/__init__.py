"""Links that show a report to whoever has them: signed, expiring, revocable."""
