"""Device passwords are random and typable; hashes are argon2id."""

import asyncio
import math
import re
import secrets
from collections import Counter

from posthouse.services.directory.passwords import (
    DEVICE_ALPHABET,
    Hasher,
    device_hash,
    new_device_password,
)


class RealChance:
    def token_bytes(self, count):
        return secrets.token_bytes(count)


def test_device_passwords_have_their_form_and_strength():
    group = f"[{DEVICE_ALPHABET}]{{5}}"
    made = {new_device_password(RealChance()) for _ in range(200)}
    assert len(made) == 200
    assert all(re.fullmatch(f"{group}(-{group}){{3}}", password) for password in made)
    assert not set("il1o0") & set(DEVICE_ALPHABET)
    assert math.log2(len(DEVICE_ALPHABET)) * 20 >= 96


def test_no_letter_comes_oftener_than_another():
    class AllOctets:
        def token_bytes(self, count):
            return bytes(range(256)) * (count // 256 + 1)

    letters = new_device_password(AllOctets()).replace("-", "")
    assert letters == DEVICE_ALPHABET[:20]
    every = Counter(DEVICE_ALPHABET[o % 31] for o in range(256 - 256 % 31))
    assert len(set(every.values())) == 1


def test_the_hash_ignores_hyphens_blanks_and_case():
    assert device_hash(b"abcde-fghjk") == device_hash(b"ABCDE FGHJK") != device_hash(b"abcde")


def test_argon2id_as_shipped_checks_and_nobodys_hash_costs_the_same():
    hasher = Hasher(RealChance())
    kept = hasher.hash(b"wonderland")
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert (
        hasher.nobodys_hash.rpartition("$")[0].rpartition("$")[0]
        == (kept.rpartition("$")[0].rpartition("$")[0])
    )
    assert len(hasher.nobodys_hash) == len(kept)

    async def check():
        return [
            await hasher.fits(kept, b"wonderland"),
            await hasher.fits(kept, b"wonderlane"),
            await hasher.fits(hasher.nobodys_hash, b"wonderland"),
            await hasher.fits("damaged", b"wonderland"),
        ]

    assert asyncio.run(check()) == [True, False, False, False]
