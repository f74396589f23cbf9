"""Write data/train.csv and data/test.csv from the iris data set that scikit-learn carries."""

from __future__ import annotations

from pathlib import Path

from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split


def main() -> None:
    """Split the 150 flowers into 100 to learn from and 50 to be judged by, always in the same way."""
    bunch = load_iris(as_frame=True)
    table = bunch.data.rename(columns=lambda name: name.replace(" (cm)", "_cm").replace(" ", "_"))
    table["species"] = [str(bunch.target_names[label]) for label in bunch.target]
    train, test = train_test_split(table, test_size=50, stratify=table["species"], random_state=3)

    folder = Path(__file__).parent / "data"
    folder.mkdir(exist_ok=True)
    for name, part in (("train", train), ("test", test)):
        part.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
