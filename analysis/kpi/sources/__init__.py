"""Where event tables come from: one small module a source, each giving an `analysis.kpi.events.EventLog`."""
