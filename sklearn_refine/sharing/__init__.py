"""What candidates can have in common, so that it is fitted once."""
