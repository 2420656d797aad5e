"""Bodies of requests and answers: JSON, npy and Arrow, to raw data and back. Nothing here trusts what comes."""

from __future__ import annotations

import io
import math
import struct
import sys
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import orjson

from hourglass.errors import SHOWN, shown
from hourglass.server.limits import Limits, Refusal

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

JSON, NPY, ARROW = "application/json", "application/x-npy", "application/vnd.apache.arrow.stream"
LONGEST_HEADER = 10_000  # characters of an npy header


class Form(NamedTuple):
    """A way of writing rows down."""

    name: str
    read: Callable[[bytes, Limits], dict[str, Any]]  # a body to its fields, of which ``rows`` is one
    write: Callable[[Mapping[str, Any]], bytes | None]  # columns by name to a body; None where they can't be written so


# JSON


def _read_json(body: bytes, limits: Limits) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refusal(400, f"The body is no JSON: {error}. Numbers that are missing are null.") from None
    if not isinstance(found, dict):
        raise Refusal(400, 'The body must be a JSON object, such as {"rows": [...]}.')
    return found


def _write_json(columns: Mapping[str, Any]) -> bytes:
    plain = {name: column.to_dicts() if hasattr(column, "to_dicts") else _plain(column) for name, column in columns.items()}
    return orjson.dumps(plain, default=_in_words, option=orjson.OPT_SERIALIZE_NUMPY)


def _plain(column: Any) -> Any:
    if isinstance(column, list):
        return [_plain(row) for row in column]
    if not isinstance(column, np.ndarray):
        return column.to_list() if hasattr(column, "to_list") else column
    return np.ascontiguousarray(column) if column.dtype.kind in "fiub" else column.tolist()


def _in_words(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, tuple):  # a note of a melody
        return list(value)
    return int(value) if isinstance(value, Fraction) and value.denominator == 1 else str(value)


# npy


def _read_npy(body: bytes, limits: Limits) -> dict[str, Any]:
    file = io.BytesIO(body)
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(file, max_header_size=LONGEST_HEADER)
    except Exception as error:  # a header is Python's own syntax, and there are many ways to get it wrong
        raise Refusal(400, "The body is no npy, or its header is damaged. Write it with numpy.save.") from error
    if dtype.hasobject:
        raise Refusal(400, "The npy holds Python objects, which could run code. Save it with a plain dtype.")
    if dtype.kind not in "biufU":
        raise Refusal(415, f"The npy holds {dtype}. Send numbers or text.")
    if not shape:
        raise Refusal(422, "The npy holds a single number. It needs a row for each example.")
    limits.require_size(shape[0], math.prod(shape))
    start = file.tell()
    have, needed = len(body) - start, math.prod(shape) * dtype.itemsize
    if have != needed or not dtype.itemsize:
        raise Refusal(400, f"The npy has {have:,} bytes of numbers, and its header speaks of {needed:,}. Was it cut short?")
    if dtype.kind == "U" and (np.frombuffer(body, f"{dtype.byteorder}u4", offset=start) > sys.maxunicode).any():
        raise Refusal(400, "The npy holds text that is no Unicode. Write it with numpy.save.")
    try:
        array = np.frombuffer(body, dtype, offset=start).reshape(shape, order="F" if fortran else "C")
    except ValueError as error:  # more axes than there can be, a length below zero or beyond all numbers
        raise Refusal(400, f"No array has the shape that the header of the npy speaks of: {shown(shape)}.") from error
    return {"rows": array.astype(dtype.newbyteorder("="), copy=False)}


def _write_npy(columns: Mapping[str, Any]) -> bytes | None:
    arrays = list(columns.values())
    if not all(isinstance(array, np.ndarray) and array.dtype.kind in "biuf" for array in arrays):
        return None
    array = arrays[0] if len(arrays) == 1 else np.column_stack(arrays)  # in the order of the columns, truth values as 0 and 1
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


# Arrow


def _read_arrow(body: bytes, limits: Limits) -> dict[str, Any]:
    import polars as pl
    import pyarrow as pa

    try:
        _refuse_compressed(body)
        with pa.ipc.open_stream(pa.BufferReader(body)) as stream:
            _require_plain(stream.schema)
            batches, rows = [], 0
            for batch in stream:
                rows += batch.num_rows
                limits.require_size(rows, rows * max(len(stream.schema), 1))
                batch.validate(full=True)
                batches.append(batch)
            table = pa.Table.from_batches(batches, stream.schema)
        return {"rows": pl.DataFrame(pl.from_arrow(table))}
    except (pa.ArrowException, OSError, ValueError, struct.error, pl.exceptions.PolarsError) as error:
        raise Refusal(400, "The body is no Arrow IPC stream, or is damaged. Write it with polars' write_ipc_stream.") from error


