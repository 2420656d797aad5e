"""What training takes its batches from: rows by index, patches of pictures of any size."""

import pytest
import torch

from hourglass import batches
from hourglass.batches import Batches, Patches, reflected


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def untouched(x):
    return x


def whole(epoch):
    return torch.cat([batch.x for batch in epoch])


# Rows


def test_an_epoch_has_each_row_once_in_an_order_of_the_generator():
    rows = Batches(torch.arange(10.0)[:, None], torch.arange(2, 9), untouched)
    epoch = [batch.x.clone() for batch in rows.shuffled(3, chance())]  # the buffer is used again
    assert [len(batch) for batch in epoch] == [3, 3, 1]
    assert sorted(torch.cat(epoch).flatten().tolist()) == list(range(2, 9))
    assert torch.equal(torch.cat(epoch), torch.cat([batch.x.clone() for batch in rows.shuffled(3, chance())]))
    assert torch.cat([batch.x.clone() for batch in rows.ordered(4)]).flatten().tolist() == list(range(2, 9))


def test_integers_are_prepared_a_batch_at_a_time():
    rows = Batches(torch.tensor([[0], [255]], dtype=torch.uint8), torch.arange(2), lambda batch: batch / 255)
    assert torch.cat([batch.x.clone() for batch in rows.ordered(1)]).tolist() == [[0], [1]]


def test_rows_of_a_batch_are_about_as_long_and_cut_to_the_longest():
    lengths = torch.tensor([3, 1, 2, 3, 1, 2, 1])
    x = torch.arange(1.0, 8)[:, None] * (torch.arange(3) < lengths[:, None])  # a row's number as often as it is long
    rows = Batches(x, torch.arange(7), untouched, lengths=lengths)
    epoch = [batch.x.clone() for batch in rows.shuffled(2, chance())]
    assert sorted(number for part in epoch for number in part[:, 0].int().tolist()) == list(range(1, 8))
    assert sorted(part.shape[1] for part in epoch[:-1]) == [1, 2, 3]  # the last has the row that is left
    orders = {tuple(len(part[0]) for part in rows.shuffled(2, chance(seed)) for part in [part.x]) for seed in range(9)}
    assert len(orders) > 1
    assert [tuple(batch.x.shape) for batch in rows.ordered(3)] == [(3, 1), (3, 3), (1, 3)]


def test_members_have_rows_of_their_own():
    rows = Batches(torch.arange(6.0)[:, None], torch.tensor([[0, 3], [1, 4], [2, 5]]), untouched)
    epoch = torch.cat([batch.x.clone() for batch in rows.shuffled(2, chance())])
    assert epoch.shape == (3, 2, 1)
    assert sorted(epoch[:, 0, 0].tolist()) == [0, 1, 2]
    assert sorted(epoch[:, 1, 0].tolist()) == [3, 4, 5]


@pytest.mark.parametrize(("rows", "per_step"), [(1, 16), (1000, 32), (10**6, 256)])
def test_a_step_is_a_thirty_second_of_the_rows_within_bounds(rows, per_step):
    assert Batches(torch.zeros(1, 1), torch.zeros(1), untouched, per_epoch=rows).per_step == per_step


# Patches

LARGE = [torch.arange(600.0).view(1, 20, 30) + 1000 * number for number in range(3)]


def patches_of(pictures, size, per_epoch=40, numbers=None):
    return Patches(pictures.__getitem__, range(len(pictures)) if numbers is None else numbers, size, per_epoch, untouched)


def ways(patch):
    """A patch in all of its eight ways."""
    return [torch.rot90(side, turns, (1, 2)) for side in (patch, patch.flip(2)) for turns in range(4)]


def test_every_patch_is_a_square_of_a_picture_flipped_or_turned():
    found = whole(patches_of(LARGE, 8).shuffled(7, chance()))
    assert found.shape == (40, 1, 8, 8)
    seen = set()
    for patch in found:
        least = int(patch.min())
        number, place = divmod(least, 1000)
        top, left = divmod(place, 30)
        square = LARGE[number][:, top : top + 8, left : left + 8]
        assert sum(torch.equal(patch, way) for way in ways(square)) == 1
        seen |= {(number, next(i for i, way in enumerate(ways(square)) if torch.equal(patch, way)))}
    assert len({number for number, _ in seen}) == 3
    assert len({way for _, way in seen}) == 8


