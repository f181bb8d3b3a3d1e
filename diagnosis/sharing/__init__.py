"""Share links: signed, expiring, revocable links that show a report without sign-in."""
