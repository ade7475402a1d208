"""The check sums of wallets' addresses."""

from __future__ import annotations

import hashlib

__all__ = ["is_wallet"]

_BASE58 = {c: k for k, c in enumerate("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")}
_BASE32 = {c: k for k, c in enumerate("qpzry9x8gf2tvdw0s3jn54khce6mua7l")}
_LANES = 0xFFFFFFFFFFFFFFFF


def is_wallet(address: str) -> bool:
    """Whether the check sum of a Bitcoin or Ethereum address is right.

    Args:
        address: What `pipeline.text.crypto` found. An Ethereum address in one case has no check sum, and is right.
    """
    if address[:2] == "0x":
        return _is_ethereum(address[2:])
    if address[:3].lower() == "bc1":
        return _is_bech32(address)
    return _is_base58(address)


def _is_base58(address: str) -> bool:
    """Base58check: 25 bytes, the last four of them of the SHA-256 of the SHA-256 of the others; version 0 or 5."""
    number = 0
    for character in address:
        if character not in _BASE58:
            return False
        number = 58 * number + _BASE58[character]
    if number.bit_length() > 200:
        return False
    data = number.to_bytes(25, "big")
    digest = hashlib.sha256(hashlib.sha256(data[:21]).digest()).digest()
    return data[0] in (0, 5) and digest[:4] == data[21:]


def _is_bech32(address: str) -> bool:
    """BIP-173 (witness version 0) and BIP-350 (bech32m, later versions), for the main network."""
    if address not in (address.lower(), address.upper()):
        return False
    characters = address.lower()[3:]
    if any(character not in _BASE32 for character in characters):
        return False
    values = [_BASE32[character] for character in characters]
    check = 1
    for value in [*(ord(c) >> 5 for c in "bc"), 0, *(ord(c) & 31 for c in "bc"), *values]:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            if top >> bit & 1:
                check ^= generator
    return check == (0x2BC830A3 if values[0] else 1)


def _is_ethereum(digits: str) -> bool:
    """ERC-55: where the cases mix, a letter is upper where the digest of the address in lower case has 8 or more."""
    lower = digits.lower()
    if digits in (lower, digits.upper()):
        return True
    digest = _keccak256(lower.encode()).hex()
    return all(not c.isalpha() or c.isupper() == (int(d, 16) >= 8) for c, d in zip(digits, digest, strict=False))


def _keccak256(data: bytes) -> bytes:
    """Keccak with the padding of before FIPS 202, which `hashlib` does not have; one block, so up to 135 bytes."""
    block = bytearray(data.ljust(136, b"\0"))
    block[len(data)] ^= 1
    block[-1] ^= 0x80
    state = [int.from_bytes(block[k : k + 8], "little") for k in range(0, 136, 8)] + [0] * 8
    constant = 1  # of a linear feedback shift register, x^8 + x^6 + x^5 + x^4 + 1
    for _ in range(24):
        columns = [state[x] ^ state[x + 5] ^ state[x + 10] ^ state[x + 15] ^ state[x + 20] for x in range(5)]
        for x in range(5):
            change = columns[x - 1] ^ _rotate(columns[(x + 1) % 5], 1)
            for y in range(0, 25, 5):
                state[x + y] ^= change
        x, y, lane = 1, 0, state[1]
        for turn in range(1, 25):
            x, y = y, (2 * x + 3 * y) % 5
            state[x + 5 * y], lane = _rotate(lane, turn * (turn + 1) // 2 % 64), state[x + 5 * y]
        for y in range(0, 25, 5):
            row = state[y : y + 5]
            for x in range(5):
                state[x + y] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5] & _LANES)
        for bit in range(7):
            if constant & 1:
                state[0] ^= 1 << (2**bit - 1)
            constant = constant << 1 ^ (0x171 if constant & 0x80 else 0)
    return b"".join(lane.to_bytes(8, "little") for lane in state[:4])


def _rotate(lane: int, by: int) -> int:
    return (lane << by | lane >> (64 - by)) & _LANES
