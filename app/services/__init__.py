"""The use cases: the only place that commits, the only caller of runners and repositories."""
