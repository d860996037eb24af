"""KPIs of delivery and of ML in operation, from any event log: DORA's metrics and ours, each with its interval."""
