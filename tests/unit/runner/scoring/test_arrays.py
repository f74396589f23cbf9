"""Of a stranger's arrays only those are read that can be scored, and nothing is unpickled."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.scoring import arrays
from runner.scoring.arrays import Expected, Refused

PROBABILITIES = Expected((3, 2), "f", are_probabilities=True)
NUMBERS = Expected((3,))
GOOD = np.array([[0.1, 0.9], [1.0, 0.0], [0.5, 0.5]])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "y_pred_test.npz"


def npy(array: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def archive(path: Path, **members: bytes) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)


def refusal(path: Path, expected: Expected = PROBABILITIES) -> str:
    with pytest.raises(Refused) as caught:
        arrays.read(path, expected)
    return str(caught.value)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("dtype", ["<f8", ">f8", "<f4", "<f2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_what_numpy_wrote_is_read_to_the_last_bit_and_in_its_own_order(
    path: Path, save: Any, dtype: str, order: Any
) -> None:
    array = np.array(GOOD, dtype=dtype, order=order)
    save(path, y_pred=array)
    found = arrays.read(path, PROBABILITIES)
    assert (found.dtype, found.tobytes(), found.flags.f_contiguous) == (
        *(array.dtype, array.tobytes(), array.flags.f_contiguous),
    )
    found[0] = 0  # as numpy's own are, for score types that change them


@pytest.mark.parametrize("values", [[0, 1, -5], [True, False, True], [1e12, -1e12, 0.0]])
def test_numbers_of_any_type_are_read(path: Path, values: list[float]) -> None:
    np.savez_compressed(path, y_pred=np.array(values))
    assert arrays.read(path, NUMBERS).tolist() == values


def test_an_empty_array_is_read_where_there_is_nothing_to_predict(path: Path) -> None:
    np.savez_compressed(path, y_pred=np.zeros((0, 2)))
    assert arrays.read(path, PROBABILITIES._replace(shape=(0, 2))).shape == (0, 2)


@pytest.mark.parametrize(
    ("array", "expected", "said"),
    [
        (GOOD[:2], PROBABILITIES, "has the shape 2 x 2, not 3 x 2"),
        (np.zeros((3, 3)), PROBABILITIES, "has the shape 3 x 3, not 3 x 2"),
        (np.zeros(3), PROBABILITIES, "has the shape 3, not 3 x 2"),
        (np.float64(1.0), NUMBERS, "has the shape of a single number, not 3"),
        (np.array([1.0, np.nan, 0.0]), NUMBERS, "values that are not finite"),
        (np.array([1.0, np.inf, 0.0]), NUMBERS, "values that are not finite"),
        (np.array([1.0, -1e200, 0.0]), NUMBERS, "too large to be scored"),
        (np.array([1, 2**60, 0]), NUMBERS, "too large to be scored"),
        (np.array([1, 2**64 - 1, 0], dtype=np.uint64), NUMBERS, "too large to be scored"),
        (GOOD - 0.1, PROBABILITIES, "has values from -0.1 to 0.9: probabilities lie between 0 and 1"),
        (GOOD * 1.1, PROBABILITIES, "probabilities lie between 0 and 1"),
        (np.array(["a", "b", "c"]), NUMBERS, "holds values of type <U1, not numbers"),
        (np.array([b"a", b"b", b"c"]), NUMBERS, "not numbers"),
        (np.array([1j, 2j, 3j]), NUMBERS, "not numbers"),
        (np.array(["2026-01-01"] * 3, dtype="M8[D]"), NUMBERS, "not numbers"),
        (np.zeros(3, dtype=[("a", "f8")]), NUMBERS, "not numbers"),
        (np.zeros(3, dtype="V8"), NUMBERS, "not numbers"),
    ],
)
def test_what_cannot_be_scored_is_refused_in_one_clause(path: Path, array: Any, expected: Expected, said: str) -> None:
    np.savez_compressed(path, y_pred=array)
    assert said in refusal(path, expected)


def test_a_little_beyond_a_probability_is_a_rounding(path: Path) -> None:
    np.savez_compressed(path, y_pred=GOOD + 1e-9)
    assert arrays.read(path, PROBABILITIES).max() > 1


def test_texts_are_read_where_the_kits_own_predictions_are_texts(path: Path) -> None:
    np.savez_compressed(path, y_pred=np.array(["a", "b", "c"]))
    assert arrays.read(path, Expected((3,), "U")).tolist() == ["a", "b", "c"]
    np.savez_compressed(path, y_pred=np.array(["a" * 1000] * 3))
    assert "bytes each" in refusal(path, Expected((3,), "U"))


class Bomb:
    """What says so when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (os._exit, (77,))


def test_pickled_objects_are_refused_without_being_unpickled(path: Path) -> None:
    np.savez_compressed(path, y_pred=np.array([Bomb()] * 3, dtype=object))
    assert refusal(path, NUMBERS) == "holds Python objects, not numbers"
    path.write_bytes(pickle.dumps(Bomb()))
    assert refusal(path, NUMBERS) == "cannot be read as an array"


def test_anything_beside_the_one_array_is_refused(path: Path) -> None:
    for members in ({"other": npy(GOOD)}, {"y_pred": npy(GOOD), "more": npy(GOOD)}, {}):
        archive(path, **members)
        assert refusal(path) == "does not hold one array named y_pred"


def test_a_header_that_lies_about_its_length_is_refused(path: Path) -> None:
    for data in (npy(GOOD)[:-8], npy(GOOD) + bytes(8)):
        archive(path, y_pred=data)
        assert refusal(path) == "is not as long as it says"


def test_a_huge_array_is_refused_by_its_header_before_memory_is_taken(path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (2**40,)})
    archive(path, y_pred=header.getvalue() + bytes(2**20))
    assert "has the shape 1099511627776, not 3" in refusal(path, NUMBERS)


def test_a_huge_file_is_refused_before_it_is_read(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**40)
    assert "is larger than" in refusal(path)


def test_what_is_missing_or_no_file_is_refused(path: Path, tmp_path: Path) -> None:
    assert refusal(path) == "is missing"
    np.savez(tmp_path / "elsewhere.npz", y_pred=GOOD)
    path.symlink_to(tmp_path / "elsewhere.npz")
    assert refusal(path) == "is missing"
    path.unlink()
    os.mkfifo(path)
    assert refusal(path) == "is not a file"


@given(data=st.binary(max_size=400), cut=st.integers(0, 300), at=st.integers(0, 300))
def test_damaged_bytes_are_refused_or_give_numbers_of_the_right_shape(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, cut: int, at: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    np.savez(path, y_pred=GOOD)
    whole = path.read_bytes()
    path.write_bytes(whole[:at] + data + whole[at + cut :])
    try:
        found = arrays.read(path, PROBABILITIES)
    except Refused:
        return
    assert found.shape == (3, 2)
    assert np.isfinite(found).all()
