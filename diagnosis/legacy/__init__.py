"""What another system has exported, read tolerantly."""
