"""What is usual of series."""

import pytest
import torch

from hourglass.parts import beats
from hourglass.parts.beats import SeriesAlarm
from hourglass.parts.memory import run_lengths


@pytest.mark.parametrize("peaks", [True, False])
def test_the_same_numbers_whatever_is_looked_at_together(monkeypatch, peaks):
    generator, together = torch.Generator().manual_seed(0), []
    x = torch.randn(60, 2, 40, generator=generator)
    expected = x + 0.1 * torch.randn(x.shape, generator=generator)
    distance = torch.rand(60, generator=generator)
    x[3, 0, 5:9] = torch.nan
    x[7, 1, 10:20] = 0.5

    def noted(holds):
        together.append(len(holds))
        return run_lengths(holds)

    def learned():
        alarm = SeriesAlarm.learned_from(x)
        alarm.calibrate_steps(x, expected, distance, peaks=peaks)
        return alarm.state_dict()

    monkeypatch.setattr(beats, "run_lengths", noted)
    whole = learned()
    assert together == [60, 60]
    monkeypatch.setattr(beats, "BLOCK", 7 * 80)
    parts = learned()
    assert max(together[2:]) == 7
    torch.testing.assert_close(whole["usual"], torch.tensor([[4, 0.02 * 40], [0.06 * 40, 9]]))
    for name, tensor in whole.items():
        torch.testing.assert_close(parts[name], tensor, rtol=1e-5, atol=1e-6, equal_nan=True)
