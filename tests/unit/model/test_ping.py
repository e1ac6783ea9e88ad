"""The key of a job outside Prefect, which stands in an address."""

import pytest
from pydantic import TypeAdapter, ValidationError

from sentinel_core.model.ping import Key

KEY: TypeAdapter[str] = TypeAdapter(Key)


@pytest.mark.parametrize("key", ["backup", "b", "0", "team-a.nightly_2", "k" * 100])
def test_letters_digits_and_a_few_signs_are_a_key(key: str) -> None:
    assert KEY.validate_python(key) == key


@pytest.mark.parametrize(
    "key", ["", ".hidden", "-b", "a/b", "a b", "../x", "k" * 101, "ä", "a\n", "a%2Fb", 7, None]
)
def test_anything_else_is_none(key: object) -> None:
    with pytest.raises(ValidationError):
        KEY.validate_python(key)
