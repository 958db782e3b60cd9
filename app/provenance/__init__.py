"""Where results come from, written down for others: RO-Crate, AiiDA archive, plain folder. Pure: what is written comes in as records."""
