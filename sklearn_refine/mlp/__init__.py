"""Many MLPs trained as one; knows nothing of searches."""
