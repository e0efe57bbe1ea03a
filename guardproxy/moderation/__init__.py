"""Our own moderation endpoints: one module for each vendor's shape."""
