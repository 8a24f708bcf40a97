"""Invented names, places, companies, numbers and plain words in several scripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")
Rng = np.random.Generator

LATIN_STEMS = (
    "bel", "cor", "dan", "el", "far", "gor", "hal", "il", "jen", "kar", "lin", "mor", "nel",
    "or", "pra", "quin", "ros", "sel", "tor", "ul",
)  # fmt: skip
LATIN_ENDS = (
    "a", "ton", "ski", "berg", "son", "ez", "ini", "ova", "man", "ley", "wick", "er", "in",
    "dal", "mont", "essa", "ard", "eau",
)  # fmt: skip
STREETS = (
    "Street", "Road", "Avenue", "Lane", "Way", "Blvd", "Straße", "Gasse", "Rue", "Via",
    "Calle", "Plaza", "Court", "Drive",
)  # fmt: skip
PLAIN = (
    "open", "sale", "fresh", "coffee", "market", "hotel", "original", "quality", "premium",
    "natural", "best", "home", "garden", "music", "library", "history", "world", "guide",
    "system", "power", "energy", "sport", "team", "future", "dream", "happy", "summer",
    "winter", "black", "white", "super", "extra", "light", "classic", "product", "enjoy",
    "your", "life", "every", "day", "new", "special", "free", "choice", "please", "handle",
    "with", "care", "this", "side", "up", "fragile", "keep", "dry", "recycle", "paper",
    "carton", "heavy",
)  # fmt: skip
HANGUL_SURNAMES = "가나다라마바사아자차하고노도로모보소오조"
HANGUL_GIVEN = "람솔빛결온새봄늘찬별단비강산들미루예하은채윤슬다올"
HANGUL_PLACES = (
    "새벽", "푸른", "가람", "솔밭", "해돋", "달빛", "느티", "물결", "한울", "은빛", "참나",
    "버들", "너울", "구름",
)  # fmt: skip
HANGUL_PLAIN = (
    "받는분", "보내는분", "주소", "전화", "상품", "수량", "운임", "선불", "착불", "취급",
    "주의", "배송", "메시지", "문앞", "부탁", "신선", "식품", "파손", "의류", "박스", "접수",
    "일자", "도착", "지점", "집화", "고객", "감사", "합니다", "오늘", "새로운", "시작", "커피",
    "책", "여행",
)  # fmt: skip
HAN = "山川田中木林森石水火金土日月年号区市町村東西南北上下大小本正平安和光明新高長青白天地人名住所"
KANA = "あいうえおかきくけこさしすせそたちつてとなにのはひふへまみむもやゆよらりるれわをん"
CYRILLIC = "АБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЭЮЯ"
ARABIC = "ابتثجحخدذرزسشصضطظعغفقكلمنهوي"
ARABIC_DIGITS = "٠١٢٣٤٥٦٧٨٩"
TITLES = (
    "IDENTITY CARD",
    "DRIVER LICENSE",
    "DRIVING LICENCE",
    "RESIDENCE PERMIT",
    "NATIONAL ID",
    "STUDENT ID",
    "STAFF",
    "CITIZEN CARD",
    "PASSPORT",
    "REPUBLIC OF NORELIA",
)
TITLES_KO = (
    "주민등록증",
    "자동차운전면허증",
    "외국인등록증",
    "학생증",
    "사원증",
    "출입증",
    "공무원증",
)
TITLES_HAN = ("運転免許証", "身份證", "居民身份证", "学生証", "在留カード", "個人番号カード")


def pick(rng: Rng, items: Sequence[T]) -> T:
    return items[int(rng.integers(len(items)))]


def chance(rng: Rng, share: float) -> bool:
    return bool(rng.random() < share)


def digits(rng: Rng, count: int) -> str:
    return "".join(str(d) for d in rng.integers(0, 10, count))


def letters(rng: Rng, count: int, alphabet: str = "ABCDEFGHJKLMNPRSTUVWXYZ") -> str:
    return "".join(alphabet[int(i)] for i in rng.integers(0, len(alphabet), count))


def code(rng: Rng, pattern: str) -> str:
    """`pattern` with 0 for a digit and A for a letter; everything else stays."""
    return "".join(
        digits(rng, 1) if c == "0" else letters(rng, 1) if c == "A" else c for c in pattern
    )


def _latin_word(rng: Rng) -> str:
    stems = "".join(pick(rng, LATIN_STEMS) for _ in range(int(rng.integers(1, 3))))
    return (stems + pick(rng, LATIN_ENDS)).capitalize()


def name(rng: Rng, script: str) -> str:
    if script == "korean":
        return pick(rng, HANGUL_SURNAMES) + letters(rng, 2, HANGUL_GIVEN)
    if script == "han":
        return letters(rng, int(rng.integers(2, 5)), HAN)
    if script == "arabic":
        return " ".join(letters(rng, int(rng.integers(3, 6)), ARABIC) for _ in range(3))
    return f"{_latin_word(rng)} {_latin_word(rng)}"


def address(rng: Rng, script: str) -> str:
    number = int(rng.integers(1, 400))
    if script == "korean":
        city, district, street = (pick(rng, HANGUL_PLACES) for _ in range(3))
        town = f"{city}시 {district}구 {street}로"
        flat = (
            f" {rng.integers(101, 130)}동 {rng.integers(101, 2500)}호" if chance(rng, 0.6) else ""
        )
        return f"{town} {number}{flat}"
    if script == "han":
        city, district, block = (letters(rng, n, HAN) for n in (2, 2, 3))
        return f"{city}市{district}区{block}{number}-{rng.integers(1, 30)}"
    if script == "arabic":
        return " ".join(letters(rng, int(rng.integers(2, 6)), ARABIC) for _ in range(4))
    return f"{number} {_latin_word(rng)} {pick(rng, STREETS)}"


def town(rng: Rng) -> str:
    post_code = code(rng, pick(rng, ("00000", "AA00 0AA", "AA 00000", "0000 AA")))
    return f"{_latin_word(rng).upper()} {post_code}"


def phone(rng: Rng) -> str:
    return code(rng, pick(rng, ("010-0000-0000", "+00 000 000000", "(000) 000-0000", "0000-0000")))


def date(rng: Rng) -> str:
    year, month, day = rng.integers(1950, 2036), rng.integers(1, 13), rng.integers(1, 29)
    form = pick(
        rng, ("{0}.{1:02}.{2:02}", "{2:02}.{1:02}.{0}", "{1:02}/{2:02}/{0}", "{2:02} {1:02} {0}")
    )
    return form.format(year, month, day)


def company(rng: Rng) -> str:
    tail = pick(
        rng, ("", " Express", " Post", " Cargo", " Air", "ex", " Logistics", " Go", " Parcel")
    )
    word = _latin_word(rng) + tail
    return pick(rng, (word, word.upper(), word.lower()))


def phrase(rng: Rng, script: str, count: int) -> str:
    """`count` ordinary words, no names."""
    if script == "korean":
        return " ".join(pick(rng, HANGUL_PLAIN) for _ in range(count))
    if script == "han":
        return letters(rng, count * 3, KANA + HAN)
    if script == "arabic":
        return " ".join(letters(rng, int(rng.integers(2, 7)), ARABIC) for _ in range(count))
    if script == "cyrillic":
        return " ".join(letters(rng, int(rng.integers(3, 9)), CYRILLIC) for _ in range(count))
    return " ".join(pick(rng, PLAIN) for _ in range(count))


def machine_line(rng: Rng, length: int) -> str:
    """A line like those read by machines on travel documents: capitals, digits, fillers."""
    head = pick(rng, "PIACV") + pick(rng, "<IDR") + letters(rng, 3)
    middle = letters(rng, int(rng.integers(4, 10))) + "<" + letters(rng, int(rng.integers(4, 9)))
    body = pick(rng, (middle, code(rng, "A0000000<0AAA000000") + pick(rng, "MF<")))
    return (head + body).ljust(length, "<")[:length]
