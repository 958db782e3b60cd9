"""Where results come from, written down for others: RO-Crate, AiiDA archive, plain folder. Pure: records come in."""
