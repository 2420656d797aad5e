"""PyOD's AutoEncoder on clean and dirty tables of ADBench; its contamination=0.1, the default, only moves its threshold."""

from benchmarks.common import report
from benchmarks.detectors import lost_to_dirt, peer

report(**lost_to_dirt(peer("AutoEncoder"), peer("AutoEncoder")))
