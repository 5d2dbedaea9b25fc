"""Policy: what a round should try, given all rounds before. Pure."""
