"""The MLOps framework of activities and the maturity model."""
