"""``hourglass serve`` under load."""

import sys

from benchmarks.service import measure

measure([sys.executable, "-m", "hourglass", "serve"])
