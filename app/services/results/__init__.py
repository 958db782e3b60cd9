"""What the outputs of finished jobs say: curves, bands, vibrations, structures, comparisons, remedies."""
