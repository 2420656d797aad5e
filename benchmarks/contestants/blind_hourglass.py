"""One model of noise from 5 to 50 grey levels beside one for each of 15, 25 and 50, each trained for twenty minutes."""

from benchmarks.common import QUICK, SEED, report
from benchmarks.pictures import damaged, data, quality
from hourglass import DenoisingAutoencoder

LEVELS = (15, 25, 50)
learned, clean = data("set12")


def psnr(noise: str, levels: tuple[int, ...]) -> list[float]:
    model = DenoisingAutoencoder(corruption=f"noise:{noise}", max_seconds=3 if QUICK else 1200, random_state=SEED).fit(learned)
    return [quality(clean, model.denoise(damaged(clean, f"noise{level}")))["psnr"] for level in levels]


blind = psnr("5-50", LEVELS)
single = [psnr(str(level), (level,))[0] for level in LEVELS]
behind = {f"behind_{level}": alone - all_in_one for level, alone, all_in_one in zip(LEVELS, single, blind, strict=True)}
report(**behind, **{f"blind_{level}": value for level, value in zip(LEVELS, blind, strict=True)})
