"""Measured comparisons of Hourglass with its peers. ``python -m benchmarks`` runs them; README.md tells the protocol."""
