"""Metrics and logs: subscribers of what happened. No user text reaches either."""
