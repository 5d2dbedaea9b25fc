"""Find the work that candidates have in common, so that it is done once."""
