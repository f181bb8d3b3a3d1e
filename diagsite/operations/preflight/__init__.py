"""Is everything in place for a deploy? Each check says what it found, and what to do where it is not in order."""
