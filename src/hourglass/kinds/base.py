"""What every kind of data offers: raw data to an array of numbers and on to a tensor, and back. Arrays need no torch."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from hourglass.errors import DataError, ParameterError, warn, with_article
from hourglass.kinds.frames import collected, container_of
from hourglass.parts.base import Part

if TYPE_CHECKING:
    from torch import Tensor

    from hourglass.parts.likelihoods import Runs
    from hourglass.parts.scaling import Scaling


@dataclass(frozen=True)
class Kind(ABC):
    """A kind of data as it was learned from a first pile: all that it takes to read more of the same, and to write it back.

    The fields are plain JSON, so that a model file can hold them. What a network needs of the data, its mean for one, is learned
    by `scaling`, whose tensors live with the model's own.
    """

    name: ClassVar[str]
    unit: ClassVar[bool] = False  # whether the scaled numbers lie between 0 and 1
    symbolic: ClassVar[bool] = False  # whether a row is symbols in a row, each a one among zeros along the last axis
    samples_from_means: ClassVar[bool] = False  # whether samplers are fitted to the means of codes, in place of codes as drawn
    shape: tuple[int, ...]  # of one element, as the networks see it
    dtype: str  # of the raw data

    @property
    def ending(self) -> str:
        """That of a file that such rows are written to; "" is a folder."""
        return ".txt"

    @property
    def family(self) -> str:
        """What tables of choices go by: its name, or "symbols" of all kinds of those."""
        return "symbols" if self.symbolic else self.name

    @classmethod
    @abstractmethod
    def recognise(cls, raw: Any) -> str | None:
        """Why this looks like data of this kind, or None if it doesn't."""

    @classmethod
    def left_out(cls, raw: Any) -> str | None:
        """What to say of what raw data has and this kind leaves out, where nobody has asked for it; None if that is nothing."""
        return None

    @classmethod
    @abstractmethod
    def learn(
        cls, raw: Any, columns: Mapping[str, str] | None = None, *, timeless: bool = False, asked: Part | None = None
    ) -> Self:
        """The kind as this pile has it. Raises `DataError` where the data can't be used.

        Of a table, ``columns`` are types that were asked for, and ``timeless`` keeps the cycles of times but not the time itself,
        which is always later in new data; to symbols it adds one that stands for those never seen, and for what a longer row has
        more. ``asked`` is a part that says more, such as `Series`.
        """

    @abstractmethod
    def to_array(self, raw: Any, first_row: int = 0) -> np.ndarray[Any, Any]:
        """Numbers of raw data, as it lies; ``first_row`` is the number of its first row, for messages."""

    @abstractmethod
    def from_array(self, numbers: np.ndarray[Any, Any], like: Any = None) -> Any:
        """Raw data of such numbers, in the container that was learned, or in that of ``like``."""

    def to_tensor(self, raw: Any, first_row: int = 0) -> Tensor:
        """Numbers (n, *shape) of raw data."""
        return self.inward(as_tensor(self.to_array(raw, first_row)))

    def from_tensor(self, values: Tensor, like: Any = None) -> Any:
        """Raw data of numbers (n, *shape), as ``from_array`` makes it."""
        return self.from_array(self.arrange(values), like)

    def drawn(self, values: Tensor) -> Any:
        """The same of rows that are new, and have nothing to do with one another."""
        return self.from_tensor(values)

    def arrange(self, values: Tensor) -> np.ndarray[Any, Any]:
        """Numbers (n, *shape) as an array (n, *raw_shape)."""
        return self.outward(values).numpy()

    def inward(self, values: Tensor) -> Tensor:
        """Numbers that lie as the raw data does (n, *raw_shape), as networks want them: (n, *shape)."""
        return values

    def outward(self, values: Tensor) -> Tensor:
        """The way back of ``inward``."""
        return values

    def summed(self, values: Tensor) -> np.ndarray[Any, Any]:
        """Numbers (n, *shape), added up over what is one element of the raw data, as an array (n, *raw_shape)."""
        return self.arrange(values)

    def placed(self, numbers: np.ndarray[Any, Any], raw: Any) -> np.ndarray[Any, Any]:
        """Numbers of each element (n, *raw_shape), as raw data has the elements: of a table, in the order of its columns."""
        return numbers

    @abstractmethod
    def scaling(self, values: Tensor | None = None, *, squashed: bool = False) -> Scaling:
        """The scaling of this kind, learned from numbers (n, *shape), or blank, for a model file to fill.

        Where it is ``squashed``, all tails are drawn in, not just heavy ones.
        """

    @abstractmethod
    def describe(self) -> str:
        """What the data is, in a few words: '28 x 28 grey images'."""

    def opened(self, raw: Any) -> Any:
        """Raw data as rows: a long record, or a tune, as its windows."""
        return raw

    def learned(self, raw: Any) -> Any:
        """Raw data as the rows that `fit` learns from, which may overlap where it is cut to windows."""
        return self.opened(raw)

    def origins(self, raw: Any) -> dict[str, np.ndarray[Any, Any]]:
        """Where each row comes from, as columns (n,), where one row of the user's becomes several."""
        return {}

    def guessed(self, n: int) -> str | None:
        """What to say of where so many rows come from, if that has to be guessed; None if it hasn't."""
        return None

    @property
    @abstractmethod
    def raw_shape(self) -> tuple[int, ...]:
        """The shape of one element as the user has it."""

    @abstractmethod
    def check(self, raw: Any) -> None:
        """Raise `DataError` where more data is not of the learned shape."""

    def lengths(self, values: Tensor) -> Tensor | None:
        """How much of each of some rows (n, *shape) counts, (n,), where they differ in that."""
        return None

    @property
    def gaps(self) -> bool:
        """Whether elements were missing, which are NaN."""
        return False

    @property
    def of_record(self) -> bool:
        """Whether rows are windows of one long record."""
        return False

    @property
    def categories(self) -> Runs:
        """First place, and last but one, of each run of elements that is one category."""
        return ()

    @property
    def column_of(self) -> tuple[int, ...]:
        """The column of a table, or the pixel, that each element belongs to."""
        return tuple(range(math.prod(self.shape)))

    @property
    def names(self) -> tuple[str, ...]:
        """What the columns are called that elements belong to."""
        return tuple(f"x{i}" for i in range(math.prod(self.shape)))

    @property
    def element_names(self) -> tuple[str, ...]:
        """What the elements are called."""
        return self.names

    @property
    def n_features(self) -> int:
        """How many numbers an element has."""
        return int(np.prod(self.raw_shape))

    @property
    def dimensions(self) -> int:
        """How many of them are learned from: of a table, one for each column that isn't left out."""
        return self.n_features

    def opaque(self) -> Self:
        """The kind without what can't be mended."""
        return self

    def roomy(self) -> Self:
        """The kind with room for what damage puts into rows."""
        return self

    def in_fragments(self, raw: Any) -> Self:
        """The kind with what often stands side by side in the data taken as one, where that is a help."""
        return self

    def to_config(self) -> dict[str, Any]:
        """The kind as plain JSON."""
        return {"kind": self.name, **asdict(self)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The kind that `to_config` wrote."""
        values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in config.items()}
        del values["kind"]
        return cls(**values)


class Apart(Sequence[Any]):
    """Base of rows that are no array: how many there are is all that their shape says."""

    ndim = 1

    @property
    def shape(self) -> tuple[int]:
        """How many there are."""
        return (len(self),)


class Album(Apart):
    """Pictures of differing sizes, each an array; perhaps read from files only when they are asked for.

    Parameters
    ----------
    pictures : sequence
        Arrays (height, width) or (height, width, channels), or something that has such an array as ``pixels``.
    numbers : sequence of int, optional
        Which of them, and in which order.
    """

    def __init__(self, pictures: Sequence[Any], numbers: Sequence[int] | None = None) -> None:
        self.pictures = pictures
        self.numbers = range(len(pictures)) if numbers is None else numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, which: Any) -> Any:
        if isinstance(which, slice):
            return Album(self.pictures, self.numbers[which])
        if isinstance(which, np.ndarray):
            return Album(self.pictures, [self.numbers[i] for i in which.tolist()])
        found = self.pictures[self.numbers[which]]
        return getattr(found, "pixels", found)


def length(raw: Any) -> int:
    """How many rows raw data has."""
    return int(raw.shape[0])


def require_rows(raw: Any, fewest: int = 1) -> None:
    """Raise `DataError` where raw data has no row, or not as many as that."""
    n = length(raw)
    if n < fewest:
        raise DataError(f"Found array with {n} sample(s) (shape={tuple(raw.shape)}) while a minimum of {fewest} is required.")


def rows(raw: Any, start: int, stop: int) -> Any:
    """Some rows of an array or a table, without a copy."""
    if hasattr(raw, "iloc"):  # by number, whatever its index
        return raw.iloc[start:stop]
    return raw.slice(start, stop - start) if hasattr(raw, "to_batches") else raw[start:stop]


def taken(raw: Any, index: np.ndarray[Any, Any]) -> Any:
    """Rows of a list, an array or a table by number."""
    if isinstance(raw, list):
        return [raw[number] for number in index]
    if hasattr(raw, "iloc"):
        return raw.iloc[index]
    return raw.take(index) if hasattr(raw, "to_batches") else raw[index]


def refuse_columns(columns: Mapping[str, str] | None, what: str) -> None:
    """Raise `ParameterError` where types of columns are asked for, and there are no columns."""
    if columns:
        raise ParameterError(f"The 'columns' parameter is for tables, and {what} have none. Got {columns!r}.")


def all_equal(n: int) -> DataError:
    """The error of n rows that are all the same."""
    return DataError(f"All {n} rows are equal, so there is nothing to learn. Check that the right file was read.")


def as_codes(Z: Any, width: int) -> np.ndarray[Any, Any]:
    """Codes (n, width) as float64 if they are, else as float32; `DataError` where they are none, or none of that width."""
    codes = _in_order(Z, [f"code{i}" for i in range(width)])
    if codes.dtype.kind not in "fiub":
        raise DataError(f"Codes are numbers, as transform gives them. Got an array of {codes.dtype}.")
    if codes.ndim != 2 or codes.shape[1] != width:
        raise DataError(f"The model has {width} codes, so Z must be of shape (n, {width}). Got {codes.shape}.")
    require_finite(codes, "The array of codes")
    return codes if codes.dtype == np.float64 else codes.astype(np.float32)


def require_alike(kind: Kind, codes: np.ndarray[Any, Any], raw: Any) -> None:
    """Raise `DataError` where the data that codes are said to be of has another number of rows; warn where it isn't known."""
    if raw is None:
        if said := kind.guessed(len(codes)):
            warn(said)
    elif length(raw) != len(codes):
        raise DataError(f"There are {len(codes):,} codes, and what they are to be like has {length(raw):,} rows. Give as many.")


def _in_order(Z: Any, names: list[str]) -> np.ndarray[Any, Any]:
    """Codes as an array; those of a frame in the order of their names, if it has these."""
    Z = collected(Z)
    if container_of(Z) == "pyarrow" and hasattr(Z, "to_pandas"):
        Z = Z.to_pandas()
    if hasattr(Z, "columns") and set(Z.columns) == set(names):
        Z = Z[names]
    codes = np.asarray(Z.to_numpy() if hasattr(Z, "to_numpy") else taken_by_numpy(Z))
    if codes.dtype.kind == "O" and hasattr(Z, "iloc") and all(dtype.kind in "fiub" for dtype in np.ravel(Z.dtypes)):
        return np.asarray(Z.to_numpy(float, na_value=np.nan))  # types of pandas that have a missing value of their own
    return codes


def indexed_like(found: Any, like: Any) -> Any:
    """Rows with the index of those they were made of, where both are of pandas."""
    return found.set_axis(like.index) if container_of(found) == container_of(like) == "pandas" else found


def taken_by_numpy(X: Any) -> Any:
    """A tensor of torch as NumPy takes it: without a gradient, on the processor, in a type of both; all else as it is."""
    if not hasattr(X, "detach"):
        return X
    X = X.detach().cpu()
    return X.float() if X.is_floating_point() and not hasattr(np, str(X.dtype).removeprefix("torch.")) else X


def as_tensor(array: np.ndarray[Any, Any]) -> Tensor:
    """A tensor of an array's numbers, sharing its memory where torch can."""
    import torch

    usable = array.flags.writeable and array.dtype.isnative and min(array.strides, default=0) >= 0
    return torch.from_numpy(array if usable else np.array(array, dtype=array.dtype.newbyteorder("="), copy=True, order="C"))


def require_finite(values: np.ndarray[Any, Any], describe: str, first_row: int = 0) -> None:
    """Raise `DataError` that names the first NaN or infinity of an array (n, ...)."""
    if values.dtype.kind != "f" or np.isfinite(values).all():
        return
    row, *place = (int(i) for i in np.argwhere(~np.isfinite(values))[0])
    value = values[(row, *place)]
    what = "NaN" if np.isnan(value) else str(value)
    where = f"column {place[0]}" if len(place) == 1 else f"pixel {tuple(place)}"
    raise DataError(f"{describe} holds {what} in row {first_row + row}, {where}. Fill it, or leave that row or column out.")


def described(raw: Any, *, typed: bool = False) -> str:
    """What came, as a sentence has it; of an array the type too, where it may be that which is wrong."""
    if not isinstance(raw, np.ndarray):
        return with_article(type(raw).__name__)
    return f"an array of {raw.dtype} of shape {raw.shape}" if typed else f"an array of shape {raw.shape}"


def ragged(shapes: list[tuple[int, ...]]) -> str:
    """What to say of rows of differing shapes."""
    other = next(i for i, shape in enumerate(shapes) if shape != shapes[0])
    series = len(shapes[0]) == len(shapes[other]) == 1
    advice = "If they are series, say kind='series'." if series else "Resize the images, or pad the rows, to one size."
    return f"All rows need one shape: row 0 has {shapes[0]}, row {other} has {shapes[other]}. {advice}"