def _require_plain(schema: pa.Schema) -> None:
    """Refuse columns that are more than they seem: lists, structs, runs."""
    import pyarrow.types as of

    plain = (of.is_integer, of.is_floating, of.is_boolean, of.is_temporal, of.is_decimal, of.is_null)
    text = (of.is_string, of.is_large_string, of.is_string_view)
    names = schema.names
    for field in schema:
        inner = field.type.value_type if of.is_dictionary(field.type) else field.type
        if not any(check(inner) for check in (*plain, *text)):
            raise Refusal(415, f"Column {field.name!r} is of type {field.type}. Send numbers, text, truth values or times.")
        if names.count(field.name) > 1:
            raise Refusal(422, f"The table has {names.count(field.name)} columns called {field.name!r}. Rename all but one.")


def _refuse_compressed(body: bytes) -> None:
    """A compressed stream says itself how much memory it will take, which may be any amount."""
    import pyarrow as pa

    for message in pa.ipc.MessageReader.open_stream(pa.BufferReader(body)):
        if message.type in {"record batch", "dictionary"}:
            flat = message.metadata.to_pybytes()
            batch = _table(flat, int(struct.unpack_from("<I", flat)[0]), 2)
            batch = batch if message.type == "record batch" else _table(flat, batch, 1)
            if _place(flat, batch, 3):
                raise Refusal(415, "The Arrow stream is compressed. Write it without compression.")


def _place(flat: bytes, table: int, field: int) -> int:
    """Where a field of a table of a flatbuffer stands; 0 if it isn't there."""
    own = table - struct.unpack_from("<i", flat, table)[0]
    (size,) = struct.unpack_from("<H", flat, own)
    offset = struct.unpack_from("<H", flat, own + 4 + 2 * field)[0] if 4 + 2 * field < size else 0
    return table + offset if offset else 0


def _table(flat: bytes, table: int, field: int) -> int:
    """Where the table stands that a field of a table refers to."""
    place = _place(flat, table, field)
    return place + int(struct.unpack_from("<I", flat, place)[0])


def _write_arrow(columns: Mapping[str, Any]) -> bytes | None:
    import polars as pl

    frame = _frame(columns)
    if frame is None:
        return None
    file = io.BytesIO()
    frame.write_ipc_stream(file, compat_level=pl.CompatLevel.oldest())
    return file.getvalue()


def _frame(columns: Mapping[str, Any]) -> pl.DataFrame | None:
    """Columns as a table; an array (n, k) becomes k of them, what has more axes none."""
    import polars as pl

    (name, only), *rest = columns.items()
    if not rest and isinstance(only, pl.DataFrame):
        return only
    if not rest and isinstance(only, np.ndarray) and only.ndim == 2:
        return pl.DataFrame(only, schema=[f"{name.rstrip('s')}{i}" for i in range(only.shape[1])])
    if any(_axes(column) > 1 for column in columns.values()):
        return None
    return pl.DataFrame(dict(columns), strict=False)


def _axes(column: Any) -> int:
    """How many axes a column has, of a list the arrays in it."""
    some = column[0] if isinstance(column, list) and column else column
    return len(getattr(some, "shape", ()))


FORMS = {
    JSON: Form("JSON", _read_json, _write_json),
    NPY: Form("npy", _read_npy, _write_npy),
    ARROW: Form("Arrow", _read_arrow, _write_arrow),
}


def form_of(content_type: str) -> str:
    """Which of the forms a body comes in."""
    name = content_type.partition(";")[0].strip().lower() or JSON
    if name not in FORMS:
        raise Refusal(415, f"A body is {', '.join(FORMS)}. Got {shown(name)}.")
    return name


def written(columns: Mapping[str, Any], accept: str, form: str, limits: Limits) -> tuple[bytes, str]:
    """An answer, and the form it is in: one that the client accepts, best that of its request."""
    wanted = [part.partition(";")[0].strip().lower() for part in accept.split(",") if part.strip()]
    anything = not wanted or any(part in {"*/*", "application/*"} for part in wanted)
    for name in (*(part for part in wanted if part in FORMS), *((form, JSON) if anything else ())):
        if name == JSON:
            _require_short(columns, limits)
        body = FORMS[name].write(columns)
        if body is not None:
            return body, name
    raise Refusal(406, f"This answer can't be had as {accept[:SHOWN]}. Accept {JSON}.")


def _require_short(columns: Mapping[str, Any], limits: Limits) -> None:
    """Refuse to write so many numbers as text that others would have to wait for it."""
    size = sum(
        sum(map(np.size, column)) if isinstance(column, list) else math.prod(getattr(column, "shape", ()))
        for column in columns.values()
    )
    if size > limits.text // 8:
        raise Refusal(
            413, f"The answer has {size:,} numbers, and JSON may have {limits.text // 8:,}. Ask for fewer rows, or accept {NPY}."
        )
