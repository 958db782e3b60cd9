"""Charts, graphs and timelines as numbers, which a page draws as SVG."""
