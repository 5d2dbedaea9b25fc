"""Training of many MLPs as one; independent of the searches."""
