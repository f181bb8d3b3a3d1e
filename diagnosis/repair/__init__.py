"""Old records put right: what is wrong with them, how it is mended, and the journal that takes it back."""
