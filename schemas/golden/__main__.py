"""`python -m tradewind.schemas.golden`: add the golden messages of new schema versions."""

from tradewind.schemas.golden import add_missing

if __name__ == "__main__":
    for path in add_missing():
        print(f"added {path}")
