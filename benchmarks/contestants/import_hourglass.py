"""What ``import hourglass`` and ``hourglass --help`` cost beyond the interpreter's own start: medians of ten processes."""

import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks.common import Stopwatch, report

COMMANDS = {
    "python": [sys.executable, "-c", "pass"],
    "import": [sys.executable, "-c", "import hourglass, sys; sys.exit('torch' in sys.modules)"],
    "help": [str(Path(sys.executable).with_name("hourglass")), "--help"],
}
seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}

for _ in range(10):
    for name, command in COMMANDS.items():
        with Stopwatch() as watch:
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds[name].append(watch.seconds)

median = {name: statistics.median(times) for name, times in seconds.items()}
report(import_s=median["import"] - median["python"], help_s=median["help"], python_s=median["python"])
