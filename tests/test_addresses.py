"""No user and no password of an address is shown."""

from __future__ import annotations

import pytest

from pipeline.addresses import without_secrets


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no answer at https://me:secret@host:80/api?q=1", "no answer at https://host:80/api?q=1"),
        ("HTTPSConnectionPool(host='a', port=1): http://u@a/ and s3://k:p@ss@b/c", "{}http://a/ and s3://b/c"),
        ("mail me@example.org of https://host/path@2", "mail me@example.org of https://host/path@2"),
        ("", ""),
    ],
)
def test_users_and_passwords_go_and_nothing_else(text: str, shown: str) -> None:
    assert without_secrets(text) == shown.replace("{}", "HTTPSConnectionPool(host='a', port=1): ")
