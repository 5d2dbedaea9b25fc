"""RoundEvaluation: candidates become outcomes. The only room that fits models."""