@pytest.mark.parametrize("types", [(torch.uint8, torch.float32), (torch.float32, torch.uint8), (torch.uint8, torch.uint8)])
def test_pictures_of_two_depths_are_each_prepared_as_what_they_are(types):
    white = [torch.full((1, 9, 10), 255 if dtype == torch.uint8 else 1, dtype=dtype) for dtype in types]
    patches = Patches(white.__getitem__, range(2), 8, 40, lambda pixels: pixels if pixels.is_floating_point() else pixels / 255)
    assert torch.equal(whole(patches.shuffled(7, chance())), torch.ones(40, 1, 8, 8))
    assert torch.equal(whole(patches.ordered(7)), torch.ones(8, 1, 8, 8))


def test_the_same_seed_gives_the_same_patches():
    first, second, other = (whole(patches_of(LARGE, 8).shuffled(7, chance(seed))) for seed in (1, 1, 2))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_whole_pictures_are_neither_flipped_nor_turned():
    pictures = [torch.rand(1, 6, 6, generator=chance()), torch.rand(1, 6, 6, generator=chance(1))]
    for patch in whole(patches_of(pictures, 6).shuffled(10, chance())):
        assert any(torch.equal(patch, picture) for picture in pictures)


def test_pictures_that_are_too_small_are_mirrored_there_and_back():
    row = torch.tensor([1.0, 2, 3])
    assert reflected(row.view(1, 1, 3), (0, 5)).flatten().tolist() == [1, 2, 3, 2, 1, 2, 3, 2]
    assert reflected(row.view(1, 3, 1), (2, 1)).tolist() == [[[1, 1], [2, 2], [3, 3], [2, 2], [1, 1]]]
    patch = next(patches_of([row.view(1, 1, 3)], 4, per_epoch=1).shuffled(1, chance())).x
    assert torch.equal(patch, torch.tensor([1.0, 2, 3, 2]).expand(1, 1, 4, 4))


def test_what_is_judged_by_is_the_same_each_time():
    judged = patches_of(LARGE, 8, per_epoch=12)
    first, second = (whole(judged.ordered(5)) for _ in range(2))
    assert torch.equal(first, second)
    assert len(first) == len(judged) == 12
    assert torch.equal(first[0], LARGE[0][:, 3:11, 5:13])  # a quarter of the way down and across
    assert torch.equal(first[5], LARGE[1][:, 9:17, 17:25])  # three quarters


def test_a_step_has_as_many_pixels_whatever_the_patch():
    assert [patches_of(LARGE, size).per_step for size in (64, 16, 1000)] == [8, 128, 1]


def test_pictures_beyond_memory_pass_by_and_all_of_them_are_seen(monkeypatch):
    monkeypatch.setattr(batches, "MOST_KEPT", 0)
    monkeypatch.setattr(batches, "WINDOW", 4)
    pictures = [torch.full((1, 8, 8), float(number)) for number in range(30)]
    passing = patches_of(pictures, 4, per_epoch=200)
    assert passing.kept is None
    first, second = ([batch.x for batch in passing.shuffled(2, chance(3))] for _ in range(2))
    assert all(torch.equal(*pair) for pair in zip(first, second, strict=True))
    assert sum(map(len, first)) == 200
    assert {int(patch.max()) for patch in torch.cat(first)} == set(range(30))
    assert len(list(passing.ordered(8))) == 30 * 4 / 8


def test_a_picture_that_cannot_be_read_says_so_from_the_thread(monkeypatch):
    monkeypatch.setattr(batches, "MOST_KEPT", 0)

    def picture(number):
        if number == 9:
            raise OSError("gone")
        return torch.zeros(1, 4, 4)

    with pytest.raises(OSError, match="gone"):
        list(Patches(picture, range(12), 4, 50, untouched).shuffled(1, chance()))
