"""What happens in the process of a run: reading the data, fitting, and keeping what came of it. ``python -m ... RUN``."""
